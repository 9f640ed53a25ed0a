/*
 * Owns the scale between probabilities and raw scores: linear in 1/p at first,
 * then in ln p with a bend.
 */
#include "common/compat.h"

#include <math.h>

#include "worker/probability.h"
#include "worker/score.h"

#define LN_10 2.3025850929940456840
#define LN_KNEE (-4 * LN_10)  /* 1e-4: raw score 1 */
#define LN_BEND (-50 * LN_10) /* 1e-50: raw score 50 */
#define INVERSE_START 20.0    /* 1 / 0.05 */
#define INVERSE_KNEE 1e4      /* 1 / 1e-4 */
#define RAW_KNEE 1.0
#define RAW_BEND 50.0
#define RAW_MAX 100.0
#define IMPACT_LN_FULL 6.9077552789821370521 /* a ratio of 1000 */
#define IMPACT_LN_LEAST (-0.001)

static double
between(double v, double from, double to, double lo, double hi)
{
	return lo + (hi - lo) * (v - from) / (to - from);
}

double
score_raw(double ln_p)
{
	if (ln_p >= SCORE_LN_UNREMARKABLE)
		return 0;
	if (ln_p >= LN_KNEE)
		return between(
		    exp(-ln_p), INVERSE_START, INVERSE_KNEE, 0, RAW_KNEE);
	if (ln_p >= LN_BEND)
		return between(ln_p, LN_KNEE, LN_BEND, RAW_KNEE, RAW_BEND);
	return between(fmax(ln_p, PROBABILITY_LN_MIN), LN_BEND,
	    PROBABILITY_LN_MIN, RAW_BEND, RAW_MAX);
}

double
score_ln_probability(double raw)
{
	if (raw <= 0)
		return SCORE_LN_UNREMARKABLE;
	if (raw <= RAW_KNEE)
		return -log(
		    between(raw, 0, RAW_KNEE, INVERSE_START, INVERSE_KNEE));
	if (raw <= RAW_BEND)
		return between(raw, RAW_KNEE, RAW_BEND, LN_KNEE, LN_BEND);
	return between(
	    fmin(raw, RAW_MAX), RAW_BEND, RAW_MAX, LN_BEND, PROBABILITY_LN_MIN);
}

double
score_probability(double ln_p)
{
	return fmax(exp(fmin(ln_p, 0)), PROBABILITY_MIN);
}

double
score_multi_bucket_impact(double ln_p_single, double ln_p_multi)
{
	double least = fmin(ln_p_single, ln_p_multi);
	double most = fmin(fmax(ln_p_single, ln_p_multi), IMPACT_LN_LEAST);
	double impact = SCORE_IMPACT_MOST * least / most *
	    (ln_p_single - ln_p_multi) / IMPACT_LN_FULL;

	impact = fmax(-SCORE_IMPACT_MOST, fmin(SCORE_IMPACT_MOST, impact));
	return floor(100 * impact) / 100;
}
