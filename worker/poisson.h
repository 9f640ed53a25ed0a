/*
 * Counts of independent events: Poisson with an unknown rate, whose conjugate
 * prior is the gamma distribution. The next count is negative binomial.
 */
#ifndef WORKER_POISSON_H
#define WORKER_POISSON_H

#include <stdbool.h>

#include "common/compat.h"
#include "common/schema.h"

/* Decayed number of events, and of buckets in which they were counted. */
#define POISSON_FIELDS(F, S)                                                   \
	F(S, F64, events, 0, INFINITY)                                         \
	F(S, F64, buckets, 0, INFINITY)
SCHEMA_STRUCT(poisson, POISSON_FIELDS);

/* The gamma distribution of the rate. */
struct gamma_rate {
	double shape;
	double rate;
};

void poisson_learn(struct poisson *, double count, double weight);
void poisson_forget(struct poisson *, double keep);
/* Returns false while there is too little to say anything. */
bool poisson_expect(const struct poisson *, struct gamma_rate *);

#endif
