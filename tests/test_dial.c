/* Times of the day and week, against a slow computation of the density. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/random.h"
#include "worker/dial.h"

#define HOUR 3600
#define DAY 86400
#define SLOT 600
#define SLOTS 144

/* One bucket's events at these times of the job's clocks. */
static struct groups *
events(enum dial_kind kind, const int64_t *at, size_t n)
{
	struct groups *g = NULL;

	for (size_t i = 0; i < n; i++) {
		struct position p;

		dial_position(kind, at[i], &p);
		cr_assert_eq(groups_add(&g, &p, 1, GROUPS_TIMES_MOST), 0);
	}
	return g;
}

static void
learn(struct dial *d, enum dial_kind kind, int64_t at)
{
	struct groups *g = events(kind, &at, 1);

	dial_learn(d, g, at);
	free(g);
}

static struct dial_look
look(const struct dial *d, enum dial_kind kind, int64_t at)
{
	struct groups *g = events(kind, &at, 1);
	struct dial_look o;

	dial_look(d, g, at, &o);
	free(g);
	return o;
}

/* The density that dial.h promises, in doubles. */
struct slow {
	double mass[SLOTS];
	int64_t day;
};

static void
slow_learn(struct slow *s, int64_t at)
{
	double sum = 0, squares = 0, width;

	if (at / DAY > s->day) {
		for (int i = 0; i < SLOTS; i++)
			s->mass[i] *= exp(-(double)(at / DAY - s->day) / 28);
		s->day = at / DAY;
	}
	for (int i = 0; i < SLOTS; i++) {
		sum += s->mass[i];
		squares += s->mass[i] * s->mass[i];
	}
	width = sum == 0 ? 1 : fmax(1, sqrt(sum * sum / squares) / 2);
	for (int i = 0; i < SLOTS; i++) {
		double d = fabs((double)(i - at % DAY / SLOT));

		d = fmin(d, SLOTS - d) / width;
		s->mass[i] += pow(1 + d * d, -4);
	}
}

/* Of times that are as usual, within what a float can tell, some count. */
static double
slow_ln_p(const struct slow *s, int64_t at, double about)
{
	double mass = s->mass[at % DAY / SLOT], below = 0, all = 0;

	for (int i = 0; i < SLOTS; i++) {
		all += s->mass[i];
		below += i == at % DAY / SLOT || s->mass[i] <= mass * about
		    ? s->mass[i]
		    : 0;
	}
	return log(below / all);
}

Test(dial, the_density_is_the_one_that_is_promised)
{
	struct dial *d = dial_new(DIAL_DAY);
	struct random r = random_seed(1);
	struct slow s = { { 0 }, 0 };

	cr_assert_not_null(d);
	for (int day = 0; day < 40; day += 1 + day % 3) {
		for (int k = 0; k < 9; k++) {
			int64_t at = (int64_t)day * DAY + 12 * HOUR +
			    (int64_t)(2 * HOUR * random_normal(&r));

			if (at / DAY != day)
				continue;
			learn(d, DIAL_DAY, at);
			slow_learn(&s, at);
		}
		for (int64_t at = 0; at < DAY; at += 7 * SLOT) {
			double ln_p =
			    look(d, DIAL_DAY, (int64_t)day * DAY + at).ln_p;

			cr_assert_gt(ln_p, slow_ln_p(&s, at, 1 - 1e-5) - 1e-4);
			cr_assert_lt(ln_p, slow_ln_p(&s, at, 1 + 1e-5) + 1e-4);
		}
	}
	free(d);
}

Test(dial, nothing_is_odd_to_who_knows_nothing)
{
	struct dial *d = dial_new(DIAL_DAY);
	struct dial_look o = look(d, DIAL_DAY, 3 * HOUR + 100);

	cr_expect_eq(o.ln_p, 0);
	cr_expect_eq(o.n, 0);
	cr_expect_eq(o.actual, 3 * HOUR + 100);
	cr_expect_eq(o.typical, o.actual);
	free(d);
}

Test(dial, the_night_is_odd_and_midnight_is_no_edge)
{
	struct dial *d = dial_new(DIAL_DAY);

	for (int day = 0; day < 20; day++) {
		learn(d, DIAL_DAY, (int64_t)day * DAY + 23 * HOUR + 55 * 60);
		learn(d, DIAL_DAY, (int64_t)day * DAY + 23 * HOUR + 40 * 60);
	}
	cr_expect_gt(look(d, DIAL_DAY, 20 * DAY + 5 * 60).ln_p, -5);
	cr_expect_lt(look(d, DIAL_DAY, 20 * DAY + 12 * HOUR).ln_p, -15);
	cr_expect_float_eq(
	    look(d, DIAL_DAY, 20 * DAY + 3 * HOUR).typical, 86100, SLOT);
	cr_expect_eq(look(d, DIAL_DAY, 20 * DAY + HOUR).n,
	    look(d, DIAL_DAY, 20 * DAY + 9 * HOUR).n);
	free(d);
}

