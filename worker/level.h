/*
 * Where a series stands, followed at several speeds at once, and which of
 * them has foretold it best of late: prediction with expert advice (Herbster
 * and Warmuth, Machine Learning 32(2), 1998). A series that scatters around a
 * level is followed slowly, one that wanders fast, and after a jump the fast
 * ones have the say until the slow ones have caught up.
 */
#ifndef WORKER_LEVEL_H
#define WORKER_LEVEL_H

#include <stdint.h>

#include "common/compat.h"

#define LEVEL_SPEEDS 4
/* The slow level has caught up so few buckets ago that it counts. */
#define LEVEL_SINCE_MOST 150

struct level {
	double at[LEVEL_SPEEDS];
	float ln_weight[LEVEL_SPEEDS]; /* the greatest is 0 */
	double slope;		       /* of all, a value */
	double n;		       /* values seen, up to 1e6 */
	uint32_t apart; /* buckets for which slow and fast have differed */
	int32_t since;	/* slow caught up, by its direction; 0: long ago */
};

/* The average of the speeds. Undefined before the first value. */
double level_expect(const struct level *);
double level_slow(const struct level *);

/* Learn a value; scale is that of what is left of values. */
void level_learn(struct level *, double value, double scale);

/* ln density of an error, but for a constant: Student, 4 degrees. */
double level_ln_density(double error, double scale);

#endif
