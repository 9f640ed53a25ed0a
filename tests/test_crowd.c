/*
 * The comparison of people against one that is slow and plain (slow_crowd.h),
 * over random populations of many kinds.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/random.h"
#include "tests/slow_crowd.h"
#include "worker/crowd.h"

#define PEOPLE_MOST 120

/* Floats in habits and tails, of which sums are made. */
#define RELATIVE 2e-4
#define ABSOLUTE 2e-5

struct kind {
	const char *name;
	double (*value)(struct random *, int who, int bucket);
	int people;
	double there; /* how likely each is there */
	int buckets;
	bool counts;
	bool foretold; /* there are forecasts of the middle */
	int skip;      /* in so many buckets once there is a gap; 0: never */
};

static double
lognormal(struct random *r, int who, int b)
{
	(void)b;
	return exp(6 + who % 3 * 0.5 + 0.7 * random_normal(r));
}

static double
normal(struct random *r, int who, int b)
{
	(void)who;
	(void)b;
	return 5 * random_normal(r);
}

/* Whole numbers, of which there are negative ones late only. */
static double
whole(struct random *r, int who, int b)
{
	double x = floor(40 + who % 5 + 6 * random_normal(r));

	return b < 60 ? fabs(x) : x - 30;
}

static double
few(struct random *r, int who, int b)
{
	(void)b;
	return random_poisson(r, 1 + who % 3);
}

static double
many(struct random *r, int who, int b)
{
	return random_poisson(r, 50 + 20 * (who % 4) + 10 * sin(b * 0.3));
}

static double
heavy(struct random *r, int who, int b)
{
	(void)who;
	(void)b;
	return 100 / pow(random_uniform(r) + 1e-9, 0.9);
}

/* One who has a thousand times as much, and one who comes to that. */
static double
giants(struct random *r, int who, int b)
{
	double x = exp(3 + 0.5 * random_normal(r));

	if (who == 3 || (who == 4 && b > 50 && b < 58))
		return 1000 * x;
	return x;
}

/* All alike, but for one now and then. */
static double
alike(struct random *r, int who, int b)
{
	return who == b % 40 ? 7 + random_uniform(r) : 7;
}

static double
zeros(struct random *r, int who, int b)
{
	(void)b;
	return random_uniform(r) < 0.4 + 0.1 * (who % 2)
	    ? 0
	    : exp(2 + random_normal(r));
}

static const struct kind kinds[] = {
	{ "lognormal", lognormal, 40, 0.6, 100, false, true, 0 },
	{ "normal", normal, 40, 0.7, 80, false, false, 0 },
	{ "whole", whole, 25, 0.8, 100, false, true, 7 },
	{ "few", few, 30, 0.7, 100, true, true, 0 },
	{ "many", many, 30, 0.7, 100, true, false, 5 },
	{ "heavy", heavy, 30, 0.8, 100, false, true, 0 },
	{ "giants", giants, 30, 0.8, 100, false, true, 0 },
	{ "alike", alike, 40, 0.9, 80, false, false, 0 },
	{ "zeros", zeros, 30, 0.8, 80, false, true, 9 },
	{ "two people", lognormal, 2, 0.7, 120, false, true, 0 },
	{ "five people", lognormal, 5, 0.7, 120, false, false, 0 },
	{ "a crowd", lognormal, 120, 0.95, 25, false, true, 0 },
};

static bool
near(double a, double b)
{
	return fabs(a - b) <= ABSOLUTE + RELATIVE * fabs(b);
}

#define EXPECT_NEAR(a, b)                                                      \
	cr_assert(near(a, b),                                                  \
	    "%s, bucket %d, person %d: " #a " %.9g, not %.9g", k->name,        \
	    s->bucket, s->who, a, b)

/* At the middle the sign of an error of rounding makes ln 2 of nothing. */
#define NONE (M_LN2 + 1e-3)

static void
compare_look(const struct kind *k, const struct slow_seen *s, double surprise,
    double ln_p, double slow_surprise, double slow_ln_p)
{
	EXPECT_NEAR(fmax(surprise, NONE), fmax(slow_surprise, NONE));
	if (slow_surprise > NONE)
		EXPECT_NEAR(ln_p, slow_ln_p);
}

