/*
 * Owns the proleptic Gregorian calendar. Years are counted from March, so that
 * the leap day is the last of a year and months have a regular pattern.
 */
#include "common/compat.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/units.h"

#define DAYS_PER_400_YEARS 146097
#define DAYS_TO_1970 719468 /* from 0000-03-01 */
#define MS_PER_DAY INT64_C(86400000)

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0 ? 1 : 0);
}

bool
units_is_leap_year(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

unsigned
units_days_in_month(int64_t year, unsigned month)
{
	if (month == 2)
		return units_is_leap_year(year) ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

int64_t
units_days_from_civil(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = floor_div(y, 400);
	int64_t year_of_era = y - era * 400;
	int64_t march_month = (month + 9) % 12;
	int64_t day_of_year = (153 * march_month + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 -
	    year_of_era / 100 + day_of_year;

	return era * DAYS_PER_400_YEARS + day_of_era - DAYS_TO_1970;
}

void
units_civil_from_days(
    int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t z = days + DAYS_TO_1970;
	int64_t era = floor_div(z, DAYS_PER_400_YEARS);
	int64_t day_of_era = z - era * DAYS_PER_400_YEARS;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 +
				  day_of_era / 36524 - day_of_era / 146096) /
	    365;
	int64_t day_of_year = day_of_era -
	    (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;

	*day = (unsigned)(day_of_year - (153 * march_month + 2) / 5 + 1);
	*month =
	    (unsigned)(march_month < 10 ? march_month + 3 : march_month - 9);
	*year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

void
units_iso(char *dst, int64_t ms)
{
	int64_t days = floor_div(ms, MS_PER_DAY);
	int64_t rest = ms % MS_PER_DAY;
	int64_t year;
	unsigned month, day;
	int n;

	if (rest < 0)
		rest += MS_PER_DAY;
	units_civil_from_days(days, &year, &month, &day);
	if (year >= 0 && year <= 9999)
		n = snprintf(dst, UNITS_ISO_BYTES, "%04" PRId64, year);
	else
		n = snprintf(dst, UNITS_ISO_BYTES, "%+07" PRId64, year);
	(void)snprintf(dst + n, UNITS_ISO_BYTES - (size_t)n,
	    "-%02u-%02uT%02d:%02d:%02d.%03dZ", month, day,
	    (int)(rest / 3600000), (int)(rest / 60000 % 60),
	    (int)(rest / 1000 % 60), (int)(rest % 1000));
}
