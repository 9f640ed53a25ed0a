/* One series' model: what it expects, what it finds unlikely, how it learns. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>

#include "tests/random.h"
#include "worker/model.h"

static double
learn(struct model *m, enum model_kind kind, double x)
{
	double ln_p = model_judge(m, kind, SIDE_BOTH, x);

	model_learn(m, kind, x, ln_p);
	return ln_p;
}

static struct model
normal_model(size_t n, double mean, double sd, uint64_t seed)
{
	struct random r = random_seed(seed);
	struct model m;

	model_init(&m);
	for (size_t i = 0; i < n; i++)
		(void)learn(&m, MODEL_REAL, mean + sd * random_normal(&r));
	return m;
}

Test(model, knows_nothing_at_first)
{
	struct model m;

	model_init(&m);
	cr_expect_eq(model_judge(&m, MODEL_REAL, SIDE_BOTH, 5), 0);
	cr_expect_eq(learn(&m, MODEL_REAL, 5), 0);
	cr_expect_eq(model_judge(&m, MODEL_REAL, SIDE_BOTH, 5e9), 0);
}

Test(model, learns_level_and_spread)
{
	struct model m = normal_model(1000, 100, 5, 1);

	cr_expect_float_eq(model_typical(&m, MODEL_REAL), 100, 1);
	cr_expect_gt(model_judge(&m, MODEL_REAL, SIDE_BOTH, 104), log(0.05));
	cr_expect_lt(model_judge(&m, MODEL_REAL, SIDE_BOTH, 130), log(1e-3));
	cr_expect_lt(model_judge(&m, MODEL_REAL, SIDE_BOTH, 70), log(1e-3));
	cr_expect_lt(model_judge(&m, MODEL_REAL, SIDE_BOTH, 1000), log(1e-8));
}

Test(model, sides)
{
	struct model m = normal_model(1000, 100, 5, 2);

	cr_expect_gt(model_judge(&m, MODEL_REAL, SIDE_LOW, 150), log(0.05));
	cr_expect_gt(model_judge(&m, MODEL_REAL, SIDE_HIGH, 50), log(0.05));
	cr_expect_lt(model_judge(&m, MODEL_REAL, SIDE_LOW, 50), log(1e-4));
	cr_expect_lt(model_judge(&m, MODEL_REAL, SIDE_HIGH, 150), log(1e-4));
}

Test(model, the_further_off_the_less_likely)
{
	struct model m = normal_model(500, 100, 5, 3);
	double last = 0;

	for (double x = 110; x < 1e7; x *= 1.1) {
		double ln_p = model_judge(&m, MODEL_REAL, SIDE_BOTH, x);

		cr_assert_leq(ln_p, last);
		last = ln_p;
	}
}

Test(model, skewed_data_is_not_taken_for_normal)
{
	struct random r = random_seed(4);
	struct model m;

	model_init(&m);
	for (int i = 0; i < 1000; i++)
		(void)learn(&m, MODEL_REAL, exp(random_normal(&r)));
	/* e^3 is a one in 370 event here; under a normal fit it were 1e-15 */
	cr_expect_gt(model_judge(&m, MODEL_REAL, SIDE_BOTH, exp(3)), log(1e-3));
	cr_expect_lt(model_judge(&m, MODEL_REAL, SIDE_BOTH, exp(8)), log(1e-5));
	cr_expect_float_eq(model_typical(&m, MODEL_REAL), 1, 0.1);
}

Test(model, small_counts_are_poisson)
{
	struct random r = random_seed(5);
	struct model m;

	model_init(&m);
	for (int i = 0; i < 1000; i++)
		(void)learn(&m, MODEL_COUNT, random_poisson(&r, 2));
	cr_expect_float_eq(model_typical(&m, MODEL_COUNT), 2, 0.2);
	cr_expect_gt(model_judge(&m, MODEL_COUNT, SIDE_BOTH, 0), log(0.05));
	cr_expect_gt(model_judge(&m, MODEL_COUNT, SIDE_BOTH, 6), log(1e-3));
	/* P(K >= 12) of Poisson(2) is 1.4e-6 */
	cr_expect_lt(model_judge(&m, MODEL_COUNT, SIDE_BOTH, 12), log(1e-4));
	cr_expect_lt(model_judge(&m, MODEL_COUNT, SIDE_BOTH, 40), log(1e-6));
}

Test(model, silence_of_a_busy_source_is_unlikely)
{
	struct random r = random_seed(6);
	struct model m;

	model_init(&m);
	for (int i = 0; i < 300; i++)
		(void)learn(&m, MODEL_COUNT, random_poisson(&r, 50));
	cr_expect_lt(model_judge(&m, MODEL_COUNT, SIDE_BOTH, 0), log(1e-4));
	cr_expect_lt(model_judge(&m, MODEL_COUNT, SIDE_LOW, 0), log(1e-4));
	cr_expect_gt(model_judge(&m, MODEL_COUNT, SIDE_HIGH, 0), log(0.99));
}

