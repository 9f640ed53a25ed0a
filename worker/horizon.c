/* Owns the errors of forecasts at several horizons. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>

#include "worker/horizon.h"
#include "worker/model_int.h"
#include "worker/narrow.h"

/* Errors at a horizon are remembered for so many of them. */
#define SIZE_MOST 24.0
/* One counts no further than this, in the size of those before. */
#define SIZE_CLIP 6.0
/* The horizon before, a bit widened, stands for so many errors. */
#define PRIOR_N 3.0
#define PRIOR_GROWTH 1.1
#define PRIOR_GROWTH_MOST 2.0 /* of a walk */
/* So many errors are left when another base has won. */
#define N_OF_OTHER 1
/* sqrt(pi / 2): from the mean size of normal errors to their deviation. */
#define SIZE_TO_SCALE 1.2533141373155003

/* Steps of what holds 95 %: Robbins and Monro, Ann. Math. Stat. 22, 1951. */
#define WIDTH_STEP 0.05
#define WIDTH_LEAST 1.0
#define WIDTH_MOST 6.0
#define OUTSIDE 0.05
/*
 * Student's 97.5 % of k >= 2 degrees is about 1.96 (1 + 1.6 / k + 1.3 / k^2),
 * within a twentieth. What the horizon before lets expect counts as one.
 */
#define DOUBT 1.6
#define DOUBT_OF_FEW 1.3
#define DOUBT_PRIOR 1.0

/* A slope is believed for as long as half of what was seen. */
#define SLOPE_BELIEVED 0.5

struct horizons *
horizons_new(void)
{
	struct horizons *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->width = narrow(HORIZON_NORMAL);
	horizons_drop(h);
	return h;
}

void
horizons_drop(struct horizons *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < HORIZONS; i++)
		h->of[i].base = BASES;
}

/* The way of a fading slope over so many buckets. */
static double
slope_way(const struct level *l, double ahead)
{
	double fade = fmax(SLOPE_BELIEVED * l->n, 1);

	return l->slope * fade * -expm1(-ahead / fade);
}

static void
learn_size(struct horizon *h, enum horizon_from from, double z)
{
	double size = fmin(fabs(z), 1e6);

	if (h->n >= 4)
		size = fmin(size, SIZE_CLIP * (double)h->size[from]);
	h->size[from] =
	    narrow(model_toward((double)h->size[from], size, h->n, SIZE_MOST));
}

/*
 * The mean size at a horizon. Where little was seen it is what the horizons
 * before let expect, which have grown as they did.
 */
static double
size_of(const struct horizons *h, size_t i, enum horizon_from from)
{
	double prior = 1 / SIZE_TO_SCALE, size = prior, growth = PRIOR_GROWTH;

	for (size_t k = 0; k <= i; k++) {
		double n = fmin(h->of[k].n, SIZE_MOST), before = size;

		prior = size * growth;
		size = (PRIOR_N * prior + n * (double)h->of[k].size[from]) /
		    (PRIOR_N + n);
		growth =
		    fmin(fmax(size / before, PRIOR_GROWTH), PRIOR_GROWTH_MOST);
	}
	return size;
}

/*
 * The fewer errors were seen the wider, about as quantiles of Student's
 * distribution are over those of a normal one.
 */
static double
doubt_of(const struct horizons *h, size_t i)
{
	double k = DOUBT_PRIOR + fmin(h->of[i].n, SIZE_MOST);

	return 1 + DOUBT / k + DOUBT_OF_FEW / (k * k);
}

/* The width is that of the nearest errors, of which there are most. */
static void
learn_width(struct horizons *h, double z, double size)
{
	double width = (double)h->width;
	bool out = fabs(z) > width * size * SIZE_TO_SCALE;

	width *= exp(WIDTH_STEP * ((out ? 1 : 0) - OUTSIDE));
	h->width = narrow(fmin(fmax(width, WIDTH_LEAST), WIDTH_MOST));
}

static void
learn(struct horizons *all, size_t i, const struct outlook *o)
{
	struct horizon *h = &all->of[i];
	double y = o->y - o->base[o->best];
	double z[HORIZON_FORECASTS], here, slow;

	if (h->base != o->best && h->base != BASES && h->n > N_OF_OTHER)
		h->n = N_OF_OTHER;
	if (h->base != o->best || !(o->even_scale > 0))
		return;
	for (int k = 0; k < HORIZON_FORECASTS; k++)
		z[k] = (y - (double)h->ahead[k]) / o->even_scale;
	here = size_of(all, i, FROM_HERE);
	slow = size_of(all, i, FROM_SLOW);
	learn_width(
	    all, here < slow ? z[FROM_HERE] : z[FROM_SLOW], fmin(here, slow));
	for (int k = 0; k < HORIZON_FORECASTS; k++)
		learn_size(h, (enum horizon_from)k, z[k]);
	if (h->n < UINT16_MAX)
		h->n++;
}

