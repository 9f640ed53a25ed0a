/* Owns the table of commands, and all that is only a view of it. */
#include "common/compat.h"

#include <ctype.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/command.h"
#include "ctl/say.h"

/* clang-format off */
const struct args_form command_common_options[] = {
	{ 'u', "url", "URL", "where anomd is: unix:/path or http://host:port", false },
	{ 'U', "login", "NAME", "be this user, whose password is asked for", false },
	{ 'P', "login-file", "FILE", "file with that password; - is standard input", false },
	{ 'K', "key-file", "FILE", "file with an API key; - is standard input", false },
	{ 0, "cacert", "FILE", "authorities to trust, for https", false },
	{ 't', "timeout", "TIME", "give a request up after this time; default 30s", false },
	{ 'q', "quiet", NULL, "say nothing when all is well", false },
	{ 'h', "help", NULL, "say how it is called, and end", false },
	{ 'V', "version", NULL, "print the version, and end", false },
	{ 0, NULL, NULL, NULL, false },
};

#define JSON_OPTION { 0, "json", NULL, "print the daemon's answer as it came", false }
#define PASSWORD_OPTIONS \
	{ 0, "password-file", "FILE", "file with the password; - is standard input", false }, \
	{ 0, "generate", NULL, "make a strong password, and print it", false }
#define END { 0, NULL, NULL, NULL, false }

static const struct args_form no_options[] = { END };
static const struct args_form list_options[] = { JSON_OPTION, END };
static const struct args_form password_options[] = { PASSWORD_OPTIONS, END };
static const struct args_form user_create_options[] = {
	{ 'r', "role", "ROLE", "a role; repeats", true },
	{ 0, "full-name", "TEXT", "the name of the person", false },
	{ 0, "email", "ADDRESS", "where the person reads mail", false },
	PASSWORD_OPTIONS,
	END,
};
static const struct args_form key_create_options[] = {
	{ 'p', "privilege", "NAME", "what it may do; default monitor_ml; repeats", true },
	{ 'j', "job", "PATTERN", "only with these jobs, such as web-*; repeats", true },
	{ 'e', "expire", "TIME", "end by itself after this time, such as 30d", false },
	JSON_OPTION,
	END,
};
static const struct args_form key_list_options[] = {
	{ 'a', "all", NULL, "also those that have expired or are revoked", false },
	JSON_OPTION,
	END,
};
static const struct args_form key_revoke_options[] = {
	{ 'n', "name", "NAME", "all that have this name; repeats", true },
	END,
};

static const struct args_form backup_options[] = {
	{ 's', "state-dir", "DIR", "what is copied, if not the usual one", false },
	END,
};
static const struct args_form restore_options[] = {
	{ 0, "replace", NULL, "move aside what is in STATEDIR", false },
	END,
};
static const struct args_form jobs_options[] = {
	{ 0, "format", "FORMAT", "table, the default, or json: the daemon's answer", false },
	END,
};
static const struct args_form journal_options[] = {
	{ 'e', "entry", "NUMBER", "only this entry", false },
	{ 0, "data", NULL, "print what was posted, as it was posted", false },
	END,
};

static const struct args_form post_options[] = {
	{ 0, "piece", "SIZE", "bytes of an upload, 64kb to 64mb; default 16mb", false },
	{ 0, "tag", "TEXT", "part of the keys: with another one it counts again", false },
	{ 0, "give-up", "TIME", "stop trying after this time; default 5m", false },
	{ 0, "format", "FORMAT", "of the sums at the end: text or json", false },
	END,
};

