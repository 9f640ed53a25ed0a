/* Owns what series of a detector lend each other. */
#include "common/compat.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "worker/model_int.h"
#include "worker/siblings.h"

/* A series knows itself after so many values. */
#define MEMBER_N 128
/* What was told is replaced when each has told so often. */
#define TELL_TIMES 8.0

/* The level is known well enough to borrow a scale around it. */
#define BORROW_AT 4.0
/* Values that are lent: as many as a young model lives on. */
#define LENT_MOST 40.0
#define LENT_LEAST 4.0
#define YOUNG_MOST 48.0
/* The variance of a logarithmic scale that so few siblings cannot show. */
#define UNSEEN 0.5
/* So many siblings are modelled on the same scale. */
#define AGREED 0.8
/* A history that is worth telling, and samples that each lends, and all do. */
#define SCORES_LEAST 48.0
#define SCORES_EACH 8.0
#define SCORES_MOST 150.0
/* Standard deviations between what is lent and what is seen. */
#define AT_ODDS 2.5

bool
siblings_has(const struct model *m)
{
	return m->n >= MEMBER_N;
}

void
siblings_join(struct siblings *s, const struct model *m)
{
	s->members += siblings_has(m);
}

void
siblings_leave(struct siblings *s, const struct model *m)
{
	s->members -= siblings_has(m);
}

static bool
is_positive(const struct model *m)
{
	return !m->negative && m->mean > 0;
}

/* From ln of a size on the linear scale around the mean to that on another. */
static double
ln_slope(const struct model *m, enum model_kind kind, enum power p)
{
	double offset = kind == MODEL_COUNT ? MODEL_COUNT_OFFSET : 0;

	return power_ln_slope(p, offset, m->mean);
}

static void
fade(double *mean, double to, double share)
{
	*mean += share * (to - *mean);
}

static void
fade_tail(struct tail *mean, const struct tail *to, float share)
{
	mean->n += share * (to->n - mean->n);
	mean->excesses += share * (to->excesses - mean->excesses);
	mean->fitted += share * (to->fitted - mean->fitted);
	mean->sum += share * (to->sum - mean->sum);
	mean->squares += share * (to->squares - mean->squares);
	for (size_t i = 0; i < TAIL_BINS; i++)
		mean->bin[i] += share * (to->bin[i] - mean->bin[i]);
}

/* West's update (Communications of the ACM 22, 1979), with forgetting. */
static void
tell_scales(struct siblings *s, const struct model *m, enum model_kind kind,
    double share)
{
	const struct level *l = &m->level[BASE_NONE];
	double scale = fmax(
	    m->scale[BASE_NONE], model_least_scale(m, kind, level_slow(l)));

	for (enum power p = POWER_LINEAR; p < POWERS; p++) {
		double ln, off;

		if (p != POWER_LINEAR && !is_positive(m))
			continue;
		ln = log(scale);
		if (m->power != p)
			ln +=
			    ln_slope(m, kind, p) - ln_slope(m, kind, m->power);
		off = ln - s->ln_scale[p];
		s->ln_scale[p] += share * off;
		s->spread[p] = (1 - share) * (s->spread[p] + share * off * off);
	}
}

static void
tell(struct siblings *s, const struct model *m, enum model_kind kind)
{
	double most = fmax(TELL_TIMES * s->members, TELL_TIMES);
	double share = 1 / fmin(s->told + 1.0, most);

	tell_scales(s, m, kind, share);
	for (enum power p = POWER_LINEAR; p < POWERS; p++)
		fade(&s->power[p], m->power == p, share);
	fade(&s->even, m->best == BASE_NONE, share);
	fade(&s->positive, is_positive(m), share);
	fade(&s->run_scale, m->run_scale, share);
	fade(&s->variance, m->spread, share);
	/* tails over a season are not those that a newcomer will have */
	for (int side = 0; side < SIDES && m->best == BASE_NONE; side++) {
		fade_tail(&s->single[side], &m->single[side], (float)share);
		fade_tail(&s->multi[side], &m->multi[side], (float)share);
	}
	if (s->told < TELL_TIMES * UINT16_MAX)
		s->told++;
}

/* The scale of values on which siblings are most alike. */
static enum power
most_alike(const struct siblings *s)
{
	enum power best = POWER_LINEAR;

	if (s->positive < 1 - DBL_EPSILON)
		return best;
	for (enum power p = POWER_ROOT; p < POWERS; p++) {
		if (s->spread[p] < s->spread[best])
			best = p;
	}
	return best;
}

