/*
 * Owns the reading of numbers: the grammar of Java's Double.parseDouble, the
 * nearest double as result. Short decimals are converted exactly with one
 * multiplication or division; the rest goes through strtod in a normal form
 * without a decimal point, so that the locale has no say.
 */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"

/*
 * More significant digits than any double or midpoint between two has (767),
 * so that the digits behind them only matter as zero or not zero.
 */
#define DIGITS_MAX 800
#define HEX_DIGITS_MAX 32
#define EXPONENT_MAX 1000000000 /* beyond it everything is 0 or infinite */

/* Powers of ten that a double holds exactly. */
static const double exact_pow10[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
	1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
	1e20, 1e21, 1e22 };
#define EXACT_POW10_MAX 22
#define PLAIN_MAX 19 /* characters, so that no mantissa overflows */
#define EXACT_MANTISSA_MAX (UINT64_C(1) << 53)

struct cursor {
	const char *p;
	const char *end;
};

/* What the digits around the point say, point and exponent set aside. */
struct digits {
	const char *first; /* first significant digit, or NULL */
	const char *last;  /* behind the last digit read */
	int64_t shift;	   /* digits behind the point */
	bool any;
};

static int
fail(void)
{
	errno = EINVAL;
	return -1;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* digits [. digits] or . digits, of either base. */
static void
scan_digits(struct cursor *c, bool (*is_one)(char), struct digits *d)
{
	bool point = false;

	memset(d, 0, sizeof(*d));
	for (; c->p < c->end; c->p++) {
		if (*c->p == '.' && !point) {
			point = true;
			continue;
		}
		if (!is_one(*c->p))
			break;
		d->any = true;
		if (point)
			d->shift++;
		if (d->first == NULL && *c->p != '0')
			d->first = c->p;
	}
	d->last = c->p;
}

/* [+-] digits behind e or p; false when there is no digit. */
static bool
scan_exponent(struct cursor *c, int64_t *exponent)
{
	bool negative = false;
	int64_t v = 0;

	if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
		negative = *c->p++ == '-';
	if (c->p == c->end || !is_digit(*c->p))
		return false;
	for (; c->p < c->end && is_digit(*c->p); c->p++)
		if (v < EXPONENT_MAX)
			v = v * 10 + (*c->p - '0');
	*exponent = negative ? -v : v;
	return true;
}

/*
 * The significant digits in normal form behind prefix, then the exponent:
 * exact for strtod, and without the point that the locale would choose.
 */
static double
slow_convert(const char *prefix, const struct digits *d, size_t max, char mark,
    int64_t exponent, int64_t per_digit)
{
	char buf[DIGITS_MAX + 64];
	size_t n = strlcpy(buf, prefix, sizeof(buf));
	size_t limit = n + max;
	bool sticky = false;

	for (const char *p = d->first; p < d->last; p++) {
		if (*p == '.')
			continue;
		if (n < limit) {
			buf[n++] = *p;
			continue;
		}
		sticky = sticky || *p != '0';
		exponent += per_digit;
	}
	if (sticky) {
		buf[n++] = '1';
		exponent -= per_digit;
	}
	if (exponent > EXPONENT_MAX)
		exponent = EXPONENT_MAX;
	if (exponent < -EXPONENT_MAX)
		exponent = -EXPONENT_MAX;
	(void)snprintf(buf + n, sizeof(buf) - n, "%c%" PRId64, mark, exponent);
	return strtod(buf, NULL);
}

static double
decimal_value(const struct digits *d, int64_t exponent)
{
	uint64_t mantissa = 0;
	int n = 0;

	if (d->first == NULL)
		return 0.0;
	for (const char *p = d->first; p < d->last && n <= 19; p++) {
		if (*p == '.')
			continue;
		if (++n <= 19)
			mantissa = mantissa * 10 + (uint64_t)(*p - '0');
	}
	if (n <= 19 && mantissa <= EXACT_MANTISSA_MAX) {
		/* Both operands are exact, so one rounding is the right one. */
		if (exponent >= 0 && exponent <= EXACT_POW10_MAX)
			return (double)mantissa * exact_pow10[exponent];
		if (exponent < 0 && exponent >= -EXACT_POW10_MAX)
			return (double)mantissa / exact_pow10[-exponent];
	}
	return slow_convert("", d, DIGITS_MAX, 'e', exponent, 1);
}

static bool
skip_suffix(struct cursor *c)
{
	if (c->p < c->end && strchr("dDfF", *c->p) != NULL && *c->p != '\0')
		c->p++;
	return c->p == c->end;
}

static int
parse_decimal(struct cursor *c, double *v)
{
	struct digits d;
	int64_t exponent = 0;

	scan_digits(c, is_digit, &d);
	if (!d.any)
		return fail();
	if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
		c->p++;
		if (!scan_exponent(c, &exponent))
			return fail();
	}
	if (!skip_suffix(c))
		return fail();
	*v = decimal_value(&d, exponent - d.shift);
	return 0;
}