static const struct command commands[] = {
	{ NULL, "status", "", 0, 0, "show how the daemon and its jobs are", no_options, false, cmd_status },
	{ NULL, "jobs", "[PATTERN ...]", 0, SIZE_MAX, "list jobs", jobs_options, false, cmd_jobs },
	{ NULL, "post", "JOB [FILE ...]", 1, SIZE_MAX, "post records to a job", post_options, false, cmd_post },
	{ "user", "create", "NAME", 1, 1, "create a user", user_create_options, false, cmd_user_create },
	{ "user", "list", "[NAME]", 0, 1, "list users, or one of them", list_options, false, cmd_user_list },
	{ "user", "password", "NAME", 1, 1, "give a user another password", password_options, false, cmd_user_password },
	{ "user", "role", "NAME ROLE ...", 2, SIZE_MAX, "give a user these roles and no other", no_options, false, cmd_user_role },
	{ "user", "enable", "NAME", 1, 1, "let a disabled user in again", no_options, false, cmd_user_enable },
	{ "user", "disable", "NAME", 1, 1, "keep a user out", no_options, false, cmd_user_disable },
	{ "user", "revoke", "NAME", 1, 1, "remove a user", no_options, false, cmd_user_revoke },
	{ "key", "create", "NAME", 1, 1, "create an API key, and print it", key_create_options, false, cmd_key_create },
	{ "key", "list", "", 0, 0, "list API keys", key_list_options, false, cmd_key_list },
	{ "key", "expire", "ID DURATION", 2, 2, "let an API key end so long from now", no_options, false, cmd_key_expire },
	{ "key", "revoke", "[ID ...]", 0, SIZE_MAX, "end API keys for ever", key_revoke_options, false, cmd_key_revoke },
	{ "quarantine", "list", "JOB", 1, 1, "list entries that were put aside", list_options, false, cmd_quarantine_list },
	{ "quarantine", "show", "JOB ENTRY", 2, 2, "show one of them", no_options, false, cmd_quarantine_show },
	{ "quarantine", "post", "JOB ENTRY", 2, 2, "give it to the job once more", no_options, false, cmd_quarantine_post },
	{ "quarantine", "drop", "JOB ENTRY", 2, 2, "remove it for ever", no_options, false, cmd_quarantine_drop },
	{ NULL, "backup", "DIR", 1, 1, "copy the state directory, also while it is in use", backup_options, true, cmd_backup },
	{ NULL, "restore", "DIR [STATEDIR]", 1, 2, "make a state directory of a backup", restore_options, true, cmd_restore },
	{ NULL, "verify", "[DIR]", 0, 1, "look over a state directory, or a backup", no_options, true, cmd_verify },
	{ NULL, "journal", "DIR", 1, 1, "print the journal in the directory of a job", journal_options, true, cmd_journal },
	{ NULL, "help", "[COMMAND ...]", 0, 2, "say how a command is called", no_options, true, cmd_help },
	{ NULL, "complete", "-- WORD ...", 1, SIZE_MAX, "list what the last word may become", no_options, true, cmd_complete },
};
/* clang-format on */

const struct command *
command_at(size_t i)
{
	return i < NELEM(commands) ? &commands[i] : NULL;
}

const struct command *
command_find(const char *const *words, size_t n)
{
	for (size_t i = 0; i < NELEM(commands); i++) {
		const struct command *c = &commands[i];

		if (c->group == NULL && n == 1 &&
		    strcmp(c->name, words[0]) == 0)
			return c;
		if (c->group != NULL && n == 2 &&
		    strcmp(c->group, words[0]) == 0 &&
		    strcmp(c->name, words[1]) == 0)
			return c;
	}
	return NULL;
}

bool
command_is_group(const char *word)
{
	for (size_t i = 0; i < NELEM(commands); i++)
		if (commands[i].group != NULL &&
		    strcmp(commands[i].group, word) == 0)
			return true;
	return false;
}

/*
 * The i-th word that may stand behind a group or (NULL) first, or NULL where
 * the table has none or has had it before.
 */
static const char *
name_at(const char *group, size_t i)
{
	const struct command *c = &commands[i];

	if (group != NULL)
		return c->group != NULL && strcmp(c->group, group) == 0
		    ? c->name
		    : NULL;
	if (c->group == NULL)
		return c->name;
	/* A group stands together in the table. */
	return i == 0 || commands[i - 1].group == NULL ||
		strcmp(commands[i - 1].group, c->group) != 0
	    ? c->group
	    : NULL;
}

void
command_names(const char *group, char *dst, size_t dstlen)
{
	dst[0] = '\0';
	for (size_t i = 0; i < NELEM(commands); i++) {
		const char *name = name_at(group, i);

		if (name == NULL)
			continue;
		if (dst[0] != '\0')
			strlcat(dst, ", ", dstlen);
		strlcat(dst, name, dstlen);
	}
}

/* ---- help ---- */

static void
print_name(FILE *f, const struct command *c, const char *options)
{
	fprintf(f, "%s%s%s%s", c->group != NULL ? c->group : "",
	    c->group != NULL ? " " : "", c->name, options);
	if (c->operands[0] != '\0')
		fprintf(f, " %s", c->operands);
}

static void
print_options(FILE *f, const struct args_form *form)
{
	for (; form->name != NULL; form++) {
		char call[64];

		if (form->letter != 0)
			snprintf(call, sizeof(call), "-%c, --%s%s%s",
			    form->letter, form->name,
			    form->value != NULL ? " " : "",
			    form->value != NULL ? form->value : "");
		else
			snprintf(call, sizeof(call), "    --%s%s%s", form->name,
			    form->value != NULL ? " " : "",
			    form->value != NULL ? form->value : "");
		fprintf(f, "  %-25s %s\n", call, form->help);
	}
}

