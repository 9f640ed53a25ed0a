/* One series' model: days, other periods, the calendar; and their restart. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>

#include "tests/model_series.h"

static double
daily(int64_t time_s)
{
	return 200 + 80 * sin(2 * M_PI * (double)(time_s % 86400) / 86400);
}

static void
learn_days(struct series *s, int days)
{
	for (int i = 0; i < days * DAY_BUCKETS; i++)
		(void)learn(s, daily(s->time_s) + 3 * random_normal(&s->r));
}

Test(model_seasons, a_day_is_found_and_makes_its_hours_differ)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 12);
	learn_days(&s, 6);
	cr_expect_eq(s.m.best, BASE_DAY);
	s.time_s += 6 * 3600; /* the peak, 280 */
	cr_expect_float_eq(expected(&s), 280, 12);
	cr_expect_lt(ask(&s, SIDE_BOTH, 200), log(1e-6));
	series_end(&s);
}

Test(model_seasons, an_outage_does_not_spoil_the_day)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 13);
	learn_days(&s, 10);
	for (int i = 0; i < 48; i++)
		(void)learn(&s, 3 + random_normal(&s.r));
	learn_days(&s, 1);
	cr_expect_float_eq(expected(&s), daily(s.time_s), 6);
	cr_expect_lt(ask(&s, SIDE_BOTH, daily(s.time_s) + 50), log(1e-3));
	series_end(&s);
}

Test(model_seasons, noise_earns_no_season)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 14);
	learn_normal(&s, 20 * DAY_BUCKETS, 100, 5);
	cr_expect_eq(s.m.best, BASE_NONE);
	cr_expect_null(s.m.season[BASE_WEEK]);
	series_end(&s);
}

/* Seven buckets and a half, which no time of day knows of. */
static double
odd_period(struct series *s)
{
	return 100 + 30 * sin(2 * M_PI * (double)s->time_s / (7.5 * SPAN)) +
	    random_normal(&s->r);
}

Test(model_seasons, another_period_than_the_day_is_found)
{
	struct series s;
	struct outlook o;

	series_begin(&s, MODEL_REAL, 29);
	for (int i = 0; i < 1500; i++)
		(void)learn(&s, odd_period(&s));
	cr_assert_eq(s.m.best, BASE_DAY);
	cr_expect_float_eq(
	    (double)s.m.season[BASE_DAY]->period_s, 7.5 * SPAN, 0.1 * SPAN);
	cr_expect_null(s.m.probe);
	model_look(&s.m, s.kind, s.time_s, odd_period(&s), &o);
	cr_expect_lt(o.scale, 10, "%g", o.scale);
	series_end(&s);
}

Test(model_seasons, a_pattern_that_moves_by_an_hour_is_followed)
{
	struct series s;
	int late = 0;

	series_begin(&s, MODEL_REAL, 15);
	for (int i = 0; i < 24 * DAY_BUCKETS; i++) {
		int64_t t = s.time_s + (i < 16 * DAY_BUCKETS ? 0 : 3600);
		double x = t % 86400 < 43200 ? 20 : 140, ln_p;

		ln_p = learn(&s, x + 3 * random_normal(&s.r));
		late += i > 19 * DAY_BUCKETS && ln_p < log(1e-4);
	}
	cr_expect_eq(late, 0, "%d", late);
	cr_expect_eq(s.m.season[BASE_DAY]->shift_s, 3600);
	series_end(&s);
}

Test(model_seasons, tables_are_made_within_the_limit_only)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 16);
	for (int i = 0; i < 300; i++) {
		struct outlook o;

		model_look(&s.m, s.kind, s.time_s, i % 96, &o);
		cr_assert_eq(model_learn(&s.m, &s.p, &o, false), 0);
		s.time_s += SPAN;
	}
	cr_expect_eq(model_bytes(&s.m), 0);
	(void)learn(&s, 1);
	cr_expect_gt(model_bytes(&s.m), 96 * sizeof(struct season_slot));
	series_end(&s);
}

static void
restart(struct series *s)
{
	struct snapshot_writer *w = snapshot_writer_memory();
	struct snapshot_reader *r;
	struct model back;
	const uint8_t *data;
	size_t len;

	cr_assert_eq(snapshot_section(w, SNAPSHOT_ENGINE), 0);
	cr_assert_eq(model_save(&s->m, w), 0);
	cr_assert_eq(snapshot_memory(w, &data, &len), 0);
	r = snapshot_reader_memory(data, len);
	cr_assert_eq(snapshot_enter(r, SNAPSHOT_ENGINE), 0);
	model_init(&back);
	cr_assert_eq(model_load(&back, &s->p, r), 0);
	cr_expect_eq(snapshot_left(r), 0);
	model_clear(&s->m);
	s->m = back;
	snapshot_reader_free(r);
	snapshot_writer_free(w);
}

