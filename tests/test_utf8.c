/* Characters of UTF-8, against the check that wire.c has of its own. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/wire.h"
#include "worker/utf8.h"

Test(utf8, every_character_comes_back_with_its_length)
{
	char b[UTF8_MAX_BYTES];

	for (uint32_t cp = 1; cp <= 0x10ffff; cp++) {
		size_t n = utf8_put(b, cp);

		if (cp >= 0xd800 && cp <= 0xdfff)
			cr_assert_eq(utf8_len(b, b + n), 0, "%x", cp);
		else
			cr_assert(wire_utf8_ok(b, n) && utf8_len(b, b + n) == n,
			    "%x", cp);
	}
}

Test(utf8, known_encodings)
{
	char b[UTF8_MAX_BYTES];

	cr_expect_eq(utf8_put(b, 0xe9), 2);
	cr_expect_eq(memcmp(b, "\xc3\xa9", 2), 0);
	cr_expect_eq(utf8_put(b, 0x20ac), 3);
	cr_expect_eq(memcmp(b, "\xe2\x82\xac", 3), 0);
	cr_expect_eq(utf8_put(b, 0x1f600), 4);
	cr_expect_eq(memcmp(b, "\xf0\x9f\x98\x80", 4), 0);
}

/* The first two bytes say all but whether the others are there. */
Test(utf8, all_beginnings_are_judged_as_by_wire)
{
	char b[UTF8_MAX_BYTES] = "\0\0\x80\x80";

	for (unsigned i = 0x0100; i <= 0xffff; i++) {
		size_t n, k = 1;

		b[0] = (char)(i >> 8);
		b[1] = (char)i;
		n = utf8_len(b, b + sizeof(b));
		while (k <= sizeof(b) && !wire_utf8_ok(b, k))
			k++;
		cr_assert_eq(n, k > sizeof(b) ? 0 : k, "%x", i);
	}
}

Test(utf8, truncated_character_is_none)
{
	static const char *const whole[] = { "\xc3\xa9", "\xe2\x82\xac",
		"\xf0\x9f\x98\x80" };

	for (size_t i = 0; i < NELEM(whole); i++)
		for (size_t n = 1; n < strlen(whole[i]); n++)
			cr_expect_eq(utf8_len(whole[i], whole[i] + n), 0);
}