static void
print_list(FILE *f, const char *group, bool all)
{
	for (size_t i = 0; i < NELEM(commands); i++) {
		const struct command *c = &commands[i];
		char name[64];

		if (!all && (c->group == NULL || strcmp(c->group, group) != 0))
			continue;
		snprintf(name, sizeof(name), "%s%s%s %s",
		    c->group != NULL ? c->group : "",
		    c->group != NULL ? " " : "", c->name, c->operands);
		fprintf(f, "  %-26s %s\n", name, c->summary);
	}
}

void
command_help(FILE *f, const struct command *c)
{
	fputs("usage: anomctl ", f);
	print_name(f, c, " [OPTION ...]");
	fprintf(f, "\n\n%c%s.\n", toupper((unsigned char)c->summary[0]),
	    c->summary + 1);
	if (c->options->name != NULL) {
		fputs("\nOptions:\n", f);
		print_options(f, c->options);
	}
	fputs("\nOptions of every command are in: anomctl help\n", f);
}

void
command_help_group(FILE *f, const char *group)
{
	fprintf(f,
	    "usage: anomctl %s COMMAND [OPTION ...] [OPERAND "
	    "...]\n\nCommands:\n",
	    group);
	print_list(f, group, false);
	fprintf(f, "\nMore on one of them: anomctl help %s COMMAND\n", group);
}

void
command_help_all(FILE *f)
{
	fputs("usage: anomctl COMMAND [OPTION ...] [OPERAND ...]\n\n"
	      "Administers anomd.\n\nCommands:\n",
	    f);
	print_list(f, NULL, true);
	fputs("\nOptions of every command:\n", f);
	print_options(f, command_common_options);
	fputs("\nMore on a command: anomctl help COMMAND, and anomctl(1)\n", f);
}

int
cmd_help(struct ctl *ctl)
{
	const char *const *words = ctl->args->operand;
	size_t n = ctl->args->noperands;
	const struct command *c;

	if (n == 0) {
		command_help_all(stdout);
		return CTL_OK;
	}
	c = command_find(words, n);
	if (c != NULL) {
		command_help(stdout, c);
		return CTL_OK;
	}
	if (n == 1 && command_is_group(words[0])) {
		command_help_group(stdout, words[0]);
		return CTL_OK;
	}
	say_error("help: there is no command %s%s%s; see anomctl help",
	    words[0], n > 1 ? " " : "", n > 1 ? words[1] : "");
	return CTL_USAGE;
}

/* ---- completion ---- */

static void
complete_options(FILE *f, const struct args_form *form)
{
	for (; form->name != NULL; form++)
		fprintf(f, "--%s\n", form->name);
}

static void
complete_names(FILE *f, const char *group)
{
	for (size_t i = 0; i < NELEM(commands); i++)
		if (name_at(group, i) != NULL)
			fprintf(f, "%s\n", name_at(group, i));
}

/* words: complete ones, read with all options that any command has. */
static int
read_complete(struct args *a, const char *const *words, size_t n)
{
	const struct args_form *forms[NELEM(commands) + 2] = { NULL };

	forms[0] = command_common_options;
	for (size_t i = 0; i < NELEM(commands); i++)
		forms[i + 1] = commands[i].options;
	return args_read(a, forms, words, n, false);
}

void
command_complete(FILE *f, const char *const *words, size_t n)
{
	const struct command *c;
	struct args a;

	if (args_init(&a, n) == -1)
		return;
	/* An option whose value is being typed is a fault here: no words. */
	if (read_complete(&a, words, n - 1) == -1)
		goto done;
	c = a.noperands == 0 ? NULL : command_find(a.operand, 1);
	if (c == NULL && a.noperands > 1)
		c = command_find(a.operand, 2);
	if (words[n - 1][0] == '-') {
		complete_options(f, command_common_options);
		if (c != NULL)
			complete_options(f, c->options);
	} else if (a.noperands == 0) {
		complete_names(f, NULL);
	} else if (a.noperands == 1 && c == NULL) {
		complete_names(f, a.operand[0]);
	}
done:
	args_clear(&a);
}

int
cmd_complete(struct ctl *ctl)
{
	command_complete(stdout, ctl->args->operand, ctl->args->noperands);
	return CTL_OK;
}
