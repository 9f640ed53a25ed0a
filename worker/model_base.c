/*
 * Owns the bases of a forecast: nothing, the time of day, the time of week.
 * All that are known make forecasts all the time; the likelihood of the values
 * over each decides which one counts, so that a season is added when it has
 * been earned and dropped when it no longer holds (Bayesian model averaging
 * with forgetting: Raftery and others, Technometrics 52(1), 2010).
 */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>

#include "worker/model_int.h"

#define HOUR_S 3600
#define DAY_S 86400
#define WEEK_S (7 * DAY_S)
/* Every bucket of five minutes of a day, every quarter of an hour of a week. */
#define DAY_SLOTS 288
#define WEEK_SLOTS 672
/* A period of fewer buckets has no shape. */
#define PERIOD_LEAST 4

/* So much behind the best base another is as good as out. */
#define LN_BASE_LEAST (-60.0)
/* A lead that is no chance: 1 in 150, and 1 in 20 to begin with. */
#define LN_LEAD 5.0
#define LN_PRIOR_WEEK (-3.0)
/* What is kept of tails when a better base makes errors smaller. */
#define ADOPTED_KEEP 0.1
/* Errors over a new base count as if the scale were known from so many. */
#define NEW_BASE_N 30.0

/* A scale that has cut off BEYOND_MOST errors in a row grows by this. */
#define BEYOND_GROWTH 1.5

/* The few values of a young series make no table worth having. */
#define DAY_LEAST 4.0

/*
 * Tables are of floats, which tell 16 million steps apart: further from the
 * origin too little is left of them for what matters.
 */
#define FAR_SCALES 16384.0

/* Evidence of a moved pattern, and for how long it has to last. */
#define LN_MOVED 15.0
#define MOVED_S (16 * HOUR_S)

void
model_forecast(const struct model *m, struct outlook *o)
{
	double sum = 0, weights = 0, best = -INFINITY;

	if (m->calendar != NULL)
		o->on_top = calendar_at(m->calendar, o->time_s, &o->unsure);
	for (uint32_t b = 0; b < BASES; b++) {
		if (b == BASE_NONE)
			o->has[b] = m->level[b].n > 0;
		else if (b == BASE_WEEK)
			o->has[b] = model_week_at(m, o);
		else
			o->has[b] = m->season[b] != NULL &&
			    season_at(m->season[b], o->time_s, &o->base[b]);
		o->base[b] += o->on_top;
		if (!o->has[b] || m->level[b].n == 0)
			continue;
		o->over[b] = o->base[b] + level_expect(&m->level[b]);
		if (m->ln_base[b] > best) {
			best = m->ln_base[b];
			o->best = b;
		}
	}
	for (uint32_t b = 0; b < BASES; b++) {
		double w = exp(m->ln_base[b] - best);

		if (!o->has[b] || m->level[b].n == 0)
			continue;
		sum += w * o->over[b];
		weights += w;
	}
	o->known = weights > 0;
	if (!o->known)
		return;
	o->forecast = sum / weights;
	if (!m->negative && m->power != POWER_LOG)
		o->forecast =
		    fmax(o->forecast, model_y(m, o->kind, m->power, 0));
}

struct season *
model_new_season(
    enum model_base b, const struct model_params *p, int64_t period_s)
{
	if (period_s == 0)
		period_s = b == BASE_DAY ? DAY_S : WEEK_S;
	return season_new(
	    period_s, p->span_s, b == BASE_DAY ? DAY_SLOTS : WEEK_SLOTS);
}

/* Whether the table is of the days, or what another period made of it. */
static bool
has_day(const struct model *m)
{
	return m->season[BASE_DAY] != NULL &&
	    m->season[BASE_DAY]->period_s == DAY_S;
}

static bool
wants_week(const struct model *m, const struct model_params *p,
    const struct outlook *o)
{
	if (p->span_s > DAY_S || o->time_s - m->first_s < WEEK_S)
		return false;
	return m->season[BASE_DAY] == NULL ||
	    (has_day(m) && m->best == BASE_DAY);
}

int
model_grow(
    struct model *m, const struct model_params *p, const struct outlook *o)
{
	/* zeros that are set apart are no values: no error is known of them */
	if (m->season[BASE_DAY] == NULL && m->level[BASE_NONE].n >= DAY_LEAST &&
	    p->span_s * PERIOD_LEAST <= DAY_S) {
		m->season[BASE_DAY] = model_new_season(BASE_DAY, p, 0);
		if (m->season[BASE_DAY] == NULL)
			return -1;
		m->scale[BASE_DAY] = m->scale[BASE_NONE];
	}
	if (m->season[BASE_WEEK] == NULL && wants_week(m, p, o)) {
		m->likeday = calloc(1, sizeof(*m->likeday));
		if (m->likeday != NULL)
			m->season[BASE_WEEK] =
			    model_new_season(BASE_WEEK, p, 0);
		if (m->season[BASE_WEEK] == NULL) {
			free(m->likeday);
			m->likeday = NULL;
			return -1;
		}
		m->scale[BASE_WEEK] = m->scale[m->best];
		m->ln_base[BASE_WEEK] = m->ln_base[m->best] + LN_PRIOR_WEEK;
	}
	if (m->horizons == NULL && m->n >= DAY_LEAST) {
		m->horizons = horizons_new();
		if (m->horizons == NULL)
			return -1;
	}
	if (model_grow_calendar(m, p, o) == -1)
		return -1;
	return model_seek_period(m, p, o);
}

static double
minus(double v, const void *by)
{
	return v - *(const double *)by;
}

