/* Owns the judgement of a value, and what is learnt of it. */
#include "common/compat.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/bounds.h"
#include "worker/model_int.h"
#include "worker/probability.h"
#include "worker/score.h"

/* Counts scatter no more than this, as far as one of them can tell. */
#define COUNT_SPREAD_MOST 20.0
/* Errors beyond this are not told apart: their squares stay finite. */
#define Z_MOST 1e8

/* The mean of errors is of about the last ten; none counts for all. */
#define RUN_KEEP 0.9
#define RUN_CLIP 10.0
#define RUN_LEAST 12.0

/* The bulk of 64 past values lies within the fourth from either end. */
#define EDGE 3
/* Distances below this many scales are nothing. */
#define GAP_LEAST 0.2
#define GAP_CLIP 5.0
/* What is odd is told once: again only when it is more so. */
#define PEAK_KEEP 0.99

/*
 * What was told is no news for about 30 buckets, unless there is clearly more
 * of it: otherwise this much counts again.
 */
#define TOLD_KEEP 0.97
#define TOLD_LOUD 10.9 /* a score of 50, 10^-3.85, in one of eight looks */
#define TOLD_AGAIN 0.3
#define TOLD_MORE 1.4

/* What is odd now only, among values that are usual as such, is less of it. */
#define WELL_KNOWN 0.85

/* Ways to look at a value on each side: of so many p the least one counts. */
#define WAYS 4.0

/* Errors of the first values are those of a model that knew nothing. */
#define GROWN_UP 48.0
#define GROWN_UP_KEEP 0.1

/* What a young model finds beyond its bound: a factor of 2 in p at most. */
#define BEYOND_BOUND 0.02
/* Of values that siblings lent, each of its own vouches for so many. */
#define VOUCHED 4.0

/* Seed of the choice of past values: the same for every series. */
#define DICE 12345u

void
model_params_init(struct model_params *p, int64_t span_s, double memory_buckets)
{
	double span = (double)span_s;

	p->span_s = span_s;
	p->memory = memory_buckets;
	p->keep = exp(-1 / memory_buckets);
	p->keep_base = exp(-span / (7 * 86400.0));
	p->keep_move = exp(-span / 86400.0);
}

void
model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	m->least = DBL_MAX;
	m->lowest = DBL_MAX;
	m->highest = -DBL_MAX;
	m->spread = 1;
	m->width[UP] = m->width[DOWN] = 1;
	m->support.dice = DICE;
}

void
model_clear(struct model *m)
{
	for (int b = 0; b < BASES; b++) {
		free(m->season[b]);
		m->season[b] = NULL;
	}
	free(m->likeday);
	m->likeday = NULL;
	calendar_free(m->calendar);
	m->calendar = NULL;
	model_drop_probe(m);
	free(m->horizons);
	m->horizons = NULL;
}

size_t
model_bytes(const struct model *m)
{
	return season_bytes(m->season[BASE_DAY]) +
	    season_bytes(m->season[BASE_WEEK]) +
	    (m->likeday == NULL ? 0 : sizeof(*m->likeday)) +
	    calendar_bytes(m->calendar) +
	    (m->probe == NULL ? 0 : sizeof(*m->probe)) +
	    (m->horizons == NULL ? 0 : sizeof(*m->horizons));
}

/* How surprising it is to be z scales up or more. Below: not at all. */
static double
surprise(double z)
{
	return z < 0 ? 0 : -probability_ln_normal_upper(z);
}

bool
model_is_sparse(const struct model *m, enum model_kind kind)
{
	return kind == MODEL_COUNT && m->power == POWER_LINEAR &&
	    m->mean < MODEL_SPARSE;
}

bool
model_has_zeros_apart(const struct model *m, enum model_kind kind)
{
	return kind == MODEL_REAL && m->zeros > MODEL_MANY_ZEROS;
}

/* Few events: negative binomial, with the mean of the forecast. */
static void
look_at_sparse(const struct model *m, struct outlook *o)
{
	double mean = fmax(o->expected, MODEL_MEAN_LEAST);
	double spread = fmax(m->spread, MODEL_SPREAD_LEAST);
	double rate = 1 / (spread - 1);

	o->single[UP] = -probability_ln_count_upper(o->x, mean * rate, rate);
	o->single[DOWN] = -probability_ln_count_lower(o->x, mean * rate, rate);
	o->scale = sqrt(mean * spread);
	o->z = (o->x - mean) / o->scale;
}

