/* Field values as numbers, and pairs of numbers. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "worker/keys.h"
#include "worker/names.h"

Test(names, ids_follow_first_appearance)
{
	struct names t = { 0 };

	cr_expect_eq(names_find(&t, "a", 1), NAMES_NONE);
	cr_expect_eq(names_add(&t, "web-2", 5), 0);
	cr_expect_eq(names_add(&t, "", 0), 1);
	cr_expect_eq(names_add(&t, "web-1", 5), 2);
	cr_expect_eq(names_add(&t, "web-2", 5), 0);
	cr_expect_eq(names_find(&t, "", 0), 1);
	cr_expect_eq(names_find(&t, "web", 3), NAMES_NONE);
	cr_expect(span_eq(names_get(&t, 2), "web-1"));
	names_clear(&t);
	cr_expect_eq(t.ids.n, 0);
}

Test(names, many_and_long_ones_are_all_found_again)
{
	static char text[20000];
	struct names t = { 0 };
	char buf[32];

	for (uint32_t i = 0; i < 20000; i++) {
		int len = snprintf(buf, sizeof(buf), "value %u", i * 7);

		cr_assert_eq(names_add(&t, buf, (size_t)len), i);
	}
	memset(text, 'x', sizeof(text));
	cr_assert_eq(names_add(&t, text, sizeof(text)), 20000);
	for (uint32_t i = 0; i < 20000; i++) {
		int len = snprintf(buf, sizeof(buf), "value %u", i * 7);

		cr_assert_eq(names_find(&t, buf, (size_t)len), i);
		cr_assert(span_eq(names_get(&t, i), buf));
	}
	cr_expect_eq(names_get(&t, 20000).len, sizeof(text));
	names_clear(&t);
}

Test(names, bytes_after_nul_count)
{
	struct names t = { 0 };

	cr_expect_eq(names_add(&t, "a\0b", 3), 0);
	cr_expect_eq(names_add(&t, "a\0c", 3), 1);
	cr_expect_eq(names_find(&t, "a\0b", 3), 0);
	names_clear(&t);
}

Test(names, pairs_are_found_again)
{
	struct keys k = { 0 };

	cr_expect_eq(keys_find(&k, 0, 0), KEYS_NONE);
	for (uint32_t i = 0; i < 5000; i++)
		cr_assert_eq(keys_add(&k, i % 70, i / 70, i), 0);
	for (uint32_t i = 0; i < 5000; i++)
		cr_assert_eq(keys_find(&k, i % 70, i / 70), i);
	cr_expect_eq(keys_find(&k, 70, 0), KEYS_NONE);
	keys_clear(&k);
}