/* Whatever part of the sum is far away comes nearer. */
static void
center_base(struct model *m, int b, double by)
{
	struct season *s = b == BASE_NONE ? NULL : m->season[b];
	struct level *l = &m->level[b];
	double middle = s == NULL ? 0 : season_mean(s);

	if (fabs(middle - by) < fabs(middle)) {
		season_map(s, minus, &by);
		return;
	}
	for (int k = 0; k < LEVEL_SPEEDS && l->n > 0; k++)
		l->at[k] -= by;
}

void
model_center(struct model *m, const struct outlook *o)
{
	double slow = level_slow(&m->level[BASE_NONE]);

	if (m->power != POWER_LINEAR || o->kind != MODEL_REAL || !o->known ||
	    m->n < DAY_LEAST - 1 || fabs(slow) <= FAR_SCALES * o->scale)
		return;
	m->origin += slow;
	model_drop_probe(m);
	horizons_drop(m->horizons);
	if (m->calendar != NULL)
		calendar_void(m->calendar);
	support_map(&m->support, minus, &slow);
	for (int b = 0; b < BASES; b++)
		center_base(m, b, slow);
}

/* Bases that have no say yet stay where they are in relation to the best. */
static void
weigh_bases(
    struct model *m, const struct model_params *p, const struct outlook *o)
{
	double least = model_least_scale(m, o->kind, o->forecast);
	double best = -INFINITY;

	for (int b = 0; b < BASES; b++) {
		double ln;

		if (o->has[b] && m->level[b].n > 0)
			ln = level_ln_density(
			    o->y - o->over[b], fmax(m->scale[b], least));
		else
			ln = level_ln_density(o->y - o->forecast, o->scale);
		m->ln_base[b] = m->ln_base[b] * p->keep_base + ln;
		best = fmax(best, m->ln_base[b]);
	}
	for (int b = 0; b < BASES; b++)
		m->ln_base[b] = fmax(m->ln_base[b] - best, LN_BASE_LEAST);
}

/*
 * One error that is cut off is an outlier. Many in a row are a scale that was
 * learnt from what stood still, and would take hundreds of values to grow.
 */
static void
catch_up(struct model *m, int b, double error)
{
	if (!model_is_clipped(m->scale[b], error)) {
		m->beyond[b] = 0;
		return;
	}
	if (m->beyond[b] == BEYOND_MOST)
		m->scale[b] *= BEYOND_GROWTH;
	else
		m->beyond[b]++;
}

static void
learn_base(struct model *m, const struct outlook *o, int b)
{
	struct level *l = &m->level[b];
	double over = l->n > 0 ? level_expect(l) : 0;
	double known = b == BASE_NONE ? m->borrowed - 1.0 : NEW_BASE_N;

	if (b != BASE_NONE && m->season[b] != NULL)
		season_learn(m->season[b], o->time_s, o->y - over - o->on_top,
		    o->even_scale);
	if (o->has[b] && l->n > 0) {
		double error = o->y - o->over[b];

		catch_up(m, b, error);
		m->scale[b] = model_scale(m->scale[b], error, l->n + known);
	}
	if (b == BASE_NONE || o->has[b])
		level_learn(l, o->y - o->base[b], o->scale);
}

/*
 * Once a season is found, errors are smaller than they have ever been, and
 * what was known of their tails is worth little.
 */
static void
adopt(struct model *m, uint32_t best)
{
	if (best == m->best || best == BASE_NONE ||
	    m->ln_base[best] <= m->ln_base[m->best] + LN_LEAD)
		return;
	m->best = (uint8_t)best;
	if (best > m->adopted) {
		model_forget(m, ADOPTED_KEEP);
		m->adopted = (uint8_t)best;
	}
}

/*
 * A pattern that comes an hour earlier or later, as after a change of clocks:
 * the tables move along. One bad morning is not enough, for the evening has to
 * agree.
 */
static void
notice_move(
    struct model *m, const struct model_params *p, const struct outlook *o)
{
	static const int64_t by[2] = { HOUR_S, -HOUR_S };
	double now = level_ln_density(o->slow, 1);

	for (int i = 0; i < 2; i++) {
		double base, slow;

		if (!season_at(m->season[o->best], o->time_s + by[i], &base))
			continue;
		slow =
		    o->slow + (o->base[o->best] - o->on_top - base) / o->scale;
		m->moved[i] = m->moved[i] * p->keep_move +
		    level_ln_density(slow, 1) - now;
		if (m->moved[i] < LN_MOVED)
			m->moved_s[i] = o->time_s;
		if (o->time_s - m->moved_s[i] < MOVED_S)
			continue;
		for (int b = BASE_DAY; b < BASES; b++) {
			if (m->season[b] != NULL)
				season_shift(m->season[b], by[i]);
		}
		m->moved[0] = m->moved[1] = 0;
		m->moved_s[0] = m->moved_s[1] = o->time_s;
		return;
	}
}

void
model_set_clock(struct model *m, int64_t forward_s)
{
	if (forward_s == 0)
		return;
	m->first_s += forward_s;
	for (int i = 0; i < 2; i++)
		m->moved_s[i] += forward_s;
	for (int b = BASE_DAY; b < BASES; b++) {
		if (m->season[b] != NULL)
			season_shift(m->season[b], -forward_s);
	}
}

void
model_learn_bases(
    struct model *m, const struct model_params *p, const struct outlook *o)
{
	if (o->known)
		weigh_bases(m, p, o);
	for (int b = 0; b < BASES; b++)
		learn_base(m, o, b);
	if (!o->known)
		return;
	adopt(m, o->best);
	if ((o->best == BASE_WEEK && o->week_s == o->time_s) ||
	    (o->best == BASE_DAY && has_day(m)))
		notice_move(m, p, o);
}
