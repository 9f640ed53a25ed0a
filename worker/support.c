/* Owns the sample of past values. */
#include "common/compat.h"

#include <math.h>
#include <string.h>

#include "worker/narrow.h"
#include "worker/support.h"

#define NEAREST 3
#define LEAST 8

/* How many values are below x. */
static uint32_t
rank_of(const struct support *s, float x)
{
	uint32_t lo = 0, hi = s->n;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (s->value[mid] < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

double
support_distance(const struct support *s, double x)
{
	uint32_t above, below;
	double d = 0;

	if (s->n < LEAST)
		return 0;
	above = below = rank_of(s, narrow(x)); /* below: one past it */
	for (int i = 0; i < NEAREST; i++) {
		double up =
		    above < s->n ? fabs((double)s->value[above] - x) : INFINITY;
		double down = below > 0 ? fabs(x - (double)s->value[below - 1])
					: INFINITY;

		if (above < s->n && (below == 0 || up < down))
			above++;
		else
			below--;
		d = fmin(up, down);
	}
	return d;
}

/* Numerical Recipes' generator; its high bits are good enough for a choice. */
static double
throw_dice(struct support *s)
{
	s->dice = s->dice * 1664525u + 1013904223u;
	return (double)(s->dice >> 8) / (double)(1u << 24);
}

void
support_learn(struct support *s, double x, double memory)
{
	uint32_t at;

	if (s->n == SUPPORT_SIZE) {
		if (throw_dice(s) >= SUPPORT_SIZE / memory)
			return;
		at = (uint32_t)(throw_dice(s) * SUPPORT_SIZE);
		memmove(&s->value[at], &s->value[at + 1],
		    (s->n - at - 1) * sizeof(s->value[0]));
		s->n--;
	}
	at = rank_of(s, narrow(x));
	memmove(&s->value[at + 1], &s->value[at],
	    (s->n - at) * sizeof(s->value[0]));
	s->value[at] = narrow(x);
	s->n++;
}

void
support_map(
    struct support *s, double (*to)(double v, const void *arg), const void *arg)
{
	for (uint32_t i = 0; i < s->n; i++)
		s->value[i] = narrow(to((double)s->value[i], arg));
}
