/* Days of the calendar that are not like others. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "tests/random.h"
#include "worker/calendar.h"

#define SPAN 3600
#define DAY 86400
/* 1 January 2024, a Monday */
#define FIRST INT64_C(19723)

static struct tm
civil(int64_t day)
{
	time_t t = (time_t)day * DAY;
	struct tm tm;

	cr_assert_not_null(gmtime_r(&t, &tm));
	return tm;
}

Test(calendar, dates_are_those_of_the_c_library)
{
	/* from 1583 on, all of the rules of leap years */
	for (int64_t day = -141427; day < 170000; day++) {
		struct tm tm = civil(day), next = civil(day + 1);
		int weekday = (tm.tm_wday + 6) % 7;
		struct calendar_date d;

		calendar_date(day, &d);
		cr_assert_eq(d.number[CAL_DAY_OF_MONTH], tm.tm_mday);
		cr_assert_eq(d.number[CAL_DAYS_BEFORE_END] == 0,
		    next.tm_mday == 1, "%lld", (long long)day);
		cr_assert_eq(d.number[CAL_WEEKDAY_OF_MONTH],
		    (tm.tm_mday - 1) / 7 * 7 + weekday);
		cr_assert_eq(d.number[CAL_LAST_WEEKDAY] % 7, weekday);
	}
}

/* Counted day by day, back to the month's first and on to its last. */
Test(calendar, working_days_are_counted_from_both_ends)
{
	int32_t n = 0, left[31];

	for (int64_t day = FIRST; day < FIRST + 3000; day++) {
		struct tm tm = civil(day);
		bool works = tm.tm_wday != 0 && tm.tm_wday != 6;
		struct calendar_date d;

		if (tm.tm_mday == 1)
			n = 0;
		calendar_date(day, &d);
		cr_assert_eq(d.number[CAL_WORKING_DAY], works ? n : -1);
		left[tm.tm_mday - 1] = works ? n++ : -1;
		if (civil(day + 1).tm_mday != 1)
			continue;
		for (int i = 0; i < tm.tm_mday; i++) {
			calendar_date(day - tm.tm_mday + 1 + i, &d);
			cr_assert_eq(d.number[CAL_LAST_WORKING_DAY],
			    left[i] < 0 ? -1 : n - 1 - left[i]);
		}
	}
}

struct year {
	struct calendar *c;
	struct random r;
	double worst; /* error of a day, mean of its buckets in scales */
};

static void
begin(struct year *y, uint64_t seed)
{
	y->c = calendar_new();
	cr_assert_not_null(y->c);
	y->r = random_seed(seed);
}

/* Twelve hours of a day have so much more than noise. */
static void
live(struct year *y, int64_t day, double more)
{
	double off = 0;

	for (int64_t hour = 0; hour < 24; hour++) {
		int64_t t = day * DAY + hour * SPAN;
		double unsure, x = random_normal(&y->r);

		if (hour >= 6 && hour < 18)
			x += more;
		calendar_begin(y->c, t, SPAN, 0, 0);
		off += fabs(x - calendar_at(y->c, t, &unsure)) / 24;
		if (calendar_wants_day(y->c, x, 1))
			cr_assert_eq(calendar_keep_day(y->c, t, SPAN), 0);
		calendar_learn(y->c, t, x, 1);
	}
	y->worst = off;
}

/* So many days, of which each with that number of the sort has more. */
static void
live_by(struct year *y, int64_t from, int64_t to, enum calendar_sort sort,
    int32_t number, double more)
{
	for (int64_t day = from; day < to; day++) {
		struct calendar_date d;

		calendar_date(day, &d);
		live(y, day, d.number[sort] == number ? more : 0);
	}
}

static void
expect_found(enum calendar_sort sort, int32_t number)
{
	struct year y;

	begin(&y, 3);
	live_by(&y, FIRST, FIRST + 190, sort, number, 30);
	cr_assert_eq(y.c->nfeatures, 1, "%u", y.c->nfeatures);
	cr_expect_eq(
	    y.c->feature[0].sort, sort, "%u of %u", y.c->feature[0].sort, sort);
	cr_expect_eq(y.c->feature[0].number, number);
	/* half a year later that day is as sure as any other */
	for (int64_t day = FIRST + 190; day < FIRST + 300; day++) {
		struct calendar_date d;

		calendar_date(day, &d);
		live(&y, day, d.number[sort] == number ? 30 : 0);
		cr_expect_lt(y.worst, 1.8, "%g", y.worst);
	}
	calendar_free(y.c);
}

