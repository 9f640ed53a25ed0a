/* The query string. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/params.h"

Test(params, values_are_decoded_and_the_last_wins)
{
	struct params p;
	struct apierr e;

	cr_assert_eq(params_parse(&p, "a=1&b=x%20y+z&&a=2&flag&e=", &e), 0);
	cr_expect_str_eq(params_get(&p, "a"), "2");
	cr_expect_str_eq(params_get(&p, "b"), "x y z");
	cr_expect_str_eq(params_get(&p, "flag"), "");
	cr_expect_str_eq(params_get(&p, "e"), "");
	cr_expect_null(params_get(&p, "nope"));
	params_clear(&p);
}

Test(params, broken_encoding_is_refused)
{
	static const char *const bad[] = { "a=%", "a=%4", "a=%zz", "a=%00",
		"a=%ff", "%c3=1" };

	for (size_t i = 0; i < NELEM(bad); i++) {
		struct params p;
		struct apierr e;

		cr_expect_eq(params_parse(&p, bad[i], &e), -1, "%s", bad[i]);
		cr_expect_eq(e.status, 400);
		params_clear(&p);
	}
}

static void
expect_refused(const char *query, const char *reason)
{
	struct params p;
	struct apierr e;

	cr_assert_eq(params_parse(&p, query, &e), 0);
	cr_expect_eq(params_check(&p, "force,timeout", "/x", &e), -1);
	cr_expect_str_eq(e.link[0].type, E_ILLEGAL_ARGUMENT);
	cr_expect_str_eq(e.link[0].reason, reason);
	params_clear(&p);
}

Test(params, unknown_names_are_refused_with_the_near_miss)
{
	expect_refused(
	    "zzz=1", "request [/x] contains unrecognized parameter: [zzz]");
	expect_refused("forse=true",
	    "request [/x] contains unrecognized "
	    "parameter: [forse] -> did you mean "
	    "[force]?");
	expect_refused("zzz=1&qqq",
	    "request [/x] contains unrecognized "
	    "parameters: [zzz], [qqq]");
}

Test(params, common_names_are_taken_everywhere)
{
	struct params p;
	struct apierr e;

	cr_assert_eq(params_parse(&p,
			 "pretty&human=false&filter_path=a&error_trace", &e),
	    0);
	cr_expect_eq(params_check(&p, "", "/x", &e), 0);
	params_clear(&p);
}

Test(params, very_long_and_very_many_names_are_refused_cleanly)
{
	size_t len = 100000;
	char *query = malloc(len + 1);
	struct params p;
	struct apierr e;

	memset(query, 'a', len);
	query[len] = '\0';
	cr_assert_eq(params_parse(&p, query, &e), 0);
	cr_expect_eq(params_check(&p, "force", "/x", &e), -1);
	params_clear(&p);
	for (size_t i = 0; i < len; i += 2)
		query[i] = '&';
	cr_expect_eq(params_parse(&p, query, &e), -1);
	params_clear(&p);
	free(query);
}

Test(params, booleans)
{
	struct params p;
	struct apierr e;
	bool v;

	cr_assert_eq(params_parse(&p, "a&b=true&c=false&d=yes", &e), 0);
	cr_expect_eq(params_bool(&p, "a", false, &v, &e), 0);
	cr_expect(v);
	cr_expect_eq(params_bool(&p, "b", false, &v, &e), 0);
	cr_expect(v);
	cr_expect_eq(params_bool(&p, "c", true, &v, &e), 0);
	cr_expect_not(v);
	cr_expect_eq(params_bool(&p, "none", true, &v, &e), 0);
	cr_expect(v);
	cr_expect_eq(params_bool(&p, "d", true, &v, &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "Failed to parse value [yes] as only [true] or [false] are "
	    "allowed.");
	params_clear(&p);
}
