/* A series that changes: told when it does, then learnt, and quiet again. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>

#include "tests/random.h"
#include "worker/model.h"

#define SPAN 900
#define DAY_BUCKETS (86400 / SPAN)
#define CHANGE_DAY 21
#define LAST_DAY 42
/* At 1e-4 a score is 60: of 96 buckets a day has one in a hundred days. */
#define ODD 1e-4

struct history {
	struct model m;
	struct model_params p;
	struct random r;
	int odd[LAST_DAY]; /* buckets of each day */
};

static double
of_day(int64_t time_s)
{
	return sin(2 * M_PI * (double)(time_s % 86400) / 86400);
}

/* value: of a bucket, before and after the change */
static void
live(struct history *h, double (*value)(struct history *, int64_t, bool))
{
	model_init(&h->m);
	model_params_init(&h->p, SPAN, 1344);
	h->r = random_seed(77);
	for (int day = 0; day < LAST_DAY; day++) {
		h->odd[day] = 0;
		for (int i = 0; i < DAY_BUCKETS; i++) {
			int64_t t = ((int64_t)day * DAY_BUCKETS + i) * SPAN;
			double x = value(h, t, day >= CHANGE_DAY);
			struct outlook o;

			model_look(&h->m, MODEL_REAL, t, x, &o);
			h->odd[day] +=
			    model_ln_p(&h->m, &o, SIDE_BOTH) < log(ODD);
			cr_assert_eq(model_learn(&h->m, &h->p, &o, true), 0);
		}
	}
	model_clear(&h->m);
}

static int
odd_of(const struct history *h, int from, int to)
{
	int n = 0;

	for (int day = from; day < to; day++)
		n += h->odd[day];
	return n;
}

/* Quiet before, told on the day, and after so many days quiet again. */
static void
expect_learnt(double (*value)(struct history *, int64_t, bool), int days)
{
	struct history h;
	int before, told, after;

	live(&h, value);
	before = odd_of(&h, 10, CHANGE_DAY);
	told = odd_of(&h, CHANGE_DAY, CHANGE_DAY + 1);
	after = odd_of(&h, CHANGE_DAY + days, LAST_DAY);
	cr_expect_leq(before, 1, "%d before", before);
	cr_expect_geq(told, 1);
	cr_expect_leq(after, 1, "%d after", after);
}

static double
level(struct history *h, int64_t t, bool changed)
{
	(void)t;
	return (changed ? 160 : 100) + 5 * random_normal(&h->r);
}

Test(model_change, a_level_is_learnt_within_a_day)
{
	expect_learnt(level, 1);
}

static double
swing(struct history *h, int64_t t, bool changed)
{
	return 200 + (changed ? 100 : 50) * of_day(t) +
	    4 * random_normal(&h->r);
}

Test(model_change, twice_the_swing_of_a_day_is_learnt_within_one)
{
	expect_learnt(swing, 1);
}

static double
scaled(struct history *h, int64_t t, bool changed)
{
	double x = 100 * exp(0.5 * of_day(t) + 0.04 * random_normal(&h->r));

	return changed ? 3 * x : x;
}

Test(model_change, three_times_as_much_of_everything_is_learnt_within_a_day)
{
	expect_learnt(scaled, 1);
}

static double
scatter(struct history *h, int64_t t, bool changed)
{
	(void)t;
	return 100 + (changed ? 12 : 3) * random_normal(&h->r);
}

Test(model_change, four_times_the_scatter_is_learnt_within_a_day)
{
	expect_learnt(scatter, 1);
}

static double
calm(struct history *h, int64_t t, bool changed)
{
	return 100 + 20 * of_day(t) + (changed ? 1 : 8) * random_normal(&h->r);
}

Test(model_change, less_scatter_is_no_event_and_makes_it_sharper)
{
	struct history h;
	struct outlook o;

	live(&h, calm);
	cr_expect_leq(odd_of(&h, 10, LAST_DAY), 1);
	/* once more, for the model is gone */
	model_init(&h.m);
	h.r = random_seed(78);
	for (int64_t i = 0; i < LAST_DAY * DAY_BUCKETS; i++) {
		model_look(&h.m, MODEL_REAL, i * SPAN,
		    calm(&h, i * SPAN, i >= CHANGE_DAY * DAY_BUCKETS), &o);
		cr_assert_eq(model_learn(&h.m, &h.p, &o, true), 0);
	}
	cr_expect_lt(o.even_scale, 2, "%g", o.even_scale);
	model_clear(&h.m);
}

/* Twelve hours of nothing in the middle of a day, and then as before. */
static double
outage(struct history *h, int64_t t, bool changed)
{
	double x = 200 + 50 * of_day(t) + 4 * random_normal(&h->r);
	int64_t since = t - (int64_t)CHANGE_DAY * 86400;

	(void)changed;
	return since >= 6 * 3600 && since < 18 * 3600 ? 0 : x;
}

Test(model_change, an_outage_leaves_the_day_as_it_was)
{
	struct history h;
	struct outlook before, after;
	int64_t noon = (int64_t)CHANGE_DAY * 86400 + 8 * 3600;

	live(&h, outage);
	cr_expect_geq(odd_of(&h, CHANGE_DAY, CHANGE_DAY + 1), 1);
	cr_expect_leq(odd_of(&h, CHANGE_DAY + 1, LAST_DAY), 1);
	model_init(&h.m);
	h.r = random_seed(79);
	for (int64_t t = 0; t < noon + 86400; t += SPAN) {
		struct outlook o;

		model_look(&h.m, MODEL_REAL, t, outage(&h, t, false), &o);
		if (t == noon - 86400)
			before = o;
		cr_assert_eq(model_learn(&h.m, &h.p, &o, true), 0);
	}
	model_look(&h.m, MODEL_REAL, noon + 86400, 200, &after);
	cr_expect_float_eq(after.expected, before.expected, 6, "%g, was %g",
	    after.expected, before.expected);
	model_clear(&h.m);
}