static void
look_at_error(const struct model *m, struct outlook *o)
{
	double error = o->y - o->forecast, least;

	o->scale =
	    fmax(m->scale[o->best], model_least_scale(m, o->kind, o->forecast));
	o->even_scale = o->scale;
	if (o->best != BASE_NONE)
		o->scale *= season_roughness(m->season[o->best],
		    o->best == BASE_WEEK ? o->week_s : o->time_s);
	if (o->unsure > 0)
		o->scale = hypot(o->scale, o->unsure);
	o->z = fmin(fmax(error / o->scale, -Z_MOST), Z_MOST);
	error = o->y - o->base[o->best] - level_slow(&m->level[o->best]);
	o->slow = fmin(fmax(error / o->scale, -Z_MOST), Z_MOST);
	/* the way back from something odd to what is usual is not odd */
	least = fabs(o->slow) < fabs(o->z) ? o->slow : o->z;
	o->single[UP] = surprise(least);
	o->single[DOWN] = surprise(-least);
	if (model_is_sparse(m, o->kind))
		look_at_sparse(m, o);
}

static double
run_after(const struct model *m, const struct outlook *o)
{
	return RUN_KEEP * m->run +
	    (1 - RUN_KEEP) * fmin(fmax(o->slow, -RUN_CLIP), RUN_CLIP);
}

static void
look_at_run(const struct model *m, struct outlook *o)
{
	double run = run_after(m, o), z = 0;

	o->grows = fabs(run) > fabs(m->run);
	if (m->n >= RUN_LEAST && m->run_scale > 0)
		z = run / m->run_scale;
	o->multi[UP] = surprise(z);
	o->multi[DOWN] = surprise(-z);
}

static bool
is_placed(const struct model *m, const struct outlook *o)
{
	return m->support.n == SUPPORT_SIZE && !model_is_sparse(m, o->kind);
}

static double
least_gap(const struct model *m, const struct outlook *o)
{
	return fmax(m->gap_scale, GAP_LEAST * o->scale);
}

/*
 * As people see it, whatever the scale of the model: a burst of ten times what
 * bursts are is large, though on the scale of logarithms it is one of many.
 */
static double
look_far(
    const struct model *m, const struct outlook *o, double x, enum model_side s)
{
	const float *past = m->support.value;
	double y = (double)past[SUPPORT_SIZE / 2], sign = s == UP ? 1 : -1;
	double y_edge = (double)past[s == UP ? SUPPORT_SIZE - 1 - EDGE : EDGE];
	double middle = model_x(m, o->kind, m->power, y);
	double edge = model_x(m, o->kind, m->power, y_edge);
	double near = model_x(m, o->kind, m->power, y + sign * o->scale);
	double bulk = fmax(sign * (edge - middle), fabs(near - middle));

	/* at the edge, where one in 20 is, it is the threshold */
	if (!(bulk > 0))
		return 0;
	return fmin(fmax(0, TAIL_U0 * sign * (x - middle) / bulk), Z_MOST);
}

/* Where the value is among those of the past. */
static void
look_at_place(const struct model *m, struct outlook *o)
{
	const float *past = m->support.value;
	double middle = (double)past[SUPPORT_SIZE / 2], x = o->x, y = o->y;

	if (!is_placed(m, o))
		return;
	if (o->on_top != 0) {
		y = model_without_top(o);
		x = model_x(m, o->kind, m->power, y);
	}
	o->gap = support_distance(&m->support, y);
	o->odd = o->gap / least_gap(m, o);
	o->odd_side = y > middle ? UP : DOWN;
	for (enum model_side s = UP; s < SIDES; s++)
		o->far[s] = look_far(m, o, x, s);
}

static void
ask_tails(const struct model *m, struct outlook *o)
{
	for (enum model_side s = UP; s < SIDES; s++) {
		o->ln_single[s] = tail_ln_p(&m->single[s], o->single[s]);
		o->ln_multi[s] = tail_ln_p(&m->multi[s], o->multi[s]);
		o->ln_far[s] = tail_ln_p(&m->far[s], o->far[s]);
	}
	o->ln_odd = tail_ln_p(&m->odd, o->odd);
}

