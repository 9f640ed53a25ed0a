/*
 * Where a series stands, followed at several speeds at once, and which of
 * them has foretold it best of late: prediction with expert advice (Herbster
 * and Warmuth, Machine Learning 32(2), 1998). A series that scatters around a
 * level is followed slowly, one that wanders fast, and after a jump the fast
 * ones have the say until the slow ones have caught up.
 */
#ifndef WORKER_LEVEL_H
#define WORKER_LEVEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"

#define LEVEL_SPEEDS 4
/* The slow level has caught up so few buckets ago that it counts. */
#define LEVEL_SINCE_MOST 150
/* Slow and medium differ for so many buckets: a new level. */
#define LEVEL_APART_MOST 72

struct level {
	double at[LEVEL_SPEEDS];
	float ln_weight[LEVEL_SPEEDS]; /* the greatest is 0 */
	double slope;		       /* of all, a value */
	double n;		       /* values seen, up to 1e6 */
	float crept;	/* how far slow has followed since they differ */
	uint16_t apart; /* buckets for which slow and fast have differed */
	int16_t since;	/* slow caught up, by its direction; 0: long ago */
};

/* The average of the speeds. Undefined before the first value. */
double level_expect(const struct level *);
double level_slow(const struct level *);

/* Where the last three values are. */
double level_fast(const struct level *);
/* How far from the slow level the last 16 or so are. */
double level_gap(const struct level *);
/* So are those of the last three: what has moved away stays there. */
bool level_is_settled(const struct level *, double scale);
/* The last value foretells the next one best: there is no level. */
bool level_wanders(const struct level *);

/* Learn a value; scale is that of what is left of values. */
void level_learn(struct level *, double value, double scale);

/* ln density of an error, but for a constant: Student, 4 degrees. */
double level_ln_density(double error, double scale);

#endif
