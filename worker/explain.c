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
explain_impacts(double single, double multi, double ln_p, struct explanation *x)
{
	/* what the buckets before do not account for is due to this one */
	if (multi > ln_p)
		single = fmin(single, ln_p);
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

static void
explain_bounds(
    double lower, double typical, double upper, struct explanation *x)
{
	if (!isfinite(lower) || !isfinite(upper))
		return;
	x->has |= EXPLAINED_BOUNDS;
	x->lower_confidence_bound = lower;
	x->typical_value = typical;
	x->upper_confidence_bound = upper;
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
	explain_impacts(
	    o->ln_single[s], o->grows ? o->ln_multi[s] : 0, ln_p, x);
	explain_bounds(bound(m, o, -EXPLAIN_WIDTH), o->expected,
	    bound(m, o, EXPLAIN_WIDTH), x);
}

/* Of both sides the one he is on: what he is odd for. */
static enum model_side
side_of_person(const struct crowd_place *p, enum function_side side)
{
	if (side == SIDE_BOTH)
		return p->z < 0 ? DOWN : UP;
	return side == SIDE_LOW ? DOWN : UP;
}

void
explain_person(const struct crowd_view *v, const struct crowd_place *p,
    enum function_side side, double row, double ln_p, struct explanation *x)
{
	enum model_side s = side_of_person(p, side);
	double off = EXPLAIN_WIDTH * v->scale[p->at];

	memset(x, 0, sizeof(*x));
	x->has = EXPLAINED_TYPE;
	x->dip = s == DOWN;
	if (row >= 0) {
		x->has |= EXPLAINED_LENGTH;
		x->anomaly_length = 1;
		if (p->surprise[s] >= TAIL_U0)
			x->anomaly_length += (uint32_t)row;
	}
	explain_impacts(fmax(p->ln_p[s], v->bound),
	    fmax(p->run_ln_p[s], v->bound), ln_p, x);
	explain_bounds(crowd_value(v, v->middle[p->at] - off), p->typical,
	    crowd_value(v, v->middle[p->at] + off), x);
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
