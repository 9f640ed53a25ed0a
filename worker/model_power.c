/* Owns the choice of the scale on which a series is modelled. */
#include "common/compat.h"

#include <float.h>
#include <math.h>

#include "worker/model_int.h"

/* The past counts for about a thousand values. */
#define KEEP_WORTH 0.999
/*
 * A lead that is no chance, and values without which there is none. What has
 * held for long takes more to be given up: with each change tails are those of
 * another scale, and have to be learnt anew.
 */
#define LN_LEAD 12.0
#define LN_LEAD_MORE 0.05 /* for each value */
#define LN_LEAD_MOST 100.0
#define LEAST 32.0

struct conversion {
	const struct model *m;
	enum model_kind kind;
	enum power to;
	double shift; /* what is to be added to a value first */
};

static double
convert(double y, const void *arg)
{
	const struct conversion *c = arg;

	return model_y(c->m, c->kind, c->to,
	    model_x(c->m, c->kind, c->m->power, y + c->shift));
}

/* Level and table of a base; together they are what they were before. */
static void
convert_base(
    struct model *m, const struct outlook *o, struct conversion *c, int b)
{
	struct level *l = &m->level[b];
	double slow = l->n > 0 ? level_slow(l) : 0, middle;

	c->shift = 0;
	if (b != BASE_NONE) {
		c->shift = slow;
		if (m->season[b] != NULL)
			season_map(m->season[b], convert, c);
		c->shift = o->base[b];
	}
	middle = b == BASE_NONE ? 0 : convert(slow, c);
	l->slope = convert(slow + l->slope, c) - convert(slow, c);
	for (int k = 0; k < LEVEL_SPEEDS && l->n > 0; k++)
		l->at[k] = convert(l->at[k], c) - middle;
	m->scale[b] = m->error[c->to];
}

/* Of what comes on top of a value. */
static double
convert_rise(double rise, const void *arg)
{
	return convert(rise, arg) - convert(0, arg);
}

static void
convert_calendar(struct model *m, const struct outlook *o, struct conversion *c)
{
	if (m->calendar == NULL)
		return;
	c->shift =
	    o->base[o->best] - o->on_top + level_slow(&m->level[o->best]);
	calendar_map(m->calendar, convert_rise, c);
	calendar_void(m->calendar);
}

void
model_change_power(struct model *m, const struct outlook *o, enum power to)
{
	double ratio = m->error[to] / fmax(m->error[m->power], DBL_MIN);
	struct conversion c = { m, o->kind, to, 0 };

	model_drop_probe(m);
	horizons_drop(m->horizons);
	support_map(&m->support, convert, &c);
	m->gap_scale *= ratio;
	if (isfinite(m->reach * ratio))
		m->reach *= ratio;
	convert_calendar(m, o, &c);
	for (int b = 0; b < BASES; b++)
		convert_base(m, o, &c, b);
	m->power = (uint8_t)to;
}

static void
weigh(struct model *m, const struct outlook *o, enum power p)
{
	double offset = o->kind == MODEL_COUNT ? MODEL_COUNT_OFFSET : 0;
	double x = o->x, error;

	if (p == POWER_LOG && o->kind == MODEL_REAL)
		x = fmax(x, model_zero(m));
	error = model_y(m, o->kind, p, x) - model_y(m, o->kind, p, o->expected);
	if (m->n > LEAST && x > 0)
		m->worth[p] = KEEP_WORTH * m->worth[p] +
		    level_ln_density(error, fmax(m->error[p], DBL_MIN)) +
		    power_ln_slope(p, offset, x);
	m->error[p] = model_scale(m->error[p], error, m->n - 1);
}

/* The expected value is the same for all: only the sizes of errors differ. */
void
model_weigh_powers(struct model *m, const struct outlook *o)
{
	double lead = fmin(LN_LEAD + LN_LEAD_MORE * m->n, LN_LEAD_MOST);
	enum power best = m->power;

	if (!o->known)
		return;
	if (m->negative) {
		if (m->power != POWER_LINEAR)
			model_change_power(m, o, POWER_LINEAR);
		return;
	}
	for (enum power p = POWER_LINEAR; p < POWERS; p++) {
		weigh(m, o, p);
		if (m->worth[p] > m->worth[best])
			best = p;
	}
	if (m->n < LEAST || (o->kind == MODEL_COUNT && m->mean < MODEL_SPARSE))
		return;
	if (m->worth[best] > m->worth[m->power] + lead)
		model_change_power(m, o, best);
}
