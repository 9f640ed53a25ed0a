/* Owns what is known of how many events a bucket will have. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>

#include "worker/completeness.h"
#include "worker/engine_int.h"
#include "worker/memory.h"

/*
 * Nearly all: one in twenty is within what such forecasts are off by. With as
 * much more than expected it is some burst that has filled the bucket, and
 * says nothing of the others.
 */
#define WHOLE 0.95
#define BURST 1.25

void
completeness_init(struct completeness *c)
{
	model_init(&c->events);
	c->share = 0;
	c->nearly_whole = false;
}

void
completeness_clear(struct completeness *c)
{
	model_clear(&c->events);
}

static double
events_of(const struct bucket *b)
{
	return fmin((double)b->events, MODEL_VALUE_MAX);
}

int
completeness_learn(struct engine *e, const struct bucket *b)
{
	struct model *m = &e->completeness.events;
	size_t before = model_bytes(m);
	struct outlook o;
	int ret;

	model_look(
	    m, MODEL_COUNT, engine_local(e, b->start_s), events_of(b), &o);
	ret = model_learn(m, &e->judge.model, &o, memory_is_ample(e));
	if (model_bytes(m) != before) {
		e->fixed_bytes += model_bytes(m) - before;
		engine_note_bytes(e);
	}
	return ret;
}

void
completeness_look(struct engine *e, const struct bucket *b)
{
	struct completeness *c = &e->completeness;
	double events = events_of(b);
	struct outlook o;

	model_look(
	    &c->events, MODEL_COUNT, engine_local(e, b->start_s), events, &o);
	c->share = 0;
	c->nearly_whole = false;
	if (!o.known)
		return;
	c->share = events < o.expected ? events / o.expected : 1;
	c->nearly_whole = c->share >= WHOLE && events <= BURST * o.expected;
}

bool
completeness_side(const struct completeness *c, const struct feature *feature,
    bool negative, enum function_side *side)
{
	enum function_side sure = SIDE_HIGH;

	if (c->nearly_whole)
		return true;
	if (feature->drift == DRIFT_ANY ||
	    (feature->drift == DRIFT_SIGN && negative))
		return false;
	if (feature->drift == DRIFT_DOWN)
		sure = SIDE_LOW;
	if (*side != SIDE_BOTH && *side != sure)
		return false;
	*side = sure;
	return true;
}

double
completeness_correct(const struct completeness *c,
    const struct feature *feature, double value, double mode)
{
	double missing = (1 - c->share) * mode, way = mode - value;

	if (feature->drift != DRIFT_SIGN &&
	    (feature->drift != DRIFT_UP || feature->model != MODEL_COUNT))
		return value;
	if (mode < 0)
		return value + fmin(fmax(way, missing), 0);
	return value + fmax(fmin(way, missing), 0);
}

int
completeness_save(const struct completeness *c, struct snapshot_writer *w)
{
	if (snapshot_section(w, SNAPSHOT_EVENTS) == -1)
		return -1;
	return model_save(&c->events, w);
}

int
completeness_load(struct completeness *c, const struct model_params *p,
    int64_t forward_s, struct snapshot_reader *r)
{
	int rc = snapshot_enter_if(r, SNAPSHOT_EVENTS);

	if (rc != 1)
		return rc;
	if (model_load(&c->events, p, r) == -1)
		return -1;
	model_set_clock(&c->events, forward_s);
	if (snapshot_left(r) == 0)
		return 0;
	errno = EBADMSG;
	return -1;
}
