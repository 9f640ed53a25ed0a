/* Owns what a model says of the future. */
#include "common/compat.h"

#include <math.h>
#include <string.h>

#include "worker/forecast.h"
#include "worker/horizon.h"
#include "worker/model_int.h"
#include "worker/probability.h"

/* Zeros are set apart when there are so many (model.c). */
#define MANY_ZEROS 0.5
/* Half of what lies outside of 95 %. */
#define OUTSIDE 0.025
#define COUNT_MEAN_LEAST 0.02
/* No count is sought beyond so many deviations of a negative binomial. */
#define COUNT_DEVIATIONS 40.0

bool
forecast_is_known(const struct model *m)
{
	return m->n >= FORECAST_LEAST && m->level[BASE_NONE].n > 0;
}

static double
within_support(const struct model *m, double x)
{
	x = fmin(fmax(x, -MODEL_VALUE_MAX), MODEL_VALUE_MAX);
	return m->negative ? x : fmax(x, 0);
}

static bool
is_sparse(const struct model *m, enum model_kind kind)
{
	return kind == MODEL_COUNT && m->power == POWER_LINEAR &&
	    m->mean < MODEL_SPARSE;
}

/* The least count that is exceeded once in 40 times at the most. */
static double
count_upper(double mean, double spread)
{
	double rate = 1 / (spread - 1), lo = 0;
	double hi = ceil(mean + COUNT_DEVIATIONS * sqrt(mean * spread) + 1);

	while (lo < hi) {
		double x = floor((lo + hi) / 2);

		if (probability_ln_count_upper(x + 1, mean * rate, rate) <=
		    log(OUTSIDE))
			hi = x;
		else
			lo = x + 1;
	}
	return hi;
}

/* The greatest count below which are no more than that. */
static double
count_lower(double mean, double spread, double upper)
{
	double rate = 1 / (spread - 1), lo = 0, hi = upper;

	while (lo < hi) {
		double x = ceil((lo + hi) / 2);

		if (probability_ln_count_lower(x - 1, mean * rate, rate) <=
		    log(OUTSIDE))
			lo = x;
		else
			hi = x - 1;
	}
	return lo;
}

/* Few events scatter by themselves, and their mean is uncertain, too. */
static void
spread_counts(const struct model *m, double x, double off, struct forecast *f)
{
	double spread = fmax(m->spread, 1.01);
	double high = fmax(fmax(x, 0) + off, COUNT_MEAN_LEAST);
	double low = fmax(fmax(x, 0) - off, COUNT_MEAN_LEAST);

	f->upper = count_upper(high, spread);
	f->lower = count_lower(low, spread, f->upper);
}

/*
 * Most values are zeros, which the model has set apart: the bulk is there, and
 * of the rest only that share which lies outside the interval.
 */
static void
among_zeros(const struct model *m, struct forecast *f)
{
	double others = fmax(1 - m->zeros, 1 / (m->n + 2));

	f->prediction = 0;
	f->lower = fmin(f->lower, 0);
	f->upper = others <= OUTSIDE ? 0 : fmax(f->upper, 0);
}

void
forecast_at(const struct model *m, enum model_kind kind, int64_t time_s,
    double ahead, struct forecast *f)
{
	struct outlook o;
	struct horizon_view v;
	double scale, y;

	memset(&o, 0, sizeof(o));
	o.kind = kind;
	o.time_s = time_s;
	model_forecast(m, &o);
	horizon_look(m, o.best, ahead, &v);
	y = o.forecast + v.shift;
	scale = fmax(m->scale[o.best], model_least_scale(m, kind, y));
	if (o.best != BASE_NONE) {
		double rough = season_roughness(m->season[o.best], time_s);

		v.width = sqrt(v.width * v.width +
		    (rough * rough - 1) * HORIZON_NORMAL * HORIZON_NORMAL);
	}
	f->prediction = within_support(m, model_x(m, kind, m->power, y));
	if (is_sparse(m, kind)) {
		spread_counts(
		    m, model_x(m, kind, m->power, y), v.drift * scale, f);
	} else {
		f->lower = within_support(
		    m, model_x(m, kind, m->power, y - v.width * scale));
		f->upper = within_support(
		    m, model_x(m, kind, m->power, y + v.width * scale));
	}
	if (kind == MODEL_REAL && m->zeros > MANY_ZEROS)
		among_zeros(m, f);
}
