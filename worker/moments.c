/* Owns the streaming mean and variance. */
#include "common/compat.h"

#include "worker/moments.h"

SCHEMA_DEFINE(moments, MOMENTS_FIELDS);

void
moments_add(struct moments *m, double value)
{
	double off = value - m->mean;

	m->n++;
	m->mean += off / m->n;
	m->squares += off * (value - m->mean);
}

double
moments_variance(const struct moments *m)
{
	return m->squares / m->n;
}

double
moments_share(const struct moments *a, const struct moments *b)
{
	double off = b->mean - a->mean;

	return (b->squares + b->n * off * off) / a->n;
}
