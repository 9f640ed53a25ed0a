/*
 * Owns the engine's state in a snapshot: what is written, and what is believed
 * when it is read.
 */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "worker/engine_int.h"

/* A field value may be as long as a document. */
#define TEXT_MOST UINT32_MAX

#define ENGINE_FIELDS(F, S)                                                    \
	F(S, I64, bucket_span_s, 1, INFINITY)                                  \
	F(S, U32, ndetectors, 1, INFINITY)                                     \
	F(S, U32, nscopes, 1, RESULT_MAX_INFLUENCERS + 1)                      \
	F(S, I64, target_s, -INFINITY, INFINITY)                               \
	F(S, I64, end_s, -INFINITY, INFINITY)                                  \
	F(S, I64, next_s, -INFINITY, INFINITY)                                 \
	F(S, U64, empty_run, 0, INFINITY)                                      \
	F(S, U32, nnames, 0, NAMES_NONE - 1)                                   \
	F(S, U32, npartitions, 0, SERIES_NONE - 1)                             \
	F(S, U32, nseries, 0, SERIES_NONE - 1)                                 \
	F(S, U32, nbuckets, 0, INFINITY)
SCHEMA_STRUCT(engine_state, ENGINE_FIELDS);
SCHEMA_DEFINE(engine_state, ENGINE_FIELDS);

#define TEXT_FIELDS(F, S) F(S, BYTES, text, 0, TEXT_MOST)
SCHEMA_STRUCT(text_state, TEXT_FIELDS);
SCHEMA_DEFINE(text_state, TEXT_FIELDS);

#define SCOPE_FIELDS(F, S) F(S, F64, peak, 0, 100)
SCHEMA_STRUCT(scope_state, SCOPE_FIELDS);
SCHEMA_DEFINE(scope_state, SCOPE_FIELDS);

#define PARTITION_FIELDS(F, S)                                                 \
	F(S, U32, detector, 0, INFINITY)                                       \
	F(S, U32, name, 0, NAMES_NONE)
SCHEMA_STRUCT(partition_state, PARTITION_FIELDS);
SCHEMA_DEFINE(partition_state, PARTITION_FIELDS);

#define SERIES_FIELDS(F, S)                                                    \
	F(S, U32, partition, 0, INFINITY)                                      \
	F(S, U32, by, 0, NAMES_NONE)                                           \
	F(S, I64, last_s, -1e16, 1e16)                                         \
	F(S, F64, peak, 0, 100)
SCHEMA_STRUCT(series_state, SERIES_FIELDS);
SCHEMA_DEFINE(series_state, SERIES_FIELDS);

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

static int
bad(void)
{
	errno = EBADMSG;
	return -1;
}

static int
save_names(const struct names *t, struct snapshot_writer *w)
{
	for (uint32_t i = 0; i < t->n; i++) {
		struct text_state s = { names_get(t, i) };

		if (snapshot_put(w, &text_state_schema, &s) == -1)
			return -1;
	}
	return 0;
}

static int
load_names(struct names *t, uint32_t n, struct snapshot_reader *r)
{
	for (uint32_t i = 0; i < n; i++) {
		struct text_state s;
		uint32_t id;

		if (snapshot_get(r, &text_state_schema, &s) == -1)
			return -1;
		id = names_add(t, s.text.p, s.text.len);
		if (id == NAMES_NONE)
			return -1;
		if (id != i) /* the same text twice */
			return bad();
	}
	return 0;
}

static int
save_scopes(const struct judge *j, struct snapshot_writer *w)
{
	for (size_t i = 0; i < j->nscopes; i++) {
		struct scope_state s = { j->scope[i].peak };

		if (snapshot_put(w, &scope_state_schema, &s) == -1 ||
		    normalise_save(&j->scope[i].scores, w) == -1)
			return -1;
	}
	return 0;
}

static int
load_scopes(struct judge *j, struct snapshot_reader *r)
{
	for (size_t i = 0; i < j->nscopes; i++) {
		struct scope_state s;

		if (snapshot_get(r, &scope_state_schema, &s) == -1 ||
		    normalise_load(&j->scope[i].scores, r) == -1)
			return -1;
		j->scope[i].peak = s.peak;
	}
	return 0;
}

static int
save_partitions(const struct series_table *t, struct snapshot_writer *w)
{
	for (uint32_t i = 0; i < t->npartitions; i++) {
		const struct partition *p = &t->partition[i];
		struct partition_state s = { p->detector, p->name };

		if (snapshot_put(w, &partition_state_schema, &s) == -1 ||
		    normalise_save(&p->scores, w) == -1)
			return -1;
	}
	return 0;
}

/* A name that is there, or none where the detector has no such field. */
static bool
name_fits(const struct engine *e, uint32_t field, uint32_t name)
{
	return field == FIELD_NONE ? name == NAMES_NONE : name < e->names.n;
}

