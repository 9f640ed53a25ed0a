/* Owns the functions over the statistics of a bucket. */
#include "common/compat.h"

#include "worker/feature.h"

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
	struct feature feature;
} features[] = {
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

const struct feature *
feature_find(enum function_kind kind)
{
	for (size_t i = 0; i < NELEM(features); i++) {
		if (features[i].kind == kind)
			return &features[i].feature;
	}
	return NULL;
}
