/*
 * Owns the engine's state in a snapshot: what is written, and what is believed
 * when it is read.
 */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "worker/engine_state.h"

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

/* By how much the job's clocks were ahead of UTC at end_s. */
#define CLOCK_FIELDS(F, S) F(S, I64, ahead_s, -2 * 86400, 2 * 86400)
SCHEMA_STRUCT(clock_state, CLOCK_FIELDS);
SCHEMA_DEFINE(clock_state, CLOCK_FIELDS);

#define TEXT_FIELDS(F, S) F(S, BYTES, text, 0, TEXT_MOST)
SCHEMA_STRUCT(text_state, TEXT_FIELDS);
SCHEMA_DEFINE(text_state, TEXT_FIELDS);
#define PRUNE_FIELDS(F, S) F(S, F64, share, 0, 1)
SCHEMA_STRUCT(prune_state, PRUNE_FIELDS);
SCHEMA_DEFINE(prune_state, PRUNE_FIELDS);

#define NAME_FIELDS(F, S)                                                      \
	F(S, BOOL, is_free, 0, 1)                                              \
	F(S, BYTES, text, 0, TEXT_MOST)
SCHEMA_STRUCT(name_state, NAME_FIELDS);
SCHEMA_DEFINE(name_state, NAME_FIELDS);

#define SCOPE_FIELDS(F, S) F(S, F64, peak, 0, 100)
SCHEMA_STRUCT(scope_state, SCOPE_FIELDS);
SCHEMA_DEFINE(scope_state, SCOPE_FIELDS);

/* Of sections SNAPSHOT_ENGINE_1 and 2: nothing was ever given up there. */
#define TEXT_2_FIELDS(F, S) F(S, BYTES, text, 0, TEXT_MOST)
SCHEMA_STRUCT(text_2, TEXT_2_FIELDS);
SCHEMA_DEFINE(text_2, TEXT_2_FIELDS);

int
engine_state_bad(void)
{
	errno = EBADMSG;
	return -1;
}

static int64_t
ahead_s(const struct engine *e)
{
	return e->end_s == TIME_UNSET ? 0
				      : engine_local(e, e->end_s) - e->end_s;
}

static int
save_clock(const struct engine *e, struct snapshot_writer *w)
{
	struct clock_state s = { ahead_s(e) };

	return snapshot_put(w, &clock_state_schema, &s);
}

/*
 * What was usual at nine stays usual at that moment of the day when the job has
 * been given another time zone, or the zone other rules.
 */
static int
load_clock(struct loading *l)
{
	struct clock_state s;

	if (l->old)
		return 0;
	if (snapshot_get(l->r, &clock_state_schema, &s) == -1)
		return -1;
	l->forward_s = ahead_s(l->e) - s.ahead_s;
	return 0;
}

static int
save_names(const struct names *t, struct snapshot_writer *w)
{
	for (uint32_t i = 0; i < t->ids.n; i++) {
		struct span text = names_get(t, i);
		struct name_state s = { text.p == NULL, text };

		if (snapshot_put(w, &name_state_schema, &s) == -1)
			return -1;
	}
	return 0;
}

static int
get_name(struct loading *l, struct name_state *s)
{
	struct text_2 old;

	if (!l->old)
		return snapshot_get(l->r, &name_state_schema, s);
	if (snapshot_get(l->r, &text_2_schema, &old) == -1)
		return -1;
	*s = (struct name_state){ false, old.text };
	return 0;
}

static int
load_names(struct loading *l, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct name_state s;

		if (get_name(l, &s) == -1 ||
		    names_load(&l->e->names, s.is_free, s.text) == -1)
			return -1;
	}
	names_loaded(&l->e->names);
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
	s->nnames = e->names.ids.n;
	s->npartitions = e->table.partitions.n;
	s->nseries = e->table.numbers.n;
	s->nbuckets = engine_buckets_worth_saving(e);
}

static int
save_siblings(const struct engine *e, struct snapshot_writer *w)
{
	if (snapshot_section(w, SNAPSHOT_SIBLINGS) == -1)
		return -1;
	for (size_t i = 0; i < e->conf->ndetectors; i++) {
		const struct engine_detector *d = &e->detector[i];

		for (uint32_t k = 0; k < d->nfeatures; k++) {
			if (siblings_save(&d->siblings[k], w) == -1)
				return -1;
		}
		if (siblings_save_scores(&d->scores, w) == -1)
			return -1;
	}
	return 0;
}

static int
load_siblings(struct engine *e, struct snapshot_reader *r)
{
	int rc = snapshot_enter_if(r, SNAPSHOT_SIBLINGS);

	if (rc != 1)
		return rc;
	for (size_t i = 0; i < e->conf->ndetectors; i++) {
		struct engine_detector *d = &e->detector[i];

		for (uint32_t k = 0; k < d->nfeatures; k++) {
			if (siblings_load(&d->siblings[k], r) == -1)
				return -1;
		}
		if (siblings_load_scores(&d->scores, r) == -1)
			return -1;
	}
	return snapshot_left(r) == 0 ? 0 : engine_state_bad();
}

/* The crowds of a series; NULL: it has none. */
static struct crowd *
crowds_of(const struct engine *e, uint32_t number)
{
	const struct series *s = e->table.series[number];

	return s == NULL || s->role == SERIES_MEMBER ? NULL : s->crowd;
}

