/*
 * From a raw score to 0..100 against what a scope has seen so far
 * (results-and-models 4.6): a scope is the bucket as a whole, an influencer
 * field, or a partition of a detector.
 *
 * The history is a histogram of raw scores on a logarithmic scale: constant
 * size, no order of arrival in it, forgets by scaling. The largest raw score
 * is not in it: the caller keeps one where it wants one (a series, a bucket).
 */
#ifndef WORKER_NORMALISE_H
#define WORKER_NORMALISE_H

#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "worker/snapshot.h"

/* Bin 0: below 0.001, which is no score. The rest: 0.001 to 100. */
#define NORMALISE_BINS 32

struct normaliser {
	float bin[NORMALISE_BINS]; /* decayed numbers of samples */
	double held;		   /* greatest raw score not yet a sample */
	uint32_t nheld;		   /* buckets it stands for */
};

/* The same for all normalisers of a job. */
struct normalise_params {
	uint32_t buckets_per_sample; /* >= 1 */
	double keep;		     /* share of the history kept a sample */
};

/* Forget over about memory_buckets, the time constant. */
void normalise_params_init(
    struct normalise_params *, int64_t bucket_span_s, double memory_buckets);

/*
 * One bucket's greatest raw score of the scope, 0 when nothing was unusual.
 * For spans below an hour only the greatest of several buckets is a sample:
 * neighbours are not independent.
 */
void normalise_add(
    struct normaliser *, const struct normalise_params *, double raw);

/*
 * The score, 0..100, before this bucket was added.
 *
 * raw   raw score
 */
double normalise_score(const struct normaliser *, double raw);

/*
 * The ceilings, of which the score is the least, and that of the largest raw
 * score of the scope, which is for scores that are made afterwards.
 */
double normalise_evidence(double ln_p);
double normalise_noise(const struct normaliser *, double raw);
double normalise_percentile(const struct normaliser *, double raw);
double normalise_maximum(double ratio);
double normalise_absolute(double ln_p);
/* The curve under normalise_percentile: a percentile 0..100 to a score. */
double normalise_knots(double percentile);

/* Samples in it. */
double normalise_samples(const struct normaliser *);
/* Move a mean of histories towards one of them by a share, 0..1. */
void normalise_fade(
    struct normaliser *mean, const struct normaliser *, double share);
/* Begin with so many samples, at most, of those in a mean. */
void normalise_borrow(
    struct normaliser *, const struct normaliser *mean, double most);

int normalise_save(
    const struct normaliser *, struct snapshot_writer *) MUST_CHECK;
int normalise_load(struct normaliser *, struct snapshot_reader *) MUST_CHECK;

#endif
