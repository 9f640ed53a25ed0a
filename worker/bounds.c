/* Owns the interval in which the next value is expected. */
#include "common/compat.h"

#include <math.h>

#include "worker/bounds.h"
#include "worker/model_int.h"
#include "worker/probability.h"

/* The first forecasts are those of a model that knows next to nothing. */
#define INFORMED 8.0

/* Of each side at BOUNDS_MASS: what is beyond, and where that is if normal. */
#define BEYOND ((1 - BOUNDS_MASS) / 2)
#define NORMAL_WIDTH 1.9599639845400542355

/*
 * The step by which a width grows, in parts of it: 22 values outside make it
 * three times as wide. A young model learns faster.
 */
#define STEP 0.05
#define YOUNG_STEP 1.0
#define YOUNG 10.0
/*
 * The width is measured a little inside of the bound. Where many values are
 * the same, as zeros are, they come to lie within it and not on its edge.
 */
#define INSIDE 0.95
/*
 * A series that mostly stands still has a scale of next to nothing, for that
 * learns little of rare errors. They count in full here as long as one in 40
 * is one, and an interval may pass over the rest.
 */
#define REACH_CLIP 40.0
#define REACH_GROWTH 1.5
#define REACH_SHARE 0.25
#define WIDTH_LEAST 0.02
#define WIDTH_MOST 100.0

/* Sums over a negative binomial distribution that are looked for. */
#define COUNT_MOST 1e15

/* How far up the upper part `beyond` of a normal distribution begins. */
static double
normal_quantile(double beyond)
{
	if (beyond == BEYOND)
		return NORMAL_WIDTH;
	if (beyond > 0.5)
		return -probability_normal_quantile(log1p(-beyond));
	return probability_normal_quantile(log(beyond));
}

/* The scale of the interval; the roughness of the time of day is in it. */
static double
scale_of(const struct model *m, const struct outlook *o)
{
	double rough = o->even_scale > 0 ? o->scale / o->even_scale : 1;

	return fmax(o->scale, REACH_SHARE * m->reach * rough);
}

/* What was never seen is not expected, but for once more of all that was. */
static double
within_reach(const struct model *m, const struct outlook *o, double x)
{
	double middle = model_x(m, o->kind, m->power, o->forecast);
	double range = m->highest - m->lowest;

	x = fmin(x, fmax(m->highest, middle) + range);
	return fmax(x, fmin(m->lowest, middle) - range);
}

/* Where the part below is p, of values that are not set apart. */
static double
quantile(const struct model *m, const struct outlook *o, double p)
{
	double z = p < 0.5 ? -normal_quantile(p) : normal_quantile(1 - p);
	double width = (double)m->width[z < 0 ? DOWN : UP];

	double y = o->forecast + z * width * scale_of(m, o);
	double x = model_x(m, o->kind, m->power, y);

	/* what stands for zero among logarithms is zero */
	if (m->power == POWER_LOG && o->kind == MODEL_REAL && m->lowest <= 0 &&
	    x <= model_zero(m))
		return 0;
	x = within_reach(m, o, x);
	return m->negative ? x : fmax(x, 0);
}

/* The part of them that is below zero. */
static double
share_below_zero(const struct model *m, const struct outlook *o)
{
	double z, width;

	if (!m->negative)
		return 0;
	z = (model_y(m, o->kind, m->power, 0) - o->forecast) / scale_of(m, o);
	width = (double)m->width[z < 0 ? DOWN : UP];
	z /= width;
	return z < 0 ? exp(probability_ln_normal_upper(-z))
		     : 1 - exp(probability_ln_normal_upper(z));
}

/* The same with the zeros beside the rest. */
static double
mixed_quantile(const struct model *m, const struct outlook *o, double p)
{
	double zeros = m->zeros, rest = 1 - zeros, below;

	if (!model_has_zeros_apart(m, o->kind))
		return quantile(m, o, p);
	if (!o->known || !(rest > 0))
		return 0;
	below = share_below_zero(m, o) * rest;
	if (p < below)
		return quantile(m, o, p / rest);
	if (p <= below + zeros)
		return 0;
	return quantile(m, o, fmin((p - zeros) / rest, 1 - BEYOND / 1000));
}

/* The least number of events that is not exceeded with probability p. */
static double
count_quantile(double shape, double rate, double p)
{
	double lo = -1, hi = 1, ln_p = log(p);

	while (probability_ln_count_lower(hi, shape, rate) < ln_p &&
	    hi < COUNT_MOST) {
		lo = hi;
		hi *= 2;
	}
	while (hi - lo > 1) {
		double mid = floor((lo + hi) / 2);

		if (probability_ln_count_lower(mid, shape, rate) < ln_p)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

/* The scale tells the spread: variance over mean. */
static void
count_bounds(const struct outlook *o, double beyond, struct bounds *b)
{
	double mean = fmax(o->expected, MODEL_MEAN_LEAST);
	double spread = fmax(o->scale * o->scale / mean, MODEL_SPREAD_LEAST);
	double rate = 1 / (spread - 1), shape = mean * rate;

	b->lower = count_quantile(shape, rate, beyond);
	b->median = count_quantile(shape, rate, 0.5);
	b->upper = count_quantile(shape, rate, 1 - beyond);
}

bool
model_bounds(const struct model *m, const struct outlook *o, double mass,
    struct bounds *b)
{
	double beyond = mass == BOUNDS_MASS ? BEYOND : (1 - mass) / 2;

	if (m->n < INFORMED ||
	    (!o->known && !model_has_zeros_apart(m, o->kind)))
		return false;
	if (model_is_sparse(m, o->kind)) {
		count_bounds(o, beyond, b);
		return true;
	}
	b->lower = mixed_quantile(m, o, beyond);
	b->median = mixed_quantile(m, o, 0.5);
	b->upper = mixed_quantile(m, o, 1 - beyond);
	if (o->kind == MODEL_COUNT) {
		b->lower = round(b->lower);
		b->median = round(b->median);
		b->upper = round(b->upper);
	}
	return true;
}

/* The error of what of a count is left when it is rounded towards the rest. */
static double
error_of(const struct model *m, const struct outlook *o, enum model_side s)
{
	double y = o->y;

	if (o->kind == MODEL_COUNT)
		y = model_y(m, o->kind, m->power,
		    s == UP ? fmax(o->x - 0.5, 0) : o->x + 0.5);
	return s == UP ? y - o->forecast : o->forecast - y;
}

/* One error is not all there is, but if there are more it is found soon. */
static void
learn_reach(struct model *m, double size)
{
	if (m->n >= YOUNG && m->reach > 0 && size > REACH_CLIP * m->reach)
		m->reach *= REACH_GROWTH;
	else
		m->reach = model_toward(m->reach, size, m->n, MODEL_SHORT);
}

void
bounds_learn(struct model *m, const struct outlook *o)
{
	double step = STEP + YOUNG_STEP / (m->n + YOUNG);
	double scale = scale_of(m, o);

	if (!o->known || model_is_sparse(m, o->kind))
		return;
	for (enum model_side s = UP; s < SIDES; s++) {
		double width = (double)m->width[s];
		double most = INSIDE * NORMAL_WIDTH * width * scale;
		bool outside = error_of(m, o, s) > most;

		width *= 1 + step * ((outside ? 1 : 0) - BEYOND);
		m->width[s] = (float)fmin(fmax(width, WIDTH_LEAST), WIDTH_MOST);
	}
	learn_reach(m, fabs(o->y - o->forecast));
}
