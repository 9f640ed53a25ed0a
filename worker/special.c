/* Owns what is common to values that are no numbers on a line. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/dial.h"
#include "worker/globe.h"
#include "worker/places.h"
#include "worker/special.h"
#include "worker/tail.h"

/*
 * Of n days without an event at some time, and of n buckets without one from
 * some place, no more can be said than n / c ln(1 + n) nats. A day is many
 * chances to be odd: ten of them are worth a score of 50.
 */
#define DAYS_PER_LN 2.5
#define BUCKETS_PER_LN 8.0

/* What is new to a young series is no surprise that its tail should learn. */
#define SURPRISE_MOST 2.0

/* A float counts no further by ones than 2^24. */
#define TAIL_N_MOST 4e6f

struct special {
	enum special_kind kind;
	struct tail tail;
	struct dial *dial;     /* owned; times only */
	struct places *places; /* owned; places only */
};

static bool
is_time(enum special_kind kind)
{
	return kind == SPECIAL_TIME_OF_DAY || kind == SPECIAL_TIME_OF_WEEK;
}

static enum dial_kind
dial_of(enum special_kind kind)
{
	return kind == SPECIAL_TIME_OF_WEEK ? DIAL_WEEK : DIAL_DAY;
}

int
special_position(enum special_kind kind, int64_t local_s, struct span text,
    struct position *p)
{
	if (kind == SPECIAL_PLACE)
		return globe_parse(text.p, text.len, p);
	dial_position(dial_of(kind), local_s, p);
	return 0;
}

/* Cells ascend. */
bool
special_fits(enum special_kind kind, const struct groups *g)
{
	return !is_time(kind) ||
	    g->group[g->ngroups - 1].cell < dial_slots(dial_of(kind));
}

struct special *
special_new(enum special_kind kind)
{
	struct special *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->kind = kind;
	if (is_time(kind))
		x->dial = dial_new(dial_of(kind));
	else
		x->places = calloc(1, sizeof(*x->places));
	if (x->dial != NULL || x->places != NULL)
		return x;
	free(x);
	return NULL;
}

void
special_free(struct special *x)
{
	if (x == NULL)
		return;
	free(x->dial);
	free(x->places);
	free(x);
}

size_t
special_bytes(enum special_kind kind)
{
	if (kind == SPECIAL_NONE)
		return 0;
	return sizeof(struct special) +
	    (is_time(kind) ? dial_bytes(dial_of(kind)) : sizeof(struct places));
}

enum special_kind
special_kind_of(const struct special *x)
{
	return x->kind;
}

/*
 * ln_p  nominal
 * most  nats that what was seen can say
 */
static void
bound(struct special_look *o, double ln_p, double most)
{
	o->surprise = fmin(-ln_p, SURPRISE_MOST * most);
	o->ln_p = -most;
}

static void
see_times(const struct special *x, const struct groups *g, int64_t local_s,
    struct special_look *o)
{
	struct dial_look look;

	dial_look(x->dial, g, local_s, &look);
	o->cell = look.cell;
	o->actual[0] = look.actual;
	o->typical[0] = look.typical;
	bound(o, look.ln_p, look.n / DAYS_PER_LN * log1p(look.n));
}

static void
see_places(
    const struct special *x, const struct groups *g, struct special_look *o)
{
	struct places_look look;

	places_look(x->places, g, &look);
	o->cell = look.cell;
	for (size_t i = 0; i < NELEM(o->actual); i++) {
		o->actual[i] = look.actual[i];
		o->typical[i] = look.typical[i];
	}
	bound(
	    o, look.ln_p, x->places->n / BUCKETS_PER_LN * log1p(x->places->n));
}

void
special_see(const struct special *x, const struct groups *g, int64_t local_s,
    struct special_look *o)
{
	memset(o, 0, sizeof(*o));
	if (is_time(x->kind))
		see_times(x, g, local_s, o);
	else
		see_places(x, g, o);
	o->ln_p = fmin(0, fmax(o->ln_p, tail_ln_p(&x->tail, o->surprise)));
}

void
special_learn(struct special *x, const struct groups *g, int64_t local_s,
    const struct special_look *o)
{
	if (o->surprise > 0)
		tail_learn(&x->tail, o->surprise, o->ln_p);
	if (is_time(x->kind))
		dial_learn(x->dial, g, local_s);
	else
		places_learn(x->places, g);
}

struct special *
special_copy(const struct special *x)
{
	struct special *copy = special_new(x->kind);

	if (copy == NULL)
		return NULL;
	copy->tail = x->tail;
	if (is_time(x->kind))
		memcpy(copy->dial, x->dial, dial_bytes(dial_of(x->kind)));
	else
		*copy->places = *x->places;
	return copy;
}

double
special_nats(const struct special *x, int64_t local_s)
{
	double n;

	if (is_time(x->kind)) {
		n = dial_days(x->dial, local_s);
		return n / DAYS_PER_LN * log1p(n);
	}
	n = x->places->nplaces > 0 ? x->places->n : 0;
	return n / BUCKETS_PER_LN * log1p(n);
}

double
special_ln_share(const struct special *x, const struct group *g)
{
	return is_time(x->kind) ? dial_ln_share(x->dial, g->cell)
				: places_ln_share(x->places, g->sum);
}

void
special_tell(
    const struct special *x, const struct group *g, struct special_look *o)
{
	o->cell = g->cell;
	if (is_time(x->kind)) {
		o->actual[0] = g->sum[0] / g->n;
		o->typical[0] = dial_usual(x->dial, g->cell);
		return;
	}
	globe_degrees(g->sum, &o->actual[0], &o->actual[1]);
	places_nearest(x->places, g->sum, o->typical);
}

void
special_measure(const struct special *x, double nats, double surprise,
    struct special_look *o)
{
	bound(o, -surprise, nats);
	o->ln_p = fmin(0, fmax(o->ln_p, tail_ln_p(&x->tail, o->surprise)));
}

void
special_learn_person(struct special *x, const struct groups *g,
    const struct special_look *o, float *row)
{
	struct tail *t = &x->tail;

	if (t->n > TAIL_N_MOST)
		tail_forget(t, 0.5);
	if (row != NULL) {
		t->row = *row;
		tail_learn(t, o->surprise, o->ln_p);
		*row = t->row;
		t->row = 0; /* who comes after him has no part in it */
	}
	if (!is_time(x->kind))
		places_learn_person(x->places, g);
}

void
special_learn_people(struct special *x, const float *people, int64_t local_s)
{
	if (is_time(x->kind))
		dial_learn_people(x->dial, people, local_s);
	else
		places_learn_bucket(x->places);
}

void
special_forget(struct special *x, double keep)
{
	tail_forget(&x->tail, keep);
	if (x->places != NULL)
		places_forget(x->places, keep);
}

void
special_set_clock(struct special *x, int64_t forward_s)
{
	if (x->dial != NULL && forward_s != 0)
		dial_set_clock(x->dial, forward_s);
}

int
special_save(const struct special *x, struct snapshot_writer *w)
{
	if (tail_save(&x->tail, w) == -1)
		return -1;
	return is_time(x->kind) ? dial_save(x->dial, w)
				: places_save(x->places, w);
}

int
special_load(struct special *x, struct snapshot_reader *r)
{
	if (tail_load(&x->tail, r) == -1)
		return -1;
	return is_time(x->kind) ? dial_load(x->dial, r)
				: places_load(x->places, r);
}
