/* Owns the partitions and series of the engine in a snapshot. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>

#include "worker/engine_state.h"
#include "worker/rare.h"

#define PARTITION_FIELDS(F, S)                                                 \
	F(S, BOOL, is_free, 0, 1)                                              \
	F(S, U32, detector, 0, INFINITY)                                       \
	F(S, U32, name, 0, NAMES_NONE)                                         \
	F(S, I64, first_s, -1e16, 1e16)
SCHEMA_STRUCT(partition_state, PARTITION_FIELDS);
SCHEMA_DEFINE(partition_state, PARTITION_FIELDS);

#define SERIES_FIELDS(F, S)                                                    \
	F(S, BOOL, is_free, 0, 1)                                              \
	F(S, U32, partition, 0, INFINITY)                                      \
	F(S, U32, by, 0, NAMES_NONE)                                           \
	F(S, I64, last_s, -1e16, 1e16)                                         \
	F(S, I64, data_s, -1e16, 1e16)                                         \
	F(S, F64, buckets, 0, INFINITY)                                        \
	F(S, F64, peak, 0, 100)
SCHEMA_STRUCT(series_state, SERIES_FIELDS);
SCHEMA_DEFINE(series_state, SERIES_FIELDS);

/* What came with format 5: whose rows they are, and how large tables were. */
#define ROLE_FIELDS(F, S)                                                      \
	F(S, U8, role, 0, SERIES_VALUE)                                        \
	F(S, U32, over, 0, NAMES_NONE)                                         \
	F(S, U32, attribute, 0, SERIES_NONE)
SCHEMA_STRUCT(role_state, ROLE_FIELDS);
SCHEMA_DEFINE(role_state, ROLE_FIELDS);

#define PEAK_FIELDS(F, S)                                                      \
	F(S, F64, peak, 0, 100)                                                \
	F(S, I64, peak_s, -1e16, 1e16)
SCHEMA_STRUCT(peak_state, PEAK_FIELDS);
SCHEMA_DEFINE(peak_state, PEAK_FIELDS);

#define ROOMS_FIELDS(F, S)                                                     \
	F(S, U32, series_slots, 0, UINT32_MAX)                                 \
	F(S, U32, member_slots, 0, UINT32_MAX)
SCHEMA_STRUCT(rooms_state, ROOMS_FIELDS);
SCHEMA_DEFINE(rooms_state, ROOMS_FIELDS);

/* Of sections SNAPSHOT_ENGINE_1 and 2: nothing was ever given up there. */
#define PARTITION_2_FIELDS(F, S)                                               \
	F(S, U32, detector, 0, INFINITY)                                       \
	F(S, U32, name, 0, NAMES_NONE)
SCHEMA_STRUCT(partition_2, PARTITION_2_FIELDS);
SCHEMA_DEFINE(partition_2, PARTITION_2_FIELDS);

#define SERIES_2_FIELDS(F, S)                                                  \
	F(S, U32, partition, 0, INFINITY)                                      \
	F(S, U32, by, 0, NAMES_NONE)                                           \
	F(S, I64, last_s, -1e16, 1e16)                                         \
	F(S, F64, peak, 0, 100)
SCHEMA_STRUCT(series_2, SERIES_2_FIELDS);
SCHEMA_DEFINE(series_2, SERIES_2_FIELDS);

static int
save_partition(const struct partition *p, struct snapshot_writer *w)
{
	struct partition_state s = { .is_free = p == NULL };
	struct peak_state peak;

	if (p == NULL)
		return snapshot_put(w, &partition_state_schema, &s);
	s.detector = p->detector;
	s.name = p->name;
	s.first_s = p->first_s;
	if (snapshot_put(w, &partition_state_schema, &s) == -1 ||
	    normalise_save(&p->scores, w) == -1)
		return -1;
	peak.peak = p->peak;
	peak.peak_s = p->peak_s;
	if (snapshot_put(w, &peak_state_schema, &peak) == -1)
		return -1;
	return p->rarity == NULL ? 0 : rarity_save(p->rarity, w);
}

