/*
 * Where the events of a series come from: a few places on the globe, each with
 * its share of the buckets and its spread.
 *
 * A place is a bivariate Student distribution with 4 degrees of freedom about
 * its centre, so distances count in units of its spread, and the tail is
 * heavy. With f the density of all places, weighed by their shares, at the
 * point in question, of a place with peak density g the mass of what is less
 * dense than f is (f / g)^(2/3); the sum of these over all places is how
 * unlikely the point is. So a place that is rarely seen is less usual than one
 * that mostly is, and what lies between two places is unusual.
 *
 * A new point beyond the reach of all places becomes a place. There are at
 * most PLACES_MOST: then the lightest makes room.
 */
#ifndef WORKER_PLACES_H
#define WORKER_PLACES_H

#include <stdint.h>

#include "common/compat.h"
#include "worker/groups.h"
#include "worker/snapshot.h"

#define PLACES_MOST 16

struct place {
	double at[3];	/* mean of unit vectors, weighed */
	double weight;	/* buckets, fading */
	double squares; /* of distances, km^2, weighed */
};

/* Zeroed, it knows nothing. */
struct places {
	double n; /* buckets learnt, fading */
	uint32_t nplaces;
	struct place place[PLACES_MOST];
};

/* What is made of the places of one bucket. */
struct places_look {
	double ln_p; /* nominal, of the oddest of them; 0: nothing is known */
	double actual[2];  /* the odd place: latitude, longitude */
	double typical[2]; /* the nearest that is known */
	uint32_t cell;	   /* of the odd place */
};

void places_look(
    const struct places *, const struct groups *, struct places_look *);
void places_learn(struct places *, const struct groups *);

/*
 * The same for many people, who are asked about one by one. Their places are
 * many: beyond PLACES_MOST the two that are nearest to each other become one.
 *
 * ln_share  ln of the mass of all that is no more usual than a direction;
 *	     nplaces > 0
 * nearest   the known place that is nearest: latitude, longitude
 *
 * Each person of a bucket is learnt, and then the bucket.
 */
double places_ln_share(const struct places *, const double at[3]);
void places_nearest(const struct places *, const double at[3], double out[2]);
void places_learn_person(struct places *, const struct groups *);
void places_learn_bucket(struct places *);

/* Keep this share of what is known: time has passed. */
void places_forget(struct places *, double keep);

/* 0, or -1 with errno. load wants one that is new. */
int places_save(const struct places *, struct snapshot_writer *) MUST_CHECK;
int places_load(struct places *, struct snapshot_reader *) MUST_CHECK;

#endif
