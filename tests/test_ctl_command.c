/* The table of commands, and the views of it. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/command.h"

static bool
has_letter(const struct args_form *form, char letter)
{
	for (; form->name != NULL; form++)
		if (letter != 0 && form->letter == letter)
			return true;
	return false;
}

static bool
has_name(const struct args_form *form, const char *name)
{
	for (; form->name != NULL; form++)
		if (strcmp(form->name, name) == 0)
			return true;
	return false;
}

static void
expect_sound(const struct command *c)
{
	const char *words[2] = { c->group, c->name };
	const struct args_form *form;

	cr_expect_eq(c->group != NULL ? command_find(words, 2)
				      : command_find(words + 1, 1),
	    c, "%s is there twice", c->name);
	cr_expect_leq(c->min, c->max, "%s", c->name);
	cr_expect_eq(c->min == 0 && c->max == 0, c->operands[0] == '\0');
	cr_expect_gt(strlen(c->summary), 0);
	cr_expect_not_null(c->run);
	for (form = c->options; form->name != NULL; form++) {
		cr_expect_not(has_name(command_common_options, form->name),
		    "%s: --%s", c->name, form->name);
		cr_expect_not(has_letter(command_common_options, form->letter),
		    "%s: -%c", c->name, form->letter);
		cr_expect_not(has_name(form + 1, form->name));
		cr_expect_not(has_letter(form + 1, form->letter));
	}
}

Test(ctl_command, the_table_is_sound)
{
	size_t n = 0;

	for (; command_at(n) != NULL; n++)
		expect_sound(command_at(n));
	cr_expect_geq(n, 10);
}

Test(ctl_command, lines_of_help_fit_a_terminal)
{
	char *text = NULL, *line;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	command_help_all(f);
	for (size_t i = 0; command_at(i) != NULL; i++)
		command_help(f, command_at(i));
	command_help_group(f, "user");
	fclose(f);
	for (line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
		cr_expect_lt(strlen(line), 80, "%s", line);
	free(text);
}

/* words: separated by one blank, of which the last may stand at the end. */
static void
expect_completed(const char *words, const char *want)
{
	char copy[128], *rest = copy, *text = NULL, *word;
	const char *list[16];
	size_t n = 0, len;
	FILE *f = open_memstream(&text, &len);

	snprintf(copy, sizeof(copy), "%s", words);
	while ((word = strsep(&rest, " ")) != NULL)
		list[n++] = word;
	command_complete(f, list, n);
	fclose(f);
	cr_expect_str_eq(text, want, "%s: %s", words, text);
	free(text);
}

Test(ctl_command, shells_can_complete_every_word)
{
	expect_completed("",
	    "status\njobs\npost\nuser\nkey\nquarantine\nbackup\nrestore\nverify"
	    "\njour"
	    "nal\nhelp\ncomplete\n");
	expect_completed("-u unix:/x us",
	    "status\njobs\npost\nuser\nkey\nquarantine\nbackup\nrestore\nverify"
	    "\njour"
	    "nal\nhelp\ncomplete\n");
	expect_completed("key ", "create\nlist\nexpire\nrevoke\n");
	expect_completed("key -q l", "create\nlist\nexpire\nrevoke\n");
	expect_completed("key list ", "");
	expect_completed("-u ", "");
	expect_completed("key create web --job ", "");
	expect_completed("nothing ", "");
	expect_completed("key list -",
	    "--url\n--login\n--login-file\n--key-file\n--cacert\n--timeout\n"
	    "--quiet\n--help\n--version\n--all\n--json\n");
}
