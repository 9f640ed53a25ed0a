/* Owns the times at which a series has its events. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/dial.h"

#define DAY_S 86400

/*
 * Slots are as fine as people and timers are punctual, and as the size of the
 * ring allows: 600 bytes for a day, 1.3 KB for a week.
 */
#define SLOTS_MOST 336

/* A slot is usual if it has this share of what the fullest has. */
#define USUAL 0.25
/* The middle of usual times is looked for within this time. */
#define MIDDLE_S 3600

/*
 * A part of the week in which nothing happens is known by the weeks that have
 * passed, each of which is worth as many days; but who comes on one day of the
 * week tells no more than twice that.
 */
#define DAYS_PER_WEEK 4.0
#define DAYS_PER_DAY 2.0

/*
 * A kernel is as wide as the root of the breadth of what was seen, by this: a
 * timer is known to a slot, office hours to half an hour.
 */
#define NARROWER 2.0

static const struct dial_shape {
	int64_t period_s;
	uint32_t nslots;
	double memory; /* time constant, in days */
} shapes[] = {
	[DIAL_DAY] = { DAY_S, 144, 28 },
	[DIAL_WEEK] = { 7 * DAY_S, 336, 84 },
};

struct dial {
	const struct dial_shape *shape;
	double days;	   /* with events, fading */
	int64_t first_day; /* of the job's clocks */
	int64_t last_day;  /* with events */
	float mass[];	   /* [nslots] */
};

/* When less is left of what was known, all of it is forgotten. */
#define DAYS_LEAST 1e-3

#define DIAL_FIELDS(F, S)                                                      \
	F(S, U32, nslots, 1, SLOTS_MOST)                                       \
	F(S, F64, days, 0, 1e6)                                                \
	F(S, I64, first_day, -1e15, 1e15)                                      \
	F(S, I64, last_day, -1e15, 1e15)                                       \
	F(S, BYTES, mass, 0, SLOTS_MOST * sizeof(uint32_t))
SCHEMA_STRUCT(dial_state, DIAL_FIELDS);
SCHEMA_DEFINE(dial_state, DIAL_FIELDS);

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t
slot_s(const struct dial_shape *s)
{
	return s->period_s / s->nslots;
}

void
dial_position(enum dial_kind kind, int64_t local_s, struct position *p)
{
	const struct dial_shape *s = &shapes[kind];
	int64_t at = local_s - floor_div(local_s, s->period_s) * s->period_s;

	memset(p, 0, sizeof(*p));
	p->cell = (uint32_t)(at / slot_s(s));
	p->at[0] = (double)at;
}

struct dial *
dial_new(enum dial_kind kind)
{
	struct dial *d = calloc(1, dial_bytes(kind));

	if (d != NULL)
		d->shape = &shapes[kind];
	return d;
}

size_t
dial_bytes(enum dial_kind kind)
{
	return sizeof(struct dial) + shapes[kind].nslots * sizeof(float);
}

uint32_t
dial_slots(enum dial_kind kind)
{
	return shapes[kind].nslots;
}

static uint32_t
distance(const struct dial_shape *s, uint32_t a, uint32_t b)
{
	uint32_t d = a > b ? a - b : b - a;

	return d < s->nslots - d ? d : s->nslots - d;
}

/* The slot with the most within so many of it, which may be itself. */
static uint32_t
fullest_near(const struct dial *d, uint32_t slot, uint32_t reach)
{
	uint32_t n = d->shape->nslots, best = slot;

	for (uint32_t i = 1; i <= reach; i++) {
		uint32_t up = (slot + i) % n, down = (slot + n - i) % n;

		if (d->mass[down] > d->mass[best])
			best = down;
		if (d->mass[up] > d->mass[best])
			best = up;
	}
	return best;
}

/* The middle of the usual times that are nearest. */
static double
usual_time(const struct dial *d, uint32_t slot)
{
	const struct dial_shape *s = d->shape;
	uint32_t reach = (uint32_t)(MIDDLE_S / slot_s(s)), best = slot, next;
	float most = 0;

	for (uint32_t i = 0; i < s->nslots; i++)
		most = fmaxf(most, d->mass[i]);
	for (uint32_t away = 0; away <= s->nslots / 2; away++) {
		best = fullest_near(d, slot, away);
		if (d->mass[best] >= USUAL * most)
			break;
	}
	while ((next = fullest_near(d, best, reach)) != best)
		best = next;
	return ((double)best + 0.5) * (double)slot_s(s);
}

/* The share of all that was seen at times that are no more usual. */
static double
share_below(const struct dial *d, float mass)
{
	double below = 0, all = 0;

	for (uint32_t i = 0; i < d->shape->nslots; i++) {
		all += d->mass[i];
		if (d->mass[i] <= mass)
			below += d->mass[i];
	}
	return below / all;
}

static double
days_known(const struct dial *d, int64_t today)
{
	double since = (double)(today - d->first_day);
	/* clocks that are put back may have come to the day before */
	double weeks = floor(fmax(since, 0) / 7);

	if (d->shape->period_s == DAY_S)
		return d->days;
	return fmin(DAYS_PER_DAY * d->days, DAYS_PER_WEEK * weeks);
}

void
dial_look(const struct dial *d, const struct groups *g, int64_t local_s,
    struct dial_look *o)
{
	const struct group *odd = &g->group[0];

