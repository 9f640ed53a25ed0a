/* The build id. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/build.h"

Test(build, hash_is_what_the_linker_wrote)
{
	const char *hash = build_hash();

	cr_expect_str_eq(build_hash(), hash, "it stays the same");
	if (strcmp(hash, "unknown") == 0)
		cr_skip_test("linked without a build id");
	cr_expect_eq(strlen(hash), 40, "%s", hash);
	cr_expect_eq(strspn(hash, "0123456789abcdef"), 40, "%s", hash);
	cr_expect_neq(strspn(hash, "0"), 40, "%s", hash);
}
