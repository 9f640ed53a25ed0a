/*
 * Owns dates as parameters give them: numbers, ISO 8601 in the shape that the
 * API calls strict_date_optional_time, and date math.
 */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/units.h"

#define MS_PER_S INT64_C(1000)
#define MS_PER_DAY (86400 * MS_PER_S)
#define SECONDS_DIGITS_MAX 10 /* longer numbers are milliseconds */
#define YEAR_MAX 100000000    /* twice as many still fit in milliseconds */

struct date {
	int64_t year;
	unsigned month;
	unsigned day;
	int64_t ms_of_day;
};

/* Exactly n digits at *p, which then stands behind them. */
static bool
read_digits(const char **p, int n, int64_t *v)
{
	*v = 0;
	for (int i = 0; i < n; i++) {
		if (**p < '0' || **p > '9')
			return false;
		*v = *v * 10 + (*(*p)++ - '0');
	}
	return true;
}

static bool
read_field(const char **p, int64_t max, int64_t *v)
{
	return read_digits(p, 2, v) && *v <= max;
}

static bool
skip(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* Four digits; more (up to nine) only behind a sign. */
static bool
read_year(const char **p, int64_t *year)
{
	bool sign = **p == '+' || **p == '-';
	bool negative = **p == '-';
	int n;

	if (sign)
		(*p)++;
	n = (int)strspn(*p, "0123456789");
	if (n < 4 || n > 9 || (!sign && n != 4) || !read_digits(p, n, year))
		return false;
	if (negative)
		*year = -*year;
	return true;
}

/* One to nine digits behind a point or comma, cut to milliseconds. */
static bool
read_fraction(const char **p, int64_t *ms)
{
	int n = 0;

	*ms = 0;
	if (**p != '.' && **p != ',')
		return true;
	for ((*p)++; **p >= '0' && **p <= '9'; (*p)++, n++)
		if (n < 3)
			*ms = *ms * 10 + (**p - '0');
	if (n < 1 || n > 9)
		return false;
	for (; n < 3; n++)
		*ms *= 10;
	return true;
}

/* Z, or +hh, +hhmm, +hh:mm; nothing is UTC. */
static bool
read_offset(const char **p, int64_t *offset_ms)
{
	int64_t hours, minutes = 0;
	bool negative = **p == '-';

	*offset_ms = 0;
	if (skip(p, 'Z') || (**p != '+' && **p != '-'))
		return true;
	(*p)++;
	if (!read_field(p, 18, &hours))
		return false;
	if ((skip(p, ':') || (**p >= '0' && **p <= '9')) &&
	    !read_field(p, 59, &minutes))
		return false;
	*offset_ms = (hours * 60 + minutes) * 60 * MS_PER_S;
	if (negative)
		*offset_ms = -*offset_ms;
	return true;
}

/* [hh[:mm[:ss[.fraction]]]][offset], behind the T. */
static bool
read_time(const char **p, int64_t *ms)
{
	int64_t h, m = 0, s = 0, fraction = 0, offset;

	*ms = 0;
	if (**p == '\0')
		return true;
	if (!read_field(p, 23, &h))
		return false;
	if (skip(p, ':')) {
		if (!read_field(p, 59, &m))
			return false;
		if (skip(p, ':') &&
		    (!read_field(p, 59, &s) || !read_fraction(p, &fraction)))
			return false;
	}
	if (!read_offset(p, &offset))
		return false;
	*ms = ((h * 60 + m) * 60 + s) * MS_PER_S + fraction - offset;
	return true;
}

/* -mm[-dd], behind the year. */
static bool
read_month_day(const char **p, struct date *d)
{
	int64_t v;

	d->month = d->day = 1;
	if (!skip(p, '-'))
		return true;
	if (!read_field(p, 12, &v) || v < 1)
		return false;
	d->month = (unsigned)v;
	if (!skip(p, '-'))
		return true;
	if (!read_field(p, units_days_in_month(d->year, d->month), &v) || v < 1)
		return false;
	d->day = (unsigned)v;
	return true;
}

static int64_t
date_ms(const struct date *d)
{
	return units_days_from_civil(d->year, d->month, d->day) * MS_PER_DAY +
	    d->ms_of_day;
}

static bool
read_iso(const char *text, size_t len, int64_t *ms)
{
	char buf[64];
	const char *p = buf;
	struct date d = { 0 };

	if (len >= sizeof(buf))
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	if (!read_year(&p, &d.year) || d.year > YEAR_MAX ||
	    d.year < -YEAR_MAX || !read_month_day(&p, &d))
		return false;
	if (skip(&p, 'T') && !read_time(&p, &d.ms_of_day))
		return false;
	*ms = date_ms(&d);
	return *p == '\0';
}

static void
date_split(int64_t ms, struct date *d)
{
	int64_t days = ms / MS_PER_DAY - (ms % MS_PER_DAY < 0 ? 1 : 0);

	d->ms_of_day = ms - days * MS_PER_DAY;
	units_civil_from_days(days, &d->year, &d->month, &d->day);
}

static int64_t
unit_ms(char unit)
{
	switch (unit) {
	case 's':
		return MS_PER_S;
	case 'm':
		return 60 * MS_PER_S;
	case 'h':
	case 'H':
		return 3600 * MS_PER_S;
	case 'd':
		return MS_PER_DAY;
	case 'w':
		return 7 * MS_PER_DAY;
	default:
		return 0;
	}
}

/* A day that the new month lacks becomes its last. */
static void
add_months(int64_t *ms, int64_t months)
{
	struct date d;
	int64_t m;

	date_split(*ms, &d);
	m = d.year * 12 + d.month - 1 + months;
	d.year = m / 12 - (m % 12 < 0 ? 1 : 0);
	d.month = (unsigned)(m - d.year * 12) + 1;
	if (d.day > units_days_in_month(d.year, d.month))
		d.day = units_days_in_month(d.year, d.month);
	*ms = date_ms(&d);
}

static bool
round_down(int64_t *ms, char unit)
{
	int64_t step = unit_ms(unit), rest;
	/* Weeks start on Monday; 1970-01-05 was one. */
	int64_t origin = unit == 'w' ? 4 * MS_PER_DAY : 0;
	struct date d;

	if (step != 0) {
		rest = (*ms - origin) % step;
		*ms -= rest < 0 ? rest + step : rest;
		return true;
	}
	if (unit != 'M' && unit != 'y')
		return false;
	date_split(*ms, &d);
	d.ms_of_day = 0;
	d.day = 1;
	if (unit == 'y')
		d.month = 1;
	*ms = date_ms(&d);
	return true;
}

static bool
shift(int64_t *ms, char unit, int64_t count)
{
	int64_t step = unit_ms(unit);

	if (unit == 'M' || unit == 'y') {
		add_months(ms, unit == 'y' ? count * 12 : count);
		return true;
	}
	if (step == 0)
		return false;
	*ms += count * step;
	return true;
}

static bool
in_range(int64_t ms)
{
	int64_t limit = (int64_t)YEAR_MAX * 365 * MS_PER_DAY;

	return ms >= -limit && ms <= limit;
}

/* A run of +1h, -2d, /d. */
static bool
apply_math(const char *p, int64_t *ms)
{
	while (*p != '\0') {
		char op = *p++;
		int64_t count = 1;
		size_t n = strspn(p, "0123456789");

		if (!in_range(*ms) || n > 9)
			return false;
		if (n > 0)
			(void)read_digits(&p, (int)n, &count);
		if (op == '/') {
			if (n > 0 || !round_down(ms, *p++))
				return false;
		} else if (op == '+' || op == '-') {
			if ((*p == 'y' || *p == 'M') && count > YEAR_MAX)
				return false;
			if (!shift(ms, *p++, op == '-' ? -count : count))
				return false;
		} else
			return false;
	}
	return in_range(*ms);
}

static bool
read_number(const char *text, int64_t *ms)
{
	const char *digits = *text == '+' || *text == '-' ? text + 1 : text;

	if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0')
		return false;
	errno = 0;
	*ms = strtoll(text, NULL, 10);
	if (errno == ERANGE)
		return false;
	if (strlen(text) <= SECONDS_DIGITS_MAX)
		*ms *= MS_PER_S;
	return true;
}

static bool
read_date(const char *text, int64_t now_ms, int64_t *ms)
{
	const char *math;

	if (read_number(text, ms))
		return true;
	if (strncmp(text, "now", 3) == 0) {
		*ms = now_ms;
		return apply_math(text + 3, ms);
	}
	math = strstr(text, "||");
	if (math == NULL)
		return read_iso(text, strlen(text), ms);
	return read_iso(text, (size_t)(math - text), ms) &&
	    apply_math(math + 2, ms);
}

int
units_date(const char *param, const char *text, int64_t now_ms, int64_t *ms,
    struct apierr *e)
{
	if (read_date(text, now_ms, ms) && *ms >= 0)
		return 0;
	return apierr_set(e, 400, E_PARSE,
	    "Query param [%s] with value [%s] cannot be parsed as a date or "
	    "converted to a number (epoch).",
	    param, text);
}