/* What was never seen is not expected; a trend is no further than that. */
static void
expect(const struct model *m, struct outlook *o)
{
	double x = model_x(m, o->kind, m->power, o->forecast), within;

	within = fmin(fmax(x, m->lowest), m->highest);
	if (within != x)
		o->forecast = model_y(m, o->kind, m->power, within);
	o->expected = within;
}

/*
 * A young model is not believed when it finds something impossible. Of two
 * such values the one further out still comes first.
 */
static double
believed(const struct model *m, double ln_p)
{
	double lent = fmin(m->borrowed, VOUCHED * m->level[BASE_NONE].n);
	double n = m->n + lent, bound;

	/* ln(1 + n) is more than 1: most need no logarithm */
	if (n >= 2 && ln_p >= -n / 8)
		return ln_p;
	bound = -n / 8 * log1p(n);
	if (ln_p >= bound)
		return ln_p;
	return bound - BEYOND_BOUND * log1p(bound - ln_p);
}

/* As unlikely as it is by itself, whatever was told before. */
static double
side_ln_p(const struct model *m, const struct outlook *o, enum model_side s)
{
	double ln_p = o->ln_single[s];

	if (is_placed(m, o) && o->far[s] < TAIL_U0)
		ln_p *= WELL_KNOWN;
	if (o->grows)
		ln_p = fmin(ln_p, o->ln_multi[s]);
	if (o->far[s] > m->far_peak[s])
		ln_p = fmin(ln_p, o->ln_far[s]);
	if (o->odd_side == s && o->odd > m->odd_peak)
		ln_p = fmin(ln_p, o->ln_odd);
	return believed(m, ln_p);
}

void
model_look(const struct model *m, enum model_kind kind, int64_t time_s,
    double x, struct outlook *o)
{
	memset(o, 0, sizeof(*o));
	o->x = x;
	o->kind = kind;
	o->time_s = time_s;
	o->zero = x == 0 && model_has_zeros_apart(m, kind);
	o->y = model_y(m, kind, m->power, x);
	model_forecast(m, o);
	if (!o->known)
		return;
	expect(m, o);
	look_at_error(m, o);
	look_at_run(m, o);
	look_at_place(m, o);
	ask_tails(m, o);
	for (enum model_side s = UP; s < SIDES; s++)
		o->ln_side[s] = side_ln_p(m, o, s);
}

static bool
is_news(const struct model *m, enum model_side s, double ln_p)
{
	/* what was too faint for an alarm does not keep the alarm away */
	if (-ln_p > TOLD_LOUD && m->told[s] < TOLD_LOUD)
		return true;
	return -ln_p > TOLD_MORE * m->told[s];
}

static double
news_ln_p(const struct model *m, const struct outlook *o, enum model_side s)
{
	return is_news(m, s, o->ln_side[s]) ? o->ln_side[s]
					    : TOLD_AGAIN * o->ln_side[s];
}

/* Where there were zeros only it is one in so many that the next is none. */
static double
share_of_others(const struct model *m)
{
	return fmax(1 - m->zeros, 1 / (m->n + 2));
}

double
model_ln_p(
    const struct model *m, const struct outlook *o, enum function_side side)
{
	double ln_p = 0, ways = side == SIDE_BOTH ? 2 * WAYS : WAYS;

	if (!o->known || o->zero)
		return 0;
	if (side != SIDE_LOW)
		ln_p = news_ln_p(m, o, UP);
	if (side != SIDE_HIGH)
		ln_p = fmin(ln_p, news_ln_p(m, o, DOWN));
	ln_p = fmin(0, ln_p + log(ways)); /* Bonferroni */
	if (model_has_zeros_apart(m, o->kind))
		ln_p += log(share_of_others(m));
	return believed(m, ln_p);
}

double
model_impact(
    const struct model *m, const struct outlook *o, enum function_side side)
{
	double single = 0, multi = 0;

	for (enum model_side s = UP; s < SIDES; s++) {
		if (side == (s == UP ? SIDE_LOW : SIDE_HIGH))
			continue;
		single = fmin(single, o->ln_single[s]);
		if (o->grows && m->n >= RUN_LEAST)
			multi = fmin(multi, o->ln_multi[s]);
	}
	return score_multi_bucket_impact(single, multi);
}

