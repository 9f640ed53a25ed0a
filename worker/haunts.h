/*
 * What is usual for one of many people of a population where it is odd for the
 * others: the few times of the day or week, or places, at which he was (one who
 * works by night, an office abroad). Somebody who never was where the others
 * are not has none.
 *
 * Each is a mean position with the number of buckets in which he was near it,
 * fading. What is near counts the more the nearer it is, as on a dial (dial.h).
 */
#ifndef WORKER_HAUNTS_H
#define WORKER_HAUNTS_H

#include <stdint.h>

#include "common/compat.h"
#include "worker/snapshot.h"
#include "worker/special.h"

/* Of more the one with the fewest buckets makes room. */
#define HAUNTS_MOST 8

struct haunt {
	float at[3]; /* of a time only the first: s */
	float weight;
};

/* Zeroed, it knows none. */
struct haunts {
	float row; /* surprises in a row, to the last bucket (tail.h) */
	uint32_t n;
	struct haunt haunt[HAUNTS_MOST];
};

/* Keep this share of what is known: time has passed. */
void haunts_forget(struct haunts *, double keep);

/* In how many buckets he was about there. */
double haunts_weight(
    const struct haunts *, enum special_kind, const struct group *);

/*
 * He was there.
 *
 * seen  a bit for each haunt that has been counted for this bucket; 0 before
 *	 the first group of it
 */
void haunts_learn(
    struct haunts *, enum special_kind, const struct group *, uint32_t *seen);

/* The job's clocks have been put forward by so much. */
void haunts_set_clock(struct haunts *, enum special_kind, int64_t forward_s);

/*
 * NULL is written, too, as none at all. load sets *h, which is NULL before.
 * 0, or -1 with errno.
 */
int haunts_save(const struct haunts *, struct snapshot_writer *) MUST_CHECK;
int haunts_load(
    struct haunts **h, enum special_kind, struct snapshot_reader *) MUST_CHECK;

#endif
