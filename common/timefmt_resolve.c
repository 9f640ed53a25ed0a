/*
 * Owns the meaning of date and time fields. The rules are those of a lenient
 * java.time formatter with the SMART resolver: days past the end of a month up
 * to 31 become its last, 24:00 is the next day's midnight, and every field that
 * was given beside those needed has to agree with them.
 */
#include "common/compat.h"

#include "common/timefmt_int.h"
#include "common/units.h"

#define NANOS_PER_S INT64_C(1000000000)
#define NANOS_PER_MS INT64_C(1000000)
#define S_PER_DAY INT64_C(86400)
#define OFFSET_MAX_S 64800 /* 18 hours */
#define YEAR_LIMIT 999999999
#define YEAR_WITH_MS 292000000 /* milliseconds of later years do not fit */

static const struct {
	int64_t min;
	int64_t max;
} limits[TF_NFIELDS] = {
	[TF_ERA] = { 0, 1 },
	[TF_YEAR_OF_ERA] = { 1, YEAR_LIMIT },
	[TF_YEAR] = { -YEAR_LIMIT, YEAR_LIMIT },
	[TF_QUARTER] = { 1, 4 },
	[TF_MONTH] = { 1, 12 },
	[TF_DAY] = { 1, 31 },
	[TF_DAY_OF_YEAR] = { 1, 366 },
	[TF_WEEKDAY] = { 1, 7 },
	[TF_AMPM] = { 0, 1 },
	[TF_HOUR] = { 0, 24 },
	[TF_CLOCK_HOUR] = { 0, 24 },
	[TF_AMPM_HOUR] = { 0, 11 },
	[TF_CLOCK_AMPM_HOUR] = { 0, 12 },
	[TF_MINUTE] = { 0, 59 },
	[TF_SECOND] = { 0, 59 },
	[TF_NANO] = { 0, NANOS_PER_S - 1 },
	[TF_MILLI_OF_DAY] = { 0, S_PER_DAY * 1000 - 1 },
	[TF_NANO_OF_DAY] = { 0, S_PER_DAY *NANOS_PER_S - 1 },
	[TF_OFFSET] = { -OFFSET_MAX_S, OFFSET_MAX_S },
};

static bool
has(const struct timefmt_fields *f, enum timefmt_field field)
{
	return (f->mask & TF_BIT(field)) != 0;
}

static bool
in_limits(const struct timefmt_fields *f)
{
	for (uint32_t rest = f->mask; rest != 0; rest &= rest - 1) {
		int i = __builtin_ctz(rest);

		if (f->value[i] < limits[i].min || f->value[i] > limits[i].max)
			return false;
	}
	return true;
}

static bool
mask_has_date(uint32_t mask)
{
	uint32_t month_day = TF_BIT(TF_MONTH) | TF_BIT(TF_DAY);

	return (mask & month_day) == month_day ||
	    (mask & TF_BIT(TF_DAY_OF_YEAR)) != 0;
}

static bool
mask_has_time(uint32_t mask)
{
	bool half = (mask & TF_BIT(TF_AMPM)) != 0 &&
	    (mask & (TF_BIT(TF_AMPM_HOUR) | TF_BIT(TF_CLOCK_AMPM_HOUR))) != 0;
	bool hour =
	    half || (mask & (TF_BIT(TF_HOUR) | TF_BIT(TF_CLOCK_HOUR))) != 0;
	bool minute = (mask & TF_BIT(TF_MINUTE)) != 0;
	bool second = (mask & TF_BIT(TF_SECOND)) != 0;
	bool nano = (mask & TF_BIT(TF_NANO)) != 0;

	if ((mask & (TF_BIT(TF_MILLI_OF_DAY) | TF_BIT(TF_NANO_OF_DAY))) != 0)
		return true;
	/* A unit is only 0 by default when all smaller ones are absent too. */
	return hour && (minute || !(second || nano)) && (second || !nano);
}

bool
timefmt_is_complete(uint32_t mask)
{
	return mask_has_date(mask) && mask_has_time(mask);
}

static bool
find_year(const struct timefmt_fields *f, int default_year, int64_t *year)
{
	int64_t y = default_year;

	if (has(f, TF_YEAR_OF_ERA)) {
		y = f->value[TF_YEAR_OF_ERA];
		if (has(f, TF_ERA) && f->value[TF_ERA] == 0)
			y = 1 - y;
		if (has(f, TF_YEAR) && f->value[TF_YEAR] != y)
			return false;
	} else if (has(f, TF_YEAR))
		y = f->value[TF_YEAR];
	*year = y;
	return true;
}