static void
compare(const struct kind *k, const struct slow_crowd *slow,
    const struct slow_seen *s, const struct crowd_view *v,
    const struct crowd_place *p)
{
	static const enum function_side sides[] = { SIDE_BOTH, SIDE_HIGH,
		SIDE_LOW };
	static const int slow_sides[] = { 0, 1, -1 };
	double most = 0;

	EXPECT_NEAR(p->typical, s->typical);
	EXPECT_NEAR(p->z, s->z);
	EXPECT_NEAR(p->own, s->own);
	for (int side = 0; side < SIDES; side++) {
		most = fmax(most, s->surprise[side]);
		most = fmax(most, s->run_surprise[side]);
		compare_look(k, s, p->surprise[side], p->ln_p[side],
		    s->surprise[side], s->ln_p[side]);
		compare_look(k, s, p->run_surprise[side], p->run_ln_p[side],
		    s->run_surprise[side], s->run_ln_p[side]);
	}
	for (size_t i = 0; i < NELEM(sides) && most > NONE; i++)
		EXPECT_NEAR(crowd_ln_p(v, p, sides[i]),
		    slow_ln_p(slow, s, slow_sides[i]));
}

struct population {
	const struct kind *k;
	struct crowd crowd;
	struct habit habit[PEOPLE_MOST];
	int last[PEOPLE_MOST]; /* bucket in which each was last there */
	int last_bucket;
	struct slow_crowd slow;
	size_t unlikely;
};

static void
judge(struct population *p, int bucket, int n, const int *who, const double *x,
    const struct crowd_forecast *f)
{
	struct slow_forecast same = { f->known, f->middle, f->low, f->high };
	struct crowd_view v;
	struct crowd_place at[PEOPLE_MOST];
	double sample[PEOPLE_MOST], middle;
	const struct slow_seen *seen;
	int scale;

	slow_judge(&p->slow, bucket, n, who, x, &same);
	memcpy(sample, x, (size_t)n * sizeof(*x));
	crowd_forget(&p->crowd, pow(p->slow.keep, bucket - p->last_bucket));
	p->last_bucket = bucket;
	middle = crowd_look(&p->crowd, p->k->counts ? MODEL_COUNT : MODEL_REAL,
	    sample, (uint32_t)n, n, f, SIDE_BOTH, &v);
	cr_assert_eq(v.known, p->slow.known);
	scale = p->slow.bucket[p->slow.nbuckets - 1].scale;
	cr_assert_eq((int)v.power, scale, "%s, bucket %d: scale %d, not %d",
	    p->k->name, bucket, (int)v.power, scale);
	cr_assert(near(middle, p->slow.learnt_middle), "%s, bucket %d: %g, %g",
	    p->k->name, bucket, middle, p->slow.learnt_middle);
	seen = &p->slow.seen[p->slow.nseen - (size_t)n];
	for (int i = 0; i < n; i++) {
		struct habit *h = &p->habit[who[i]];

		crowd_place(
		    &v, h, fmax(1, bucket - p->last[who[i]]), x[i], &at[i]);
		p->unlikely += crowd_ln_p(&v, &at[i], SIDE_BOTH) < log(0.2);
		if (!v.known)
			continue;
		compare(p->k, &p->slow, &seen[i], &v, &at[i]);
		crowd_learn(&p->crowd, h, &v, &at[i]);
		p->last[who[i]] = bucket;
	}
}

static void
run_kind(const struct kind *k, uint64_t seed)
{
	static struct population p;
	struct random r = random_seed(seed);
	int who[PEOPLE_MOST];
	double x[PEOPLE_MOST];

	memset(&p, 0, sizeof(p));
	p.k = k;
	crowd_init(&p.crowd);
	slow_init(&p.slow, k->counts, exp(-1.0 / 60));
	for (int i = 0; i < k->people; i++)
		habit_init(&p.habit[i]);
	for (int b = 0; b < k->buckets; b++) {
		struct crowd_forecast f = { .known = false };
		int n = 0;

		if (k->skip > 0 && b % k->skip == k->skip - 1)
			continue;
		for (int i = 0; i < k->people; i++) {
			double v = k->value(&r, i, b);

			if (random_uniform(&r) > k->there)
				continue;
			who[n] = i;
			x[n++] = v;
		}
		if (n == 0)
			continue;
		if (k->foretold && b > 3) {
			f.known = true;
			f.middle = x[0] * (0.9 + 0.2 * random_uniform(&r));
			f.low = f.middle - 0.2 * fabs(f.middle);
			f.high = f.middle + 0.3 * fabs(f.middle);
		}
		judge(&p, b, n, who, x, &f);
	}
	cr_expect_gt(p.unlikely, 0, "%s", k->name);
	slow_clear(&p.slow);
}

Test(crowd, says_what_the_slow_one_says)
{
	for (size_t i = 0; i < NELEM(kinds); i++) {
		run_kind(&kinds[i], 61 + i);
	}
}
