/* Owns the following of levels. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>

#include "worker/level.h"
#include "worker/ofboth.h"

/*
 * Shares of the error that are taken over at each value: the last value
 * itself, 3, 16 and 100 values. The clip (in scales) keeps single outliers out
 * of the slow ones.
 */
static const struct {
	double gain;
	double clip;
} speeds[LEVEL_SPEEDS] = {
	{ 1, INFINITY },
	{ 0.3, INFINITY },
	{ 0.06, 6 },
	{ 0.01, 3 },
};

/*
 * The slope follows the errors of the slow level, as is critical for its gain:
 * the square of it by four (Gardner, Journal of Forecasting 4, 1985).
 */
#define SLOPE_GAIN 2.5e-5

#define SLOW (LEVEL_SPEEDS - 1)
#define MEDIUM (LEVEL_SPEEDS - 2)
#define FAST (LEVEL_SPEEDS - 3)

/* Errors beyond so many scales are not told apart: squares stay finite. */
#define Z_MOST 1e8
/* One error speaks against a forecast no more than one of 6 scales does. */
#define Z_DENSITY 6.0

/* Weights remember about 50 values, and none is ever quite out. */
#define KEEP_WEIGHT 0.98
#define LN_WEIGHT_LEAST (-12.0)
/* But one with less has no say: its value may be absurd. */
#define OUT_OF_FAVOUR 0.05
#define LN_OUT_OF_FAVOUR (-2.99573227355399) /* or less: no need to ask */

/* Slow and medium differ by so many scales. */
#define APART_SCALES 3.0
/* Where they do not, what slow has moved by is forgotten. */
#define KEEP_CREPT 0.97
/* Values may be larger than a float. */
#define CREPT_MOST 1e38
/* They have come together again when fast does not lead away by so many. */
#define SETTLED_SCALES 1.5

double
level_ln_density(double error, double scale)
{
	double z = error / scale;

	z = smaller(fabs(z), Z_DENSITY);
	return -2.5 * log1p(z * z / 4) - log(scale);
}

double
level_expect(const struct level *l)
{
	double sum = 0, weights = 0;

	for (int k = 0; k < LEVEL_SPEEDS; k++) {
		double ln = (double)l->ln_weight[k], w;

		if (ln <= LN_OUT_OF_FAVOUR)
			continue;
		/* exp(0) is 1: the best one need not ask */
		w = larger(0, (ln < 0 ? exp(ln) : 1) - OUT_OF_FAVOUR);
		sum += w * l->at[k];
		weights += w;
	}
	return sum / weights;
}

double
level_slow(const struct level *l)
{
	return l->at[SLOW];
}

double
level_gap(const struct level *l)
{
	return l->at[MEDIUM] - l->at[SLOW];
}

double
level_fast(const struct level *l)
{
	return l->at[FAST];
}

bool
level_is_settled(const struct level *l, double scale)
{
	return fabs(l->at[FAST] - l->at[MEDIUM]) <= SETTLED_SCALES * scale;
}

bool
level_wanders(const struct level *l)
{
	return l->ln_weight[0] >= 0;
}

static void
reweigh(struct level *l, double value, double scale)
{
	double ln[LEVEL_SPEEDS], best = -INFINITY;

	for (int k = 0; k < LEVEL_SPEEDS; k++) {
		double z = smaller(fabs(value - l->at[k]) / scale, Z_MOST);

		ln[k] = KEEP_WEIGHT * (double)l->ln_weight[k] -
		    2.5 * log1p(z * z / 4);
		best = larger(best, ln[k]);
	}
	for (int k = 0; k < LEVEL_SPEEDS; k++)
		l->ln_weight[k] = (float)larger(ln[k] - best, LN_WEIGHT_LEAST);
}

/*
 * One change of level is nothing but that. When the slow level has to catch up
 * again soon, and in the same direction, it is a slope.
 */
static void
catch_up(struct level *l, double scale)
{
	double now = l->at[MEDIUM], gap;
	int16_t way;

	if (fabs(l->at[FAST] - now) > APART_SCALES * scale)
		now = l->at[FAST]; /* the medium one is behind, too */
	gap = now - l->at[SLOW];
	way = gap > 0 ? 1 : -1;
	if (l->since != 0)
		l->since = (int16_t)(l->since + (l->since > 0 ? 1 : -1));
	if (abs(l->since) > LEVEL_SINCE_MOST)
		l->since = 0;
	if (fabs(gap) <= APART_SCALES * scale)
		l->apart = 0;
	else if (++l->apart > LEVEL_APART_MOST) {
		if (l->since * way > 0)
			l->slope += gap / abs(l->since);
		else /* what was learnt of a jump is none */
			l->slope -= way * LEVEL_APART_MOST * SLOPE_GAIN *
			    speeds[SLOW].clip * scale;
		l->at[SLOW] = l->at[MEDIUM] = now;
		l->apart = 0;
		l->since = way;
	}
}

/* For how long a slope that is learnt now will move what is apart. */
static double
slopes_left(const struct level *l)
{
	return l->apart == 0 ? 0 : LEVEL_APART_MOST - l->apart;
}

void
level_learn(struct level *l, double value, double scale)
{
	double crept = 0;

	if (l->n > 0 && scale > 0)
		reweigh(l, value, scale);
	for (int k = 0; k < LEVEL_SPEEDS; k++) {
		double most = speeds[k].clip * scale;
		double error = value - l->at[k];
		double gain = larger(speeds[k].gain, 1 / (l->n + 1));

		if (l->n >= 8)
			error = larger(-most, smaller(most, error));
		l->at[k] += error * gain;
		if (k != SLOW || l->n == 0)
			continue;
		l->slope += error * SLOPE_GAIN;
		crept = error * (gain + SLOPE_GAIN * slopes_left(l));
	}
	catch_up(l, scale);
	crept += (l->apart == 0 ? KEEP_CREPT : 1) * (double)l->crept;
	l->crept = (float)larger(-CREPT_MOST, smaller(CREPT_MOST, crept));
	for (int k = 0; k < LEVEL_SPEEDS; k++)
		l->at[k] += l->slope;
	if (l->n < 1e6)
		l->n++;
}
