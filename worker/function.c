/* Owns the statistics of records and the functions over them. */
#include "common/compat.h"

#include <math.h>

#include "worker/function.h"

SCHEMA_DEFINE(tally, TALLY_FIELDS);

static double
value_count(const struct tally *s)
{
	return s->n;
}

static double
value_sum(const struct tally *s)
{
	return s->sum + s->carry;
}

static double
value_mean(const struct tally *s)
{
	return (s->sum + s->carry) / s->n;
}

static double
value_least(const struct tally *s)
{
	return s->least;
}

static double
value_greatest(const struct tally *s)
{
	return s->greatest;
}

/* clang-format off */
static const struct {
	enum function_kind kind;
	struct function_plan plan;
} plans[] = {
	/*                   value           model        empty0 adds   times  drift */
	{ FN_COUNT,          { value_count,    MODEL_COUNT, true,  true,  false, DRIFT_UP } },
	{ FN_NON_ZERO_COUNT, { value_count,    MODEL_COUNT, false, true,  false, DRIFT_UP } },
	{ FN_SUM,            { value_sum,      MODEL_REAL,  true,  true,  false, DRIFT_SIGN } },
	{ FN_NON_NULL_SUM,   { value_sum,      MODEL_REAL,  false, true,  false, DRIFT_SIGN } },
	{ FN_MEAN,           { value_mean,     MODEL_REAL,  false, false, true,  DRIFT_ANY } },
	{ FN_MIN,            { value_least,    MODEL_REAL,  false, false, false, DRIFT_DOWN } },
	{ FN_MAX,            { value_greatest, MODEL_REAL,  false, false, false, DRIFT_UP } },
};
/* clang-format on */

const struct function_plan *
function_plan(enum function_kind kind)
{
	for (size_t i = 0; i < NELEM(plans); i++) {
		if (plans[i].kind == kind)
			return &plans[i].plan;
	}
	return NULL;
}

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
