/*
 * Owns the period that takes the place of the day: a series to which the time
 * of day has meant nothing for days is searched for any other one.
 */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "worker/model_int.h"

/* The day has its chance first, where a thousand buckets are not enough. */
#define PATIENCE_S (3 * 86400)
#define PATIENCE_LEAST 32.0
#define PATIENCE_MOST 1000.0
/* What is found still has to prove itself: 1 in 20 to begin with. */
#define LN_PRIOR (-3.0)

/* Buckets of a step: periods of up to 170, 1,000 and 6,000 buckets. */
static const int64_t steps[] = { 1, 6, 36 };

static bool
wants_probe(const struct model *m, const struct outlook *o)
{
	return m->probe == NULL && m->probes < NELEM(steps) &&
	    m->best == BASE_NONE && m->n >= PATIENCE_LEAST &&
	    (m->n >= PATIENCE_MOST || o->time_s - m->first_s >= PATIENCE_S);
}

/* The stretch that was searched is the first that is learnt. */
static void
begin_with(struct model *m, struct season *s)
{
	const struct period_probe *p = m->probe;

	for (size_t i = 0; i < PERIOD_STEPS; i++) {
		int64_t at = p->start_s + (int64_t)i * p->step_s;

		for (int64_t t = at; t < at + p->step_s && p->n[i] > 0;
		     t += s->span_s)
			season_learn(s, t, (double)p->mean[i], 0);
	}
}

static int
take_period(struct model *m, const struct model_params *p, int64_t period_s)
{
	struct season *s = model_new_season(BASE_DAY, p, period_s);

	if (s == NULL)
		return -1;
	begin_with(m, s);
	free(m->season[BASE_DAY]);
	m->season[BASE_DAY] = s;
	memset(&m->level[BASE_DAY], 0, sizeof(m->level[BASE_DAY]));
	m->scale[BASE_DAY] = m->scale[BASE_NONE];
	m->ln_base[BASE_DAY] = m->ln_base[BASE_NONE] + LN_PRIOR;
	return 0;
}

int
model_seek_period(
    struct model *m, const struct model_params *p, const struct outlook *o)
{
	int64_t period_s;

	if (wants_probe(m, o)) {
		m->probe = malloc(sizeof(*m->probe));
		if (m->probe == NULL)
			return -1;
		period_begin(m->probe, o->time_s, steps[m->probes] * p->span_s);
	}
	if (m->probe == NULL || !period_is_due(m->probe, o->time_s))
		return 0;
	period_s = m->best == BASE_NONE ? period_find(m->probe) : 0;
	if (period_s >= p->span_s && take_period(m, p, period_s) == -1)
		return -1;
	if (period_s == 0 && period_go_on(m->probe))
		return 0;
	m->probes = period_s > 0 ? NELEM(steps) : m->probes + 1;
	model_drop_probe(m);
	return 0;
}

uint32_t
model_searches(const struct model *m)
{
	return 2 * m->probes +
	    (m->probe != NULL && m->probe->nsteps == PERIOD_STEPS);
}

void
model_drop_probe(struct model *m)
{
	free(m->probe);
	m->probe = NULL;
}
