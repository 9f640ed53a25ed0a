/* Forecasts of models, and the errors at horizons that they are made of. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/random.h"
#include "worker/forecast.h"

#define SPAN_S 3600
#define DAY 24

static struct model m;
static struct model_params p;
static struct random r;

static void
begin(void)
{
	r = random_seed(7);
	model_params_init(&p, SPAN_S, 1000);
	model_init(&m);
}

static void
end(void)
{
	model_clear(&m);
}

TestSuite(forecast, .init = begin, .fini = end);

static double
daily(size_t i)
{
	return 100 + 30 * sin(6.283185307179586 * (double)i / DAY) +
	    2 * random_normal(&r);
}

static double
walk(size_t i)
{
	static double at;

	at = i == 0 ? 1000 : at + random_normal(&r);
	return at;
}

static double
few(size_t i)
{
	(void)i;
	return random_poisson(&r, 0.7);
}

static void
learn(double (*value)(size_t), enum model_kind kind, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct outlook o;

		model_look(&m, kind, (int64_t)i * SPAN_S, value(i), &o);
		cr_assert_eq(model_learn(&m, &p, &o, true), 0);
	}
}

static struct forecast
at(enum model_kind kind, size_t n, size_t ahead)
{
	struct forecast f;

	forecast_at(
	    &m, kind, (int64_t)(n + ahead - 1) * SPAN_S, (double)ahead, &f);
	cr_assert(isfinite(f.lower) && isfinite(f.upper));
	cr_assert_leq(f.lower, f.prediction);
	cr_assert_leq(f.prediction, f.upper);
	return f;
}

Test(forecast, a_young_model_foretells_nothing)
{
	learn(daily, MODEL_REAL, 10);
	cr_expect_not(forecast_is_known(&m));
	learn(daily, MODEL_REAL, 30);
	cr_expect(forecast_is_known(&m));
}

Test(forecast, the_day_goes_on)
{
	size_t n = 21 * DAY, in = 0;

	learn(daily, MODEL_REAL, n);
	for (size_t k = 1; k <= 4 * DAY; k++) {
		struct forecast f = at(MODEL_REAL, n, k);
		double x = daily(n + k - 1);

		in += x >= f.lower && x <= f.upper;
		cr_expect_float_eq(f.prediction, x, 15);
	}
	/* of 96 values of a 95 % interval fewer are a chance of 1 in 10^4 */
	cr_expect_geq(in, 83);
}

Test(forecast, of_a_walk_less_is_known_the_further_ahead)
{
	size_t n = 1000;
	double before = 0;

	learn(walk, MODEL_REAL, n);
	for (size_t k = 1; k <= 256; k *= 4) {
		struct forecast f = at(MODEL_REAL, n, k);

		cr_expect_gt(f.upper - f.lower, before);
		before = f.upper - f.lower;
	}
	/* standard deviation of 256 steps: 16; the interval is four of them */
	cr_expect_gt(before, 32);
}

Test(forecast, counts_are_not_below_zero)
{
	struct forecast f;

	learn(few, MODEL_COUNT, 500);
	f = at(MODEL_COUNT, 500, 10);
	cr_expect_eq(f.lower, 0);
	/* P(X > 3) of mean 0.7 is 0.6 %, P(X > 1) 16 % */
	cr_expect_geq(f.upper, 2);
	cr_expect_leq(f.upper, 6);
}

Test(forecast, the_memory_of_errors_is_counted)
{
	size_t before;

	learn(daily, MODEL_REAL, 4);
	before = model_bytes(&m);
	learn(daily, MODEL_REAL, 1);
	cr_expect_geq(model_bytes(&m) - before, sizeof(struct horizons));
	cr_expect_leq(sizeof(struct horizons), 128);
}
