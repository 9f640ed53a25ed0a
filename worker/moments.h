/* Mean and variance of values, as they come. */
#ifndef WORKER_MOMENTS_H
#define WORKER_MOMENTS_H

#include "common/compat.h"
#include "common/schema.h"

#define MOMENTS_FIELDS(F, S)                                                   \
	F(S, F64, n, 0, INFINITY)                                              \
	F(S, F64, mean, -INFINITY, INFINITY)                                   \
	F(S, F64, squares, 0, INFINITY)
/* squares: of distances to the mean, added up */
SCHEMA_STRUCT(moments, MOMENTS_FIELDS);

/*
 * Add a value. The mean and the squares are corrected each time (Welford,
 * Technometrics 4(3), 1962), so that values far from zero lose nothing.
 */
void moments_add(struct moments *, double value);

/* The variance of all values, n > 0: squares over n. */
double moments_variance(const struct moments *);

/*
 * What the part b adds to the variance of a: of the squares of distances to
 * the mean of a, those of its values. Parts add up to the whole. (The variance
 * of what is left would not do: without the many usual values there is no
 * variance either.)
 */
double moments_share(const struct moments *a, const struct moments *b);

#endif
