/* Owns the functions over the statistics of a bucket. */
#include "common/compat.h"

#include <math.h>

#include "worker/feature.h"

static double
sum_of(const struct tally *s)
{
	return s->sum + s->carry;
}

/* Values */

static double
value_count(const union statistic *s)
{
	return s->tally.n;
}

static double
value_sum(const union statistic *s)
{
	return sum_of(&s->tally);
}

static double
value_mean(const union statistic *s)
{
	return sum_of(&s->tally) / s->tally.n;
}

static double
value_least(const union statistic *s)
{
	return s->tally.least;
}

static double
value_greatest(const union statistic *s)
{
	return s->tally.greatest;
}

static double
value_variance(const union statistic *s)
{
	return moments_variance(&s->moments);
}

static double
value_median(const union statistic *s)
{
	return order_median(s->order);
}

static double
value_distinct(const union statistic *s)
{
	return distinct_count(s->distinct);
}

/* What is left without a part */

static bool
count_without(const union statistic *a, const union statistic *b, double *v)
{
	*v = a->tally.n - b->tally.n;
	return *v > 0;
}

static bool
sum_without(const union statistic *a, const union statistic *b, double *v)
{
	struct tally rest = tally_without(&a->tally, &b->tally);

	*v = sum_of(&rest);
	return rest.n > 0;
}

static bool
mean_without(const union statistic *a, const union statistic *b, double *v)
{
	struct tally rest = tally_without(&a->tally, &b->tally);

	if (rest.n <= 0)
		return false;
	*v = sum_of(&rest) / rest.n;
	return true;
}

/* Of the rest it is only known that it has no greater extreme. */
static bool
least_without(const union statistic *a, const union statistic *b, double *v)
{
	*v = a->tally.least;
	return a->tally.n > b->tally.n && b->tally.least > *v;
}

static bool
greatest_without(const union statistic *a, const union statistic *b, double *v)
{
	*v = a->tally.greatest;
	return a->tally.n > b->tally.n && b->tally.greatest < *v;
}

static bool
variance_without(const union statistic *a, const union statistic *b, double *v)
{
	*v = moments_variance(&a->moments) -
	    moments_share(&a->moments, &b->moments);
	return a->moments.n > b->moments.n;
}

static bool
median_without(const union statistic *a, const union statistic *b, double *v)
{
	return order_median_without(a->order, b->order, v);
}

/*
 * No set tells which values came with nobody else. A part that has met most
 * values will have met many of them alone, one that has met few, few.
 */
static bool
distinct_without(const union statistic *a, const union statistic *b, double *v)
{
	double all = distinct_count(a->distinct);
	double part = fmin(distinct_count(b->distinct), all);

	*v = all - part * part / all;
	return a->distinct->n > b->distinct->n;
}

static double
share_of_tally(const union statistic *a, const union statistic *b)
{
	return b->tally.n / a->tally.n;
}

static double
share_of_moments(const union statistic *a, const union statistic *b)
{
	return b->moments.n / a->moments.n;
}

static double
share_of_distinct(const union statistic *a, const union statistic *b)
{
	return b->distinct->n / a->distinct->n;
}

/* The table. Columns: what is done, then of what kind it is. */

#define COUNT(empty)                                                           \
	{                                                                      \
		"count", value_count, count_without, share_of_tally,           \
		    MODEL_COUNT, STATISTIC_TALLY, SIDE_BOTH, DRIFT_UP, empty,  \
		    false                                                      \
	}
#define SUM(empty)                                                             \
	{                                                                      \
		"sum", value_sum, sum_without, share_of_tally, MODEL_REAL,     \
		    STATISTIC_TALLY, SIDE_BOTH, DRIFT_SIGN, empty, false       \
	}
/* Of values that are n-fold the mean; also what stands for other functions. */
#define MEAN(description)                                                      \
	{                                                                      \
		description, value_mean, mean_without, NULL, MODEL_REAL,       \
		    STATISTIC_TALLY, SIDE_BOTH, DRIFT_ANY, false, true         \
	}
#define LEAST                                                                  \
	{                                                                      \
		"min", value_least, least_without, NULL, MODEL_REAL,           \
		    STATISTIC_TALLY, SIDE_LOW, DRIFT_DOWN, false, true         \
	}
#define GREATEST                                                               \
	{                                                                      \
		"max", value_greatest, greatest_without, NULL, MODEL_REAL,     \
		    STATISTIC_TALLY, SIDE_HIGH, DRIFT_UP, false, true          \
	}

static const struct feature count_features[] = { COUNT(true) };
static const struct feature non_zero_features[] = { COUNT(false) };
static const struct feature sum_features[] = { SUM(true) };
static const struct feature non_null_features[] = { SUM(false) };
static const struct feature mean_features[] = { MEAN("mean") };
static const struct feature least_features[] = { LEAST };
static const struct feature greatest_features[] = { GREATEST };
static const struct feature metric_features[] = { MEAN("mean"), LEAST,
	GREATEST };
static const struct feature variance_features[] = {
	{ "varp", value_variance, variance_without, share_of_moments,
	    MODEL_REAL, STATISTIC_MOMENTS, SIDE_BOTH, DRIFT_ANY, false, false },
};
static const struct feature median_features[] = {
	{ "median", value_median, median_without, NULL, MODEL_REAL,
	    STATISTIC_ORDER, SIDE_BOTH, DRIFT_ANY, false, false },
};
static const struct feature distinct_features[] = {
	{ "distinct_count", value_distinct, distinct_without, share_of_distinct,
	    MODEL_COUNT, STATISTIC_DISTINCT, SIDE_BOTH, DRIFT_UP, false,
	    false },
};
/* Of statistics that come summed up there is nothing but their mean. */
static const struct feature summed_variance[] = { MEAN("varp") };
static const struct feature summed_median[] = { MEAN("median") };

#define ROW(kind, features)                                                    \
	{                                                                      \
		kind, features, features, NELEM(features)                      \
	}

static const struct {
	enum function_kind kind;
	const struct feature *alone;
	const struct feature *summed;
	uint32_t n;
} functions[] = {
	ROW(FN_COUNT, count_features),
	ROW(FN_NON_ZERO_COUNT, non_zero_features),
	ROW(FN_SUM, sum_features),
	ROW(FN_NON_NULL_SUM, non_null_features),
	ROW(FN_MEAN, mean_features),
	ROW(FN_MIN, least_features),
	ROW(FN_MAX, greatest_features),
	ROW(FN_METRIC, metric_features),
	ROW(FN_DISTINCT_COUNT, distinct_features),
	{ FN_VARP, variance_features, summed_variance, 1 },
	{ FN_MEDIAN, median_features, summed_median, 1 },
};

const struct feature *
feature_find(enum function_kind kind, bool summed, uint32_t *n)
{
	for (size_t i = 0; i < NELEM(functions); i++) {
		if (functions[i].kind == kind) {
			*n = functions[i].n;
			return summed ? functions[i].summed
				      : functions[i].alone;
		}
	}
	*n = 0;
	return NULL;
}

double
feature_influence(const struct feature *f, const union statistic *all,
    const union statistic *part, double typical, double actual)
{
	double way = actual - typical, rest;

	if (f->share != NULL && way < 0)
		return f->share(all, part);
	if (!f->without(all, part, &rest))
		return 1;
	return fmin(fmax((actual - rest) / way, 0), 1);
}
