/*
 * How rare the values of a field are among all that were seen, for functions
 * that tell of rare ones (results-and-models 6.3).
 *
 * Each value has a weight: the number of buckets in which it was there, fading,
 * or of people with whom it was ever seen. Of K values with weight N in all the
 * next one is x with the probability of a Dirichlet-multinomial distribution,
 * one cell of which stands for what was never seen:
 *
 *	(n_x + a) / (N + a (K + 1)),  a = 1 / (K + 1)
 *
 * (Perks, Journal of the Institute of Actuaries 73(2), 1947: cells share one
 * observation). p(x) is the sum of this over all cells with no greater weight.
 *
 * Weights are told apart by their logarithms, eight classes an octave. Fading
 * leaves their order alone: a class is that of the weight at time 0, and what a
 * class weighs is worked out when it is asked for. So adding, removing and
 * moving a value is a matter of two counts, exact under any order of changes,
 * and no asking depends on how many values there are.
 *
 * A value that was not there in most buckets is nothing strange by itself: the
 * greatest surprise of each bucket is measured by those of the buckets before
 * (tail.h). Where new values come all the time, they are soon silent.
 */
#ifndef WORKER_RARITY_H
#define WORKER_RARITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/snapshot.h"
#include "worker/tail.h"

#define RARITY_OCTAVE 8
/* 17 octaves below what was there once, just now, and 15 above. */
#define RARITY_CLASSES 256

/* The class of a value that was never seen. */
#define RARITY_NEW INT64_MIN

/* How all that is compared fades. */
struct rarity_clock {
	int64_t span_s;
	double keep;  /* what is kept per bucket */
	double per_s; /* classes that time takes from weights; 0: they stay */
};

/* To be embedded or allocated; zeroed knows nothing. */
struct rarity {
	uint32_t count[RARITY_CLASSES]; /* of values */
	int64_t lowest;			/* class of the first */
	uint32_t n;			/* values */
	double buckets;			/* with any value, fading */
	int64_t last_s;			/* the last of these */
	double missed;			/* see rarity_miss; fading */
	int64_t missed_s;
	struct tail tail; /* of the greatest surprises of buckets */
	/* Of the bucket at hand, from rarity_begin on: */
	double unit;	/* weight of the lowest class */
	double total;	/* weight of all */
	double unknown; /* missed, by now */
	double now;	/* buckets, faded to then */
	double each;	/* values in a bucket, in the mean; >= 1 */
	int64_t start_s;
	double loudest; /* greatest surprise so far; < 0: none */
	double loudest_ln_p;
};

/*
 * memory  time constant of fading, in buckets
 * fades   false: weights do not, only what is known of buckets
 */
void rarity_clock_init(
    struct rarity_clock *, int64_t span_s, double memory, bool fades);

/* The class of a weight > 0 of time last_s. */
int64_t rarity_class(
    const struct rarity_clock *, double weight, int64_t last_s);

/* A value has come to be known, or is no longer; of a class, not NEW. */
void rarity_add(struct rarity *, int64_t class);
void rarity_remove(struct rarity *, int64_t class);

/*
 * A value was there in the bucket of that time and could not be taken in: one
 * for each bucket counts as weight of what is not known.
 */
void rarity_miss(struct rarity *, const struct rarity_clock *, int64_t start_s);
/* So much weight of time last_s was known and is so no more, for want of room.
 */
void rarity_lose(struct rarity *, const struct rarity_clock *, double weight,
    int64_t last_s);

/* Begin to look at the bucket of that time; nothing is learnt meanwhile. */
void rarity_begin(
    struct rarity *, const struct rarity_clock *, int64_t start_s);
/* ln of the total probability of all that is no likelier than this class. */
double rarity_ln_share(const struct rarity *, int64_t class);
/* How much more often than values of this weight the mean one is there. */
double rarity_ratio(const struct rarity *, int64_t class);

/* The share of buckets in which a value of this weight was there, 0..1. */
double rarity_share(const struct rarity *, const struct rarity_clock *,
    double weight, int64_t last_s);

/*
 * How surprising it is that a value of this class is there in a bucket, where
 * it is one of many: -ln of the probability that any of them is no likelier.
 * What was never seen is none of those, and there may be no more of it: were
 * that as likely as not, and new values as likely in each bucket (Jeffreys'
 * prior), n buckets without would leave odds of 1 : sqrt(pi n). Not more than
 * the number of buckets allows.
 */
double rarity_surprise(const struct rarity *, int64_t class);

/*
 * The same of the least of n probabilities, this one, that were made of those
 * of values.
 */
double rarity_surprise_among(const struct rarity *, double n, double ln_p);
/*
 * ln of the odds that what never was happens at all, as above: <= 0. n buckets.
 */
double rarity_ln_step(const struct rarity *);

/*
 * ln of the probability of a bucket with such a surprise, by those before; not
 * less than the number of buckets allows: about 20 are learning time.
 */
double rarity_ln_p(const struct rarity *, double surprise);

/* Note a surprise of the bucket at hand, of which rarity_ln_p said ln_p. */
void rarity_note(struct rarity *, double surprise, double ln_p);
/*
 * The bucket is over: learn its greatest surprise. Values are moved by the
 * caller.
 */
void rarity_learn(
    struct rarity *, const struct rarity_clock *, int64_t start_s);

/*
 * All but the counts, which follow from the values: load, then add each. 0, or
 * -1 with errno.
 */
int rarity_save(const struct rarity *, struct snapshot_writer *) MUST_CHECK;
int rarity_load(struct rarity *, struct snapshot_reader *) MUST_CHECK;

#endif