	for (uint32_t i = 1; i < g->ngroups; i++) {
		if (d->mass[g->group[i].cell] < d->mass[odd->cell])
			odd = &g->group[i];
	}
	memset(o, 0, sizeof(*o));
	o->cell = odd->cell;
	o->actual = odd->sum[0] / odd->n;
	if (d->days == 0) {
		o->typical = o->actual;
		return;
	}
	o->n = days_known(d, floor_div(local_s, DAY_S));
	/* the oddest of several */
	o->ln_p =
	    fmin(0, log(share_below(d, d->mass[odd->cell])) + log(g->ngroups));
	o->typical = usual_time(d, odd->cell);
}

/* The number of slots that would be in use if all were to the same degree. */
static double
breadth(const struct dial *d)
{
	double sum = 0, squares = 0;

	for (uint32_t i = 0; i < d->shape->nslots; i++) {
		double m = (double)d->mass[i];

		sum += m;
		squares += m * m;
	}
	return squares == 0 ? 1 : sum * sum / squares;
}

static void
learn_slot(struct dial *d, uint32_t slot, float width, float times)
{
	for (uint32_t i = 0; i < d->shape->nslots; i++) {
		float far = (float)distance(d->shape, i, slot) / width;
		float k = 1 / (1 + far * far);

		d->mass[i] += times * (k * k * k * k);
	}
}

static void
pass_days(struct dial *d, int64_t today)
{
	double keep = 0;

	if (d->days > 0 && today <= d->last_day)
		return;
	if (d->days > 0)
		keep = exp(-(double)(today - d->last_day) / d->shape->memory);
	d->days *= keep;
	if (d->days < DAYS_LEAST) {
		keep = d->days = 0;
		d->first_day = today;
	}
	for (uint32_t i = 0; i < d->shape->nslots; i++)
		d->mass[i] *= (float)keep;
	d->days++;
	d->last_day = today;
}

static float
kernel_width(const struct dial *d)
{
	return (float)fmax(sqrt(breadth(d)) / NARROWER, 1);
}

void
dial_learn(struct dial *d, const struct groups *g, int64_t local_s)
{
	float width;

	pass_days(d, floor_div(local_s, DAY_S));
	width = kernel_width(d);
	for (uint32_t i = 0; i < g->ngroups; i++)
		learn_slot(d, g->group[i].cell, width, 1);
}

double
dial_days(const struct dial *d, int64_t local_s)
{
	return d->days == 0 ? 0 : days_known(d, floor_div(local_s, DAY_S));
}

double
dial_ln_share(const struct dial *d, uint32_t slot)
{
	return fmin(0, log(share_below(d, d->mass[slot])));
}

double
dial_usual(const struct dial *d, uint32_t slot)
{
	return usual_time(d, slot);
}

void
dial_learn_people(struct dial *d, const float *people, int64_t local_s)
{
	float width;

	pass_days(d, floor_div(local_s, DAY_S));
	width = kernel_width(d);
	for (uint32_t i = 0; i < d->shape->nslots; i++) {
		if (people[i] > 0)
			learn_slot(d, i, width, people[i]);
	}
}

void
dial_set_clock(struct dial *d, int64_t forward_s)
{
	uint32_t n = d->shape->nslots;
	int64_t by =
	    floor_div(forward_s + slot_s(d->shape) / 2, slot_s(d->shape));
	float turned[SLOTS_MOST];

	by -= floor_div(by, n) * n;
	for (uint32_t i = 0; i < n; i++)
		turned[(i + (uint32_t)by) % n] = d->mass[i];
	memcpy(d->mass, turned, n * sizeof(turned[0]));
}

int
dial_save(const struct dial *d, struct snapshot_writer *w)
{
	struct dial_state s = { d->shape->nslots, d->days, d->first_day,
		d->last_day, { NULL, 0 } };
	struct wbuf wb;
	int ret = -1;

	wbuf_init(&wb, SLOTS_MOST * sizeof(uint32_t));
	for (uint32_t i = 0; i < d->shape->nslots; i++) {
		uint32_t bits;

		memcpy(&bits, &d->mass[i], sizeof(bits));
		if (wire_put_u32(&wb, bits) == -1)
			goto out;
	}
	s.mass = (struct span){ (const char *)wb.data, wb.len };
	ret = snapshot_put(w, &dial_state_schema, &s);
out:
	wbuf_clear(&wb);
	return ret;
}

int
dial_load(struct dial *d, struct snapshot_reader *r)
{
	uint32_t n = d->shape->nslots, bits;
	struct dial_state s;
	struct rbuf rb;

	if (snapshot_get(r, &dial_state_schema, &s) == -1)
		return -1;
	d->days = s.days;
	d->first_day = s.first_day;
	d->last_day = s.last_day;
	rbuf_init(&rb, s.mass.p, s.mass.len);
	if (s.nslots != n || rb.left != n * sizeof(bits))
		goto bad;
	for (uint32_t i = 0; i < n; i++) {
		if (wire_get_u32(&rb, &bits) == -1)
			goto bad;
		memcpy(&d->mass[i], &bits, sizeof(bits));
		/* each event adds to all slots */
		if (!isfinite(d->mass[i]) || d->mass[i] < 0 ||
		    (d->days > 0 && d->mass[i] == 0))
			goto bad;
	}
	return 0;
bad:
	errno = EBADMSG;
	return -1;
}
