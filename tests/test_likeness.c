/* The likeness of names. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/likeness.h"

static double
of(const char *a, const char *b)
{
	return likeness(a, strlen(a), b, strlen(b));
}

Test(likeness, is_the_share_of_what_stays)
{
	cr_expect_eq(of("pretty", "pretty"), 1.0);
	cr_expect_eq(of("abcd", "efgh"), 0.0);
	/* One replaced, one left out, one more: of the longer name. */
	cr_expect_eq(of("prezty", "pretty"), 1.0 - 1.0 / 6);
	cr_expect_eq(of("prety", "pretty"), 1.0 - 1.0 / 6);
	cr_expect_eq(of("pretty", "prety"), 1.0 - 1.0 / 6);
	/* kitten, sitten, sittin, sitting. */
	cr_expect_eq(of("kitten", "sitting"), 1.0 - 3.0 / 7);
}

Test(likeness, empty_and_long_names_are_like_nothing)
{
	char name[LIKENESS_BYTES + 1];

	memset(name, 'n', sizeof(name));
	cr_expect_eq(likeness("", 0, "", 0), 0.0);
	cr_expect_eq(of("", "a"), 0.0);
	cr_expect_eq(likeness(name, LIKENESS_BYTES, name, LIKENESS_BYTES), 1.0);
	cr_expect_eq(
	    likeness(name, LIKENESS_BYTES + 1, name, LIKENESS_BYTES), 0.0);
	cr_expect_eq(
	    likeness(name, LIKENESS_BYTES, name, LIKENESS_BYTES + 1), 0.0);
}
