/*
 * Owns the section of a snapshot that has which series go together. It is
 * there where a job asks for it; where it is missing, they begin anew.
 */
#include "common/compat.h"

#include <errno.h>
#include <math.h>

#include "worker/pairs.h"

#define PAIRS_FIELDS(F, S) F(S, U32, npaired, 0, INFINITY)
SCHEMA_STRUCT(pairs_state, PAIRS_FIELDS);
SCHEMA_DEFINE(pairs_state, PAIRS_FIELDS);

#define PAIRED_FIELDS(F, S)                                                    \
	F(S, U32, series, 0, INFINITY)                                         \
	F(S, I64, born, -1e16, 1e16)                                           \
	F(S, I64, newest, -1e16, 1e16)                                         \
	F(S, F64, told_up, 0, INFINITY)                                        \
	F(S, F64, told_down, 0, INFINITY)                                      \
	F(S, U32, nnear, 0, PAIRS_NEAR)
SCHEMA_STRUCT(paired_state, PAIRED_FIELDS);
SCHEMA_DEFINE(paired_state, PAIRED_FIELDS);

#define SIDES_FIELDS(F, S)                                                     \
	F(S, U64, there, 0, INFINITY)                                          \
	F(S, U64, above, 0, INFINITY)
SCHEMA_STRUCT(sides_state, SIDES_FIELDS);
SCHEMA_DEFINE(sides_state, SIDES_FIELDS);

#define PAIR_FIELDS(F, S)                                                      \
	F(S, U32, other, 0, INFINITY)                                          \
	F(S, I64, born, -1e16, 1e16)                                           \
	F(S, F64, n, 0, 1e6)                                                   \
	F(S, F64, xx, 0, 1e8)                                                  \
	F(S, F64, yy, 0, 1e8)                                                  \
	F(S, F64, xy, -1e8, 1e8)
SCHEMA_STRUCT(pair_state, PAIR_FIELDS);
SCHEMA_DEFINE(pair_state, PAIR_FIELDS);

static int
bad(void)
{
	errno = EBADMSG;
	return -1;
}

static int
save_sides(const struct paired *x, struct snapshot_writer *w)
{
	for (size_t i = 0; i < PAIRS_WORDS; i++) {
		struct sides_state s = { x->there[i], x->above[i] };

		if (snapshot_put(w, &sides_state_schema, &s) == -1)
			return -1;
	}
	for (enum model_side s = UP; s < SIDES; s++) {
		if (tail_save(&x->tail[s], w) == -1)
			return -1;
	}
	return 0;
}

static int
save_paired(const struct paired *x, uint32_t series, struct snapshot_writer *w)
{
	struct paired_state s = { series, x->born, x->newest, x->told[UP],
		x->told[DOWN], x->nnear };

	if (snapshot_put(w, &paired_state_schema, &s) == -1 ||
	    save_sides(x, w) == -1)
		return -1;
	for (uint32_t i = 0; i < x->nnear; i++) {
		const struct pair *p = &x->near[i];
		struct pair_state one = { p->other, p->born, p->n, p->xx, p->yy,
			p->xy };

		if (snapshot_put(w, &pair_state_schema, &one) == -1)
			return -1;
	}
	return 0;
}

int
pairs_save(const struct pairs *p, struct snapshot_writer *w)
{
	struct pairs_state s = { p->npaired };

	if (snapshot_section(w, SNAPSHOT_PAIRS) == -1 ||
	    snapshot_put(w, &pairs_state_schema, &s) == -1)
		return -1;
	for (uint32_t i = 0; i < p->room; i++) {
		if (p->of[i] != NULL && save_paired(p->of[i], i, w) == -1)
			return -1;
	}
	return 0;
}

static int
load_sides(struct paired *x, struct snapshot_reader *r)
{
	for (size_t i = 0; i < PAIRS_WORDS; i++) {
		struct sides_state s;

		if (snapshot_get(r, &sides_state_schema, &s) == -1)
			return -1;
		x->there[i] = s.there;
		x->above[i] = s.above;
	}
	for (enum model_side s = UP; s < SIDES; s++) {
		if (tail_load(&x->tail[s], r) == -1)
			return -1;
	}
	return 0;
}

/* Of another that is not there any more it is noticed when it is asked. */
static int
load_paired(struct pairs *p, uint32_t nseries, struct snapshot_reader *r)
{
	struct paired_state s;
	struct paired *x;

	if (snapshot_get(r, &paired_state_schema, &s) == -1)
		return -1;
	if (s.series >= nseries || pairs_of(p, s.series) != NULL)
		return bad();
	x = pairs_add(p, s.series, s.born);
	if (x == NULL)
		return -1;
	x->newest = s.newest;
	x->told[UP] = s.told_up;
	x->told[DOWN] = s.told_down;
	if (load_sides(x, r) == -1)
		return -1;
	for (uint32_t i = 0; i < s.nnear; i++) {
		struct pair_state one;

		if (snapshot_get(r, &pair_state_schema, &one) == -1)
			return -1;
		x->near[x->nnear++] = (struct pair){ one.other, one.born, one.n,
			one.xx, one.yy, one.xy };
		p->npairs++;
	}
	return 0;
}

int
pairs_load(struct pairs *p, uint32_t nseries, struct snapshot_reader *r)
{
	int rc = snapshot_enter_if(r, SNAPSHOT_PAIRS);
	struct pairs_state s;

	if (rc != 1)
		return rc;
	if (snapshot_get(r, &pairs_state_schema, &s) == -1)
		return -1;
	for (uint32_t i = 0; i < s.npaired; i++) {
		if (load_paired(p, nseries, r) == -1)
			return -1;
	}
	return snapshot_left(r) == 0 ? 0 : bad();
}
