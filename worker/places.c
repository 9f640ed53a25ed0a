/* Owns the places that the events of a series come from. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "worker/globe.h"
#include "worker/places.h"
#include "worker/probability.h"

/*
 * What is believed of a place's spread before it is known, in km, and for how
 * many buckets: positions that are made of network addresses are of a town.
 */
#define SPREAD_KM 10.0
#define SPREAD_WEIGHT 2.0
/* Nothing is surer than this: the last digit of most positions. */
#define SPREAD_LEAST_KM 0.1

/* A point that is so many spreads away belongs to no place that is known. */
#define REACH 5.0

/* Degrees of freedom, and the power of f / g that follows from them. */
#define FREEDOM 4.0
#define TAIL_POWER (FREEDOM / (FREEDOM + 2))

/* What weighs less is forgotten. */
#define WEIGHT_LEAST 1e-3

#define PLACES_FIELDS(F, S)                                                    \
	F(S, F64, n, 0, 1e15)                                                  \
	F(S, U32, nplaces, 0, PLACES_MOST)
SCHEMA_STRUCT(places_state, PLACES_FIELDS);
SCHEMA_DEFINE(places_state, PLACES_FIELDS);

#define PLACE_FIELDS(F, S)                                                     \
	F(S, F64, x, -2, 2)                                                    \
	F(S, F64, y, -2, 2)                                                    \
	F(S, F64, z, -2, 2)                                                    \
	F(S, F64, weight, 0, 1e15)                                             \
	F(S, F64, squares, 0, 1e24)
SCHEMA_STRUCT(place_state, PLACE_FIELDS);
SCHEMA_DEFINE(place_state, PLACE_FIELDS);

static double
spread_km(const struct place *p)
{
	double prior = SPREAD_KM * SPREAD_KM * SPREAD_WEIGHT;
	/* half of the squares goes in each direction */
	double v = (p->squares / 2 + prior) / (p->weight + SPREAD_WEIGHT);

	return fmax(sqrt(v), SPREAD_LEAST_KM);
}

static double
all_weight(const struct places *p)
{
	double all = 0;

	for (uint32_t i = 0; i < p->nplaces; i++)
		all += p->place[i].weight;
	return all;
}

/* ln of the density at the centre, less what is the same for all places. */
static double
ln_peak(const struct place *x)
{
	return log(x->weight) - 2 * log(spread_km(x));
}

static double
ln_density(const struct places *p, const double at[3])
{
	double ln = -INFINITY;

	for (uint32_t i = 0; i < p->nplaces; i++) {
		const struct place *x = &p->place[i];
		double z = globe_distance_km(x->at, at) / spread_km(x);
		double fall = log1p(z * z / FREEDOM) * (FREEDOM / 2 + 1);

		ln = probability_ln_add(ln, ln_peak(x) - fall);
	}
	return ln;
}

/* ln of the mass of all that is no denser than this point. */
static double
ln_rarer(const struct places *p, const double at[3])
{
	double ln_f = ln_density(p, at), ln = -INFINITY;

	for (uint32_t i = 0; i < p->nplaces; i++) {
		const struct place *x = &p->place[i];
		double part = fmin(0, TAIL_POWER * (ln_f - ln_peak(x)));

		ln = probability_ln_add(ln, log(x->weight) + part);
	}
	return fmin(0, ln - log(all_weight(p)));
}

/* The nearest place and its distance; NULL: none is known. */
static struct place *
nearest(struct places *p, const double at[3], double *km)
{
	struct place *best = NULL;

	for (uint32_t i = 0; i < p->nplaces; i++) {
		double d = globe_distance_km(p->place[i].at, at);

		if (best == NULL || d < *km) {
			best = &p->place[i];
			*km = d;
		}
	}
	return best;
}

void
places_look(
    const struct places *p, const struct groups *g, struct places_look *o)
{
	const struct group *odd = &g->group[0];
	struct places known = *p;
	const struct place *x;
	double ln = 0, km;

	memset(o, 0, sizeof(*o));
	for (uint32_t i = 0; p->nplaces > 0 && i < g->ngroups; i++) {
		double part = ln_rarer(p, g->group[i].sum);

		if (part < ln) {
			ln = part;
			odd = &g->group[i];
		}
	}
	/* the oddest of several */
	o->ln_p = fmin(0, ln + log(g->ngroups));
	o->cell = odd->cell;
	globe_degrees(odd->sum, &o->actual[0], &o->actual[1]);
	x = nearest(&known, odd->sum, &km);
	globe_degrees(
	    x == NULL ? odd->sum : x->at, &o->typical[0], &o->typical[1]);
}