/*
 * As many values as tell a scale as well: n of them do with a variance of
 * 1 / 2n of its logarithm.
 */
static double
lent_values(const struct siblings *s)
{
	double variance;

	if (s->members == 0 || s->told == 0)
		return 0;
	variance = s->spread[most_alike(s)] + UNSEEN / s->members;
	return floor(s->even * fmin(LENT_MOST, 0.5 / variance));
}

/* What siblings' scale of errors would be at the level of this one. */
static double
lent_scale(
    const struct siblings *s, const struct model *m, enum model_kind kind)
{
	enum power p = most_alike(s);
	double ln = s->ln_scale[p];

	if (p != m->power)
		ln += ln_slope(m, kind, m->power) - ln_slope(m, kind, p);
	return exp(ln);
}

static bool
is_contradicted(const struct model *m, double lent, double scale, double own)
{
	double seen = m->level[BASE_NONE].n - 1, off = log(own / scale);

	return off * off > AT_ODDS * AT_ODDS * (0.5 / seen + 0.5 / lent);
}

/* As if so many values had been its own, of those that siblings know. */
static void
lend_tail(struct tail *to, const struct tail *from, double lent)
{
	*to = *from;
	if ((double)from->n > lent)
		tail_forget(to, lent / (double)from->n);
}

static void
agree_on_power(
    const struct siblings *s, struct model *m, const struct outlook *o)
{
	for (enum power p = POWER_LINEAR; p < POWERS; p++) {
		if (s->power[p] >= AGREED && p != m->power &&
		    (p == POWER_LINEAR || is_positive(m)))
			model_change_power(m, o, p);
	}
}

static void
lend(const struct siblings *s, struct model *m, const struct outlook *o)
{
	double lent = lent_values(s), scale, own;
	double seen = m->level[BASE_NONE].n - 1;

	if (lent < LENT_LEAST || !o->known ||
	    (most_alike(s) != POWER_LINEAR && !is_positive(m)))
		return;
	agree_on_power(s, m, o);
	scale = lent_scale(s, m, o->kind);
	own = m->scale[BASE_NONE];
	if (is_contradicted(m, lent, scale, own))
		return;
	m->borrowed = (uint8_t)lent;
	m->scale[BASE_NONE] = (lent * scale + seen * own) / (lent + seen);
	m->run_scale = s->run_scale;
	m->spread = s->variance;
	for (int side = 0; side < SIDES; side++) {
		lend_tail(&m->single[side], &s->single[side], lent);
		lend_tail(&m->multi[side], &s->multi[side], lent);
	}
}

/* It is of another kind: what is left is what it knows itself. */
static void
give_back(struct model *m)
{
	m->borrowed = 0;
	m->scale[BASE_NONE] = m->error[m->power];
	memset(m->single, 0, sizeof(m->single));
	memset(m->multi, 0, sizeof(m->multi));
}

static void
look_again(const struct siblings *s, struct model *m, const struct outlook *o)
{
	if (m->n >= YOUNG_MOST) {
		m->borrowed = 0;
		return;
	}
	if (most_alike(s) != POWER_LINEAR && !is_positive(m))
		return;
	if (is_contradicted(
		m, m->borrowed, lent_scale(s, m, o->kind), m->error[m->power]))
		give_back(m);
}

void
siblings_meet(struct siblings *s, struct model *m, const struct outlook *o)
{
	if (siblings_has(m) && m->n - 1 < MEMBER_N)
		s->members++;
	if (m->n < YOUNG_MOST + 1) {
		if (m->borrowed > 0)
			look_again(s, m, o);
		else if (m->level[BASE_NONE].n == BORROW_AT && !o->zero)
			lend(s, m, o);
	} else if (siblings_has(m) &&
	    (uint32_t)m->n % SIBLINGS_TELL_EACH == 0) {
		tell(s, m, o->kind);
	}
}

void
siblings_tell_scores(
    struct sibling_scores *s, const struct normaliser *scores, uint32_t members)
{
	double share = 1 / fmin(s->told + 1.0, TELL_TIMES * members);

	if (normalise_samples(scores) < SCORES_LEAST)
		return;
	normalise_fade(&s->mean, scores, share);
	if (s->told < TELL_TIMES * UINT16_MAX)
		s->told++;
}

void
siblings_lend_scores(
    const struct sibling_scores *s, struct normaliser *scores, uint32_t members)
{
	double most = fmin(SCORES_MOST, SCORES_EACH * (members - 1.0));

	if (s->told > 0)
		normalise_borrow(scores, &s->mean, most);
}
