/* Owns the way of a record into the statistics of its bucket. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/timefmt.h"
#include "worker/engine_int.h"
#include "worker/memory.h"
#include "worker/rare.h"

/* One record on its way. */
struct gathering {
	struct engine *e;
	struct bucket *bucket;
	const struct record *rec;
	int64_t time_s;
	double events; /* 1, or what the summary count field says */
};

/*
 * The text that tells a value from others is cut here: hashing and keeping it
 * should not hold up the channel, however long it is. The API's own store
 * refuses terms that are longer.
 */
#define NAME_MAX_BYTES 32766

/* The part of a longer text that is kept, whole characters of it. */
static size_t
cut_text(const char *p)
{
	size_t len = NAME_MAX_BYTES;

	while (len > 0 && ((unsigned char)p[len] & 0xc0u) == 0x80u)
		len--;
	return len;
}

/* Missing, null and "" are the same: empty. */
static struct span
text_of(const struct gathering *g, uint32_t field)
{
	const struct field_value *v = &g->rec->field[1 + field];

	if (!v->present)
		return (struct span){ NULL, 0 };
	if (v->len > NAME_MAX_BYTES)
		return (struct span){ v->p, cut_text(v->p) };
	return (struct span){ v->p, v->len };
}

/* A number that can be worked with. */
static bool
number_of(const struct gathering *g, uint32_t field, double *v)
{
	struct engine_field *f = &g->e->field[field];

	if (!f->parsed) {
		const struct field_value *t = &g->rec->field[1 + field];

		f->parsed = true;
		f->is_number = t->present &&
		    number_parse(t->p, t->len, &f->number) == 0 &&
		    fabs(f->number) <= MODEL_VALUE_MAX;
	}
	*v = f->number;
	return f->is_number;
}

static uint32_t
name_of(const struct gathering *g, uint32_t field)
{
	struct engine_field *f = &g->e->field[field];

	if (!f->named) {
		struct span t = text_of(g, field);

		f->named = true;
		f->name = names_find(&g->e->names, t.p, t.len);
	}
	return f->name;
}

static uint32_t
add_name(const struct gathering *g, uint32_t field)
{
	struct engine_field *f = &g->e->field[field];
	struct span t = text_of(g, field);

	f->name = names_add(&g->e->names, t.p, t.len);
	return f->name;
}

/* The name of a splitting field: *name, unless there is none to use. */
static bool
split_name(
    const struct gathering *g, uint32_t field, bool use_null, uint32_t *name)
{
	*name = NAMES_NONE;
	if (field == FIELD_NONE)
		return true;
	if (text_of(g, field).len == 0 && !use_null)
		return false;
	*name = name_of(g, field);
	return true;
}

static size_t
new_name_cost(const struct gathering *g, uint32_t field, uint32_t name)
{
	if (field == FIELD_NONE || name != NAMES_NONE)
		return 0;
	return names_growth(&g->e->names, text_of(g, field).len);
}

/* Where a record belongs: names and numbers of what is there already. */
struct address {
	uint32_t partition_name, by_name, over_name; /* or NAMES_NONE */
	uint32_t partition;			     /* or SERIES_NONE */
	uint32_t series;			     /* the attribute, too */
};

/* Two rows may come at once, for which the tables must not grow twice. */
static size_t
rows_cost(const struct gathering *g, const struct engine_detector *d,
    const struct address *a)
{
	const struct series_table *t = &g->e->table;
	size_t cost = 0;

	if (d->over == FIELD_NONE)
		return series_growth(t, d->nmodels) +
		    special_bytes(d->feature->special) +
		    bucket_growth(g->bucket, t->numbers.n);
	if (a->series == SERIES_NONE)
		cost += attribute_growth(t, d->nmodels) +
		    special_bytes(d->feature->special);
	return cost + member_growth(t) +
	    bucket_growth(g->bucket, t->numbers.n + 1);
}

/* All that is allocated for a new series. */
static size_t
new_series_cost(const struct gathering *g, const struct engine_detector *d,
    const struct address *a)
{
	size_t cost = rows_cost(g, d, a);

	if (a->partition == SERIES_NONE)
		cost += partition_growth(&g->e->table, engine_is_rare(d));
	return cost + new_name_cost(g, d->partition, a->partition_name) +
	    new_name_cost(g, d->by, a->by_name) +
	    new_name_cost(g, d->over, a->over_name);
}

/* Set *name, which is none yet, unless the field is not used. */
static int
make_name(const struct gathering *g, uint32_t field, uint32_t *name)
{
	if (field == FIELD_NONE || *name != NAMES_NONE)
		return 0;
	*name = add_name(g, field);
	return *name == NAMES_NONE ? -1 : 0;
}

