/* Owns the normal-gamma model. */
#include "common/compat.h"

#include <float.h>
#include <math.h>

#include "worker/normal.h"

SCHEMA_DEFINE(normal, NORMAL_FIELDS);

/*
 * The spread of real series wanders, so what was learnt about it is worth less
 * than its amount says: discounting the variance by 1/15 a step, as dynamic
 * linear models do (West and Harrison, 1997, section 10.8), bounds the degrees
 * of freedom at 15, however long the history. Tails stay heavier than normal;
 * with 15, plain noise of any family scores 50 in fewer than one bucket of a
 * thousand.
 */
#define DF_MOST 15.0

/* Below two observations there is no spread to speak of. */
#define N_LEAST 2.0

void
normal_learn(struct normal *m, double x, double weight)
{
	double d = x - m->mean;

	m->n += weight;
	m->mean += d * (weight / m->n);
	m->squares += weight * d * (x - m->mean);
}

void
normal_forget(struct normal *m, double keep)
{
	m->n *= keep;
	m->squares *= keep;
}

bool
normal_expect(
    const struct normal *m, double least_sd, double rounding, struct student *s)
{
	double variance;

	if (m->n < N_LEAST)
		return false;
	variance = m->squares / (m->n - 1) + rounding;
	/* DBL_MIN: never a division by zero, not even for tiny values */
	variance = fmax(variance, fmax(least_sd * least_sd, DBL_MIN));
	s->location = m->mean;
	s->scale = sqrt(variance * (1 + 1 / m->n));
	s->df = fmin(m->n - 1, DF_MOST);
	return true;
}

double
student_distance(const struct student *s, double x, double less)
{
	return fmax(0, fabs(x - s->location) - less) / s->scale;
}
