/* Owns the gamma-Poisson model. */
#include "common/compat.h"

#include <math.h>

#include "worker/poisson.h"

SCHEMA_DEFINE(poisson, POISSON_FIELDS);

/* Jeffreys' prior of a Poisson rate: half an event in no time. */
#define SHAPE_PRIOR 0.5

/*
 * Real rates wander: what is known of one is never better than to a tenth
 * (1/sqrt(100)), however many events were seen. Large counts that scatter less
 * than this are the normal model's.
 */
#define SHAPE_MOST 100.0

#define BUCKETS_LEAST 2.0

void
poisson_learn(struct poisson *m, double count, double weight)
{
	m->events += weight * count;
	m->buckets += weight;
}

void
poisson_forget(struct poisson *m, double keep)
{
	m->events *= keep;
	m->buckets *= keep;
}

bool
poisson_expect(const struct poisson *m, struct gamma_rate *g)
{
	double shape = m->events + SHAPE_PRIOR;

	if (m->buckets < BUCKETS_LEAST)
		return false;
	g->shape = fmin(shape, SHAPE_MOST);
	g->rate = m->buckets * (g->shape / shape);
	return true;
}
