/* Owns the changes of models that are worth an annotation. */
#include "common/compat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engine_int.h"
#include "worker/model_int.h"
#include "worker/news.h"

#define EVENT "model_change"
#define ITEMS_LEAST 16

/*
 * No season explains the series any more when none is worth as much as nothing
 * by this: one chance in 10^13. It is back when one is worth more.
 */
#define LN_GONE 30.0
#define LN_BACK 5.0

/*
 * A level is a new one when it is off by so many times what values usually
 * are: a series that stands still has a scale of nothing.
 */
#define SHIFT_REACH 3.0
/* So many scales away 72 buckets are too few for any but a fast level. */
#define FAR 20.0
/* Slow has crept there by so many scales, that is 33 buckets at least. */
#define CREPT_LEAST 1.0
/* A slope has made at least a third of what looks like a way back. */
#define SLOPE_SHARE 3.0
/* A walk goes by the root of time, and seldom farther than so many of it. */
#define WALK_SPREAD 2.3
/* Up to so many times what stands for zero it is one. */
#define ZERO_ABOUT 1.05
/* Before a season is found each half of a day is another level. */
#define SETTLED_S (3 * 86400)
#define SETTLED_N 1000.0

void
news_clear(struct news *n)
{
	free(n->item);
	memset(n, 0, sizeof(*n));
}

static int64_t
shift_of(const struct model *m, uint32_t base)
{
	return base == BASE_NONE || m->season[base] == NULL
	    ? 0
	    : m->season[base]->shift_s;
}

void
news_mark(struct news_mark *k, const struct model *m, const struct outlook *o)
{
	k->base = o->known ? o->best : (uint32_t)BASE_NONE;
	k->adopted = m->adopted;
	k->power = m->power;
	k->origin = m->origin;
	k->since = m->level[k->base].since;
	k->slow = level_slow(&m->level[k->base]);
	k->crept = (double)m->level[k->base].crept;
	k->apart = m->level[k->base].apart;
	k->last = m->last;
	k->shift_s = shift_of(m, k->base);
}

int
news_reserve(struct news *n)
{
	size_t cap = n->cap == 0 ? ITEMS_LEAST : 2 * n->cap;
	struct news_item *grown;

	if (n->n + NEWS_MOST <= n->cap)
		return 0;
	grown = reallocarray(n->item, cap, sizeof(*grown));
	if (grown == NULL)
		return -1;
	n->item = grown;
	n->cap = cap;
	return 0;
}

static void
add(struct engine *e, uint32_t series, enum news_kind kind, double by)
{
	struct news *n = &e->judge.news;

	if (e->plot.annotations && e->sink.annotation != NULL)
		n->item[n->n++] = (struct news_item){ series, kind, by };
}

static bool
has_caught_up(const struct level *l, const struct news_mark *k)
{
	return abs(l->since) == 1 && l->since != k->since;
}

/* ln of what the best season is worth more than none. */
static double
worth_of_seasons(const struct model *m)
{
	double best = -INFINITY;

	for (int b = BASE_NONE + 1; b < BASES; b++) {
		if (m->season[b] != NULL)
			best = fmax(best, m->ln_base[b]);
	}
	return best - m->ln_base[BASE_NONE];
}

static void
note_season(struct engine *e, uint32_t series, struct model *m,
    const struct news_mark *k)
{
	double worth;

	if (m->adopted == BASE_NONE)
		return;
	worth = worth_of_seasons(m);
	if (!m->seasons_gone && worth < -LN_GONE) {
		m->seasons_gone = true;
		add(e, series, NEWS_NO_SEASON, 0);
		return;
	}
	if (m->adopted == k->adopted && !(m->seasons_gone && worth > LN_BACK))
		return;
	m->seasons_gone = false;
	add(e, series, NEWS_SEASON, (double)m->season[m->adopted]->period_s);
}

/*
 * Whether the level is another one now, by how much, and where it is. The slow
 * level has caught up after 72 buckets; or, where it is nearer, has crept
 * there, which is told when the values have stayed meanwhile.
 */
static bool
has_shifted(const struct level *l, const struct outlook *o,
    const struct news_mark *k, double *by, double *to)
{
	*to = level_slow(l);
	*by = k->crept + *to - k->slow;
	if (has_caught_up(l, k)) {
		if (fabs(*by) > FAR * o->scale) {
			*by += level_fast(l) - *to;
			*to = level_fast(l);
		}
		return true;
	}
	*by = k->crept + level_gap(l);
	*to += level_gap(l);
	return k->apart > 0 && l->apart == 0 &&
	    fabs(k->crept) >= CREPT_LEAST * o->scale &&
	    k->crept * level_gap(l) > 0 && level_is_settled(l, o->scale);
}

/* Whether what wanders comes as far in so many buckets. */
static bool
is_a_walk(double by, double buckets, double scale)
{
	return fabs(by) < WALK_SPREAD * sqrt(buckets) * scale;
}

/*
 * The second time in the same direction it has a slope; and when one that it
 * had is over it seems to go back.
 */
