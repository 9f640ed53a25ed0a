/* Levels at several speeds, and which of them is believed. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>

#include "tests/random.h"
#include "worker/level.h"

/* Mean of the squared errors of the last half of n values. */
static double
follow(struct level *l, double (*next)(struct random *, double last), size_t n)
{
	struct random r = random_seed(7);
	double last = 0, sum = 0;

	for (size_t i = 0; i < n; i++) {
		double x = next(&r, last), e;

		e = l->n > 0 ? x - level_expect(l) : 0;
		if (i >= n / 2)
			sum += e * e;
		level_learn(l, x, 1);
		last = x;
	}
	return sum / ((double)n / 2);
}

static double
noise(struct random *r, double last)
{
	(void)last;
	return 100 + random_normal(r);
}

static double
walk(struct random *r, double last)
{
	return last + random_normal(r);
}

Test(level, noise_is_averaged_out)
{
	struct level l = { .n = 0 };

	/* the best that can be is 1, the last value gives 2 */
	cr_expect_lt(follow(&l, noise, 4000), 1.05);
	cr_expect_float_eq(level_slow(&l), 100, 0.3);
}

Test(level, a_walk_is_followed)
{
	struct level l = { .n = 0 };

	/* the best that can be is 1, the slow level is off by more than 5 */
	cr_expect_lt(follow(&l, walk, 4000), 1.15);
}

Test(level, a_step_is_followed_in_a_few_values)
{
	struct random r = random_seed(8);
	struct level l = { .n = 0 };

	(void)follow(&l, noise, 1000);
	for (int i = 0; i < 6; i++)
		level_learn(&l, 140 + random_normal(&r), 1);
	cr_expect_float_eq(level_expect(&l), 140, 3);
	cr_expect_lt(level_slow(&l), 101, "the slow one waits");
	for (int i = 0; i < 200; i++)
		level_learn(&l, 140 + random_normal(&r), 1);
	cr_expect_float_eq(
	    level_slow(&l), 140, 2, "but not for ever: %g", level_slow(&l));
}

Test(level, one_spike_is_forgotten_at_once)
{
	struct level l = { .n = 0 };

	(void)follow(&l, noise, 1000);
	level_learn(&l, 1000, 1);
	cr_expect_float_eq(level_expect(&l), 100, 1);
	cr_expect_float_eq(level_slow(&l), 100, 1);
}

Test(level, density_is_that_of_student_but_for_a_constant)
{
	/* t with 4 degrees: f(2)/f(0) = 2^-2.5; scipy.stats.t.pdf agrees */
	cr_expect_float_eq(level_ln_density(2, 1) - level_ln_density(0, 1),
	    -2.5 * log(2), 1e-12);
	cr_expect_float_eq(
	    level_ln_density(6, 3) - level_ln_density(2, 1), -log(3), 1e-12);
	cr_expect_eq(level_ln_density(1e9, 1), level_ln_density(1e3, 1),
	    "one value is no proof");
}

Test(level, steps_beyond_any_float_are_followed)
{
	struct level l = { .n = 0 };

	for (int i = 0; i < 400; i++) {
		level_learn(&l, i < 200 ? -1e99 : 1e99, 1e98);
		cr_assert(isfinite(l.crept), "%d", i);
	}
	cr_expect_float_eq(level_slow(&l) / 1e99, 1, 0.1);
}
