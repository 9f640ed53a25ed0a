/* Owns the statistics of records. */
#include "common/compat.h"

#include <math.h>

#include "worker/tally.h"

SCHEMA_DEFINE(tally, TALLY_FIELDS);

/* Neumaier's summation (ZAMM 54, 1974): what rounding drops goes to carry. */
static void
add_exactly(struct tally *s, double v)
{
	double sum = s->sum + v;

	if (fabs(s->sum) >= fabs(v))
		s->carry += (s->sum - sum) + v;
	else
		s->carry += (v - sum) + s->sum;
	s->sum = sum;
}

void
tally_add(struct tally *s, double value, double n, bool times_events)
{
	s->least = s->n > 0 ? fmin(s->least, value) : value;
	s->greatest = s->n > 0 ? fmax(s->greatest, value) : value;
	s->n += n;
	add_exactly(s, times_events ? value * n : value);
}

struct tally
tally_without(const struct tally *a, const struct tally *b)
{
	struct tally rest = *a;

	rest.n -= b->n;
	add_exactly(&rest, -b->sum);
	add_exactly(&rest, -b->carry);
	return rest;
}