/* A name that is there, or none where the detector has no such field. */
static bool
name_fits(const struct engine *e, uint32_t field, uint32_t name)
{
	if (field == FIELD_NONE)
		return name == NAMES_NONE;
	return name < e->names.ids.n && names_get(&e->names, name).p != NULL;
}

static void
hold_name(struct engine *e, uint32_t name)
{
	if (name != NAMES_NONE)
		names_hold(&e->names, name);
}

/* How often series are there is counted from now on where it was not. */
static int
get_partition(struct loading *l, struct partition_state *s)
{
	struct partition_2 old;

	if (!l->old)
		return snapshot_get(l->r, &partition_state_schema, s);
	if (snapshot_get(l->r, &partition_2_schema, &old) == -1)
		return -1;
	*s = (struct partition_state){ false, old.detector, old.name,
		l->e->next_s };
	return 0;
}

static int
load_peak(struct loading *l, struct partition *p)
{
	struct peak_state s;

	if (!l->has_roles)
		return 0;
	if (snapshot_get(l->r, &peak_state_schema, &s) == -1)
		return -1;
	p->peak = s.peak;
	p->peak_s = s.peak_s;
	return 0;
}

/* No earlier format has any. */
static int
load_rarity(struct loading *l, uint32_t partition)
{
	struct series_table *t = &l->e->table;
	const struct partition *p = t->partition[partition];

	if (!engine_is_rare(&l->e->detector[p->detector]))
		return 0;
	if (!l->has_roles)
		return engine_state_bad();
	if (partition_watch(t, partition) == -1)
		return -1;
	return rarity_load(p->rarity, l->r);
}

int
rows_load_partition(struct loading *l)
{
	struct engine *e = l->e;
	struct partition_state s;
	uint32_t id;

	if (get_partition(l, &s) == -1)
		return -1;
	if (s.is_free)
		return partition_skip(&e->table);
	if (s.detector >= e->conf->ndetectors ||
	    e->detector[s.detector].feature == NULL ||
	    !name_fits(e, e->detector[s.detector].partition, s.name) ||
	    partition_find(&e->table, s.detector, s.name) != SERIES_NONE)
		return engine_state_bad();
	id = partition_add(&e->table, s.detector, s.name, s.first_s);
	if (id == SERIES_NONE)
		return -1;
	hold_name(e, s.name);
	if (normalise_load(&e->table.partition[id]->scores, l->r) == -1)
		return -1;
	if (load_peak(l, e->table.partition[id]) == -1)
		return -1;
	return load_rarity(l, id);
}

/* What is usual for a member, as is the way of its attribute. */
static int
save_member(const struct series_table *t, const struct series *x,
    struct snapshot_writer *w)
{
	return t->series[x->attribute]->special != NULL
	    ? haunts_save(x->haunts, w)
	    : habit_save(&x->habit, w);
}

static int
save_role(const struct series_table *t, const struct series *x,
    struct snapshot_writer *w)
{
	struct role_state s = { x->role, x->over, x->attribute };

	if (snapshot_put(w, &role_state_schema, &s) == -1)
		return -1;
	if (x->role == SERIES_MEMBER)
		return save_member(t, x, w);
	for (uint32_t i = 0; x->crowd != NULL && i < x->nmodels; i++) {
		if (crowd_save(&x->crowd[i], w) == -1)
			return -1;
	}
	return 0;
}

static int
save_series(const struct series_table *t, const struct series *x,
    struct snapshot_writer *w)
{
	struct series_state s = { .is_free = x == NULL };

