/*
 * Owns what siblings know of each other in a snapshot: one object for each
 * feature of each detector, and the scores of its partitions. Where the section
 * is missing, an earlier version has written the file, and they begin to tell
 * anew.
 */
#include "common/compat.h"

#include <errno.h>
#include <math.h>

#include "common/wire.h"
#include "worker/narrow.h"
#include "worker/siblings.h"

/* Numbers in single and multi of both sides. */
#define TAIL_NUMBERS (5 + TAIL_BINS)
#define NUMBERS (4 + 3 * POWERS + 2 * SIDES * TAIL_NUMBERS)

#define SIBLINGS_FIELDS(F, S)                                                  \
	F(S, U32, told, 0, INFINITY)                                           \
	F(S, BYTES, numbers, 8 * NUMBERS, 8 * NUMBERS)
SCHEMA_STRUCT(siblings_state, SIBLINGS_FIELDS);
SCHEMA_DEFINE(siblings_state, SIBLINGS_FIELDS);

#define TOLD_FIELDS(F, S) F(S, U32, told, 0, INFINITY)
SCHEMA_STRUCT(scores_told, TOLD_FIELDS);
SCHEMA_DEFINE(scores_told, TOLD_FIELDS);

/* Writes with wb, reads with rb; bad after the first thing that is wrong. */
struct codec {
	struct wbuf *wb;
	struct rbuf *rb;
	bool bad;
};

static void
walk_f64(struct codec *c, double *v, double least)
{
	if (c->wb != NULL)
		c->bad |= wire_put_f64(c->wb, *v) == -1;
	else
		c->bad |=
		    wire_get_f64(c->rb, v) == -1 || !isfinite(*v) || *v < least;
}

static void
walk_tail(struct codec *c, struct tail *t)
{
	float *field[] = { &t->n, &t->excesses, &t->fitted, &t->sum,
		&t->squares };

	for (size_t i = 0; i < TAIL_NUMBERS; i++) {
		float *at =
		    i < NELEM(field) ? field[i] : &t->bin[i - NELEM(field)];
		double v = (double)*at;

		walk_f64(c, &v, 0);
		*at = narrow(v);
		c->bad |= !isfinite(*at);
	}
}

static void
walk(struct codec *c, struct siblings *s)
{
	walk_f64(c, &s->even, 0);
	walk_f64(c, &s->positive, 0);
	c->bad |= s->even > 1 || s->positive > 1; /* shares */
	walk_f64(c, &s->run_scale, 0);
	walk_f64(c, &s->variance, 0);
	for (size_t p = 0; p < POWERS; p++) {
		walk_f64(c, &s->power[p], 0);
		walk_f64(c, &s->ln_scale[p], -INFINITY);
		walk_f64(c, &s->spread[p], 0);
	}
	for (size_t side = 0; side < SIDES; side++) {
		walk_tail(c, &s->single[side]);
		walk_tail(c, &s->multi[side]);
	}
}

int
siblings_save(const struct siblings *s, struct snapshot_writer *w)
{
	struct siblings copy = *s; /* nothing is changed by writing */
	struct siblings_state state = { .told = s->told };
	struct codec c = { NULL, NULL, false };
	struct wbuf wb;
	int ret = -1;

	wbuf_init(&wb, 8 * NUMBERS);
	c.wb = &wb;
	walk(&c, &copy);
	if (c.bad) {
		errno = ENOMEM;
		goto out;
	}
	state.numbers = (struct span){ (const char *)wb.data, wb.len };
	ret = snapshot_put(w, &siblings_state_schema, &state);
out:
	wbuf_clear(&wb);
	return ret;
}

int
siblings_load(struct siblings *s, struct snapshot_reader *r)
{
	struct codec c = { NULL, NULL, false };
	struct siblings_state state;
	struct rbuf rb;

	if (snapshot_get(r, &siblings_state_schema, &state) == -1)
		return -1;
	rbuf_init(&rb, state.numbers.p, state.numbers.len);
	c.rb = &rb;
	walk(&c, s);
	s->told = state.told;
	if (!c.bad)
		return 0;
	errno = EBADMSG;
	return -1;
}

int
siblings_save_scores(const struct sibling_scores *s, struct snapshot_writer *w)
{
	struct scores_told told = { s->told };

	return snapshot_put(w, &scores_told_schema, &told) == -1
	    ? -1
	    : normalise_save(&s->mean, w);
}

int
siblings_load_scores(struct sibling_scores *s, struct snapshot_reader *r)
{
	struct scores_told told;

	if (snapshot_get(r, &scores_told_schema, &told) == -1)
		return -1;
	s->told = told.told;
	return normalise_load(&s->mean, r);
}
