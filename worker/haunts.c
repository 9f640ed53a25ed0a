/* Owns the times and places that are usual for one of the people. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/globe.h"
#include "worker/haunts.h"

#define DAY_S 86400.0

/* What weighs less is forgotten. */
#define WEIGHT_LEAST 0.01f

/*
 * How far away it still counts, and within what share of that it is the same
 * haunt. Eight are enough for the night shifts of a week, and towns that are
 * made of network addresses are not exact.
 */
#define SAME 0.5
static const double reach[] = {
	[SPECIAL_TIME_OF_DAY] = 2 * 3600,
	[SPECIAL_TIME_OF_WEEK] = 6 * 3600,
	[SPECIAL_PLACE] = 200, /* km */
};

#define HAUNTS_FIELDS(F, S)                                                    \
	F(S, BOOL, is_there, 0, 1)                                             \
	F(S, F64, row, 0, 1e9)                                                 \
	F(S, U32, n, 0, HAUNTS_MOST)
SCHEMA_STRUCT(haunts_state, HAUNTS_FIELDS);
SCHEMA_DEFINE(haunts_state, HAUNTS_FIELDS);

#define HAUNT_FIELDS(F, S)                                                     \
	F(S, F64, x, -604800, 604800)                                          \
	F(S, F64, y, -2, 2)                                                    \
	F(S, F64, z, -2, 2)                                                    \
	F(S, F64, weight, 0, 1e9)
SCHEMA_STRUCT(haunt_state, HAUNT_FIELDS);
SCHEMA_DEFINE(haunt_state, HAUNT_FIELDS);

static double
period_s(enum special_kind kind)
{
	return kind == SPECIAL_TIME_OF_WEEK ? 7 * DAY_S : DAY_S;
}

/* The shorter way around, from -period / 2 on. */
static double
way_around(double period, double from, double to)
{
	double way = to - from;

	return way - period * floor(way / period + 0.5);
}

/* The middle of the group: a time, or a unit vector. */
static void
middle_of(enum special_kind kind, const struct group *g, double at[3])
{
	double len = g->n;

	if (kind == SPECIAL_PLACE)
		len = sqrt(g->sum[0] * g->sum[0] + g->sum[1] * g->sum[1] +
		    g->sum[2] * g->sum[2]);
	for (size_t k = 0; k < 3; k++)
		at[k] = len > 0 ? g->sum[k] / len : 0;
}

/* In reaches. */
static double
distance(enum special_kind kind, const struct haunt *h, const double at[3])
{
	double own[3] = { (double)h->at[0], (double)h->at[1],
		(double)h->at[2] };

	if (kind == SPECIAL_PLACE)
		return globe_distance_km(own, at) / reach[kind];
	return fabs(way_around(period_s(kind), own[0], at[0])) / reach[kind];
}

void
haunts_forget(struct haunts *h, double keep)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->n; i++) {
		struct haunt x = h->haunt[i];

		x.weight *= (float)keep;
		if (x.weight >= WEIGHT_LEAST)
			h->haunt[n++] = x;
	}
	h->n = n;
}

double
haunts_weight(
    const struct haunts *h, enum special_kind kind, const struct group *g)
{
	double at[3], sum = 0;

	middle_of(kind, g, at);
	for (uint32_t i = 0; i < h->n; i++) {
		double z = distance(kind, &h->haunt[i], at);
		double k = 1 / (1 + z * z);

		sum += (double)h->haunt[i].weight * (k * k * k * k);
	}
	return sum;
}

/* HAUNTS_MOST: none is the same. */
static uint32_t
same_haunt(const struct haunts *h, enum special_kind kind, const double at[3])
{
	uint32_t best = HAUNTS_MOST;
	double least = SAME;

	for (uint32_t i = 0; i < h->n; i++) {
		double z = distance(kind, &h->haunt[i], at);

		if (z <= least) {
			least = z;
			best = i;
		}
	}
	return best;
}

