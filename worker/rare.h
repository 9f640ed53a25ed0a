/*
 * Judging which values of a by field are rare: those that are in the bucket,
 * each by the buckets in which it was there before (rarity.h), in steps of
 * their own after the series. All are looked at before any is learnt.
 */
#ifndef WORKER_RARE_H
#define WORKER_RARE_H

#include <stdint.h>

#include "common/compat.h"
#include "worker/people.h"

struct engine;
struct explanation;
struct series;

/*
 * A few dozen leaves of the bucket more. 1: there are more; 0: done; -1 with
 * ENOMEM. Nothing is learnt from an interim bucket.
 */
int rare_look(struct engine *) MUST_CHECK;
int rare_learn(struct engine *) MUST_CHECK;

/*
 * rare_people.c: people by what they show, compared by how many others ever
 * did. With freq_rare each value counts as often as there are records of it.
 */
extern const struct people_kind rare_people_kind;

/* The class of a value, a row of its own or an attribute. */
int64_t rare_class(const struct engine *, const struct series *);

/* A record of such a probability is about this value, which is not learnt. */
void rare_explain(const struct engine *, const struct series *, double ln_p,
    struct explanation *);

/* A value was read from a snapshot: it is known to its partition again. */
void rare_recall(struct engine *, const struct series *);
/*
 * The value is given up. Where memory is short it was not forgotten for its
 * age: what is not known becomes likelier.
 */
void rare_forget(struct engine *, struct series *);
/* A new value of the partition, of that bucket, found no memory. */
void rare_miss(struct engine *, uint32_t partition, int64_t start_s);

#endif
