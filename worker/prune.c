/* Owns the giving up of series. */
#include "common/compat.h"

#include <math.h>

#include "worker/engine_int.h"
#include "worker/memory.h"
#include "worker/prune.h"
#include "worker/rare.h"

#define HOUR_S 3600

/* What is left of the window after an hour in which memory was short. */
#define HOUR_KEEP 0.99
/* Longest and shortest window, in time constants of the models. */
#define MOST_MEMORIES 4.0
#define LEAST_MEMORIES 0.25
#define LEAST_SPANS 2.0

/* Seconds without data after which a series is given up; INFINITY: never. */
static double
window(const struct engine *e)
{
	double span = (double)e->span_s, memory = e->judge.model.memory * span;
	double configured = (double)e->conf->model_prune_window_s;
	double least = fmax(LEAST_MEMORIES * memory, LEAST_SPANS * span);

	if (configured <= 0 && e->prune_share >= 1)
		return INFINITY;
	if (configured <= 0)
		configured = MOST_MEMORIES * memory;
	return fmax(e->prune_share * configured, fmin(least, configured));
}

static void
drop_name(struct engine *e, uint32_t name)
{
	if (name != NAMES_NONE)
		names_drop(&e->names, name);
}

static void
leave_siblings(struct engine_detector *d, const struct series *s)
{
	if (d->kind != ANALYSIS_INDIVIDUAL)
		return;
	for (uint32_t i = 0; i < s->nmodels; i++)
		siblings_leave(&d->siblings[i], &s->model[i]);
}

static void
give_up(struct engine *e, uint32_t number)
{
	struct series_table *t = &e->table;
	uint32_t partition = t->series[number]->partition;
	struct partition *p = t->partition[partition];

	leave_siblings(&e->detector[p->detector], t->series[number]);
	rare_forget(e, t->series[number]);
	/* a member has the by value of its attribute */
	drop_name(e,
	    t->series[number]->role == SERIES_MEMBER ? t->series[number]->over
						     : t->series[number]->by);
	pairs_forget(&e->pairs, number);
	series_remove(t, number);
	if (p->nseries > 0)
		return;
	drop_name(e, p->name);
	partition_remove(t, partition);
}

bool
prune_series(struct engine *e, uint32_t number)
{
	const struct series *s = e->table.series[number];
	const struct partition *p = e->table.partition[s->partition];
	double silent_s = (double)(e->judge.bucket->start_s - s->data_s);

	if (silent_s < LEAST_SPANS * (double)e->span_s ||
	    silent_s < window(e) || s->nmembers > 0 ||
	    (s->role != SERIES_MEMBER && s->by == NAMES_NONE &&
		p->name == NAMES_NONE))
		return false;
	give_up(e, number);
	return true;
}

static int64_t
hour_of(int64_t time_s)
{
	return time_s / HOUR_S - (time_s % HOUR_S < 0);
}

void
prune_pass_time(struct engine *e, int64_t from_s, int64_t to_s)
{
	double hours = (double)(hour_of(to_s) - hour_of(from_s));

	if (hours == 0 || (e->prune_share >= 1 && memory_is_ample(e)))
		return;
	if (memory_is_ample(e))
		hours = -hours;
	e->prune_share =
	    fmin(fmax(e->prune_share * pow(HOUR_KEEP, hours), 1e-3), 1);
}