/* Of no weight. */
static uint32_t
new_haunt(struct haunts *h, const double at[3])
{
	uint32_t place = 0;

	for (uint32_t i = 1; i < h->n; i++) {
		if (h->haunt[i].weight < h->haunt[place].weight)
			place = i;
	}
	if (h->n < HAUNTS_MOST)
		place = h->n++;
	h->haunt[place] =
	    (struct haunt){ { (float)at[0], (float)at[1], (float)at[2] }, 0 };
	return place;
}

static void
move(struct haunt *x, enum special_kind kind, const double at[3])
{
	double period = period_s(kind), time;

	if (kind == SPECIAL_PLACE) {
		for (size_t k = 0; k < 3; k++)
			x->at[k] += ((float)at[k] - x->at[k]) / x->weight;
		return;
	}
	time = (double)x->at[0] +
	    way_around(period, (double)x->at[0], at[0]) / (double)x->weight;
	x->at[0] = (float)(time - period * floor(time / period));
}

void
haunts_learn(struct haunts *h, enum special_kind kind, const struct group *g,
    uint32_t *seen)
{
	double at[3];
	uint32_t place;

	middle_of(kind, g, at);
	place = same_haunt(h, kind, at);
	if (place == HAUNTS_MOST) {
		place = new_haunt(h, at);
		*seen &= ~(1u << place);
	}
	if ((*seen >> place & 1) != 0)
		return;
	*seen |= 1u << place;
	h->haunt[place].weight += 1;
	move(&h->haunt[place], kind, at);
}

void
haunts_set_clock(struct haunts *h, enum special_kind kind, int64_t forward_s)
{
	double period = period_s(kind);

	if (kind == SPECIAL_PLACE || forward_s == 0)
		return;
	for (uint32_t i = 0; i < h->n; i++) {
		double time = (double)h->haunt[i].at[0] + (double)forward_s;

		h->haunt[i].at[0] =
		    (float)(time - period * floor(time / period));
	}
}

int
haunts_save(const struct haunts *h, struct snapshot_writer *w)
{
	struct haunts_state s = { .is_there = h != NULL };

	if (h == NULL)
		return snapshot_put(w, &haunts_state_schema, &s);
	s.row = (double)h->row;
	s.n = h->n;
	if (snapshot_put(w, &haunts_state_schema, &s) == -1)
		return -1;
	for (uint32_t i = 0; i < h->n; i++) {
		const struct haunt *x = &h->haunt[i];
		struct haunt_state one = { (double)x->at[0], (double)x->at[1],
			(double)x->at[2], (double)x->weight };

		if (snapshot_put(w, &haunt_state_schema, &one) == -1)
			return -1;
	}
	return 0;
}

/* Later ones rely on it. */
static bool
is_haunt(enum special_kind kind, const struct haunt *x)
{
	if (!(x->weight >= WEIGHT_LEAST))
		return false;
	if (kind == SPECIAL_PLACE)
		return fabsf(x->at[0]) <= 2;
	return x->at[0] >= 0 && (double)x->at[0] <= period_s(kind);
}

int
haunts_load(
    struct haunts **hp, enum special_kind kind, struct snapshot_reader *r)
{
	struct haunts_state s;
	struct haunts *h;

	if (snapshot_get(r, &haunts_state_schema, &s) == -1)
		return -1;
	if (!s.is_there)
		return 0;
	h = *hp = calloc(1, sizeof(*h));
	if (h == NULL)
		return -1;
	h->row = (float)s.row;
	for (; h->n < s.n; h->n++) {
		struct haunt *x = &h->haunt[h->n];
		struct haunt_state one;

		if (snapshot_get(r, &haunt_state_schema, &one) == -1)
			return -1;
		*x = (struct haunt){ { (float)one.x, (float)one.y,
					 (float)one.z },
			(float)one.weight };
		if (!is_haunt(kind, x)) {
			errno = EBADMSG;
			return -1;
		}
	}
	return 0;
}
