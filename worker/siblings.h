/*
 * What the series of a detector have in common, for those that are new among
 * them: a pool for each feature.
 *
 * Series that know themselves tell now and then how far they usually are off,
 * on which scale, and how heavy their tails are. What all of them told fades
 * into means, and into how much they differ. A newcomer whose level is known is
 * lent that, as if it were so many values of its own: as many as it takes to
 * know a scale as well as the siblings agree on theirs (empirical Bayes:
 * Robbins, Third Berkeley Symposium, 1956; Efron and Morris, JASA 68, 1973).
 * It gives back what its own values contradict, and what it no longer needs.
 *
 * Order is that of series in a bucket, so the same records lend the same.
 */
#ifndef WORKER_SIBLINGS_H
#define WORKER_SIBLINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/model.h"
#include "worker/normalise.h"
#include "worker/snapshot.h"

/* Each tells every so many values. */
#define SIBLINGS_TELL_EACH 16

/* Zeroed, it knows of nobody. All but members are means of what was told. */
struct siblings {
	uint32_t members; /* series that know themselves; not in a snapshot */
	uint32_t told;	  /* how often one has told of itself, to a bound */
	double even;	  /* share of those to which no season means anything */
	double positive;  /* share of those with roots and logarithms */
	double power[POWERS]; /* shares of those that are modelled on it */
	/* ln of the scale of errors as it would be on each scale of values, */
	double ln_scale[POWERS];
	double spread[POWERS]; /* and its variance among siblings */
	double run_scale;
	double variance; /* over the mean: of few events */
	struct tail single[SIDES];
	struct tail multi[SIDES];
};

/* The same for the histories of scores of a detector's partitions. */
struct sibling_scores {
	uint32_t told;
	struct normaliser mean;
};

/* Whether a model counts as a member. */
bool siblings_has(const struct model *);

/*
 * The model has learnt a value, of which the outlook was before. It tells of
 * itself, borrows, or gives back, as it is due.
 */
void siblings_meet(struct siblings *, struct model *, const struct outlook *);

/* A model goes, or comes with a snapshot. */
void siblings_leave(struct siblings *, const struct model *);
void siblings_join(struct siblings *, const struct model *);

/*
 * A partition's history of scores, one of so many partitions, is told now and
 * then; a new one begins with what is lent.
 */
void siblings_tell_scores(
    struct sibling_scores *, const struct normaliser *, uint32_t members);
void siblings_lend_scores(
    const struct sibling_scores *, struct normaliser *, uint32_t members);

/* 0, or -1 with errno. load wants one that knows of nobody yet. */
int siblings_save(const struct siblings *, struct snapshot_writer *) MUST_CHECK;
int siblings_load(struct siblings *, struct snapshot_reader *) MUST_CHECK;
int siblings_save_scores(
    const struct sibling_scores *, struct snapshot_writer *) MUST_CHECK;
int siblings_load_scores(
    struct sibling_scores *, struct snapshot_reader *) MUST_CHECK;

#endif