static void
hold_name(struct engine *e, uint32_t name)
{
	if (name != NAMES_NONE)
		names_hold(&e->names, name);
}

static int
make_partition(struct gathering *g, uint32_t detector, struct address *a)
{
	struct engine *e = g->e;

	if (a->partition != SERIES_NONE)
		return 0;
	a->partition = partition_add(
	    &e->table, detector, a->partition_name, g->bucket->start_s);
	if (a->partition == SERIES_NONE)
		return -1;
	hold_name(e, a->partition_name);
	if (e->detector[detector].kind == ANALYSIS_INDIVIDUAL)
		siblings_lend_scores(&e->detector[detector].scores,
		    &e->table.partition[a->partition]->scores,
		    engine_partitions_each(e));
	return engine_is_rare(&e->detector[detector])
	    ? partition_watch(&e->table, a->partition)
	    : 0;
}

/* It knows nothing of the buckets before this one. */
static int
make_series(
    struct gathering *g, const struct engine_detector *d, struct address *a)
{
	struct engine *e = g->e;
	int64_t last_s = g->bucket->start_s - e->span_s;

	if (a->series != SERIES_NONE)
		return 0;
	a->series = d->over == FIELD_NONE
	    ? series_add(
		  &e->table, a->partition, a->by_name, d->nmodels, last_s)
	    : attribute_add(
		  &e->table, a->partition, a->by_name, d->nmodels, last_s);
	if (a->series == SERIES_NONE)
		return -1;
	if (d->kind == ANALYSIS_RARE)
		e->table.series[a->series]->role = SERIES_VALUE;
	if (d->feature->special != SPECIAL_NONE &&
	    series_make_special(&e->table, a->series, d->feature->special) ==
		-1)
		return -1;
	hold_name(e, a->by_name);
	return 0;
}

static int
make_member(struct gathering *g, const struct address *a, uint32_t *member)
{
	struct engine *e = g->e;

	*member = member_add(&e->table, a->partition, a->series, a->over_name,
	    g->bucket->start_s - e->span_s);
	if (*member == SERIES_NONE)
		return -1;
	hold_name(e, a->over_name);
	return series_join(&e->table, *member);
}

/* Make the series of this record. *series is SERIES_NONE when refused. */
static int
new_series(
    struct gathering *g, uint32_t detector, struct address *a, uint32_t *series)
{
	struct engine *e = g->e;
	const struct engine_detector *d = &e->detector[detector];

	*series = SERIES_NONE;
	if (!memory_allows(e, g->bucket, new_series_cost(g, d, a))) {
		if (a->partition != SERIES_NONE)
			rare_miss(e, a->partition, g->bucket->start_s);
		return 0;
	}
	if (make_name(g, d->partition, &a->partition_name) == -1 ||
	    make_name(g, d->by, &a->by_name) == -1 ||
	    make_name(g, d->over, &a->over_name) == -1)
		return -1;
	if (make_partition(g, detector, a) == -1 || make_series(g, d, a) == -1)
		return -1;
	*series = a->series;
	if (d->over != FIELD_NONE && make_member(g, a, series) == -1)
		return -1;
	engine_note_bytes(e);
	return 0;
}

/* A name that is in use, or none where there is no such field. */
static bool
is_named(uint32_t field, uint32_t name)
{
	return field == FIELD_NONE || name != NAMES_NONE;
}

/*
 * Whether the series of the last record is that of this one, too: so it is
 * without splitting fields, and where records come in an order. A name that
 * nobody knows is that of no series.
 */
static bool
is_recent(const struct series_table *t, uint32_t detector, uint32_t recent,
    uint32_t partition_name, uint32_t by_name)
{
	const struct series *s =
	    recent < t->numbers.n ? t->series[recent] : NULL;
	const struct partition *p;

	if (s == NULL || s->by != by_name)
		return false;
	p = t->partition[s->partition];
	return p->name == partition_name && p->detector == detector;
}

/* *series is SERIES_NONE when the record is not for this detector. */
static int
series_of(struct gathering *g, uint32_t detector, uint32_t *series)
{
	struct engine_detector *d = &g->e->detector[detector];
	const struct series_table *t = &g->e->table;
	bool use_null = d->conf->use_null;
	struct address a = { .partition = SERIES_NONE, .series = SERIES_NONE };

	*series = SERIES_NONE;
	if (!split_name(g, d->partition, use_null, &a.partition_name) ||
	    !split_name(g, d->by, use_null, &a.by_name) ||
	    !split_name(g, d->over, use_null, &a.over_name))
		return 0;
	*series = d->recent;
	if (d->over == FIELD_NONE &&
	    is_recent(t, detector, d->recent, a.partition_name, a.by_name))
		return 0;
	*series = SERIES_NONE;
	if (is_named(d->partition, a.partition_name))
		a.partition = partition_find(t, detector, a.partition_name);
	if (a.partition != SERIES_NONE && is_named(d->by, a.by_name))
		a.series = series_find(t, a.partition, a.by_name);
	if (d->over == FIELD_NONE)
		*series = d->recent = a.series;
	else if (a.series != SERIES_NONE && a.over_name != NAMES_NONE)
		*series = member_find(t, a.series, a.over_name);
	if (*series != SERIES_NONE)
		return 0;
	return new_series(g, detector, &a, series);
}

