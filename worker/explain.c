/* Owns the explanation of a record. */
#include "common/compat.h"

#include <math.h>
#include <string.h>

#include "worker/explain.h"
#include "worker/model_int.h"
#include "worker/probability.h"
#include "worker/score.h"

/* The side that counts; of two, the one that the value is on. */
static enum model_side
side_of(const struct outlook *o, enum function_side side)
{
	if (side == SIDE_BOTH)
		return o->x < o->expected ? DOWN : UP;
	return side == SIDE_LOW ? DOWN : UP;
}

static uint32_t
digits(double ln_p)
{
	return (uint32_t)round(-fmax(ln_p, PROBABILITY_LN_MIN) / M_LN10);
}

static void
explain_impacts(const struct outlook *o, enum model_side s, double ln_p,
    struct explanation *x)
{
	double multi = o->grows ? o->ln_multi[s] : 0;
	/* what the buckets before do not account for is due to this one */
	double single =
	    multi <= ln_p ? o->ln_single[s] : fmin(o->ln_single[s], ln_p);

	if (single < SCORE_LN_UNREMARKABLE) {
		x->has |= EXPLAINED_SINGLE;
		x->single_bucket_impact = digits(single);
	}
	if (multi < SCORE_LN_UNREMARKABLE) {
		x->has |= EXPLAINED_MULTI;
		x->multi_bucket_impact = digits(multi);
	}
}

static double
bound(const struct model *m, const struct outlook *o, double scales)
{
	return model_x(m, o->kind, m->power, o->forecast + scales * o->scale);
}

void
explain(const struct model *m, const struct outlook *o, enum function_side side,
    double ln_p, struct explanation *x)
{
	enum model_side s = side_of(o, side);

	memset(x, 0, sizeof(*x));
	if (!o->known)
		return;
	x->has = EXPLAINED_TYPE | EXPLAINED_LENGTH;
	x->dip = s == DOWN;
	x->anomaly_length = 1;
	if (o->single[s] >= TAIL_U0)
		x->anomaly_length += (uint32_t)m->single[s].row;
	explain_impacts(o, s, ln_p, x);
	x->lower_confidence_bound = bound(m, o, -EXPLAIN_WIDTH);
	x->typical_value = o->expected;
	x->upper_confidence_bound = bound(m, o, EXPLAIN_WIDTH);
	if (isfinite(x->lower_confidence_bound) &&
	    isfinite(x->upper_confidence_bound))
		x->has |= EXPLAINED_BOUNDS;
}

void
explain_single(double ln_p, struct explanation *x)
{
	memset(x, 0, sizeof(*x));
	if (ln_p >= SCORE_LN_UNREMARKABLE)
		return;
	x->has = EXPLAINED_SINGLE;
	x->single_bucket_impact = digits(ln_p);
}