/* A place of no weight, in place of the lightest if need be. */
static struct place *
new_place(struct places *p)
{
	struct place *x = &p->place[0];

	if (p->nplaces < PLACES_MOST)
		x = &p->place[p->nplaces++];
	for (uint32_t i = 0; i < p->nplaces && p->nplaces == PLACES_MOST; i++) {
		if (p->place[i].weight < x->weight)
			x = &p->place[i];
	}
	memset(x, 0, sizeof(*x));
	return x;
}

static double
length(const double at[3])
{
	return sqrt(at[0] * at[0] + at[1] * at[1] + at[2] * at[2]);
}

/* Two places as one about their common middle. */
static void
unite(struct place *a, const struct place *b)
{
	double all = a->weight + b->weight;
	double km = globe_distance_km(a->at, b->at);

	a->squares += b->squares + a->weight * b->weight / all * km * km;
	for (size_t k = 0; k < NELEM(a->at); k++)
		a->at[k] += (b->at[k] - a->at[k]) * b->weight / all;
	a->weight = all;
}

/* The two that are nearest to each other become one. */
static void
make_room(struct places *p)
{
	uint32_t a = 0, b = 1;
	double least = INFINITY;

	for (uint32_t i = 0; i < p->nplaces; i++) {
		for (uint32_t k = i + 1; k < p->nplaces; k++) {
			double km =
			    globe_distance_km(p->place[i].at, p->place[k].at);

			if (km < least) {
				least = km;
				a = i;
				b = k;
			}
		}
	}
	unite(&p->place[a], &p->place[b]);
	p->place[b] = p->place[--p->nplaces];
}

/* unites  places, where there are too many; else the lightest is given up */
static void
learn_point(struct places *p, const double sum[3], bool unites)
{
	double km = 0, len = length(sum);
	struct place *x = nearest(p, sum, &km);

	if (len == 0)
		return; /* points on opposite sides have no middle */
	if (x == NULL || km > REACH * spread_km(x)) {
		if (unites && p->nplaces == PLACES_MOST)
			make_room(p);
		x = new_place(p);
		km = 0;
	}
	x->weight++;
	for (size_t k = 0; k < NELEM(x->at); k++)
		x->at[k] += (sum[k] / len - x->at[k]) / x->weight;
	x->squares += km * km;
}

void
places_learn(struct places *p, const struct groups *g)
{
	p->n++;
	for (uint32_t i = 0; i < g->ngroups; i++)
		learn_point(p, g->group[i].sum, false);
}

double
places_ln_share(const struct places *p, const double at[3])
{
	return ln_rarer(p, at);
}

void
places_nearest(const struct places *p, const double at[3], double out[2])
{
	struct places known = *p;
	double km;
	const struct place *x = nearest(&known, at, &km);

	globe_degrees(x == NULL ? at : x->at, &out[0], &out[1]);
}

void
places_learn_person(struct places *p, const struct groups *g)
{
	for (uint32_t i = 0; i < g->ngroups; i++)
		learn_point(p, g->group[i].sum, true);
}

void
places_learn_bucket(struct places *p)
{
	p->n++;
}

void
places_forget(struct places *p, double keep)
{
	uint32_t n = 0;

	p->n *= keep;
	for (uint32_t i = 0; i < p->nplaces; i++) {
		struct place x = p->place[i];

		x.weight *= keep;
		x.squares *= keep;
		if (x.weight >= WEIGHT_LEAST)
			p->place[n++] = x;
	}
	p->nplaces = n;
}

int
places_save(const struct places *p, struct snapshot_writer *w)
{
	struct places_state s = { p->n, p->nplaces };

	if (snapshot_put(w, &places_state_schema, &s) == -1)
		return -1;
	for (uint32_t i = 0; i < p->nplaces; i++) {
		const struct place *x = &p->place[i];
		struct place_state one = { x->at[0], x->at[1], x->at[2],
			x->weight, x->squares };

		if (snapshot_put(w, &place_state_schema, &one) == -1)
			return -1;
	}
	return 0;
}

int
places_load(struct places *p, struct snapshot_reader *r)
{
	struct places_state s;

	if (snapshot_get(r, &places_state_schema, &s) == -1)
		return -1;
	p->n = s.n;
	p->nplaces = s.nplaces;
	for (uint32_t i = 0; i < s.nplaces; i++) {
		struct place *x = &p->place[i];
		struct place_state one;

		if (snapshot_get(r, &place_state_schema, &one) == -1)
			return -1;
		*x = (struct place){ { one.x, one.y, one.z }, one.weight,
			one.squares };
		if (length(x->at) == 0 || x->weight < WEIGHT_LEAST) {
			errno = EBADMSG;
			return -1;
		}
	}
	return 0;
}
