/* Options and operands of anomctl's command line. */
#include "common/compat.h"

#include <criterion/criterion.h>

#include "ctl/args.h"

static const struct args_form common[] = {
	{ 'u', "url", "URL", "", false },
	{ 'q', "quiet", NULL, "", false },
	{ 0, NULL, NULL, NULL, false },
};
static const struct args_form own[] = {
	{ 'r', "role", "ROLE", "", true },
	{ 0, "json", NULL, "", false },
	{ 0, NULL, NULL, NULL, false },
};
static const struct args_form *const forms[] = { common, own, NULL };

/* words: separated by blanks. Returns what args_read() returns. */
static int
read_words(struct args *a, char *words, bool first)
{
	const char *list[16];
	size_t n = 0;

	for (char *w = strtok(words, " "); w != NULL; w = strtok(NULL, " "))
		list[n++] = w;
	cr_assert_eq(args_init(a, n), 0);
	return args_read(a, forms, list, n, first);
}

Test(ctl_args, options_stand_anywhere_and_in_every_form)
{
	char words[] = "-qu a create -rb --role=c NAME --role d --json";
	struct args a;
	size_t pos = 0;

	cr_assert_eq(read_words(&a, words, false), 9);
	cr_expect_eq(a.noperands, 2);
	cr_expect_str_eq(a.operand[0], "create");
	cr_expect_str_eq(a.operand[1], "NAME");
	cr_expect(args_has(&a, "quiet"));
	cr_expect(args_has(&a, "json"));
	cr_expect_str_eq(args_value(&a, "url"), "a");
	cr_expect_str_eq(args_next(&a, "role", &pos), "b");
	cr_expect_str_eq(args_next(&a, "role", &pos), "c");
	cr_expect_str_eq(args_next(&a, "role", &pos), "d");
	cr_expect_null(args_next(&a, "role", &pos));
	cr_expect_null(args_value(&a, "full-name"));
	args_clear(&a);
}

Test(ctl_args, the_first_operand_can_end_the_reading)
{
	char words[] = "-u x user -q list";
	struct args a;

	cr_assert_eq(read_words(&a, words, true), 2);
	cr_expect_eq(a.noperands, 0);
	cr_expect_not(args_has(&a, "quiet"));
	args_clear(&a);
}

Test(ctl_args, behind_two_dashes_there_are_operands_only)
{
	char words[] = "- -- -q --json";
	struct args a;

	cr_assert_eq(read_words(&a, words, false), 4);
	cr_expect_eq(a.noperands, 3);
	cr_expect_str_eq(a.operand[0], "-");
	cr_expect_str_eq(a.operand[1], "-q");
	cr_expect_str_eq(a.operand[2], "--json");
	cr_expect_eq(a.noptions, 0);
	args_clear(&a);
}

Test(ctl_args, a_value_may_begin_with_a_dash)
{
	char words[] = "--role - -r --json";
	struct args a;
	size_t pos = 0;

	cr_assert_eq(read_words(&a, words, false), 4);
	cr_expect_str_eq(args_next(&a, "role", &pos), "-");
	cr_expect_str_eq(args_next(&a, "role", &pos), "--json");
	cr_expect_not(args_has(&a, "json"));
	args_clear(&a);
}

static void
expect_refused(const char *text, const char *why)
{
	char words[64];
	struct args a;

	snprintf(words, sizeof(words), "%s", text);
	cr_expect_eq(read_words(&a, words, false), -1, "%s", text);
	cr_expect_str_eq(a.why, why);
	args_clear(&a);
}

Test(ctl_args, what_is_wrong_is_named)
{
	expect_refused("--nope", "there is no option --nope");
	expect_refused("--jso", "there is no option --jso");
	expect_refused("-qx",
	    "there is no option -x; an operand that begins with - stands "
	    "behind --");
	expect_refused("--json=1", "--json takes no value");
	expect_refused("x --role", "--role wants a value: ROLE");
	expect_refused("x -u", "--url wants a value: URL");
	expect_refused("-q --quiet", "--quiet may be given only once");
	expect_refused("-ua --url=b", "--url may be given only once");
}
