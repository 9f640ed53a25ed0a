/* Owns the grouping of events by their position. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/groups.h"

#define FIRST_GROUPS 2

#define GROUPS_FIELDS(F, S)                                                    \
	F(S, F64, n, 1, INFINITY)                                              \
	F(S, U32, ngroups, 1, GROUPS_TIMES_MOST)
SCHEMA_STRUCT(groups_state, GROUPS_FIELDS);
SCHEMA_DEFINE(groups_state, GROUPS_FIELDS);

#define GROUP_FIELDS(F, S)                                                     \
	F(S, U32, cell, 0, INFINITY)                                           \
	F(S, F64, n, 1, INFINITY)                                              \
	F(S, F64, x, -INFINITY, INFINITY)                                      \
	F(S, F64, y, -INFINITY, INFINITY)                                      \
	F(S, F64, z, -INFINITY, INFINITY)
SCHEMA_STRUCT(group_state, GROUP_FIELDS);
SCHEMA_DEFINE(group_state, GROUP_FIELDS);

static uint32_t
find_cell(const struct groups *g, uint32_t cell)
{
	uint32_t lo = 0, hi = g->ngroups;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (g->group[mid].cell < cell)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct group *
groups_find(const struct groups *g, uint32_t cell)
{
	uint32_t at = find_cell(g, cell);

	if (at == g->ngroups || g->group[at].cell != cell)
		return NULL;
	return &g->group[at];
}

static uint32_t
nearest(const struct groups *g, const struct position *p)
{
	double least = INFINITY;
	uint32_t best = 0;

	for (uint32_t i = 0; i < g->ngroups; i++) {
		const struct group *x = &g->group[i];
		double far = 0;

		for (size_t k = 0; k < NELEM(p->at); k++) {
			double d = x->sum[k] / x->n - p->at[k];

			far += d * d;
		}
		if (far < least) {
			least = far;
			best = i;
		}
	}
	return best;
}

static struct groups *
with_room(struct groups *g, uint32_t room)
{
	struct groups *grown =
	    realloc(g, sizeof(*grown) + room * sizeof(grown->group[0]));

	if (grown == NULL)
		return NULL;
	if (g == NULL)
		memset(grown, 0, sizeof(*grown));
	grown->room = room;
	return grown;
}

/* A group of no event for a cell that has none. */
static int
insert(struct groups **gp, uint32_t at, uint32_t cell)
{
	struct groups *g = *gp;

	if (g == NULL || g->ngroups == g->room) {
		g = with_room(g, g == NULL ? FIRST_GROUPS : 2 * g->room);
		if (g == NULL)
			return -1;
		*gp = g;
	}
	memmove(&g->group[at + 1], &g->group[at],
	    (g->ngroups - at) * sizeof(g->group[0]));
	memset(&g->group[at], 0, sizeof(g->group[at]));
	g->group[at].cell = cell;
	g->ngroups++;
	return 0;
}

int
groups_add(
    struct groups **gp, const struct position *p, double n, uint32_t most)
{
	struct groups *g = *gp;
	uint32_t at = g == NULL ? 0 : find_cell(g, p->cell);
	struct group *x;

	if (g == NULL || at == g->ngroups || g->group[at].cell != p->cell) {
		if (g != NULL && g->ngroups >= most)
			at = nearest(g, p);
		else if (insert(gp, at, p->cell) == -1)
			return -1;
		g = *gp;
	}
	x = &g->group[at];
	for (size_t k = 0; k < NELEM(p->at); k++)
		x->sum[k] += n * p->at[k];
	x->n += n;
	g->n += n;
	return 0;
}

size_t
groups_bytes(const struct groups *g)
{
	return g == NULL ? 0 : sizeof(*g) + g->room * sizeof(g->group[0]);
}

int
groups_save(const struct groups *g, struct snapshot_writer *w)
{
	struct groups_state s = { g->n, g->ngroups };

	if (snapshot_put(w, &groups_state_schema, &s) == -1)
		return -1;
	for (uint32_t i = 0; i < g->ngroups; i++) {
		const struct group *x = &g->group[i];
		struct group_state one = { x->cell, x->n, x->sum[0], x->sum[1],
			x->sum[2] };

		if (snapshot_put(w, &group_state_schema, &one) == -1)
			return -1;
	}
	return 0;
}

static int
bad(void)
{
	errno = EBADMSG;
	return -1;
}

static int
load_group(struct groups **gp, struct snapshot_reader *r)
{
	uint32_t n = *gp == NULL ? 0 : (*gp)->ngroups;
	struct group_state s;
	struct group *x;

	if (snapshot_get(r, &group_state_schema, &s) == -1)
		return -1;
	if (n > 0 && s.cell <= (*gp)->group[n - 1].cell)
		return bad();
	if (insert(gp, n, s.cell) == -1)
		return -1;
	x = &(*gp)->group[n];
	x->n = s.n;
	x->sum[0] = s.x;
	x->sum[1] = s.y;
	x->sum[2] = s.z;
	return 0;
}

int
groups_load(struct groups **gp, uint32_t most, struct snapshot_reader *r)
{
	struct groups_state s;

	if (snapshot_get(r, &groups_state_schema, &s) == -1)
		return -1;
	if (s.ngroups > most)
		return bad();
	for (uint32_t i = 0; i < s.ngroups; i++) {
		if (load_group(gp, r) == -1)
			return -1;
	}
	(*gp)->n = s.n;
	return 0;
}
