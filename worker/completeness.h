/*
 * How much of an open bucket has come, for interim results
 * (results-and-models 5.1). A model of the number of events of whole buckets,
 * which knows the time of day, foretells how many there will be; it learns
 * from final buckets alone.
 *
 * What only grows while records come (counts, sums) is given the part of its
 * likely final value that is still to come, so that half a bucket is not low.
 * Such a value is low in earnest, and a mean worth telling, once nearly all
 * records are there; high it can be at any time.
 */
#ifndef WORKER_COMPLETENESS_H
#define WORKER_COMPLETENESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/feature.h"
#include "worker/model.h"
#include "worker/snapshot.h"

struct bucket;
struct engine;

/* To be embedded. */
struct completeness {
	struct model events; /* of whole buckets */
	/* Of the bucket at hand, 0..1; 0 also while nothing is expected yet. */
	double share;
	bool nearly_whole; /* and no burst makes it seem so */
};

void completeness_init(struct completeness *);
void completeness_clear(struct completeness *);

/*
 * The bucket is final: learn how many events it had. 0, or -1 with ENOMEM; it
 * is then as it was.
 */
int completeness_learn(struct engine *, const struct bucket *) MUST_CHECK;

/* The bucket is open, and is looked at. */
void completeness_look(struct engine *, const struct bucket *);

/*
 * The side on which a value of the open bucket may be told; *side is the one
 * that is asked for. false: none. Only what can but move further away is sure
 * while records are missing: a low count is not low yet.
 *
 * negative  a value below zero was seen
 */
bool completeness_side(const struct completeness *, const struct feature *,
    bool negative, enum function_side *side);

/*
 * value  so far
 * mode   most likely final value, in the same unit
 *
 * Returns the value with clamp(mode - value, 0, (1 - share) mode), and the
 * same below zero; as it is for what is no count and no sum.
 */
double completeness_correct(const struct completeness *, const struct feature *,
    double value, double mode);

/*
 * In a section of its own, which older files do not have: then nothing is
 * known. forward_s as for model_set_clock. 0, or -1 with errno.
 */
int completeness_save(
    const struct completeness *, struct snapshot_writer *) MUST_CHECK;
int completeness_load(struct completeness *, const struct model_params *,
    int64_t forward_s, struct snapshot_reader *) MUST_CHECK;

#endif
