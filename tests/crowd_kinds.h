/* Values of people of several kinds, in none of whom there is anything odd. */
#ifndef TESTS_CROWD_KINDS_H
#define TESTS_CROWD_KINDS_H

#include <math.h>

#include "tests/random.h"

static inline double
crowd_even(struct random *r, int who, int b)
{
	(void)who;
	(void)b;
	return exp(6 + 0.7 * random_normal(r));
}

/* Each has a size of his own, and there are days and nights. */
static inline double
crowd_unequal(struct random *r, int who, int b)
{
	return exp(
	    5 + who % 7 * 0.4 + sin(b * 0.0436) + 0.4 * random_normal(r));
}

/* One in fifty values is ten times as large or more. */
static inline double
crowd_heavy(struct random *r, int who, int b)
{
	(void)who;
	(void)b;
	return 100 / pow(random_uniform(r) + 1e-9, 0.7);
}

static inline double
crowd_negative(struct random *r, int who, int b)
{
	(void)who;
	(void)b;
	return 5 * random_normal(r);
}

/* One has fifty times as much as the others, always. */
static inline double
crowd_proxy(struct random *r, int who, int b)
{
	return crowd_even(r, who, b) * (who == 11 ? 50 : 1);
}

#endif