	if (x == NULL)
		return snapshot_put(w, &series_state_schema, &s);
	s.partition = x->partition;
	s.by = x->by;
	s.last_s = x->last_s;
	s.data_s = x->data_s;
	s.buckets = x->buckets;
	s.peak = x->peak;
	if (snapshot_put(w, &series_state_schema, &s) == -1 ||
	    save_role(t, x, w) == -1)
		return -1;
	if (x->role == SERIES_MEMBER)
		return 0;
	for (uint32_t i = 0; i < x->nmodels; i++) {
		if (model_save(&x->model[i], w) == -1)
			return -1;
	}
	return x->special == NULL ? 0 : special_save(x->special, w);
}

static int
get_series(struct loading *l, struct series_state *s)
{
	struct series_2 old;

	if (!l->old)
		return snapshot_get(l->r, &series_state_schema, s);
	if (snapshot_get(l->r, &series_2_schema, &old) == -1)
		return -1;
	*s = (struct series_state){ false, old.partition, old.by, old.last_s,
		old.last_s, 0, old.peak };
	return 0;
}

static void
join_siblings(struct loading *l, const struct model *m, uint32_t feature)
{
	if (l->siblings != NULL)
		siblings_join(&l->siblings[feature], m);
}

static int
load_models(struct loading *l, struct series *s)
{
	for (uint32_t i = 0; i < s->nmodels; i++) {
		struct model *m = &s->model[i];

		if (l->old) {
			if (model_load_1(m, s->last_s, l->r) == -1)
				return -1;
			join_siblings(l, m, i);
			continue;
		}
		if (model_load(m, &l->e->judge.model, l->r) == -1)
			return -1;
		model_set_clock(m, l->forward_s);
		join_siblings(l, m, i);
		l->e->table.bytes += model_bytes(m);
	}
	return 0;
}

static int
load_special(struct loading *l, struct series *s)
{
	if (special_load(s->special, l->r) == -1)
		return -1;
	special_set_clock(s->special, l->forward_s);
	return 0;
}

/* What a row is follows from its detector, but for members of attributes. */
static bool
role_fits(const struct engine_detector *d, uint32_t role)
{
	if (d->over != FIELD_NONE)
		return role == SERIES_ATTRIBUTE || role == SERIES_MEMBER;
	return role == (d->kind == ANALYSIS_RARE ? SERIES_VALUE : SERIES_ALONE);
}

/* SERIES_NONE with errno. */
static uint32_t
add_row(struct loading *l, const struct series_state *s,
    const struct role_state *role)
{
	struct engine *e = l->e;
	struct series_table *t = &e->table;
	const struct engine_detector *d =
	    &e->detector[t->partition[s->partition]->detector];
	bool fits = role_fits(d, role->role);
	uint32_t id;

	if (role->role == SERIES_MEMBER) {
		if (fits && name_fits(e, d->over, role->over) &&
		    member_find(t, role->attribute, role->over) == SERIES_NONE)
			return member_add(t, s->partition, role->attribute,
			    role->over, s->last_s);
		errno = EBADMSG;
		return SERIES_NONE;
	}
	if (!fits || !name_fits(e, d->by, s->by) ||
	    series_find(t, s->partition, s->by) != SERIES_NONE) {
		errno = EBADMSG;
		return SERIES_NONE;
	}
	id = role->role == SERIES_ATTRIBUTE
	    ? attribute_add(t, s->partition, s->by, d->nmodels, s->last_s)
	    : series_add(t, s->partition, s->by, d->nmodels, s->last_s);
	if (id == SERIES_NONE)
		return SERIES_NONE;
	t->series[id]->role = role->role;
	if (d->feature->special == SPECIAL_NONE)
		return id;
	return series_make_special(t, id, d->feature->special) == -1
	    ? SERIES_NONE
	    : id;
}

static int
load_member(
    struct loading *l, const struct engine_detector *d, struct series *x)
{
	hold_name(l->e, x->over);
	if (d->feature->special == SPECIAL_NONE)
		return habit_load(&x->habit, l->r);
	if (haunts_load(&x->haunts, d->feature->special, l->r) == -1)
		return -1;
	if (x->haunts == NULL)
		return 0;
	l->e->table.bytes += sizeof(*x->haunts);
	haunts_set_clock(x->haunts, d->feature->special, l->forward_s);
	return 0;
}

