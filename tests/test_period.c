/* Periods that nobody has named. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>

#include "tests/random.h"
#include "worker/period.h"

#define STEP 300

static struct period_probe probe;

static void
fill(double (*value)(int, struct random *), uint64_t seed)
{
	struct random r = random_seed(seed);

	period_begin(&probe, 1000 * STEP, STEP);
	(void)period_go_on(&probe);
	for (int i = 0; i < PERIOD_STEPS; i++)
		period_add(&probe, (1000 + i) * (int64_t)STEP, value(i, &r));
}

static double
wave(int i, struct random *r)
{
	return 1e6 + 10 * sin(2 * M_PI * i / 37.5) + 3 * random_normal(r);
}

static double
spikes(int i, struct random *r)
{
	return (i % 23 == 5 ? 500 : 0) + random_normal(r);
}

static double
noise(int i, struct random *r)
{
	(void)i;
	return random_normal(r);
}

static double
walk(int i, struct random *r)
{
	static double at;

	at = i == 0 ? 0 : at + random_normal(r);
	return at;
}

static double
steps(int i, struct random *r)
{
	return (i / 200) * 50 + random_normal(r);
}

static double
nothing(int i, struct random *r)
{
	(void)i;
	(void)r;
	return 7;
}

Test(period, a_wave_is_found_to_a_fiftieth)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		fill(wave, seed);
		cr_expect_float_eq((double)period_find(&probe), 37.5 * STEP,
		    0.02 * 37.5 * STEP, "%d", (int)seed);
	}
}

Test(period, spikes_that_come_back_are_found)
{
	fill(spikes, 1);
	cr_expect_float_eq((double)period_find(&probe), 23 * STEP, STEP / 2.0);
}

Test(period, what_has_none_has_none)
{
	for (uint64_t seed = 1; seed <= 100; seed++) {
		fill(noise, seed);
		cr_expect_eq(period_find(&probe), 0, "%d", (int)seed);
	}
	fill(steps, 1);
	cr_expect_eq(period_find(&probe), 0);
	fill(nothing, 1);
	cr_expect_eq(period_find(&probe), 0);
}

Test(period, a_walk_seldom_looks_like_one)
{
	int found = 0;

	for (uint64_t seed = 1; seed <= 100; seed++) {
		fill(walk, seed);
		found += period_find(&probe) != 0;
	}
	cr_expect_leq(found, 5, "%d", found);
}

Test(period, holes_do_not_matter_until_little_is_left)
{
	struct random r = random_seed(3);

	for (int every = 5; every >= 2; every -= 3) {
		period_begin(&probe, 0, STEP);
		(void)period_go_on(&probe);
		for (int i = 0; i < PERIOD_STEPS; i++) {
			if (i % every != 0)
				period_add(
				    &probe, i * (int64_t)STEP, wave(i, &r));
		}
		if (every == 5)
			cr_expect_float_eq((double)period_find(&probe),
			    37.5 * STEP, 0.02 * 37.5 * STEP);
		else
			cr_expect_eq(period_find(&probe), 0);
	}
}

Test(period, half_of_it_is_looked_at_before)
{
	struct random r = random_seed(4);
	int64_t t = 0;

	period_begin(&probe, 0, STEP);
	for (; !period_is_due(&probe, t); t += STEP)
		period_add(&probe, t, wave((int)(t / STEP), &r));
	cr_expect_eq(t, PERIOD_STEPS / 2 * STEP);
	cr_expect_float_eq(
	    (double)period_find(&probe), 37.5 * STEP, 0.03 * 37.5 * STEP);
	cr_expect(period_go_on(&probe));
	cr_expect_not(period_is_due(&probe, t));
	cr_expect(period_is_due(&probe, 2 * t));
	cr_expect_not(period_go_on(&probe));
}

Test(period, a_step_has_the_mean_of_its_values)
{
	period_begin(&probe, 0, STEP);
	for (int i = 0; i < 1000; i++)
		period_add(&probe, i % STEP, i % 2);
	period_add(&probe, -1, 1e9);
	period_add(&probe, PERIOD_STEPS * (int64_t)STEP, 1e9);
	cr_expect_float_eq((double)probe.mean[0], 0.5, 0.01);
	cr_expect_eq(probe.n[0], UINT8_MAX);
	cr_expect_eq(probe.n[1], 0);
}