static void
learn_tail(struct tail *t, const struct model_params *p, double u, double ln_p)
{
	tail_forget(t, p->keep);
	tail_learn(t, u, ln_p);
}

static void
learn_place(
    struct model *m, const struct model_params *p, const struct outlook *o)
{
	double gap = fmin(o->gap, GAP_CLIP * least_gap(m, o));

	if (!is_placed(m, o))
		return;
	learn_tail(&m->odd, p, o->odd, o->ln_odd);
	m->odd_peak = fmax(PEAK_KEEP * m->odd_peak, o->odd);
	for (enum model_side s = UP; s < SIDES; s++) {
		learn_tail(&m->far[s], p, o->far[s], o->ln_far[s]);
		m->far_peak[s] = fmax(p->keep_move * m->far_peak[s], o->far[s]);
	}
	m->gap_scale = model_toward(m->gap_scale, gap, m->n, MODEL_SHORT);
}

static void
learn_tails(
    struct model *m, const struct model_params *p, const struct outlook *o)
{
	for (enum model_side s = UP; s < SIDES; s++) {
		learn_tail(&m->single[s], p, o->single[s], o->ln_single[s]);
		if (is_news(m, s, o->ln_side[s]))
			m->told[s] = -o->ln_side[s];
		if (m->n >= RUN_LEAST)
			learn_tail(
			    &m->multi[s], p, o->multi[s], o->ln_multi[s]);
	}
	m->run = run_after(m, o);
	if (m->n >= RUN_LEAST)
		m->run_scale = model_scale(
		    m->run_scale, m->run, m->n - RUN_LEAST + m->borrowed);
	learn_place(m, p, o);
}

/* What is not a forecast. */
static void
learn_value(struct model *m, const struct outlook *o)
{
	double mean = fmax(o->expected, MODEL_MEAN_LEAST);
	double off = o->x - mean;

	if (o->x > 0)
		m->least = fmin(m->least, o->x);
	m->lowest = fmin(m->lowest, o->x);
	m->highest = fmax(m->highest, o->x);
	m->negative |= o->x < 0;
	m->fractions |= o->x != floor(o->x);
	m->changes = model_toward(m->changes,
	    o->known && fabs(o->x - o->expected) >= 0.5, m->n, MODEL_SHORT);
	m->moves = model_toward(
	    m->moves, m->n > 0 && o->x != m->last, m->n, MODEL_SHORT);
	m->last = o->x;
	m->mean = model_toward(m->mean, o->x, m->n, MODEL_SHORT);
	if (o->known && model_is_sparse(m, o->kind))
		m->spread = model_toward(m->spread,
		    fmin(off * off / mean, COUNT_SPREAD_MOST),
		    m->n + m->borrowed, MODEL_SHORT);
}

int
model_learn(struct model *m, const struct model_params *p,
    const struct outlook *o, bool may_grow)
{
	if (m->n == 0)
		m->first_s = o->time_s;
	if (may_grow && !o->zero && model_grow(m, p, o) == -1)
		return -1;
	m->zeros = model_toward(m->zeros, o->x == 0, m->n, p->memory);
	if (!o->zero) {
		if (m->probe != NULL)
			period_add(m->probe, o->time_s, o->y - o->on_top);
		bounds_learn(m, o);
		learn_value(m, o);
		model_learn_day(m, p, o);
		model_learn_bases(m, p, o);
		horizons_learn(m, o);
		if (o->known)
			learn_tails(m, p, o);
		if (m->n == GROWN_UP)
			model_forget(m, GROWN_UP_KEEP);

		model_weigh_powers(m, o);
		model_center(m, o);
		if (o->on_top == 0)
			support_learn(&m->support,
			    model_y(m, o->kind, m->power, o->x), p->memory);
	}
	/* not before: what is no news to whoever asks must not become it here
	 */
	for (enum model_side s = UP; s < SIDES; s++)
		m->told[s] *= TOLD_KEEP;
	if (m->n < 1e6)
		m->n++;
	return 0;
}

void
model_forget(struct model *m, double keep)
{
	for (enum model_side s = UP; s < SIDES; s++) {
		tail_forget(&m->single[s], keep);
		tail_forget(&m->multi[s], keep);
		tail_forget(&m->far[s], keep);
	}
	tail_forget(&m->odd, keep);
}
