/* The fit of a tail: what it believes at first, and what it learns. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>

#include "tests/random.h"
#include "worker/tail.h"

static double
exponential(struct random *r)
{
	return -log(1 - random_uniform(r));
}

/* n surprises of a model that is right, but for a factor. */
static struct tail
learnt(size_t n, double factor, uint64_t seed)
{
	struct random r = random_seed(seed);
	struct tail t = { .n = 0 };

	for (size_t i = 0; i < n; i++) {
		double u = factor * exponential(&r);

		tail_forget(&t, 0.9995);
		tail_learn(&t, u, tail_ln_p(&t, u));
	}
	return t;
}

Test(tail, there_is_no_step_at_the_threshold)
{
	struct tail t = learnt(500, 3, 1);

	cr_expect_eq(tail_ln_p(&t, 0), 0);
	cr_expect_float_eq(
	    tail_ln_p(&t, TAIL_U0 - 1e-9), tail_ln_p(&t, TAIL_U0), 1e-6);
}

Test(tail, unlearnt_it_is_lomax_with_shape_eight)
{
	struct tail t = { .n = 0 };

	/* by the formula of tail.h, worked out by hand: 0.05 (1 + y/8)^-8 */
	cr_expect_float_eq(tail_ln_p(&t, TAIL_U0), log(0.05), 1e-9);
	cr_expect_float_eq(
	    tail_ln_p(&t, TAIL_U0 + 8), log(0.05) - 8 * log(2), 1e-9);
	cr_expect_float_eq(
	    tail_ln_p(&t, TAIL_U0 + 24), log(0.05) - 8 * log(4), 1e-9);
}

/*
 * Of the formula of doc/engine.md by mpmath with 40 digits: q = (excesses + 1)
 * / (n + 20), m = (sum + 8) / N and v = (squares + 16) / (N m^2) - 1 with N =
 * fitted + 8.
 */
Test(tail, the_fit_has_the_values_of_mpmath)
{
	static const struct {
		struct tail tail;
		double ln_p[3]; /* of 4, 10 and 40 */
	} cases[] = {
		{ { 1000, 50, 50, 50, 100, 0, { 0 } },
		    { -3.9914046487647078, -9.6083073159348683,
			-31.617502875473331 } },
		{ { 1000, 80, 64, 128, 640, 0, { 0 } },
		    { -3.1429024214942239, -5.7826692390945109,
			-11.482750515818818 } },
		{ { 200, 4, 4, 2, 1.5, 0, { 0 } },
		    { -4.9539829594468920, -9.6699107619016381,
			-18.883805651165778 } },
		{ { 40000, 2400, 512, 1536, 16384, 0, { 0 } },
		    { -3.2675705230766501, -5.1394131246222957,
			-8.9070497536099371 } },
	};
	static const double u[] = { 4, 10, 40 };

	for (size_t i = 0; i < NELEM(cases); i++)
		for (size_t k = 0; k < NELEM(u); k++)
			cr_expect_float_eq(tail_ln_p(&cases[i].tail, u[k]),
			    cases[i].ln_p[k], 1e-12, "%zu, %g: %.17g", i, u[k],
			    tail_ln_p(&cases[i].tail, u[k]));
}

Test(tail, a_right_model_is_found_right)
{
	struct tail t = learnt(20000, 1, 2);

	for (double u = 4; u < 12; u += 1)
		cr_expect_float_eq(
		    tail_ln_p(&t, u), -u, 1.7, "%g: %g", u, tail_ln_p(&t, u));
}

Test(tail, a_model_that_is_too_sure_is_corrected)
{
	struct tail t = learnt(20000, 4, 3);

	/* of exponential surprises with mean 4 e^-5 are beyond 20 */
	cr_expect_float_eq(tail_ln_p(&t, 20), -5, 0.7);
	cr_expect_float_eq(tail_ln_p(&t, 40), -10, 1.5);
}

Test(tail, one_anomaly_does_not_hide_the_next)
{
	struct tail t = learnt(2000, 1, 4);
	double before = tail_ln_p(&t, 30), after;

	tail_learn(&t, 500, tail_ln_p(&t, 500));
	after = tail_ln_p(&t, 30);
	cr_expect_lt(before, log(1e-7));
	cr_expect_lt(after, log(1e-6));
}

Test(tail, what_keeps_coming_is_as_likely_as_it_is_frequent)
{
	struct tail t = { .n = 0 };

	for (int i = 0; i < 2000; i++) {
		double u = i % 100 == 50 ? 300 : 1;

		tail_learn(&t, u, tail_ln_p(&t, u));
	}
	cr_expect_geq(tail_ln_p(&t, 300), log(0.005));
	cr_expect_lt(tail_ln_p(&t, 3000), log(0.005));
}

/* The second and third of a size alarm, and less than what is new. */
Test(tail, what_was_seen_is_not_told_as_new)
{
	struct tail t = { .n = 0 };
	double ln_p[3];

	for (int i = 0; i < 900; i++) {
		double u = i % 300 == 299 ? 100 : 1;

		if (i % 300 == 299)
			ln_p[i / 300] = tail_ln_p(&t, u);
		tail_learn(&t, u, tail_ln_p(&t, u));
	}
	cr_expect_lt(ln_p[0], log(1e-8));
	cr_expect_lt(ln_p[1], log(1e-5));
	cr_expect_lt(ln_p[2], log(1e-4));
	cr_expect_gt(ln_p[2], log(1e-7));
	cr_expect_lt(ln_p[1], ln_p[2]);
}

Test(tail, a_long_row_counts_little_more_than_one)
{
	struct tail t = { .n = 0 }, one = { .n = 0 };

	tail_learn(&one, 20, -8);
	for (int i = 0; i < 50; i++)
		tail_learn(&t, 20, -8);
	/* 1 + 1/2 + ... + 1/50 = 4.4992 */
	cr_expect_float_eq((double)t.fitted, 4.4992 * (double)one.fitted, 0.5);
}

Test(tail, less_likely_the_further_out)
{
	struct tail t = learnt(3000, 2, 5);
	double last = 0;

	for (double u = 0; u < 1e17; u = u * 1.1 + 0.1) {
		double ln_p = tail_ln_p(&t, u);

		cr_assert_leq(ln_p, last + 1e-12);
		cr_assert(isfinite(ln_p));
		last = ln_p;
	}
}

Test(tail, extremes_stay_finite)
{
	struct tail t = { .n = 0 };

	for (int i = 0; i < 5000; i++) {
		double u = i % 3 == 0 ? INFINITY : i % 3 == 1 ? 1e300 : 0;

		tail_learn(&t, u, tail_ln_p(&t, u));
		cr_assert(isfinite(t.squares));
	}
	cr_expect(isfinite(tail_ln_p(&t, INFINITY)));
}
