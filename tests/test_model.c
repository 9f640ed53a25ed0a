/* One series' model: what it expects, what it finds unlikely, how it learns. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/model_series.h"

Test(model, knows_nothing_at_first)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 1);
	cr_expect_eq(ask(&s, SIDE_BOTH, 5), 0);
	cr_expect_eq(learn(&s, 5), 0);
	cr_expect_gt(ask(&s, SIDE_BOTH, 5e9), log(0.5));
	series_end(&s);
}

Test(model, learns_level_and_spread)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 1);
	learn_normal(&s, 1000, 100, 5);
	cr_expect_float_eq(expected(&s), 100, 2);
	cr_expect_gt(ask(&s, SIDE_BOTH, 104), log(0.05));
	cr_expect_lt(ask(&s, SIDE_BOTH, 130), log(1e-3));
	cr_expect_lt(ask(&s, SIDE_BOTH, 70), log(1e-3));
	cr_expect_lt(ask(&s, SIDE_BOTH, 1000), log(1e-8));
	series_end(&s);
}

Test(model, sides)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 2);
	learn_normal(&s, 1000, 100, 5);
	cr_expect_gt(ask(&s, SIDE_LOW, 150), log(0.05));
	cr_expect_gt(ask(&s, SIDE_HIGH, 50), log(0.05));
	cr_expect_lt(ask(&s, SIDE_LOW, 50), log(1e-4));
	cr_expect_lt(ask(&s, SIDE_HIGH, 150), log(1e-4));
	series_end(&s);
}

Test(model, the_further_off_the_less_likely)
{
	struct series s;
	double last = 0;

	series_begin(&s, MODEL_REAL, 3);
	learn_normal(&s, 500, 100, 5);
	for (double x = 110; x < 1e7; x *= 1.1) {
		double ln_p = ask(&s, SIDE_BOTH, x);

		cr_assert_leq(ln_p, last + 1e-9);
		last = ln_p;
	}
	series_end(&s);
}

Test(model, skewed_data_is_not_taken_for_normal)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 24);
	for (int i = 0; i < 1000; i++)
		(void)learn(&s, exp(random_normal(&s.r)));
	cr_expect_eq(s.m.power, POWER_LOG);
	/*
	 * e^3 is a one in 370 event here, on the scale of logarithms; as it is
	 * it stands far out. Under a normal fit it were 1e-15.
	 */
	cr_expect_gt(ask(&s, SIDE_BOTH, exp(3)), log(3e-5));
	cr_expect_lt(ask(&s, SIDE_BOTH, exp(8)), log(1e-5));
	cr_expect_float_eq(expected(&s), 1, 0.5);
	series_end(&s);
}

Test(model, small_counts_are_counts)
{
	struct series s;

	series_begin(&s, MODEL_COUNT, 5);
	for (int i = 0; i < 1000; i++)
		(void)learn(&s, random_poisson(&s.r, 2));
	cr_expect_float_eq(expected(&s), 2, 0.5);
	cr_expect_gt(ask(&s, SIDE_BOTH, 0), log(0.05));
	cr_expect_gt(ask(&s, SIDE_BOTH, 6), log(1e-3));
	/* P(K >= 12) of Poisson(2) is 1.4e-6 */
	cr_expect_lt(ask(&s, SIDE_BOTH, 12), log(1e-3));
	cr_expect_lt(ask(&s, SIDE_BOTH, 40), log(1e-6));
	series_end(&s);
}

Test(model, silence_of_a_busy_source_is_unlikely)
{
	struct series s;

	series_begin(&s, MODEL_COUNT, 6);
	for (int i = 0; i < 300; i++)
		(void)learn(&s, random_poisson(&s.r, 50));
	cr_expect_lt(ask(&s, SIDE_BOTH, 0), log(1e-4));
	cr_expect_lt(ask(&s, SIDE_LOW, 0), log(1e-4));
	cr_expect_gt(ask(&s, SIDE_HIGH, 0), log(0.99));
	series_end(&s);
}

Test(model, sparse_series_may_stir)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 7);
	for (int i = 0; i < 1000; i++)
		(void)learn(&s, i % 25 == 3 ? 80 + 4 * random_normal(&s.r) : 0);
	/* one in 25 is 0.04 */
	cr_expect_gt(ask(&s, SIDE_BOTH, 81), log(0.02));
	cr_expect_eq(ask(&s, SIDE_BOTH, 0), 0);
	cr_expect_lt(ask(&s, SIDE_BOTH, 400), log(1e-4));
	series_end(&s);
}

Test(model, constant_series)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 8);
	for (int i = 0; i < 200; i++)
		cr_assert_gt(learn(&s, 42.5), log(0.05));
	cr_expect_gt(ask(&s, SIDE_BOTH, 42.501), log(0.05));
	cr_expect_lt(ask(&s, SIDE_BOTH, 43.5), log(1e-6));
	cr_expect_lt(ask(&s, SIDE_BOTH, 0), log(1e-5));
	series_end(&s);
}

Test(model, a_young_model_is_not_believed)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 9);
	for (int i = 0; i < 6; i++)
		(void)learn(&s, 42.5);
	cr_expect_gt(ask(&s, SIDE_BOTH, 43.5), log(0.05));
	series_end(&s);
}

