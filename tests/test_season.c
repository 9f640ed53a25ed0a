/* Tables of what is usual at a time of a period. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "worker/season.h"

#define DAY 86400
#define SPAN 900

static double
shape(int64_t time_s)
{
	return 50 + 40 * sin(2 * M_PI * (double)(time_s % DAY) / DAY);
}

static struct season *
after_days(int days, int64_t span_s, uint32_t most)
{
	struct season *s = season_new(DAY, span_s, most);

	cr_assert_not_null(s);
	for (int64_t t = 0; t < (int64_t)days * DAY; t += span_s)
		season_learn(s, t, shape(t), 1);
	return s;
}

Test(season, knows_nothing_at_first)
{
	struct season *s = season_new(DAY, SPAN, 288);
	double v;

	cr_expect_not(season_at(s, 12345, &v));
	cr_expect_eq(s->nslots, 96);
	free(s);
}

Test(season, one_cycle_teaches_every_bucket)
{
	struct season *s = after_days(1, SPAN, 288);

	for (int64_t t = -3 * DAY; t < 3 * DAY; t += SPAN) {
		double v;

		cr_assert(season_at(s, t, &v));
		cr_expect_float_eq(v, shape((t % DAY + DAY) % DAY), 1e-4);
	}
	free(s);
}

Test(season, long_slots_are_interpolated)
{
	/* 1,440 buckets in 288 slots: steps alone would be off by 0.4 */
	struct season *s = after_days(12, 60, 288);

	cr_expect_eq(s->nslots, 288);
	for (int64_t t = 0; t < DAY; t += 60) {
		double v;

		cr_assert(season_at(s, t, &v));
		cr_expect_float_eq(v, shape(t), 0.2, "%g", v - shape(t));
	}
	free(s);
}

Test(season, a_foreign_value_hardly_counts)
{
	struct season *s = after_days(6, SPAN, 288);
	double v;

	season_learn(s, 6 * DAY, 1e6, 1);
	cr_assert(season_at(s, 0, &v));
	cr_expect_float_eq(v, shape(0), 1);
	season_learn(s, 7 * DAY, shape(0), 1);
	season_learn(s, 8 * DAY, 1e6, 1);
	cr_assert(season_at(s, 0, &v));
	cr_expect_float_eq(v, shape(0), 2, "not twice in a row");
	free(s);
}

Test(season, one_that_comes_again_is_the_new_usual)
{
	struct season *s = after_days(6, SPAN, 288);
	double v;

	season_learn(s, 6 * DAY, 500, 1);
	season_learn(s, 7 * DAY, 500, 1);
	cr_assert(season_at(s, 0, &v));
	cr_expect_gt(v, 250);
	season_learn(s, 8 * DAY, 500, 1);
	cr_assert(season_at(s, 0, &v));
	cr_expect_float_eq(v, 500, 60);
	free(s);
}

Test(season, a_shift_moves_the_pattern)
{
	struct season *s = after_days(3, SPAN, 288);
	double v;

	season_shift(s, 3600);
	cr_assert(season_at(s, 10 * 3600, &v));
	cr_expect_float_eq(v, shape(11 * 3600), 1e-4);
	season_shift(s, -7200);
	cr_assert(season_at(s, 10 * 3600, &v));
	cr_expect_float_eq(v, shape(9 * 3600), 1e-4);
	free(s);
}

static double
doubled(double v, const void *arg)
{
	(void)arg;
	return 2 * v;
}

Test(season, values_are_mapped)
{
	struct season *s = after_days(1, SPAN, 288);
	double v;

	season_map(s, doubled, NULL);
	cr_assert(season_at(s, SPAN, &v));
	cr_expect_float_eq(v, 2 * shape(SPAN), 1e-3);
	cr_expect_eq(season_bytes(s), sizeof(*s) + 96 * sizeof(s->slot[0]));
	cr_expect_eq(season_bytes(NULL), 0);
	free(s);
}