Test(model_seasons, a_restart_changes_no_bit)
{
	struct series a, b;

	series_begin(&a, MODEL_REAL, 20);
	series_begin(&b, MODEL_REAL, 20);
	for (int i = 0; i < 20 * DAY_BUCKETS; i++) {
		double x = daily(a.time_s) * (1 + 0.05 * random_normal(&a.r));

		if (i % 700 == 699)
			x *= 3;
		cr_assert_eq(learn(&a, x), learn(&b, x), "%d", i);
		if (i % 97 == 0)
			restart(&b);
	}
	cr_expect_not_null(b.m.season[BASE_WEEK]);
	series_end(&a);
	series_end(&b);
}

/* A working week, but for a holiday, and more on the 25th. */
static double
of_the_calendar(const struct series *s, int64_t holiday, double more)
{
	int64_t day = s->time_s / 86400, hour = s->time_s % 86400 / 3600;
	struct calendar_date d;
	/* 1970 began on a Thursday */
	bool works = hour >= 8 && hour < 18 && (day + 3) % 7 < 5;

	calendar_date(day, &d);
	if (day == holiday)
		works = false;
	return (works ? 120 : 20) +
	    (d.number[CAL_DAY_OF_MONTH] == 25 && hour >= 10 ? more : 0);
}

Test(model_seasons, a_day_after_a_holiday_is_as_usual)
{
	struct series s;
	int odd = 0;

	series_begin(&s, MODEL_REAL, 40);
	/* day 32 is a Monday, the 33rd a Tuesday */
	for (int i = 0; i < 40 * DAY_BUCKETS; i++) {
		int64_t since = s.time_s - 32 * 86400;
		double x = of_the_calendar(&s, 32, 0), ln_p;

		ln_p = learn(&s, x + 3 * random_normal(&s.r));
		if (since >= 11 * 3600) /* three hours after it went wrong */
			odd += ln_p < log(1e-4);
	}
	cr_expect_eq(odd, 0, "%d", odd);
	cr_expect_eq(s.m.best, BASE_WEEK);
	series_end(&s);
}

Test(model_seasons, a_day_of_the_month_is_learnt_and_survives_a_restart)
{
	struct series a, b;
	struct outlook o;
	int odd = 0;

	series_begin(&a, MODEL_REAL, 41);
	series_begin(&b, MODEL_REAL, 41);
	for (int i = 0; i < 270 * DAY_BUCKETS; i++) {
		double x =
		    of_the_calendar(&a, -1, 90) + 3 * random_normal(&a.r);
		double ln_p = learn(&a, x);

		cr_assert_eq(ln_p, learn(&b, x), "%d", i);
		if (i % 397 == 0)
			restart(&b);
		if (i > 180 * DAY_BUCKETS)
			odd += ln_p < log(1e-4);
	}
	cr_assert_eq(b.m.calendar->nfeatures, 1);
	cr_expect_leq(odd, 1, "%d", odd);
	/* 25 October 1970, a Sunday, at noon */
	a.time_s = INT64_C(297) * 86400 + 12 * 3600;
	model_look(&a.m, a.kind, a.time_s, 110, &o);
	cr_expect_float_eq(o.on_top, 90, 15, "%g", o.on_top);
	cr_expect_float_eq(o.expected, 110, 20, "%g", o.expected);
	series_end(&a);
	series_end(&b);
}

Test(model_seasons, a_restart_while_a_period_is_looked_for_changes_no_bit)
{
	struct series a, b;
	bool looked = false;

	series_begin(&a, MODEL_REAL, 30);
	series_begin(&b, MODEL_REAL, 30);
	for (int i = 0; i < 1500; i++) {
		double x = odd_period(&a);

		cr_assert_eq(learn(&a, x), learn(&b, x), "%d", i);
		if (i % 37 != 0)
			continue;
		looked |= b.m.probe != NULL;
		restart(&b);
	}
	cr_expect(looked);
	cr_expect_eq(b.m.best, BASE_DAY);
	series_end(&a);
	series_end(&b);
}
