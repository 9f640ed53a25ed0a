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
 * The slow level has moved to where values have been for 72 buckets: level.h.
 * The second time in the same direction it has a slope.
 */
static void
note_level(struct engine *e, uint32_t series, const struct model *m,
    const struct outlook *o, const struct news_mark *k)
{
	const struct level *l = &m->level[k->base];
	double from, to;

	if (abs(l->since) != 1 || l->since == k->since)
		return;
	if (o->time_s - m->first_s < SETTLED_S && m->n < SETTLED_N)
		return;
	/* another scale is no other level */
	if (m->power != k->power || m->origin != k->origin ||
	    fabs(level_slow(l) - k->slow) < SHIFT_REACH * m->reach)
		return;
	if (l->since * k->since > 0) {
		add(e, series, NEWS_TREND, 0);
		return;
	}
	from = model_x(m, o->kind, m->power, o->base[k->base] + k->slow);
	to = model_x(m, o->kind, m->power, o->base[k->base] + level_slow(l));
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
