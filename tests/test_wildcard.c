/* Names with wildcards. */
#include "common/compat.h"

#include <criterion/criterion.h>

#include "common/wildcard.h"

Test(wildcard, stands_for_any_run_of_characters)
{
	cr_expect(wildcard_matches("*", ""));
	cr_expect(wildcard_matches("*", "abc"));
	cr_expect(wildcard_matches("a*", "a"));
	cr_expect(wildcard_matches("a*c", "abc"));
	cr_expect(wildcard_matches("*b*", "abc"));
	cr_expect(wildcard_matches("a**", "a"));
	cr_expect(wildcard_matches("*ab", "aab"));
	cr_expect_not(wildcard_matches("a*c", "abd"));
	cr_expect_not(wildcard_matches("a*", "ba"));
}

Test(wildcard, all_else_is_literal)
{
	cr_expect(wildcard_matches("", ""));
	cr_expect(wildcard_matches("a.b", "a.b"));
	cr_expect_not(wildcard_matches("a.b", "axb"));
	cr_expect_not(wildcard_matches("a?", "ab"));
	cr_expect_not(wildcard_matches("", "a"));
	cr_expect_not(wildcard_matches("a", ""));
	cr_expect_not(wildcard_matches("a", "A"));
}
