#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/jobconf_fixture.h"

char *
quoted(const char *text)
{
	char *copy = strdup(text);

	cr_assert_not_null(copy);
	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return copy;
}

struct jobconf *
parse_by(const struct jobconf_rules *rules, const char *text, struct apierr *e)
{
	char *json = quoted(text);
	struct jobconf *c = jobconf_parse("j1", json, strlen(json), rules, e);

	free(json);
	return c;
}

struct jobconf *
parse(const char *text, bool old, struct apierr *e)
{
	struct jobconf_rules rules = { .old = old };

	return parse_by(&rules, text, e);
}

struct jobconf *
accept(const char *text)
{
	struct apierr e;
	struct jobconf *c = parse(text, false, &e);

	cr_assert_not_null(c, "%s: %s", text, e.link[e.n - 1].reason);
	return c;
}

static void
expect_printed(const char *text, const char *part, bool is_there)
{
	struct jobconf *c = accept(text);
	char *printed = jobconf_print(c), *want = quoted(part);

	cr_assert_not_null(printed);
	cr_expect_eq(strstr(printed, want) != NULL, is_there, "%s prints %s",
	    text, printed);
	free(want);
	free(printed);
	jobconf_free(c);
}

void
prints(const char *text, const char *part)
{
	expect_printed(text, part, true);
}

void
prints_not(const char *text, const char *part)
{
	expect_printed(text, part, false);
}

void
refuse_by(const struct jobconf_rules *rules, const char *text, const char *type,
    const char *reason)
{
	struct apierr e;
	struct jobconf *c = parse_by(rules, text, &e);
	const char *got;

	cr_assert_null(c, "%s was taken", text);
	cr_expect_eq(e.status, 400);
	got = e.link[e.n - 1].reason;
	cr_expect_str_eq(got, reason, "%s: %s", text, got);
	got = e.link[e.n - 1].type;
	cr_expect_str_eq(got, type, "%s: %s", text, got);
}

void
refuse(const char *text, const char *type, const char *reason)
{
	struct jobconf_rules rules = { .old = false };

	refuse_by(&rules, text, type, reason);
}

void
refuse_old(const char *text, const char *type, const char *reason)
{
	struct jobconf_rules rules = { .old = true };

	refuse_by(&rules, text, type, reason);
}

void
chain(const char *text, const char *const *reasons, size_t n)
{
	struct apierr e;
	struct jobconf *c = parse(text, false, &e);

	cr_assert_null(c, "%s was taken", text);
	cr_assert_eq((size_t)e.n, n, "%s: %d links", text, e.n);
	for (size_t i = 0; i < n; i++)
		cr_expect_str_eq(e.link[i].reason, reasons[i]);
}