static void
set_down(struct horizon *h, const struct model *m, uint32_t base, double ahead)
{
	const struct level *l = &m->level[base];
	double way = slope_way(l, ahead) - l->slope; /* one step is in it */

	h->base = (uint8_t)base;
	h->ahead[FROM_HERE] = narrow(level_expect(l) + way);
	h->ahead[FROM_SLOW] = narrow(level_slow(l) + way);
}

void
horizons_learn(struct model *m, const struct outlook *o)
{
	struct horizons *h = m->horizons;
	uint32_t length = HORIZON_LEAST;

	if (h == NULL || !o->known)
		return;
	for (size_t i = 0; i < HORIZONS && h->at % length == 0; i++) {
		learn(h, i, o);
		set_down(&h->of[i], m, o->best, length);
		length *= HORIZON_TIMES;
	}
	h->at = (h->at + 1) % HORIZON_LONGEST;
}

/* Where a number of buckets is between two horizons: as logarithms are. */
struct place {
	size_t i;
	double part;   /* of the way to the next one */
	double beyond; /* the last one, in powers of HORIZON_TIMES */
};

static struct place
place_of(double ahead)
{
	double at = log(ahead / HORIZON_LEAST) / log(HORIZON_TIMES);
	struct place p = { 0, 0, 0 };

	if (at <= 0)
		return p;
	p.i = (size_t)fmin(floor(at), HORIZONS - 1);
	if (p.i == HORIZONS - 1)
		p.beyond = at - (HORIZONS - 1);
	else
		p.part = at - (double)p.i;
	return p;
}

static double
between(double a, double b, double part)
{
	return (1 - part) * a + part * b;
}

static double
size_at(const struct horizons *h, enum horizon_from from, double ahead)
{
	struct place p = place_of(ahead);
	double size = size_of(h, p.i, from), first = 1 / SIZE_TO_SCALE;

	if (ahead < HORIZON_LEAST)
		return between(
		    fmin(first, size), size, (ahead - 1) / (HORIZON_LEAST - 1));
	if (p.part > 0)
		size = between(size, size_of(h, p.i + 1, from), p.part);
	return size * pow(2, p.beyond); /* like a walk */
}

static double
doubt_at(const struct horizons *h, double ahead)
{
	struct place p = place_of(ahead);
	double doubt = doubt_of(h, p.i);

	if (ahead < HORIZON_LEAST)
		return between(1, doubt, (ahead - 1) / (HORIZON_LEAST - 1));
	if (p.part > 0)
		doubt = between(doubt, doubt_of(h, p.i + 1), p.part);
	return doubt;
}

/* Nothing was measured: as the weights of levels let expect. */
static void
look_without(const struct level *l, double ahead, struct horizon_view *v)
{
	double walk = fmin(l->n, ahead - 1) / fmax(l->n, 1);

	v->shift = slope_way(l, ahead) - l->slope;
	v->drift = HORIZON_NORMAL * sqrt(walk);
	v->width = HORIZON_NORMAL * sqrt(1 + walk);
}

void
horizon_look(
    const struct model *m, uint32_t base, double ahead, struct horizon_view *v)
{
	const struct horizons *h = m->horizons;
	const struct level *l = &m->level[base];
	double here, slow, part, size;

	if (h == NULL) {
		look_without(l, ahead, v);
		return;
	}
	here = size_at(h, FROM_HERE, ahead);
	slow = size_at(h, FROM_SLOW, ahead);
	part = here * here / (here * here + slow * slow);
	if (ahead < HORIZON_LEAST)
		part *= (ahead - 1) / (HORIZON_LEAST - 1);
	v->shift = part * (level_slow(l) - level_expect(l)) +
	    slope_way(l, ahead) - l->slope;
	size = SIZE_TO_SCALE * fmin(here, slow) * doubt_at(h, ahead);
	v->width = (double)h->width * size;
	v->drift = (double)h->width * sqrt(fmax(0, size * size - 1));
}