Test(dial, the_oddest_of_a_bucket_speaks)
{
	int64_t at[] = { 9 * HOUR, 9 * HOUR + 1200, 3 * HOUR + 10,
		3 * HOUR + 30 };
	struct dial *d = dial_new(DIAL_DAY);
	struct groups *g;
	struct dial_look o;

	for (int day = 0; day < 20; day++) {
		for (int k = 0; k < 60; k++)
			learn(d, DIAL_DAY,
			    (int64_t)day * DAY + 8 * HOUR + k * SLOT);
	}
	for (size_t i = 0; i < NELEM(at); i++)
		at[i] += 20 * DAY;
	g = events(DIAL_DAY, at, NELEM(at));
	dial_look(d, g, 20 * DAY, &o);
	cr_expect_eq(o.actual, 3 * HOUR + 20);
	cr_expect_eq(o.cell, 18);
	/* of three times */
	cr_expect_float_eq(
	    o.ln_p, look(d, DIAL_DAY, 20 * DAY + 3 * HOUR).ln_p + log(3), 1e-9);
	free(g);
	free(d);
}

Test(dial, a_burst_is_one_event)
{
	struct dial *one = dial_new(DIAL_DAY), *many = dial_new(DIAL_DAY);
	int64_t at[50];
	struct groups *g;

	for (size_t i = 0; i < NELEM(at); i++)
		at[i] = 3 * HOUR + (int64_t)i;
	g = events(DIAL_DAY, at, NELEM(at));
	dial_learn(many, g, at[0]);
	learn(one, DIAL_DAY, at[0]);
	for (int64_t t = 0; t < DAY; t += SLOT)
		cr_expect_eq(
		    look(one, DIAL_DAY, t).ln_p, look(many, DIAL_DAY, t).ln_p);
	free(g);
	free(one);
	free(many);
}

Test(dial, a_week_is_known_by_weeks)
{
	struct dial *d = dial_new(DIAL_WEEK);
	double n[5];

	for (int day = 0; day < 35; day++) {
		if (day % 7 == 0)
			n[day / 7] = look(d, DIAL_WEEK, day * DAY + HOUR).n;
		if (day % 7 < 5) /* from Thursday on */
			learn(d, DIAL_WEEK, day * DAY + 9 * HOUR);
	}
	cr_expect_eq(n[1], 4);
	cr_expect_eq(n[3], 12);
	cr_expect_gt(look(d, DIAL_WEEK, 35 * DAY + 9 * HOUR).ln_p, -3);
	cr_expect_lt(look(d, DIAL_WEEK, 40 * DAY + 9 * HOUR).ln_p, -5);
	free(d);
}

Test(dial, what_is_long_ago_is_forgotten)
{
	struct dial *d = dial_new(DIAL_DAY);

	for (int day = 0; day < 20; day++)
		learn(d, DIAL_DAY, (int64_t)day * DAY + 9 * HOUR);
	for (int day = 100000; day < 100003; day++)
		learn(d, DIAL_DAY, (int64_t)day * DAY + 15 * HOUR);
	cr_expect_float_eq(look(d, DIAL_DAY, 100003LL * DAY).n, 3, 0.2);
	cr_expect_lt(look(d, DIAL_DAY, 100003LL * DAY + 9 * HOUR).ln_p, -5);
	free(d);
}

Test(dial, clocks_that_are_put_forward_take_it_along)
{
	const int64_t ahead[] = { HOUR, -HOUR, 5 * HOUR + 1800, -11 * HOUR };

	for (size_t k = 0; k < NELEM(ahead); k++) {
		struct dial *was = dial_new(DIAL_DAY), *d = dial_new(DIAL_DAY);

		for (int day = 1; day < 9; day++) {
			learn(was, DIAL_DAY, day * DAY + 9 * HOUR);
			learn(d, DIAL_DAY, day * DAY + 9 * HOUR);
		}
		dial_set_clock(d, ahead[k]);
		for (int64_t t = 9 * DAY; t < 10 * DAY; t += 1800)
			cr_expect_float_eq(look(d, DIAL_DAY, t + ahead[k]).ln_p,
			    look(was, DIAL_DAY, t).ln_p, 1e-9);
		free(was);
		free(d);
	}
}

/* Long before 1970, and before the day with which all began. */
Test(dial, times_of_old_are_learnt_like_others)
{
	const int64_t began = -100000LL * DAY;

	for (int kind = DIAL_DAY; kind <= DIAL_WEEK; kind++) {
		struct dial *d = dial_new((enum dial_kind)kind);
		struct dial_look o;

		for (int day = 0; day < 28; day++)
			learn(d, (enum dial_kind)kind,
			    began + day * DAY + 9 * HOUR);
		o = look(d, (enum dial_kind)kind, began + 28 * DAY + 21 * HOUR);
		cr_expect_gt(o.n, 3);
		cr_expect_lt(o.ln_p, -3);
		o = look(d, (enum dial_kind)kind, began - DAY);
		cr_expect_geq(o.n, 0);
		free(d);
	}
}
