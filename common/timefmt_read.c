/*
 * Owns the matching of text against the elements of a compiled pattern. As in
 * a lenient java.time formatter, numbers may have fewer or more digits than
 * letters stand in the pattern, unless another number follows at once; names
 * may be short or long, or be given as numbers.
 */
#include "common/compat.h"

#include <string.h>

#include "common/timefmt_int.h"

#define LENIENT_WIDTH 9 /* digits that a number of free width may have */

static const char *const month_names[] = { "January", "February", "March",
	"April", "May", "June", "July", "August", "September", "October",
	"November", "December" };
static const char *const weekday_names[] = { "Monday", "Tuesday", "Wednesday",
	"Thursday", "Friday", "Saturday", "Sunday" };
static const char *const quarter_names[] = { "1st quarter", "2nd quarter",
	"3rd quarter", "4th quarter" };
static const char *const quarter_short[] = { "Q1", "Q2", "Q3", "Q4" };
static const char *const ampm_names[] = { "AM", "PM" };
static const char *const era_names[] = { "Before Christ", "Anno Domini" };
static const char *const era_short[] = { "BC", "AD" };

/* Names of a field: the long ones and, if not their start, the short ones. */
static const struct {
	enum timefmt_field field;
	const char *const *names;
	const char *const *short_names; /* NULL: the first cut letters */
	size_t cut;
	int64_t n;
	int64_t first;
} name_tables[] = {
	{ TF_MONTH, month_names, NULL, 3, 12, 1 },
	{ TF_WEEKDAY, weekday_names, NULL, 3, 7, 1 },
	{ TF_QUARTER, quarter_names, quarter_short, 2, 4, 1 },
	{ TF_AMPM, ampm_names, NULL, 2, 2, 0 },
	{ TF_ERA, era_names, era_short, 2, 2, 0 },
};

static size_t
left(const struct timefmt_cursor *c)
{
	return (size_t)(c->end - c->p);
}

/* The digit at *p, or -1. */
static int
digit_at(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9' ? *p - '0' : -1;
}

static bool
skip_text(struct timefmt_cursor *c, const char *text, size_t len)
{
	if (left(c) < len || (len > 0 && memcmp(c->p, text, len) != 0))
		return false;
	c->p += len;
	return true;
}

static bool
skip_string(struct timefmt_cursor *c, const char *text)
{
	return skip_text(c, text, strlen(text));
}

/* A field may be given twice, but not with two values. */
static bool
set_field(struct timefmt_fields *f, enum timefmt_field field, int64_t v)
{
	if ((f->mask & TF_BIT(field)) != 0 && f->value[field] != v)
		return false;
	f->mask |= TF_BIT(field);
	f->value[field] = v;
	return true;
}

/* Up to max digits; returns how many. */
static int
read_digits(const struct timefmt_cursor *c, int max, int64_t *v)
{
	int n = 0, d;

	*v = 0;
	while (n < max && (d = digit_at(c->p + n, c->end)) >= 0) {
		*v = *v > INT64_MAX / 10 - 1 ? INT64_MAX / 10 : *v * 10 + d;
		n++;
	}
	return n;
}

static bool
is_fixed(const struct timefmt_element *el)
{
	/* Two-digit years and fractions stay free even before a number. */
	if (el->op != TF_OP_NUMBER)
		return false;
	return el->reserved == TF_FIXED ||
	    (el->reserved > 0 && el->min_width == el->max_width &&
		el->sign == TF_SIGN_NONE);
}

static bool
read_sign(
    const struct timefmt_element *el, struct timefmt_cursor *c, bool *negative)
{
	*negative = false;
	if (c->p == c->end || (*c->p != '+' && *c->p != '-'))
		return true;
	if (el->sign == TF_SIGN_NONE && el->min_width == el->max_width)
		return false;
	*negative = *c->p++ == '-';
	return true;
}

/*
 * A number; where others follow without anything between, it leaves them the
 * digits that they need.
 */
static bool
read_number(const struct timefmt_element *el, struct timefmt_cursor *c,
    int *width, int64_t *v)
{
	bool negative, fixed = is_fixed(el);
	int min = fixed ? el->min_width : 1;
	int max = fixed ? el->max_width : LENIENT_WIDTH;
	int n;

	if (!read_sign(el, c, &negative))
		return false;
	if (el->reserved > 0) {
		n = read_digits(c, max + el->reserved, v) - el->reserved;
		max = n < min ? min : n;
	}
	n = read_digits(c, max, v);
	if (n < min)
		return false;
	c->p += n;
	*width = n;
	if (negative)
		*v = -*v;
	return true;
}

static bool
read_number_field(const struct timefmt_element *el, struct timefmt_cursor *c,
    struct timefmt_fields *f)
{
	int64_t v;
	int width;

	if (!read_number(el, c, &width, &v))
		return false;
	if (el->op == TF_OP_SHORT_YEAR && width == 2 && v >= 0)
		v += 2000;
	return set_field(f, el->field, v);
}

static bool
read_fraction(const struct timefmt_element *el, struct timefmt_cursor *c,
    struct timefmt_fields *f)
{
	int64_t v;
	int n = read_digits(c, LENIENT_WIDTH, &v);

	/* At the end of the text nothing is read, and nothing set. */
	if (c->p == c->end)
		return true;
	c->p += n;
	for (; n < LENIENT_WIDTH; n++)
		v *= 10;
	return set_field(f, el->field, v);
}