Test(model, sparse_series_may_stir)
{
	struct random r = random_seed(7);
	struct model m;

	model_init(&m);
	for (int i = 0; i < 1000; i++)
		(void)learn(&m, MODEL_REAL,
		    i % 25 == 3 ? 80 + 4 * random_normal(&r) : 0);
	/* one in 25 is 0.04 */
	cr_expect_gt(model_judge(&m, MODEL_REAL, SIDE_BOTH, 81), log(0.02));
	cr_expect_eq(model_judge(&m, MODEL_REAL, SIDE_BOTH, 0), 0);
	cr_expect_lt(model_judge(&m, MODEL_REAL, SIDE_BOTH, 400), log(1e-4));
	cr_expect_eq(model_typical(&m, MODEL_REAL), 0);
}

Test(model, constant_series)
{
	struct model m;

	model_init(&m);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(learn(&m, MODEL_REAL, 42.5), 0);
	cr_expect_eq(model_judge(&m, MODEL_REAL, SIDE_BOTH, 42.501), 0);
	cr_expect_lt(model_judge(&m, MODEL_REAL, SIDE_BOTH, 43.5), log(1e-6));
	cr_expect_lt(model_judge(&m, MODEL_REAL, SIDE_BOTH, 0), log(1e-5));
}

Test(model, a_young_model_is_not_believed)
{
	struct model m;

	model_init(&m);
	for (int i = 0; i < 6; i++)
		(void)learn(&m, MODEL_REAL, 42.5);
	cr_expect_gt(model_judge(&m, MODEL_REAL, SIDE_BOTH, 43.5), log(0.05));
}

Test(model, outliers_leave_the_model_as_it_is)
{
	struct model m = normal_model(1000, 100, 5, 8);
	double before = model_judge(&m, MODEL_REAL, SIDE_BOTH, 130), after;

	for (int i = 0; i < 3; i++)
		(void)learn(&m, MODEL_REAL, 900);
	after = model_judge(&m, MODEL_REAL, SIDE_BOTH, 900);
	cr_expect_lt(after, log(1e-6));
	after = model_judge(&m, MODEL_REAL, SIDE_BOTH, 130);
	cr_expect_lt(before, log(1e-3));
	cr_expect_lt(after, log(1e-3));
	cr_expect_float_eq(model_typical(&m, MODEL_REAL), 100, 1);
}

Test(model, a_lasting_change_becomes_normal)
{
	struct model m = normal_model(1000, 100, 5, 9);
	struct random r = random_seed(10);
	int quiet_from = 0;

	for (int i = 1; i <= 100; i++) {
		double ln_p =
		    learn(&m, MODEL_REAL, 300 + 5 * random_normal(&r));

		if (ln_p < log(0.01))
			quiet_from = i;
	}
	cr_expect_geq(quiet_from, 8);
	cr_expect_leq(quiet_from, 20, "alarms until %d", quiet_from);
	cr_expect_float_eq(model_typical(&m, MODEL_REAL), 300, 25);
}

Test(model, forgetting_keeps_what_a_judgement_needs)
{
	struct model m = normal_model(1000, 100, 5, 11);

	model_forget(&m, 0);
	cr_expect_float_eq(m.level.n, 30, 1e-9);
	cr_expect_lt(model_judge(&m, MODEL_REAL, SIDE_BOTH, 200), log(1e-4));
	model_forget(&m, 0.5);
	cr_expect_float_eq(m.level.n, 30, 1e-9);
}

Test(model, is_calibrated_on_plain_noise)
{
	struct random r = random_seed(12);
	struct model m;
	int below = 0;

	model_init(&m);
	for (int i = 0; i < 20000; i++)
		below += learn(&m, MODEL_REAL, random_normal(&r)) < log(0.01);
	/* 1 % on paper, less with tails that are a little heavier */
	cr_expect_leq(below, 200);
	cr_expect_geq(below, 40, "%d", below);
}

Test(model, extremes_stay_finite)
{
	double x[] = { 1e100, -1e100, 1e-300, 0, -0.0, 5e-324, 1e100, 1 };
	struct model m;

	model_init(&m);
	for (int i = 0; i < 80; i++) {
		double ln_p = learn(&m, MODEL_REAL, x[i % 8]);

		cr_assert(ln_p <= 0 && !isnan(ln_p));
		cr_assert(isfinite(m.level.squares));
		cr_assert(isfinite(m.s.ln_normal));
		cr_assert(isfinite(m.s.ln_log));
	}
	model_init(&m);
	for (int i = 0; i < 80; i++) {
		double ln_p = learn(&m, MODEL_COUNT, i % 7 == 6 ? 1e15 : 3);

		cr_assert(ln_p <= 0 && !isnan(ln_p));
	}
}