/* How wide the bounds of people are, in the order of attributes. */
static int
save_widths(const struct engine *e, struct snapshot_writer *w)
{
	if (snapshot_section(w, SNAPSHOT_WIDTHS) == -1)
		return -1;
	for (uint32_t n = 0; n < e->table.numbers.n; n++) {
		const struct crowd *c = crowds_of(e, n);

		for (uint32_t i = 0;
		     c != NULL && i < e->table.series[n]->nmodels; i++) {
			if (crowd_save_widths(&c[i], w) == -1)
				return -1;
		}
	}
	return 0;
}

static int
load_widths(struct engine *e, struct snapshot_reader *r)
{
	int rc = snapshot_enter_if(r, SNAPSHOT_WIDTHS);

	if (rc <= 0)
		return rc;
	for (uint32_t n = 0; n < e->table.numbers.n; n++) {
		struct crowd *c = crowds_of(e, n);

		for (uint32_t i = 0;
		     c != NULL && i < e->table.series[n]->nmodels; i++) {
			if (crowd_load_widths(&c[i], r) == -1)
				return -1;
		}
	}
	return snapshot_left(r) == 0 ? 0 : engine_state_bad();
}

int
engine_save(const struct engine *e, struct snapshot_writer *w)
{
	struct prune_state prune = { e->prune_share };
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
	    snapshot_put(w, &prune_state_schema, &prune) == -1 ||
	    save_clock(e, w) == -1 || save_scopes(&e->judge, w) == -1 ||
	    save_names(&e->names, w) == -1 || rows_save(&e->table, w) == -1)
		return -1;
	if (engine_save_buckets(e, w) == -1 || save_siblings(e, w) == -1 ||
	    save_widths(e, w) == -1)
		return -1;
	if (judge_save(&e->judge, w) == -1)
		return -1;
	if (e->has_pairs && pairs_save(&e->pairs, w) == -1)
		return -1;
	return completeness_save(&e->completeness, w);
}

/*
 * Each element takes at least a few bytes of the section, so that a count
 * cannot ask for more than the file holds: reading stops at its end.
 */
static int
load_elements(struct loading *l, const struct engine_state *s)
{
	struct engine *e = l->e;

	if (load_clock(l) == -1 || load_scopes(&e->judge, l->r) == -1 ||
	    load_names(l, s->nnames) == -1)
		return -1;
	for (uint32_t i = 0; i < s->npartitions; i++) {
		if (rows_load_partition(l) == -1)
			return -1;
	}
	for (uint32_t i = 0; i < s->nseries; i++) {
		if (rows_load_series(l) == -1)
			return -1;
	}
	if (rows_loaded(l) == -1 ||
	    engine_load_buckets(e, s->nbuckets, !l->old, l->r) == -1)
		return -1;
	return snapshot_left(l->r) == 0 ? 0 : engine_state_bad();
}

/* Each is of a series whose detector asks for them. */
static int
load_pairs(struct engine *e, struct snapshot_reader *r)
{
	const struct series_table *t = &e->table;

	if (pairs_reserve(&e->pairs, t->numbers.room) == -1 ||
	    pairs_load(&e->pairs, t->numbers.n, r) == -1)
		return -1;
	for (uint32_t i = 0; i < t->numbers.n; i++) {
		const struct series *s = t->series[i];

		if (pairs_of(&e->pairs, i) != NULL &&
		    (s == NULL ||
			!e->detector[t->partition[s->partition]->detector]
			     .goes_together))
			return engine_state_bad();
	}
	return 0;
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

static int
load_prune(struct loading *l)
{
	struct prune_state s;

	if (l->old)
		return 0;
	if (snapshot_get(l->r, &prune_state_schema, &s) == -1)
		return -1;
	l->e->prune_share = s.share;
	return 0;
}

int
engine_load(struct engine *e, struct snapshot_reader *r)
{
	struct loading l = { e, r, snapshot_format(r) == 2,
		snapshot_format(r) >= 5, 0, NULL };
	struct engine_state s;

	if (snapshot_enter(r, l.old ? SNAPSHOT_ENGINE_1 : SNAPSHOT_ENGINE) ==
		-1 ||
	    snapshot_get(r, &engine_state_schema, &s) == -1 ||
	    snapshot_get(r, &model_size_schema, &e->size) == -1 ||
	    snapshot_get(r, &timing_schema, &e->timing) == -1 ||
	    load_prune(&l) == -1)
		return -1;
	if (!state_fits(e, &s))
		return engine_state_bad();
	e->target_s = s.target_s;
	e->end_s = s.end_s;
	e->next_s = s.next_s;
	e->empty_run = s.empty_run;
	/* a crash may have left interim results that the state knows not of */
	e->interim_left = true;
	e->news = s.nbuckets > 0;
	if (load_elements(&l, &s) == -1 || load_siblings(e, r) == -1 ||
	    load_widths(e, r) == -1)
		return -1;
	if (judge_load(&e->judge, r) == -1 ||
	    completeness_load(
		&e->completeness, &e->judge.model, l.forward_s, r) == -1)
		return -1;
	e->fixed_bytes += model_bytes(&e->completeness.events);
	return e->has_pairs ? load_pairs(e, r) : 0;
}
