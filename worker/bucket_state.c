/* Owns the state of open buckets in a snapshot. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>

#include "worker/engine_int.h"

/* A field value may be as long as a document. */
#define TEXT_MOST UINT32_MAX

#define VALUE_FIELDS(F, S) F(S, BYTES, text, 0, TEXT_MOST)
SCHEMA_STRUCT(value_state, VALUE_FIELDS);
SCHEMA_DEFINE(value_state, VALUE_FIELDS);

#define BUCKET_FIELDS(F, S)                                                    \
	F(S, I64, start_s, -INFINITY, INFINITY)                                \
	F(S, U64, events, 0, INFINITY)                                         \
	F(S, BOOL, refused, 0, 1)                                              \
	F(S, U32, nvalues, 0, NAMES_NONE - 1)                                  \
	F(S, U32, nleaves, 0, SERIES_NONE - 1)
SCHEMA_STRUCT(bucket_state, BUCKET_FIELDS);
SCHEMA_DEFINE(bucket_state, BUCKET_FIELDS);

#define LEAF_FIELDS(F, S)                                                      \
	F(S, U32, series, 0, INFINITY)                                         \
	F(S, U32, nseen, 0, RESULT_MAX_INFLUENCERS *BUCKET_INFLUENCES)
SCHEMA_STRUCT(leaf_state, LEAF_FIELDS);
SCHEMA_DEFINE(leaf_state, LEAF_FIELDS);

#define INFLUENCE_FIELDS(F, S)                                                 \
	F(S, U32, field, 0, INFINITY)                                          \
	F(S, U32, value, 0, INFINITY)                                          \
	F(S, F64, mass, 0, INFINITY)
SCHEMA_STRUCT(influence_state, INFLUENCE_FIELDS);
SCHEMA_DEFINE(influence_state, INFLUENCE_FIELDS);

/* How large the tables of a place in the ring have become. */
#define ROOM_FIELDS(F, S)                                                      \
	F(S, U32, leaves, 0, UINT32_MAX / 2)                                   \
	F(S, U32, series, 0, UINT32_MAX / 2)
SCHEMA_STRUCT(room_state, ROOM_FIELDS);
SCHEMA_DEFINE(room_state, ROOM_FIELDS);

static int
bad(void)
{
	errno = EBADMSG;
	return -1;
}

static int
save_leaf(const struct leaf *leaf, struct snapshot_writer *w)
{
	struct leaf_state s = { leaf->series, leaf->nseen };

	if (snapshot_put(w, &leaf_state_schema, &s) == -1 ||
	    statistic_save(&leaf->stat, leaf->kind, w) == -1)
		return -1;
	for (uint32_t i = 0; i < leaf->nseen; i++) {
		const struct influence *in = &leaf->seen[i];
		struct influence_state is = { in->field, in->value, in->mass };

		if (snapshot_put(w, &influence_state_schema, &is) == -1 ||
		    statistic_save(&in->stat, leaf->kind, w) == -1)
			return -1;
	}
	return 0;
}

static int
load_influence(const struct engine *e, struct bucket *b, struct leaf *leaf,
    struct snapshot_reader *r)
{
	struct influence *in = bucket_new_influence(b, leaf);
	struct influence_state s;

	if (in == NULL)
		return -1;
	if (snapshot_get(r, &influence_state_schema, &s) == -1 ||
	    statistic_load(&in->stat, leaf->kind, true, r) == -1)
		return -1;
	if (s.field >= e->conf->ninfluencers || s.value >= b->values.ids.n)
		return bad();
	in->field = s.field;
	in->value = s.value;
	in->mass = s.mass;
	return 0;
}

static int
load_statistic(
    const struct feature *f, struct leaf *leaf, struct snapshot_reader *r)
{
	if (statistic_load(&leaf->stat, leaf->kind, false, r) == -1)
		return -1;
	return f->special == SPECIAL_NONE ||
		special_fits(f->special, leaf->stat.groups)
	    ? 0
	    : bad();
}