/* What the first values seemed to be is not held against later ones. */
/* A few zeros are no reason to think that there is nothing else. */
Test(model, the_first_value_after_zeros_is_as_odd_as_they_are_many)
{
	struct series s;
	double was = 0;

	for (int n = 1; n <= 512; n *= 2) {
		double ln_p;

		series_begin(&s, MODEL_REAL, 12);
		for (int i = 0; i < n; i++)
			(void)learn(&s, 0);
		ln_p = ask(&s, SIDE_BOTH, 5);
		cr_expect_gt(ln_p, n / -8.0 * log(1 + n) - 1, "%d", n);
		cr_expect_lt(ln_p, was, "%d", n);
		was = ln_p;
		series_end(&s);
	}
	cr_expect_lt(was, -50);
}

Test(model, a_young_model_tells_what_is_far_out)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct series s;

		series_begin(&s, MODEL_REAL, seed);
		learn_normal(&s, 40, 100, 5);
		cr_expect_leq(
		    ask(&s, SIDE_BOTH, 200), log(1e-4), "seed %d", (int)seed);
		series_end(&s);
	}
}

Test(model, outliers_leave_the_model_as_it_is)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 10);
	learn_normal(&s, 1000, 100, 5);
	(void)learn(&s, 900);
	learn_normal(&s, 50, 100, 5);
	(void)learn(&s, -900);
	learn_normal(&s, 50, 100, 5);
	cr_expect_float_eq(expected(&s), 100, 3);
	cr_expect_lt(ask(&s, SIDE_BOTH, 140), log(1e-4));
	cr_expect_lt(ask(&s, SIDE_BOTH, 900), log(1e-6));
	series_end(&s);
}

Test(model, a_lasting_change_alarms_and_becomes_normal)
{
	struct series s;
	int first = -1, quiet_from = 0;

	series_begin(&s, MODEL_REAL, 11);
	learn_normal(&s, 1000, 100, 5);
	for (int i = 0; i < 200; i++) {
		double ln_p = learn(&s, 300 + 5 * random_normal(&s.r));

		if (ln_p < log(1e-4) && first == -1)
			first = i;
		if (ln_p < log(1e-4))
			quiet_from = i + 1;
	}
	cr_expect_eq(first, 0);
	cr_expect_leq(quiet_from, 100, "alarms until %d", quiet_from);
	cr_expect_float_eq(expected(&s), 300, 10);
	series_end(&s);
}

Test(model, an_offset_does_not_matter)
{
	static const double offsets[] = { 0, 1e6, 1e9, 1e12, -1e12, 1e15 };
	double at_zero = 0;
	struct series s;

	for (size_t k = 0; k < sizeof(offsets) / sizeof(offsets[0]); k++) {
		series_begin(&s, MODEL_REAL, 25);
		for (int i = 0; i < 1500; i++) {
			double x = 5 * random_normal(&s.r) + (i == 900) * 90;
			double ln_p = learn(&s, offsets[k] + x);

			if (i != 900) {
				cr_expect_gt(ln_p, log(1e-4), "%g: %d: %g",
				    offsets[k], i, ln_p);
				continue;
			}
			if (k == 0)
				at_zero = ln_p;
			cr_expect_lt(
			    ln_p, 0.7 * at_zero, "%g: %g", offsets[k], ln_p);
			cr_expect_gt(
			    ln_p, 1.4 * at_zero, "%g: %g", offsets[k], ln_p);
		}
		cr_expect_float_eq(expected(&s) - offsets[k], 0, 2);
		series_end(&s);
	}
	cr_expect_lt(at_zero, log(1e-8));
}

Test(model, nothing_is_expected_that_was_never_seen)
{
	struct series s;
	double least = DBL_MAX, most = -DBL_MAX;

	for (int sign = -1; sign < 2; sign += 2) {
		series_begin(&s, MODEL_REAL, 26);
		least = DBL_MAX;
		most = -DBL_MAX;
		for (int i = 0; i < 12 * DAY_BUCKETS; i++) {
			bool day = i % DAY_BUCKETS >= DAY_BUCKETS / 2;
			double x = sign * (day ? 50.0 : 2.0);

			/* a level that differs for a while, then the day */
			if (i / DAY_BUCKETS == 8)
				x = sign * (day ? 2.0 : 50.0);
			if (i > 0) {
				cr_expect_leq(expected(&s), most, "%d", i);
				cr_expect_geq(expected(&s), least, "%d", i);
			}
			least = fmin(least, x);
			most = fmax(most, x);
			(void)learn(&s, x);
		}
		series_end(&s);
	}
}

Test(model, a_trend_is_followed)
{
	struct series s;
	int alarms = 0;

	series_begin(&s, MODEL_REAL, 27);
	for (int i = 0; i < 2000; i++) {
		double ln_p = learn(&s, 0.2 * i + 2 * random_normal(&s.r));

		alarms += i > 500 && ln_p < log(1e-4);
	}
	cr_expect_eq(alarms, 0, "%d", alarms);
	cr_expect_float_eq(expected(&s), 400, 2);
	cr_expect_float_eq(s.m.level[BASE_NONE].slope, 0.2, 0.03);
	cr_expect_lt(ask(&s, SIDE_BOTH, 420), log(1e-4));
	cr_expect_lt(ask(&s, SIDE_BOTH, 380), log(1e-4));
	series_end(&s);
}