static void
note_trend(struct engine *e, uint32_t series, const struct level *l,
    const struct outlook *o, const struct news_mark *k, double by)
{
	if (by * l->slope * LEVEL_APART_MOST < fabs(by) * o->scale ||
	    (level_wanders(l) && is_a_walk(by, abs(k->since), o->scale)))
		return;
	add(e, series, NEWS_TREND, 0);
}

/* Where there are logarithms a zero is not as far away as it should be. */
static double
value_at(const struct model *m, const struct outlook *o, double y)
{
	double x = model_x(m, o->kind, m->power, y);

	if (m->power == POWER_LOG && o->kind == MODEL_REAL && m->lowest == 0 &&
	    x < ZERO_ABOUT * model_zero(m))
		return 0;
	return x;
}

static void
note_level(struct engine *e, uint32_t series, struct model *m,
    const struct outlook *o, const struct news_mark *k)
{
	const struct level *l = &m->level[k->base];
	double by, to, from;

	if (!has_shifted(l, o, k, &by, &to))
		return;
	if (o->time_s - m->first_s < SETTLED_S && m->n < SETTLED_N)
		return;
	/* another scale is no other level */
	if (m->power != k->power || m->origin != k->origin ||
	    fabs(by) < SHIFT_REACH * m->reach)
		return;
	if (by * k->since > 0) {
		if (has_caught_up(l, k))
			note_trend(e, series, l, o, k, by);
		return;
	}
	/* One that stands still moves as little as it wanders. */
	if (level_wanders(l) && o->x != k->last &&
	    is_a_walk(by, LEVEL_APART_MOST, o->scale))
		return;
	if (l->slope * by < 0 &&
	    SLOPE_SHARE * fabs(l->slope) * LEVEL_APART_MOST > fabs(by))
		return;
	m->level[k->base].crept = 0;
	from = value_at(m, o, o->base[k->base] + to - by);
	to = value_at(m, o, o->base[k->base] + to);
	add(e, series, NEWS_LEVEL, to - from);
}

static void
note_time(struct engine *e, uint32_t series, const struct model *m,
    const struct news_mark *k)
{
	int64_t by = shift_of(m, k->base) - k->shift_s, period;

	if (by == 0)
		return;
	/* a sum that has gone round the period */
	period = m->season[k->base]->period_s;
	if (2 * by > period)
		by -= period;
	else if (2 * by < -period)
		by += period;
	add(e, series, NEWS_TIME, (double)by);
}

void
news_note(struct engine *e, uint32_t series, struct model *m,
    const struct outlook *o, const struct news_mark *k)
{
	if (!o->known || o->zero)
		return;
	note_season(e, series, m, k);
	note_time(e, series, m, k);
	note_level(e, series, m, o, k);
}

void
news_forget(struct news *n, size_t most)
{
	n->n = most;
	if (n->written > most)
		n->written = most;
}

/* As in a bucket span: 1d, 2h30m. */
static void
print_duration(char *text, size_t size, int64_t s)
{
	static const struct {
		int64_t s;
		char name;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t len = 0;

	for (size_t i = 0; i < NELEM(units); i++) {
		if (s < units[i].s)
			continue;
		len += (size_t)snprintf(text + len, size - len, "%lld%c",
		    (long long)(s / units[i].s), units[i].name);
		s %= units[i].s;
	}
}

void
news_text(const struct news_item *at, char text[NEWS_TEXT_BYTES])
{
	char period[64] = "0s";

	switch (at->kind) {
	case NEWS_SEASON:
		print_duration(period, sizeof(period), (int64_t)at->by);
		snprintf(text, NEWS_TEXT_BYTES,
		    "Detected seasonal component with period %s", period);
		return;
	case NEWS_NO_SEASON:
		snprintf(text, NEWS_TEXT_BYTES, "removed all seasonality");
		return;
	case NEWS_LEVEL:
		snprintf(text, NEWS_TEXT_BYTES, "Detected level shift by %g",
		    at->by);
		return;
	case NEWS_TREND:
		snprintf(text, NEWS_TEXT_BYTES, "Detected trend");
		return;
	case NEWS_TIME:
		snprintf(text, NEWS_TEXT_BYTES, "Detected time shift by %llds",
		    (long long)at->by);
		return;
	}
}

static int
write_item(struct engine *e, const struct news_item *at)
{
	const struct series *s = e->table.series[at->series];
	const struct partition *p = e->table.partition[s->partition];
	const struct detector *d = e->detector[p->detector].conf;
	int64_t start_s = e->judge.bucket->start_s;
	char text[NEWS_TEXT_BYTES];
	struct annotation_result r = {
		.timestamp_ms = start_s * 1000,
		.create_ms = (start_s + e->span_s) * 1000,
		.event = EVENT,
		.text = text,
		.detector_index = (int)p->detector,
		.by_field_name = d->by_field_name,
		.by_field_value = engine_value_of(e, s->by),
		.partition_field_name = d->partition_field_name,
		.partition_field_value = engine_value_of(e, p->name),
	};

	news_text(at, text);
	return e->sink.annotation(e->sink.arg, &r);
}

int
news_write(struct engine *e)
{
	struct news *n = &e->judge.news;

	for (; n->written < n->n; n->written++) {
		if (write_item(e, &n->item[n->written]) == -1)
			return -1;
	}
	n->n = n->written = 0;
	return 0;
}