static int64_t
floor_mod(int64_t a, int64_t b)
{
	int64_t m = a % b;

	return m < 0 ? m + b : m;
}

/* The days since 1970; where month and day are given they come first. */
static bool
find_days(const struct timefmt_fields *f, int64_t year, int64_t *days)
{
	int64_t new_year = units_days_from_civil(year, 1, 1);
	int64_t day_of_year = f->value[TF_DAY_OF_YEAR];
	unsigned month, day;

	if (!has(f, TF_MONTH) || !has(f, TF_DAY)) {
		if (day_of_year == 366 && !units_is_leap_year(year))
			return false;
		*days = new_year + day_of_year - 1;
		return true;
	}
	month = (unsigned)f->value[TF_MONTH];
	day = (unsigned)f->value[TF_DAY];
	if (day > units_days_in_month(year, month))
		day = units_days_in_month(year, month);
	*days = units_days_from_civil(year, month, day);
	return !has(f, TF_DAY_OF_YEAR) || *days - new_year + 1 == day_of_year;
}

static bool
date_agrees(const struct timefmt_fields *f, int64_t days)
{
	int64_t year;
	unsigned month, day;

	if (has(f, TF_WEEKDAY) &&
	    floor_mod(days + 3, 7) + 1 != f->value[TF_WEEKDAY])
		return false;
	if (!has(f, TF_QUARTER) && !has(f, TF_MONTH))
		return true;
	units_civil_from_days(days, &year, &month, &day);
	if (has(f, TF_MONTH) && f->value[TF_MONTH] != month)
		return false;
	return !has(f, TF_QUARTER) ||
	    f->value[TF_QUARTER] == (month - 1) / 3 + 1;
}

/* False when two ways to tell the hour differ. */
static bool
find_hour(const struct timefmt_fields *f, int64_t *hour)
{
	int64_t half = has(f, TF_AMPM_HOUR) ? f->value[TF_AMPM_HOUR]
					    : f->value[TF_CLOCK_AMPM_HOUR] % 12;
	bool has_half = has(f, TF_AMPM_HOUR) || has(f, TF_CLOCK_AMPM_HOUR);

	if (has(f, TF_HOUR))
		*hour = f->value[TF_HOUR];
	else if (has(f, TF_CLOCK_HOUR))
		*hour = f->value[TF_CLOCK_HOUR] % 24;
	else
		*hour = f->value[TF_AMPM] * 12 + half;
	if (has(f, TF_CLOCK_HOUR) && *hour != f->value[TF_CLOCK_HOUR] % 24)
		return false;
	if (has(f, TF_AMPM) && *hour % 24 / 12 != f->value[TF_AMPM])
		return false;
	return !has_half || *hour % 12 == half;
}

static int64_t
value_or_0(const struct timefmt_fields *f, enum timefmt_field field)
{
	return has(f, field) ? f->value[field] : 0;
}

/* Nanoseconds since midnight; 24:00 exactly is a whole day. */
static bool
find_nanos(const struct timefmt_fields *f, int64_t *nanos)
{
	int64_t hour, seconds;

	if (has(f, TF_NANO_OF_DAY)) {
		*nanos = f->value[TF_NANO_OF_DAY];
		return true;
	}
	if (has(f, TF_MILLI_OF_DAY)) {
		*nanos = f->value[TF_MILLI_OF_DAY] * NANOS_PER_MS;
		return true;
	}
	if (!find_hour(f, &hour))
		return false;
	seconds = hour * 3600 + value_or_0(f, TF_MINUTE) * 60 +
	    value_or_0(f, TF_SECOND);
	*nanos = seconds * NANOS_PER_S + value_or_0(f, TF_NANO);
	return *nanos <= S_PER_DAY * NANOS_PER_S;
}

bool
timefmt_resolve(const struct timefmt_fields *f, int default_year, int64_t *ms)
{
	int64_t year, days, nanos, seconds;

	if (!timefmt_is_complete(f->mask) || !in_limits(f) ||
	    !find_year(f, default_year, &year) || !find_days(f, year, &days) ||
	    !date_agrees(f, days) || !find_nanos(f, &nanos))
		return false;
	if (year > YEAR_WITH_MS || year < -YEAR_WITH_MS) {
		*ms = year > 0 ? INT64_MAX : -INT64_MAX;
		return true;
	}
	seconds =
	    days * S_PER_DAY + nanos / NANOS_PER_S - value_or_0(f, TF_OFFSET);
	*ms = seconds * 1000 + nanos % NANOS_PER_S / NANOS_PER_MS;
	return true;
}
