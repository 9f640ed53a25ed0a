/*
 * The values of influencer fields that records of one bucket name, and what is
 * to be said of each: its records together, each with its probability to the
 * power of the influence, as if looked for in all series that the value was
 * seen in (results-and-models 4.4). What is said of a field as a whole is made
 * of the same records, each with its greatest influence.
 *
 * Bounded: findings come in with the most unlikely first, and when there are
 * CULPRITS_MOST values no further one is taken: it would rest on findings that
 * are more likely than those of four times as many as may be written.
 */
#ifndef WORKER_CULPRITS_H
#define WORKER_CULPRITS_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "worker/aggregate.h"
#include "worker/keys.h"

#define CULPRITS_MOST 2000

struct engine;
struct finding;

struct culprit {
	uint32_t field; /* index of the influencer */
	uint32_t order;
	struct span value; /* borrowed */
	uint64_t nlooked;  /* series that the value was seen in */
	struct aggregate records;
	double ln_p; /* of all this together */
	double raw;
};

/* To be embedded; zeroed is empty. */
struct culprits {
	struct culprit *list; /* owned */
	uint32_t n;
	uint32_t cap;
	/* (field, number of a value of the bucket, or of a splitting field) */
	struct keys of_seen;
	struct keys of_name;
};

/* Forget; free: the memory as well. */
void culprits_clear(struct culprits *);
void culprits_free(struct culprits *);

/* Note whom a finding names. 0, or -1 with ENOMEM. */
int culprits_add(struct engine *, const struct finding *) MUST_CHECK;

/* A series was judged: count it for the values that were seen in it. */
void culprits_look(struct engine *, uint32_t series);

/*
 * All series were looked at: say how unlikely each is, and keep the 500 that
 * are most so, in this order.
 */
void culprits_judge(struct culprits *);

#endif