static int
load_partition(struct engine *e, struct snapshot_reader *r)
{
	struct partition_state s;
	uint32_t id;

	if (snapshot_get(r, &partition_state_schema, &s) == -1)
		return -1;
	if (s.detector >= e->conf->ndetectors ||
	    e->detector[s.detector].feature == NULL ||
	    !name_fits(e, e->detector[s.detector].partition, s.name) ||
	    partition_find(&e->table, s.detector, s.name) != SERIES_NONE)
		return bad();
	id = partition_add(&e->table, s.detector, s.name);
	if (id == SERIES_NONE)
		return -1;
	return normalise_load(&e->table.partition[id].scores, r);
}

static int
save_series(const struct series_table *t, struct snapshot_writer *w)
{
	for (uint32_t i = 0; i < t->nseries; i++) {
		const struct series *x = &t->series[i];
		struct series_state s = { x->partition, x->by, x->last_s,
			x->peak };

		if (snapshot_put(w, &series_state_schema, &s) == -1 ||
		    model_save(&x->model, w) == -1)
			return -1;
	}
	return 0;
}

static int
load_series(struct engine *e, struct snapshot_reader *r, bool old)
{
	struct series_table *t = &e->table;
	struct series_state s;
	uint32_t id;

	if (snapshot_get(r, &series_state_schema, &s) == -1)
		return -1;
	if (s.partition >= t->npartitions ||
	    !name_fits(
		e, e->detector[t->partition[s.partition].detector].by, s.by) ||
	    series_find(t, s.partition, s.by) != SERIES_NONE)
		return bad();
	id = series_add(t, s.partition, s.by, s.last_s);
	if (id == SERIES_NONE)
		return -1;
	t->series[id].peak = s.peak;
	if (old)
		return model_load_1(&t->series[id].model, s.last_s, r);
	if (model_load(&t->series[id].model, &e->judge.model, r) == -1)
		return -1;
	t->table_bytes += model_bytes(&t->series[id].model);
	return 0;
}

static int
save_leaf(const struct leaf *leaf, struct snapshot_writer *w)
{
	struct leaf_state s = { leaf->series, leaf->nseen };

	if (snapshot_put(w, &leaf_state_schema, &s) == -1 ||
	    snapshot_put(w, &tally_schema, &leaf->tally) == -1)
		return -1;
	for (uint32_t i = 0; i < leaf->nseen; i++) {
		const struct influence *in = &leaf->seen[i];
		struct influence_state is = { in->field, in->value, in->mass };

		if (snapshot_put(w, &influence_state_schema, &is) == -1 ||
		    snapshot_put(w, &tally_schema, &in->tally) == -1)
			return -1;
	}
	return 0;
}

static int
load_influence(const struct engine *e, const struct bucket *b,
    struct influence *in, struct snapshot_reader *r)
{
	struct influence_state s;

	if (snapshot_get(r, &influence_state_schema, &s) == -1 ||
	    snapshot_get(r, &tally_schema, &in->tally) == -1)
		return -1;
	if (s.field >= e->conf->ninfluencers || s.value >= b->values.n)
		return bad();
	in->field = s.field;
	in->value = s.value;
	in->mass = s.mass;
	return 0;
}

static int
load_leaf(const struct engine *e, struct bucket *b, struct snapshot_reader *r)
{
	struct leaf_state s;
	struct leaf *leaf;

	if (snapshot_get(r, &leaf_state_schema, &s) == -1)
		return -1;
	if (s.series >= e->table.nseries || bucket_find(b, s.series) != NULL)
		return bad();
	leaf = bucket_leaf(b, s.series);
	if (leaf == NULL)
		return -1;
	if (snapshot_get(r, &tally_schema, &leaf->tally) == -1)
		return -1;
	if (!(leaf->tally.n > 0))
		return bad();
	for (uint32_t i = 0; i < s.nseen; i++) {
		struct influence *in = bucket_new_influence(b, leaf);

		if (in == NULL || load_influence(e, b, in, r) == -1)
			return -1;
	}
	return 0;
}

static int
save_bucket(const struct bucket *b, struct snapshot_writer *w)
{
	struct bucket_state s = { b->start_s, b->events, b->refused,
		b->values.n, b->nleaves };

	if (snapshot_put(w, &bucket_state_schema, &s) == -1 ||
	    save_names(&b->values, w) == -1)
		return -1;
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

	if (snapshot_get(r, &bucket_state_schema, &s) == -1)
		return -1;
	if (s.start_s < e->next_s || s.start_s > e->target_s ||
	    engine_floor(e, s.start_s) != s.start_s)
		return bad();
	b = engine_bucket(e, s.start_s);
	if (b->events > 0 || b->nleaves > 0)
		return bad();
	b->events = s.events;
	b->refused = s.refused;
	if (load_names(&b->values, s.nvalues, r) == -1)
		return -1;
	for (uint32_t i = 0; i < s.nleaves; i++) {
		if (load_leaf(e, b, r) == -1)
			return -1;
	}
	e->open_bytes += bucket_bytes(b);
	return 0;
}