static bool
read_name(struct timefmt_cursor *c, size_t table, int64_t *v)
{
	const char *const *names = name_tables[table].names;
	const char *const *shorts = name_tables[table].short_names;

	for (int64_t i = 0; i < name_tables[table].n; i++) {
		*v = name_tables[table].first + i;
		if (skip_string(c, names[i]))
			return true;
	}
	if (shorts == NULL)
		shorts = names;
	for (int64_t i = 0; i < name_tables[table].n; i++) {
		*v = name_tables[table].first + i;
		if (skip_text(c, shorts[i], name_tables[table].cut))
			return true;
	}
	return false;
}

static bool
read_text(const struct timefmt_element *el, struct timefmt_cursor *c,
    struct timefmt_fields *f)
{
	struct timefmt_element number = *el;
	int64_t v;

	for (size_t i = 0; i < NELEM(name_tables); i++)
		if (name_tables[i].field == el->field && read_name(c, i, &v))
			return set_field(f, el->field, v);
	number.op = TF_OP_NUMBER;
	number.min_width = 1;
	number.max_width = 19;
	number.reserved = 0;
	number.sign = TF_SIGN_ANY;
	return read_number_field(&number, c, f);
}

/* Two digits up to 59, behind a colon if asked for; else nothing is read. */
static bool
read_sixtieth(struct timefmt_cursor *c, bool colon, int64_t *v)
{
	struct timefmt_cursor at = *c;

	if (colon && !skip_text(&at, ":", 1))
		return false;
	if (read_digits(&at, 2, v) != 2 || *v > 59) {
		*v = 0;
		return false;
	}
	c->p = at.p + 2;
	return true;
}

/* +hh, then minutes and seconds as far as they are there. */
static bool
read_signed_offset(struct timefmt_cursor *c, bool colon, int hour_digits,
    struct timefmt_fields *f)
{
	int64_t h, m = 0, s = 0, seconds;
	bool negative;
	int n;

	if (c->p == c->end || (*c->p != '+' && *c->p != '-'))
		return false;
	negative = *c->p++ == '-';
	n = read_digits(c, 2, &h);
	if (n < hour_digits || h > 23)
		return false;
	c->p += n;
	if (read_sixtieth(c, colon, &m))
		(void)read_sixtieth(c, colon, &s);
	seconds = (h * 60 + m) * 60 + s;
	return set_field(f, TF_OFFSET, negative ? -seconds : seconds);
}

static bool
read_offset(const struct timefmt_element *el, struct timefmt_cursor *c,
    struct timefmt_fields *f)
{
	if (skip_string(c, el->zero))
		return set_field(f, TF_OFFSET, 0);
	return read_signed_offset(c, el->colon, 2, f);
}

static bool
read_gmt_offset(const struct timefmt_element *el, struct timefmt_cursor *c,
    struct timefmt_fields *f)
{
	if (!skip_string(c, "GMT"))
		return false;
	if (c->p == c->end || (*c->p != '+' && *c->p != '-'))
		return set_field(f, TF_OFFSET, 0);
	return read_signed_offset(c, true, el->min_width, f);
}

/*
 * Z, an offset, or one of the names of UTC, an offset behind it or not. Names
 * of regions would need zone data, which this process cannot reach.
 */
static bool
read_zone(struct timefmt_cursor *c, struct timefmt_fields *f)
{
	struct timefmt_cursor at;
	struct timefmt_fields before = *f;

	if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
		return read_signed_offset(c, true, 2, f);
	if (skip_text(c, "Z", 1))
		return set_field(f, TF_OFFSET, 0);
	if (!skip_string(c, "UTC") && !skip_string(c, "GMT") &&
	    !skip_string(c, "UT"))
		return false;
	at = *c;
	if (read_signed_offset(&at, true, 2, f)) {
		*c = at;
		return true;
	}
	*f = before;
	return set_field(f, TF_OFFSET, 0);
}

static bool
read_element(const struct timefmt_element *el, struct timefmt_cursor *c,
    struct timefmt_fields *f)
{
	switch (el->op) {
	case TF_OP_LITERAL:
		return c->p < c->end && *c->p++ == el->literal;
	case TF_OP_NUMBER:
	case TF_OP_SHORT_YEAR:
		return read_number_field(el, c, f);
	case TF_OP_FRACTION:
		return read_fraction(el, c, f);
	case TF_OP_TEXT:
		return read_text(el, c, f);
	case TF_OP_OFFSET:
		return read_offset(el, c, f);
	case TF_OP_GMT_OFFSET:
		return read_gmt_offset(el, c, f);
	case TF_OP_ZONE:
		return read_zone(c, f);
	case TF_OP_OPTIONAL:
		break;
	}
	return true;
}

bool
timefmt_read(const struct timefmt_element *el, size_t n,
    struct timefmt_cursor *c, struct timefmt_fields *f)
{
	for (size_t i = 0; i < n; i++) {
		struct timefmt_cursor c_before = *c;
		struct timefmt_fields f_before;

		if (el[i].op != TF_OP_OPTIONAL) {
			if (!read_element(&el[i], c, f))
				return false;
			continue;
		}
		f_before = *f;
		if (!timefmt_read(&el[i + 1], el[i].skip, c, f)) {
			*c = c_before;
			*f = f_before;
		}
		i += el[i].skip;
	}
	return true;
}
