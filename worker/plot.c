/* Owns the rows of the model plot. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/bounds.h"
#include "worker/engine_int.h"
#include "worker/phrase.h"
#include "worker/plot.h"

/* To begin with: a slice of series with one feature each. */
#define POINTS_LEAST 64

void
plot_clear(struct plot *p)
{
	free(p->point);
	memset(p, 0, sizeof(*p));
}

/* One of the terms, if there are any; no value is as good as any. */
static bool
passes(const struct engine *e, uint32_t name)
{
	struct span value;

	if (e->plot.nterms == 0 || name == NAMES_NONE)
		return true;
	value = names_get(&e->names, name);
	return plotconf_has(&e->plot, value.p, value.len);
}

bool
plot_is_on(const struct engine *e)
{
	return e->plot.enabled && e->sink.plot != NULL && !e->judge.interim &&
	    !e->judge.quiet;
}

bool
plot_wants(const struct engine *e, uint32_t index)
{
	const struct series *s = e->table.series[index];

	return plot_is_on(e) && passes(e, s->by) && passes(e, s->over) &&
	    passes(e, e->table.partition[s->partition]->name);
}

void
engine_set_plot(struct engine *e, struct plotconf *c)
{
	plotconf_clear(&e->plot_next);
	e->plot_next = *c;
	memset(c, 0, sizeof(*c));
	e->plot_changed = true;
}

void
plot_begin(struct engine *e)
{
	if (!e->plot_changed)
		return;
	plotconf_clear(&e->plot);
	e->plot = e->plot_next;
	memset(&e->plot_next, 0, sizeof(e->plot_next));
	e->plot_changed = false;
}

static int
reserve(struct plot *p)
{
	size_t n = p->cap == 0 ? POINTS_LEAST : 2 * p->cap;
	struct plot_point *grown;

	if (p->npoints < p->cap)
		return 0;
	grown = reallocarray(p->point, n, sizeof(*p->point));
	if (grown == NULL)
		return -1;
	p->point = grown;
	p->cap = n;
	return 0;
}

int
plot_add(struct plot *p, const struct plot_point *at)
{
	if (reserve(p) == -1)
		return -1;
	p->point[p->npoints++] = *at;
	return 0;
}

int
plot_note(struct engine *e, uint32_t index, const struct feature *f,
    const struct model *m, const struct outlook *o, bool has_actual)
{
	struct plot_point at = { .series = index,
		.feature = f,
		.has_actual = has_actual,
		.actual = o->x };

	if (!model_bounds(m, o, BOUNDS_MASS, &at.expected))
		return 0;
	return plot_add(&e->judge.plot, &at);
}

int
plot_note_absent(struct engine *e, uint32_t index)
{
	const struct series *s = e->table.series[index];
	const struct partition *p = e->table.partition[s->partition];
	const struct engine_detector *d = &e->detector[p->detector];

	for (uint32_t i = 0; i < s->nmodels; i++) {
		const struct model *m = &s->model[i];
		struct outlook o;

		model_look(
		    m, d->feature[i].model, e->judge.local_s, m->last, &o);
		if (plot_note(e, index, &d->feature[i], m, &o, false) == -1)
			return -1;
	}
	return 0;
}

void
plot_forget(struct plot *p, size_t n)
{
	p->npoints = n;
	if (p->written > n)
		p->written = n;
}

static int
write_point(struct engine *e, const struct plot_point *at)
{
	const struct series *s = e->table.series[at->series];
	const struct partition *p = e->table.partition[s->partition];
	const struct detector *d = e->detector[p->detector].conf;
	struct plot_result r = {
		.timestamp_ms = e->judge.bucket->start_s * 1000,
		.bucket_span_s = e->span_s,
		.detector_index = (int)p->detector,
		.model_feature = phrase_of(d, at->feature),
		.by_field_name = d->by_field_name,
		.by_field_value = engine_value_of(e, s->by),
		.over_field_name = d->over_field_name,
		.over_field_value = engine_value_of(e, s->over),
		.partition_field_name = d->partition_field_name,
		.partition_field_value = engine_value_of(e, p->name),
		.lower = at->expected.lower,
		.median = at->expected.median,
		.upper = at->expected.upper,
		.has_actual = at->has_actual,
		.actual = at->actual,
	};

	return e->sink.plot(e->sink.arg, &r);
}

int
plot_write(struct engine *e)
{
	struct plot *p = &e->judge.plot;

	for (; p->written < p->npoints; p->written++) {
		if (write_point(e, &p->point[p->written]) == -1)
			return -1;
	}
	p->npoints = p->written = 0;
	return 0;
}