/* Behind "0x": digits, and an exponent that is not optional. */
static int
parse_hex(struct cursor *c, double *v)
{
	struct digits d;
	int64_t exponent = 0;

	scan_digits(c, is_hex, &d);
	if (!d.any || c->p == c->end || (*c->p != 'p' && *c->p != 'P'))
		return fail();
	c->p++;
	if (!scan_exponent(c, &exponent) || !skip_suffix(c))
		return fail();
	exponent -= 4 * d.shift;
	*v = d.first == NULL
	    ? 0.0
	    : slow_convert("0x", &d, HEX_DIGITS_MAX, 'p', exponent, 4);
	return 0;
}

static bool
is_word(const struct cursor *c, const char *word)
{
	size_t len = (size_t)(c->end - c->p);

	return len == strlen(word) && memcmp(c->p, word, len) == 0;
}

/* Blanks are, as in Java, all characters up to and with the space. */
static void
trim(struct cursor *c)
{
	while (c->p < c->end && (unsigned char)*c->p <= ' ')
		c->p++;
	while (c->p < c->end && (unsigned char)c->end[-1] <= ' ')
		c->end--;
}

static int
parse_unsigned(struct cursor *c, double *v)
{
	if (c->p < c->end && (is_digit(*c->p) || *c->p == '.')) {
		if (c->end - c->p > 2 && c->p[0] == '0' &&
		    (c->p[1] == 'x' || c->p[1] == 'X')) {
			c->p += 2;
			return parse_hex(c, v);
		}
		return parse_decimal(c, v);
	}
	if (is_word(c, "NaN"))
		*v = (double)NAN;
	else if (is_word(c, "Infinity"))
		*v = (double)INFINITY;
	else
		return fail();
	return 0;
}

/*
 * What nearly all numbers are: digits, perhaps a sign and a point, no more of
 * them than are exact. One pass; false leaves the rest to the general way.
 */
static bool
parse_plain(const char *p, const char *end, double *v)
{
	bool negative = *p == '-';
	const char *point = NULL, *first;
	uint64_t mantissa = 0;
	int64_t digits, behind;

	p += negative ? 1 : 0;
	first = p;
	if (end - p > PLAIN_MAX)
		return false;
	for (; p < end; p++) {
		if (is_digit(*p))
			mantissa = mantissa * 10 + (uint64_t)(*p - '0');
		else if (*p == '.' && point == NULL)
			point = p;
		else
			return false;
	}
	digits = end - first - (point == NULL ? 0 : 1);
	behind = point == NULL ? 0 : end - point - 1;
	if (digits == 0 || mantissa > EXACT_MANTISSA_MAX)
		return false;
	*v = (double)mantissa / exact_pow10[behind];
	if (negative)
		*v = -*v;
	return true;
}

int
number_parse(const char *text, size_t len, double *v)
{
	struct cursor c;
	bool negative = false;

	if (len == 0 || len > NUMBER_TEXT_MAX)
		return fail();
	c.p = text;
	c.end = text + len;
	if (parse_plain(c.p, c.end, v))
		return 0;
	trim(&c);
	if (c.p < c.end && (*c.p == '-' || *c.p == '+'))
		negative = *c.p++ == '-';
	if (parse_unsigned(&c, v) == -1)
		return -1;
	if (negative)
		*v = -*v;
	return 0;
}