/* Whether there is anything in it that a fresh bucket would not have. */
static bool
worth_saving(const struct bucket *b)
{
	return b->events > 0 || b->nleaves > 0 || b->refused;
}

static int
save_buckets(const struct engine *e, struct snapshot_writer *w)
{
	for (size_t i = 0; i < e->nopen; i++) {
		if (worth_saving(&e->open[i]) &&
		    save_bucket(&e->open[i], w) == -1)
			return -1;
	}
	return 0;
}

static void
describe(const struct engine *e, struct engine_state *s)
{
	s->bucket_span_s = e->span_s;
	s->ndetectors = (uint32_t)e->conf->ndetectors;
	s->nscopes = (uint32_t)e->judge.nscopes;
	s->target_s = e->target_s;
	s->end_s = e->end_s;
	s->next_s = e->next_s;
	s->empty_run = e->empty_run;
	s->nnames = e->names.n;
	s->npartitions = e->table.npartitions;
	s->nseries = e->table.nseries;
	s->nbuckets = 0;
	for (size_t i = 0; i < e->nopen; i++)
		s->nbuckets += worth_saving(&e->open[i]);
}

int
engine_save(const struct engine *e, struct snapshot_writer *w)
{
	struct engine_state s;

	if (engine_is_busy(e)) {
		errno = EBUSY;
		return -1;
	}
	describe(e, &s);
	if (snapshot_section(w, SNAPSHOT_ENGINE) == -1 ||
	    snapshot_put(w, &engine_state_schema, &s) == -1 ||
	    snapshot_put(w, &model_size_schema, &e->size) == -1 ||
	    snapshot_put(w, &timing_schema, &e->timing) == -1 ||
	    save_scopes(&e->judge, w) == -1 || save_names(&e->names, w) == -1 ||
	    save_partitions(&e->table, w) == -1 ||
	    save_series(&e->table, w) == -1)
		return -1;
	if (save_buckets(e, w) == -1)
		return -1;
	return judge_save(&e->judge, w);
}

/*
 * Each element takes at least a few bytes of the section, so that a count
 * cannot ask for more than the file holds: reading stops at its end.
 */
static int
load_elements(struct engine *e, const struct engine_state *s,
    struct snapshot_reader *r, bool old)
{
	if (load_scopes(&e->judge, r) == -1 ||
	    load_names(&e->names, s->nnames, r) == -1)
		return -1;
	for (uint32_t i = 0; i < s->npartitions; i++) {
		if (load_partition(e, r) == -1)
			return -1;
	}
	for (uint32_t i = 0; i < s->nseries; i++) {
		if (load_series(e, r, old) == -1)
			return -1;
	}
	for (uint32_t i = 0; i < s->nbuckets; i++) {
		if (load_bucket(e, r) == -1)
			return -1;
	}
	return snapshot_left(r) == 0 ? 0 : bad();
}

/* The job's shape is what it was, and the times fit together. */
static bool
state_fits(const struct engine *e, const struct engine_state *s)
{
	if (s->bucket_span_s != e->span_s ||
	    s->ndetectors != e->conf->ndetectors ||
	    s->nscopes != e->judge.nscopes)
		return false;
	if (s->end_s == TIME_UNSET || s->next_s == TIME_UNSET ||
	    s->target_s == TIME_UNSET)
		return s->nbuckets == 0 && s->end_s == s->next_s &&
		    s->target_s == s->end_s;
	/* wider than engine_target lets any of them grow */
	if (fabs((double)s->next_s) > 9.2e15 || fabs((double)s->end_s) > 9.2e15)
		return false;
	return engine_floor(e, s->next_s) == s->next_s &&
	    s->end_s >= s->next_s && s->end_s - s->next_s < e->span_s &&
	    s->target_s < s->next_s + (int64_t)e->nopen * e->span_s;
}

int
engine_load(struct engine *e, struct snapshot_reader *r)
{
	struct engine_state s;
	bool old = snapshot_format(r) == 2;

	if (snapshot_enter(r, old ? SNAPSHOT_ENGINE_1 : SNAPSHOT_ENGINE) ==
		-1 ||
	    snapshot_get(r, &engine_state_schema, &s) == -1 ||
	    snapshot_get(r, &model_size_schema, &e->size) == -1 ||
	    snapshot_get(r, &timing_schema, &e->timing) == -1)
		return -1;
	if (!state_fits(e, &s))
		return bad();
	e->target_s = s.target_s;
	e->end_s = s.end_s;
	e->next_s = s.next_s;
	e->empty_run = s.empty_run;
	/* a crash may have left interim results that the state knows not of */
	e->interim_left = true;
	if (load_elements(e, &s, r, old) == -1)
		return -1;
	return judge_load(&e->judge, r);
}