/*
 * Note who was there. A detector's own splitting fields need no note: all
 * records of a series share them.
 */
static int
see_influencers(struct gathering *g, const struct engine_detector *d,
    struct leaf *leaf, const struct observation *o)
{
	struct engine *e = g->e;
	bool may_grow = engine_bytes(e) < memory_limit(e);

	for (uint32_t i = 0; i + 1 < e->judge.nscopes; i++) {
		uint32_t field = e->influencer[i];
		struct span t = text_of(g, field);

		if (field == d->by || field == d->over ||
		    field == d->partition || t.len == 0)
			continue;
		if (bucket_see(g->bucket, leaf, i, t.p, t.len, may_grow, o) ==
		    -1)
			return -1;
	}
	return 0;
}

static bool
observe_special(
    struct gathering *g, const struct engine_detector *d, struct observation *o)
{
	enum special_kind kind = d->feature->special;
	struct span t = { NULL, 0 };
	int64_t local_s = 0;

	if (d->argument != FIELD_NONE)
		t = text_of(g, d->argument);
	else
		local_s = engine_local(g->e, g->time_s);
	return special_position(kind, local_s, t, &o->where) == 0;
}

/* What the record says to the detector; false: nothing. */
static bool
observe(
    struct gathering *g, const struct engine_detector *d, struct observation *o)
{
	struct span t = { NULL, 0 };

	if (d->feature->special != SPECIAL_NONE)
		return observe_special(g, d, o);
	if (d->argument == FIELD_NONE)
		return true;
	if (o->kind != STATISTIC_DISTINCT && o->kind != STATISTIC_CONTENT)
		return number_of(g, d->argument, &o->value);
	t = text_of(g, d->argument);
	if (t.len == 0)
		return false;
	o->text = t;
	o->hash = distinct_hash(t.p, t.len);
	return true;
}

/* The first record of a series in a bucket tells that the series is alive. */
static struct leaf *
leaf_of(struct gathering *g, uint32_t number, enum statistic_kind kind)
{
	struct bucket *b = g->bucket;
	uint32_t before = b->nleaves;
	struct leaf *leaf = bucket_leaf(b, number, kind);

	if (b->nleaves != before)
		series_touch(&g->e->table, number, b->start_s);
	return leaf;
}

static int
gather_for(struct gathering *g, uint32_t detector)
{
	const struct engine_detector *d = &g->e->detector[detector];
	struct observation o; /* the rest is set where it is looked at */
	struct leaf *leaf;
	uint32_t series;

	o.kind = d->feature->statistic;
	o.times_events = d->feature->times_events;
	o.value = o.n = g->events;
	o.scarce =
	    statistic_grows(o.kind) && engine_bytes(g->e) >= memory_limit(g->e);
	if (!observe(g, d, &o))
		return 0;
	if (series_of(g, detector, &series) == -1)
		return -1;
	if (series == SERIES_NONE)
		return 0;
	leaf = leaf_of(g, series, o.kind);
	if (leaf == NULL || bucket_add(g->bucket, leaf, &o) == -1)
		return -1;
	return d->other_influencers == 0 ? 0 : see_influencers(g, d, leaf, &o);
}

/* How many events the record stands for; none when that cannot be read. */
static double
events_of(const struct gathering *g)
{
	double n;

	if (g->e->summary_count == FIELD_NONE)
		return 1;
	if (!number_of(g, g->e->summary_count, &n) || n < 0)
		return 0;
	return fmin(floor(n), 1e15); /* a double counts no further by ones */
}

int
gather_record(struct engine *e, struct bucket *b, int64_t time_s,
    const struct record *rec)
{
	struct gathering g = { e, b, rec, time_s, 1 };
	size_t before = b->bytes;
	int ret = 0;

	if (e->conf->nfields > 0)
		memset(e->field, 0, e->conf->nfields * sizeof(*e->field));
	g.events = events_of(&g);
	if (g.events == 0)
		return 0;
	b->events += (uint64_t)g.events;
	for (uint32_t i = 0; i < e->conf->ndetectors && ret == 0; i++) {
		if (e->detector[i].kind != ANALYSIS_NONE)
			ret = gather_for(&g, i);
	}
	e->open_bytes += b->bytes - before;
	return ret;
}