Test(calendar, each_sort_of_day_is_found)
{
	expect_found(CAL_DAY_OF_MONTH, 25);
	expect_found(CAL_DAYS_BEFORE_END, 0);
	expect_found(CAL_WEEKDAY_OF_MONTH, 7 + 1); /* second Tuesday */
	expect_found(CAL_LAST_WEEKDAY, 4);	   /* last Friday */
	expect_found(CAL_WORKING_DAY, 2);
	expect_found(CAL_LAST_WORKING_DAY, 0);
}

Test(calendar, four_repeats_are_enough)
{
	struct year y;

	begin(&y, 4);
	/* of 25 January to 25 April; the first week tells what is usual */
	live_by(&y, FIRST, FIRST + 117, CAL_DAY_OF_MONTH, 25, 30);
	cr_expect_eq(y.c->nodd, 4);
	cr_expect_eq(y.c->nfeatures, 1);
	calendar_free(y.c);
}

Test(calendar, what_no_longer_comes_is_dropped_after_two_months)
{
	struct year y;

	begin(&y, 5);
	live_by(&y, FIRST, FIRST + 190, CAL_DAY_OF_MONTH, 10, 30);
	cr_expect_eq(y.c->nfeatures, 1);
	live_by(&y, FIRST + 190, FIRST + 215, CAL_DAY_OF_MONTH, 10, 0);
	cr_expect_eq(y.c->nfeatures, 1, "once is not enough");
	live_by(&y, FIRST + 215, FIRST + 230, CAL_DAY_OF_MONTH, 10, 0);
	cr_expect_eq(y.c->nfeatures, 0);
	calendar_free(y.c);
}

/*
 * The rate that calendar.h tells: of odd days at random 1 in 2,000. Over 200
 * histories of three years 13,000 are odd, of which 13 may be taken for a
 * feature, give or take (mean 6.5; 14 or more has a chance of 0.7 %).
 */
Test(calendar, odd_days_at_random_make_no_feature)
{
	double odd = 0, found = 0;

	for (uint64_t seed = 0; seed < 200; seed++) {
		uint32_t before = 0;
		struct year y;

		begin(&y, 1000 + seed);
		for (int64_t day = FIRST; day < FIRST + 1100; day++) {
			bool more = random_uniform(&y.r) < 0.06;

			odd += more;
			live(&y, day, more ? 30 : 0);
			if (y.c->nfeatures > before)
				found++;
			before = y.c->nfeatures;
		}
		calendar_free(y.c);
	}
	cr_expect_gt(odd, 12000);
	cr_expect_leq(found, odd / 1000, "%g of %g", found, odd);
}

Test(calendar, a_shift_of_the_level_is_no_day_of_the_calendar)
{
	struct year y;

	begin(&y, 6);
	for (int64_t day = FIRST; day < FIRST + 400; day++) {
		for (int64_t hour = 0; hour < 24; hour++) {
			int64_t t = day * DAY + hour * SPAN;
			double level = 20 * (double)((day - FIRST) / 90);
			double x = level + random_normal(&y.r);

			calendar_begin(y.c, t, SPAN, 0, level);
			if (calendar_wants_day(y.c, x, 1))
				cr_assert_eq(
				    calendar_keep_day(y.c, t, SPAN), 0);
			calendar_learn(y.c, t, x, 1);
		}
	}
	cr_expect_eq(y.c->nfeatures, 0);
	calendar_free(y.c);
}

Test(calendar, counts_its_bytes)
{
	struct calendar *c = calendar_new();
	size_t before = calendar_bytes(c);

	cr_expect_eq(calendar_bytes(NULL), 0);
	cr_expect_eq(before, sizeof(*c));
	calendar_begin(c, FIRST * DAY, SPAN, 0, 0);
	cr_assert_eq(calendar_keep_day(c, FIRST * DAY + 5 * SPAN, SPAN), 0);
	cr_expect_eq(calendar_bytes(c), before + season_bytes(c->today));
	calendar_void(c);
	cr_expect_eq(calendar_bytes(c), before);
	calendar_free(c);
}
