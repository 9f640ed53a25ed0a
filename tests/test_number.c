/* Numbers as Java's Double.parseDouble reads them, to the last bit. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"

static uint64_t random_state = 88172645463325252u;

/* xorshift64: the same numbers in every run. */
static uint64_t
next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static bool
same_bits(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static void
expect_as_strtod(const char *text)
{
	double v = 0;

	cr_assert_eq(number_parse(text, strlen(text), &v), 0, "%s", text);
	cr_assert(same_bits(v, strtod(text, NULL)), "%s: %a, not %a", text, v,
	    strtod(text, NULL));
}

Test(number, whatever_is_printed_is_read_back)
{
	for (int i = 0; i < 100000; i++) {
		uint64_t bits = next_random();
		char text[64];
		double v;

		memcpy(&v, &bits, sizeof(v));
		if (!isfinite(v))
			continue;
		snprintf(text, sizeof(text), "%.*g", 1 + i % 17, v);
		expect_as_strtod(text);
	}
}

Test(number, plain_decimals_are_exact)
{
	for (int i = 0; i < 100000; i++) {
		char text[64];

		snprintf(text, sizeof(text), "%llu.%0*llu",
		    (unsigned long long)(next_random() >> (i % 64)), 1 + i % 9,
		    (unsigned long long)(next_random() % 1000000000));
		expect_as_strtod(text);
	}
}

Test(number, long_digits_round_by_what_comes_behind_them)
{
	static const char *const heads[] = {
		"9007199254740993", /* halfway between two doubles */
		"1.00000000000000011102230246251565404236316680908203125",
		"0.500000000000000166533453693773481063544750213623046875",
		"2.2250738585072011",
		"4.9406564584124654",
		"179769313486231580793728971405303415079934132710037826936",
	};
	static const char *const tails[] = { "", "0", "00000001",
		"99999999999999999999" };
	static const char *const ends[] = { "", "e-308", "e-324", "e+250",
		"e22", "e-23" };
	char text[2048];

	for (size_t h = 0; h < NELEM(heads); h++)
		for (size_t t = 0; t < NELEM(tails); t++)
			for (size_t e = 0; e < NELEM(ends); e++) {
				snprintf(text, sizeof(text), "%s%s%s", heads[h],
				    tails[t], ends[e]);
				expect_as_strtod(text);
			}
	/* The digit that decides stands behind all that are looked at. */
	strcpy(text, "9007199254740993.");
	memset(text + 17, '0', 1000);
	strcpy(text + 1017, "1");
	expect_as_strtod(text);
}

Test(number, exponents_of_any_size_end_in_zero_or_infinity)
{
	static const char *const texts[] = { "1e308", "1e309", "-1e309",
		"1e-323", "1e-324", "0e99999999999999999999", "1e2147483648",
		"1e99999999999999999999", "1e-99999999999999999999",
		"0.0000000000000000000000000000000001e35" };

	for (size_t i = 0; i < NELEM(texts); i++)
		expect_as_strtod(texts[i]);
}

Test(number, javas_own_spellings_are_taken)
{
	static const struct {
		const char *text;
		double v;
	} cases[] = {
		{ " \t1.5\n", 1.5 },
		{ "+1.", 1.0 },
		{ ".5", 0.5 },
		{ "1.5d", 1.5 },
		{ "1.5D", 1.5 },
		{ "2f", 2.0 },
		{ "2e1F", 20.0 },
		{ "Infinity", (double)INFINITY },
		{ "-Infinity", -(double)INFINITY },
		{ "0x1p3", 8.0 },
		{ "0X1.8P+1", 3.0 },
		{ "-0x.8p0f", -0.5 },
		{ "0x1fffffffffffff8p0", 0x1p57 },
		{ "0x0p5", 0.0 },
		{ "-0", -0.0 },
		{ "000001403481600", 1403481600.0 },
	};
	double v;

	for (size_t i = 0; i < NELEM(cases); i++) {
		cr_assert_eq(
		    number_parse(cases[i].text, strlen(cases[i].text), &v), 0,
		    "%s", cases[i].text);
		cr_expect(same_bits(v, cases[i].v), "%s: %a", cases[i].text, v);
	}
	cr_assert_eq(number_parse("NaN", 3, &v), 0);
	cr_expect(isnan(v));
}

Test(number, everything_else_is_refused)
{
	static const char *const texts[] = { "", " ", "-", "+", ".", "e5", "1e",
		"1e+", "1.5.2", "1,5", "1_000", "--1", "+-1", "1 2", "nan",
		"NAN", "inf", "infinity", "NaNd", "Infinityf", "0x1", "0x",
		"0xp1", "0x1p", "0x1p+", "1dd", "1L", "abc", "1a",
		"\302\2401" };
	double v;

	for (size_t i = 0; i < NELEM(texts); i++)
		cr_expect_eq(number_parse(texts[i], strlen(texts[i]), &v), -1,
		    "%s", texts[i]);
	cr_expect_eq(number_parse("1\0002", 3, &v), -1);
	cr_expect_eq(number_parse(NULL, 0, &v), -1);
}

Test(number, a_text_without_end_is_refused)
{
	char *text = malloc(NUMBER_TEXT_MAX + 1);
	double v;

	memset(text, '0', NUMBER_TEXT_MAX + 1);
	cr_expect_eq(number_parse(text, NUMBER_TEXT_MAX, &v), 0);
	cr_expect_eq(number_parse(text, NUMBER_TEXT_MAX + 1, &v), -1);
	free(text);
}

Test(number, nothing_behind_the_length_is_looked_at)
{
	double v;

	cr_assert_eq(number_parse("1234", 2, &v), 0);
	cr_expect_eq(v, 12.0);
	cr_assert_eq(number_parse("1e5", 1, &v), 0);
	cr_expect_eq(v, 1.0);
}