Test(model, a_slow_ramp_is_told_again_and_again)
{
	struct series s;
	int told = 0;

	series_begin(&s, MODEL_REAL, 28);
	learn_normal(&s, 1500, 100, 5);
	for (int i = 0; i < 80; i++) {
		double x = 100 + 1.25 * i + 5 * random_normal(&s.r);

		told += learn(&s, x) < -13;
	}
	cr_expect_geq(told, 3, "%d", told);
	cr_expect_leq(told, 12, "not each bucket: %d", told);
	series_end(&s);
}

Test(model, what_was_told_is_no_news_for_a_while)
{
	struct series s;
	double first, next;

	series_begin(&s, MODEL_REAL, 21);
	learn_normal(&s, 1000, 100, 5);
	first = learn(&s, 200);
	cr_expect_lt(first, log(1e-6));
	for (int i = 0; i < 5; i++) {
		next = learn(&s, 200);
		cr_expect_gt(next, first / 2, "bucket %d", i);
	}
	cr_expect_lt(ask(&s, SIDE_BOTH, 2000), first, "worse is news");
	learn_normal(&s, 300, 100, 5);
	cr_expect_lt(ask(&s, SIDE_BOTH, 200), first / 2, "later it is again");
	series_end(&s);
}

Test(model, the_way_back_is_not_odd)
{
	struct series s;

	series_begin(&s, MODEL_REAL, 22);
	learn_normal(&s, 1000, 100, 5);
	for (int i = 0; i < 12; i++)
		(void)learn(&s, 200 + 5 * random_normal(&s.r));
	cr_expect_gt(expected(&s), 150);
	cr_expect_gt(ask(&s, SIDE_BOTH, 100), log(1e-3));
	series_end(&s);
}

Test(model, small_errors_that_last_are_seen_together)
{
	struct series s;
	struct outlook o;
	double impact = -5, single = 0, multi = 0;

	series_begin(&s, MODEL_REAL, 23);
	learn_normal(&s, 1000, 100, 5);
	for (int i = 0; i < 12; i++) {
		double x = 112 + 2 * random_normal(&s.r);

		model_look(&s.m, s.kind, s.time_s, x, &o);
		single = fmin(single, o.ln_single[UP]);
		multi = fmin(multi, o.ln_multi[UP]);
		impact = fmax(impact, model_impact(&s.m, &o, SIDE_BOTH));
		(void)learn(&s, x);
	}
	/* each is one in 40 by itself */
	cr_expect_gt(single, log(1e-3), "%g", single);
	cr_expect_lt(multi, log(2e-4), "%g", multi);
	cr_expect_eq(impact, 5);
	series_end(&s);
}

Test(model, is_calibrated_on_plain_noise)
{
	struct series s;
	int percent = 0, alarms = 0;

	series_begin(&s, MODEL_REAL, 17);
	for (int i = 0; i < 20000; i++) {
		double ln_p = learn(&s, random_normal(&s.r));

		percent += ln_p < log(0.01);
		alarms += ln_p < log(1e-4);
	}
	/* 1 % on paper; four looks that agree are counted as four */
	cr_expect_leq(percent, 220, "%d", percent);
	cr_expect_geq(percent, 20, "%d", percent);
	cr_expect_leq(alarms, 6, "%d", alarms);
	series_end(&s);
}

static void
expect_finite(const struct model *m)
{
	for (int b = 0; b < BASES; b++) {
		cr_assert(isfinite(m->scale[b]));
		cr_assert(isfinite(m->ln_base[b]));
	}
	for (int p = 0; p < POWERS; p++) {
		cr_assert(isfinite(m->error[p]));
		cr_assert(isfinite(m->worth[p]));
	}
	cr_assert(isfinite(m->run_scale));
	cr_assert(isfinite(m->gap_scale));
	cr_assert(isfinite(m->mean));
}

Test(model, extremes_stay_finite)
{
	double x[] = { 1e100, -1e100, 1e-300, 0, -0.0, 5e-324, 1e100, 1 };
	struct series s;

	for (int first = 0; first < 8; first++) {
		series_begin(&s, MODEL_REAL, 18);
		for (int i = 0; i < 800; i++) {
			double ln_p = learn(&s, x[(first + i * i) % 8]);

			cr_assert(ln_p <= 0 && !isnan(ln_p));
		}
		expect_finite(&s.m);
		series_end(&s);
	}
	for (int each = 2; each < 9; each++) {
		series_begin(&s, MODEL_COUNT, 19);
		for (int i = 0; i < 800; i++) {
			double ln_p =
			    learn(&s, i % each == each - 1 ? 1e15 : 3);

			cr_assert(ln_p <= 0 && !isnan(ln_p));
		}
		expect_finite(&s.m);
		series_end(&s);
	}
}
