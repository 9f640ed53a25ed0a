/* The interval in which the next value is expected: what is inside of it. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/random.h"
#include "worker/bounds.h"
#include "worker/model.h"

#define SPAN 900

struct series {
	struct model m;
	struct model_params p;
	enum model_kind kind;
	struct random r;
	int64_t time_s;
	size_t n; /* values that had bounds */
	size_t below;
	size_t above;
	struct bounds last;
};

static void
begin(struct series *s, enum model_kind kind, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	model_init(&s->m);
	model_params_init(&s->p, SPAN, 1344);
	s->kind = kind;
	s->r = random_seed(seed);
}

static void
learn(struct series *s, double x)
{
	struct outlook o;

	model_look(&s->m, s->kind, s->time_s, x, &o);
	if (model_bounds(&s->m, &o, BOUNDS_MASS, &s->last)) {
		s->n++;
		s->below += x < s->last.lower;
		s->above += x > s->last.upper;
		cr_assert_leq(s->last.lower, s->last.median);
		cr_assert_leq(s->last.median, s->last.upper);
	}
	cr_assert_eq(model_learn(&s->m, &s->p, &o, true), 0);
	s->time_s += SPAN;
}

static double
inside(const struct series *s)
{
	return 1 - (double)(s->below + s->above) / (double)s->n;
}

Test(bounds, nothing_is_said_of_what_is_not_known)
{
	struct series s;

	begin(&s, MODEL_REAL, 1);
	for (int i = 0; i < 7; i++)
		learn(&s, 5 + random_normal(&s.r));
	cr_expect_eq(s.n, 0);
	learn(&s, 5);
	learn(&s, 5);
	cr_expect_eq(s.n, 1);
	model_clear(&s.m);
}

/* 1.96 deviations on either side, give or take the learning of both. */
Test(bounds, of_a_normal_distribution_are_those_of_the_normal_one)
{
	struct series s;

	begin(&s, MODEL_REAL, 2);
	for (int i = 0; i < 4000; i++)
		learn(&s, 100 + 5 * random_normal(&s.r));
	cr_expect_float_eq(inside(&s), 0.957, 0.012);
	cr_expect_float_eq(s.last.lower, 100 - 9.8, 2.5);
	cr_expect_float_eq(s.last.upper, 100 + 9.8, 2.5);
	cr_expect_float_eq(s.last.median, 100, 2);
	model_clear(&s.m);
}

Test(bounds, hold_on_each_side_of_a_skewed_distribution)
{
	struct series s;

	begin(&s, MODEL_REAL, 3);
	for (int i = 0; i < 4000; i++)
		learn(&s, -20 * log(1 - random_uniform(&s.r)));
	cr_expect_float_eq(inside(&s), 0.957, 0.015);
	cr_expect_float_eq((double)s.above / (double)s.n, 0.022, 0.012);
	cr_expect_geq(s.last.lower, 0);
	model_clear(&s.m);
}

/* Three of four values are the same: errors are nothing, or anything. */
Test(bounds, hold_where_a_series_mostly_stands_still)
{
	struct series s;

	begin(&s, MODEL_REAL, 4);
	for (int i = 0; i < 4000; i++)
		learn(&s,
		    random_uniform(&s.r) < 0.9
			? 100
			: 100 - 30 * random_uniform(&s.r));
	cr_expect_geq(inside(&s), 0.92);
	cr_expect_leq(inside(&s), 0.985);
	cr_expect_lt(s.last.lower, 95);
	model_clear(&s.m);
}

Test(bounds, of_few_events_are_whole_numbers)
{
	struct series s;

	begin(&s, MODEL_COUNT, 5);
	for (int i = 0; i < 3000; i++)
		learn(&s, random_poisson(&s.r, 1));
	/* P(K <= 3) = .981, P(K <= 2) = .920, P(K = 0) = .368 */
	cr_expect_eq(s.last.lower, 0);
	cr_expect_float_eq(s.last.upper, 3, 1);
	cr_expect_eq(s.last.upper, floor(s.last.upper));
	cr_expect_geq(inside(&s), 0.92);
	model_clear(&s.m);
}

Test(bounds, of_many_events_are_whole_numbers)
{
	struct series s;

	begin(&s, MODEL_COUNT, 6);
	for (int i = 0; i < 3000; i++)
		learn(&s, random_poisson(&s.r, 40));
	cr_expect_eq(s.last.lower, floor(s.last.lower));
	cr_expect_eq(s.last.upper, floor(s.last.upper));
	cr_expect_float_eq(s.last.lower, 28, 4);
	cr_expect_float_eq(s.last.upper, 53, 4);
	cr_expect_float_eq(inside(&s), 0.957, 0.015);
	model_clear(&s.m);
}

Test(bounds, zeros_beside_other_values_are_inside)
{
	struct series s;

	begin(&s, MODEL_REAL, 7);
	for (int i = 0; i < 3000; i++)
		learn(&s,
		    random_uniform(&s.r) < 0.8 ? 0
					       : 50 + 5 * random_normal(&s.r));
	cr_expect_eq(s.last.lower, 0);
	cr_expect_eq(s.last.median, 0);
	/* one in eight of the others is beyond */
	cr_expect_float_eq(s.last.upper, 50 + 5 * 1.15, 3);
	cr_expect_float_eq(inside(&s), 0.975, 0.015);
	model_clear(&s.m);
}

Test(bounds, only_zeros_are_as_good_as_known)
{
	struct series s;

	begin(&s, MODEL_REAL, 8);
	for (int i = 0; i < 50; i++)
		learn(&s, 0);
	cr_expect_eq(s.last.lower, 0);
	cr_expect_eq(s.last.upper, 0);
	cr_expect_eq(inside(&s), 1);
	model_clear(&s.m);
}

Test(bounds, are_negative_only_where_values_are)
{
	struct series s;

	begin(&s, MODEL_REAL, 9);
	for (int i = 0; i < 1000; i++)
		learn(&s, fabs(random_normal(&s.r)));
	cr_expect_geq(s.last.lower, 0);
	for (int i = 0; i < 1000; i++)
		learn(&s, random_normal(&s.r));
	cr_expect_lt(s.last.lower, -1);
	model_clear(&s.m);
}

Test(bounds, a_greater_scale_and_a_greater_mass_are_wider)
{
	struct bounds usual, wide, most;
	struct series s;
	struct outlook o;

	begin(&s, MODEL_REAL, 10);
	for (int i = 0; i < 500; i++)
		learn(&s, 100 + 5 * random_normal(&s.r));
	model_look(&s.m, s.kind, s.time_s, 100, &o);
	cr_assert(model_bounds(&s.m, &o, BOUNDS_MASS, &usual));
	cr_assert(model_bounds(&s.m, &o, 0.99, &most));
	o.scale *= 1.5;
	cr_assert(model_bounds(&s.m, &o, BOUNDS_MASS, &wide));
	cr_expect_float_eq(
	    wide.upper - wide.lower, 1.5 * (usual.upper - usual.lower), 0.5);
	/* 2.576 over 1.960 */
	cr_expect_float_eq(
	    most.upper - most.lower, 1.314 * (usual.upper - usual.lower), 0.1);
	model_clear(&s.m);
}