static int
load_role(struct loading *l, struct series *x)
{
	hold_name(l->e, x->by);
	for (uint32_t i = 0; x->crowd != NULL && i < x->nmodels; i++) {
		if (crowd_load(&x->crowd[i], l->r) == -1)
			return -1;
	}
	return 0;
}

int
rows_load_series(struct loading *l)
{
	struct series_table *t = &l->e->table;
	struct role_state role = { SERIES_ALONE, NAMES_NONE, SERIES_NONE };
	const struct engine_detector *d;
	struct series_state s;
	struct series *x;
	uint32_t id;

	if (get_series(l, &s) == -1)
		return -1;
	if (s.is_free)
		return series_skip(t);
	if (s.partition >= t->partitions.n || t->partition[s.partition] == NULL)
		return engine_state_bad();
	if (l->has_roles && snapshot_get(l->r, &role_state_schema, &role) == -1)
		return -1;
	id = add_row(l, &s, &role);
	if (id == SERIES_NONE)
		return -1;
	x = t->series[id];
	x->data_s = s.data_s;
	x->buckets = s.buckets;
	x->peak = s.peak;
	rare_recall(l->e, x);
	d = &l->e->detector[t->partition[s.partition]->detector];
	if (x->role == SERIES_MEMBER)
		return load_member(l, d, x);
	if (load_role(l, x) == -1)
		return -1;
	l->siblings = d->kind == ANALYSIS_INDIVIDUAL ? d->siblings : NULL;
	return x->special != NULL ? load_special(l, x) : load_models(l, x);
}

int
rows_save(const struct series_table *t, struct snapshot_writer *w)
{
	struct rooms_state rooms;

	for (uint32_t i = 0; i < t->partitions.n; i++) {
		if (save_partition(t->partition[i], w) == -1)
			return -1;
	}
	for (uint32_t i = 0; i < t->numbers.n; i++) {
		if (save_series(t, t->series[i], w) == -1)
			return -1;
	}
	rooms.series_slots = t->series_of.nslots;
	rooms.member_slots = t->member_of.nslots;
	return snapshot_put(w, &rooms_state_schema, &rooms);
}

/* Whoever has no series would never be given up. */
static int
check_partitions(const struct series_table *t)
{
	for (uint32_t i = 0; i < t->partitions.n; i++) {
		if (t->partition[i] != NULL && t->partition[i]->nseries == 0)
			return engine_state_bad();
	}
	return 0;
}

static int
reserve_keys(struct keys *k, uint32_t slots, uint32_t nseries)
{
	/* more than there ever were of series */
	if (slots / 4 > nseries + 16) {
		errno = EBADMSG;
		return -1;
	}
	return slots == 0 ? 0 : keys_reserve(k, slots / 2);
}

int
rows_loaded(struct loading *l)
{
	struct series_table *t = &l->e->table;
	struct rooms_state s;

	for (uint32_t i = 0; i < t->numbers.n; i++) {
		if (t->series[i] != NULL &&
		    t->series[i]->role == SERIES_MEMBER &&
		    series_join(t, i) == -1)
			return -1;
	}
	if (check_partitions(t) == -1 || series_loaded(t) == -1)
		return -1;
	if (!l->has_roles)
		return t->numbers.n == 0
		    ? 0
		    : keys_reserve(&t->series_of, t->numbers.n);
	if (snapshot_get(l->r, &rooms_state_schema, &s) == -1)
		return -1;
	return reserve_keys(&t->series_of, s.series_slots, t->numbers.n) == -1
	    ? -1
	    : reserve_keys(&t->member_of, s.member_slots, t->numbers.n);
}
