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

static double
value_content(const union statistic *s)
{
	return content_compressed(s->content);
}

static double
value_presence(const union statistic *s)
{
	return s->tally.n > 0;
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

/* Whoever came with it accounts for all of it (6.3). */
static bool
presence_without(const union statistic *a, const union statistic *b, double *v)
{
	*v = 0;
	return a->tally.n > b->tally.n && b->tally.n <= 0;
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

static double
share_of_content(const union statistic *a, const union statistic *b)
{
	return content_records(b->content) / content_records(a->content);
}

/* Where there is no value to be taken off. */

/*
 * As of distinct texts, by their bytes: compressed, each has about the same
 * share of what the whole is worth.
 */
static double
influence_on_content(const union statistic *a, const union statistic *b,
    const struct feature_told *told)
{
	double part =
	    fmin(content_length(b->content) / content_length(a->content), 1);

	return told->actual * part * part / (told->actual - told->typical);
}

/* The part of the events that were odd. */
static double
influence_on_group(const union statistic *a, const union statistic *b,
    const struct feature_told *told)
{
	const struct group *all = groups_find(a->groups, told->cell);
	const struct group *part = groups_find(b->groups, told->cell);

	return all == NULL || part == NULL ? 0 : part->n / all->n;
}

/* The table. Columns: what is done, then of what kind it is. */

#define COUNT(empty)                                                           \
	{                                                                      \
		.description = "count", .value = value_count,                  \
		.without = count_without, .share = share_of_tally,             \
		.model = MODEL_COUNT, .statistic = STATISTIC_TALLY,            \
		.drift = DRIFT_UP, .empty_is_zero = empty,                     \
		.forecastable = true                                           \
	}
#define SUM(empty)                                                             \
	{                                                                      \
		.description = "sum", .value = value_sum,                      \
		.without = sum_without, .share = share_of_tally,               \
		.statistic = STATISTIC_TALLY, .drift = DRIFT_SIGN,             \
		.empty_is_zero = empty, .forecastable = true                   \
	}
/* Of values that are n-fold the mean; also what stands for other functions. */
#define MEAN(text)                                                             \
	{                                                                      \
		.description = text, .value = value_mean,                      \
		.without = mean_without, .statistic = STATISTIC_TALLY,         \
		.drift = DRIFT_ANY, .times_events = true, .forecastable = true \
	}
#define LEAST                                                                  \
	{                                                                      \
		.description = "min", .value = value_least,                    \
		.without = least_without, .statistic = STATISTIC_TALLY,        \
		.side = SIDE_LOW, .drift = DRIFT_DOWN, .times_events = true,   \
		.forecastable = true                                           \
	}
#define GREATEST                                                               \
	{                                                                      \
		.description = "max", .value = value_greatest,                 \
		.without = greatest_without, .statistic = STATISTIC_TALLY,     \
		.side = SIDE_HIGH, .drift = DRIFT_UP, .times_events = true,    \
		.forecastable = true                                           \
	}
/* Of events that are no number on a line, see special.h. */
#define TIMES(kind)                                                            \
	{                                                                      \
		.description = "time", .influence = influence_on_group,        \
		.statistic = STATISTIC_TIMES, .special = kind                  \
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
	{ .description = "varp",
	    .value = value_variance,
	    .without = variance_without,
	    .share = share_of_moments,
	    .statistic = STATISTIC_MOMENTS,
	    .drift = DRIFT_ANY,
	    .forecastable = true },
};
static const struct feature median_features[] = {
	{ .description = "median",
	    .value = value_median,
	    .without = median_without,
	    .statistic = STATISTIC_ORDER,
	    .drift = DRIFT_ANY,
	    .forecastable = true },
};
static const struct feature distinct_features[] = {
	{ .description = "distinct_count",
	    .value = value_distinct,
	    .without = distinct_without,
	    .share = share_of_distinct,
	    .model = MODEL_COUNT,
	    .statistic = STATISTIC_DISTINCT,
	    .drift = DRIFT_UP,
	    .forecastable = true },
};
static const struct feature content_features[] = {
	{ .description = "info_content",
	    .value = value_content,
	    .influence = influence_on_content,
	    .share = share_of_content,
	    .statistic = STATISTIC_CONTENT,
	    .drift = DRIFT_UP,
	    .slow = true },
};
static const struct feature day_features[] = { TIMES(SPECIAL_TIME_OF_DAY) };
static const struct feature week_features[] = { TIMES(SPECIAL_TIME_OF_WEEK) };
static const struct feature place_features[] = {
	{ .description = "lat_long",
	    .influence = influence_on_group,
	    .statistic = STATISTIC_PLACES,
	    .special = SPECIAL_PLACE },
};
static const struct feature rare_features[] = {
	{ .description = "rare",
	    .value = value_presence,
	    .without = presence_without,
	    .side = SIDE_HIGH,
	    .drift = DRIFT_UP },
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
	ROW(FN_INFO_CONTENT, content_features),
	ROW(FN_TIME_OF_DAY, day_features),
	ROW(FN_TIME_OF_WEEK, week_features),
	ROW(FN_LAT_LONG, place_features),
	ROW(FN_RARE, rare_features),
	ROW(FN_FREQ_RARE, rare_features),
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

bool
feature_is_rarity(const struct feature *f)
{
	return f == rare_features;
}

double
feature_value(const struct feature *f, const union statistic *s)
{
	double v = f->value(s);

	return isnan(v) ? v : fmin(fmax(v, -MODEL_VALUE_MAX), MODEL_VALUE_MAX);
}

double
feature_influence(const struct feature *f, const union statistic *all,
    const union statistic *part, const struct feature_told *told)
{
	double way = told->actual - told->typical, rest;

	if (f->share != NULL && way < 0)
		return f->share(all, part);
	if (f->influence != NULL)
		return fmin(f->influence(all, part, told), 1);
	if (!f->without(all, part, &rest))
		return 1;
	return fmin(fmax((told->actual - rest) / way, 0), 1);
}