static int
load_leaf(struct engine *e, struct bucket *b, struct snapshot_reader *r)
{
	struct series_table *t = &e->table;
	const struct feature *f;
	struct leaf_state s;
	const struct series *x;
	struct leaf *leaf;

	if (snapshot_get(r, &leaf_state_schema, &s) == -1)
		return -1;
	if (s.series >= t->numbers.n || t->series[s.series] == NULL ||
	    bucket_find(b, s.series) != NULL)
		return bad();
	x = t->series[s.series];
	if (x->role == SERIES_ATTRIBUTE)
		return bad();
	f = e->detector[t->partition[x->partition]->detector].feature;
	/* it has data here: given up, it would leave its number to another */
	series_touch(t, s.series, b->start_s);
	leaf = bucket_leaf(b, s.series, f->statistic);
	if (leaf == NULL || load_statistic(f, leaf, r) == -1)
		return -1;
	for (uint32_t i = 0; i < s.nseen; i++) {
		if (load_influence(e, b, leaf, r) == -1)
			return -1;
	}
	bucket_note_loaded(b, leaf);
	return 0;
}

static int
save_bucket(const struct bucket *b, struct snapshot_writer *w)
{
	struct bucket_state s = { b->start_s, b->events, b->refused,
		b->values.ids.n, b->nleaves };

	if (snapshot_put(w, &bucket_state_schema, &s) == -1)
		return -1;
	for (uint32_t i = 0; i < b->values.ids.n; i++) {
		struct value_state v = { names_get(&b->values, i) };

		if (snapshot_put(w, &value_state_schema, &v) == -1)
			return -1;
	}
	for (uint32_t i = 0; i < b->nleaves; i++) {
		if (save_leaf(&b->leaf[i], w) == -1)
			return -1;
	}
	return 0;
}

static int
load_bucket(struct engine *e, struct snapshot_reader *r)
{
	struct bucket_state s;
	struct bucket *b;
	size_t before;

	if (snapshot_get(r, &bucket_state_schema, &s) == -1)
		return -1;
	if (s.start_s < e->next_s || s.start_s > e->target_s ||
	    engine_floor(e, s.start_s) != s.start_s)
		return bad();
	b = engine_bucket(e, s.start_s);
	before = b->bytes;
	if (b->events > 0 || b->nleaves > 0)
		return bad();
	b->events = s.events;
	b->refused = s.refused;
	for (uint32_t i = 0; i < s.nvalues; i++) {
		struct value_state v;

		if (snapshot_get(r, &value_state_schema, &v) == -1 ||
		    bucket_load_value(b, v.text) == -1)
			return -1;
	}
	for (uint32_t i = 0; i < s.nleaves; i++) {
		if (load_leaf(e, b, r) == -1)
			return -1;
	}
	e->open_bytes += b->bytes - before;
	return 0;
}

/* Whether there is anything in it that a fresh bucket would not have. */
static bool
worth_saving(const struct bucket *b)
{
	return b->events > 0 || b->nleaves > 0 || b->refused;
}

uint32_t
engine_buckets_worth_saving(const struct engine *e)
{
	uint32_t n = 0;

	for (size_t i = 0; i < e->nopen; i++)
		n += worth_saving(&e->open[i]);
	return n;
}

int
engine_save_buckets(const struct engine *e, struct snapshot_writer *w)
{
	for (size_t i = 0; i < e->nopen; i++) {
		if (worth_saving(&e->open[i]) &&
		    save_bucket(&e->open[i], w) == -1)
			return -1;
	}
	for (size_t i = 0; i < e->nopen; i++) {
		struct room_state s = { e->open[i].leaf_cap,
			e->open[i].nof_series };

		if (snapshot_put(w, &room_state_schema, &s) == -1)
			return -1;
	}
	return 0;
}

/* Tables never have more than twice what there ever was of series. */
static int
load_room(struct engine *e, struct bucket *b, struct snapshot_reader *r)
{
	uint32_t most = e->table.numbers.room;
	size_t before = b->bytes;
	struct room_state s;

	if (snapshot_get(r, &room_state_schema, &s) == -1)
		return -1;
	if (s.leaves > most || s.series > most)
		return bad();
	if (bucket_reserve(b, s.leaves, s.series) == -1)
		return -1;
	e->open_bytes += b->bytes - before;
	return 0;
}

int
engine_load_buckets(struct engine *e, uint32_t nbuckets, bool has_rooms,
    struct snapshot_reader *r)
{
	for (uint32_t i = 0; i < nbuckets; i++) {
		if (load_bucket(e, r) == -1)
			return -1;
	}
	for (size_t i = 0; i < e->nopen && has_rooms; i++) {
		if (load_room(e, &e->open[i], r) == -1)
			return -1;
	}
	return 0;
}
