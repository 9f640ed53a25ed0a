/*
 * One open bucket: what its records amount to, series by series, in the order
 * in which the series first appeared in it. Beside each series the values of
 * influencer fields that came with its records: the few that carry most.
 */
#ifndef WORKER_BUCKET_H
#define WORKER_BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/tally.h"
#include "worker/names.h"

/*
 * Values kept per series and influencer field. Only those that account for a
 * large part (0.4) of an anomaly are ever named: at most two can, and the rest
 * is room for values to prove themselves.
 */
#define BUCKET_INFLUENCES 16

struct influence {
	uint32_t field; /* index of the influencer in the configuration */
	uint32_t value; /* of the bucket's values */
	double mass;	/* at least what it carries; for the choice of 16 */
	struct tally tally;
};

struct leaf {
	uint32_t series;
	uint32_t nseen;
	struct influence *seen; /* owned */
	struct tally tally;
};

/* To be embedded; zeroed is empty and of no time. */
struct bucket {
	int64_t start_s;
	uint64_t events;
	bool refused;	   /* a new series found no memory */
	struct leaf *leaf; /* owned */
	uint32_t nleaves;
	uint32_t leaf_cap;
	uint32_t *of_series; /* owned; leaf + 1 of a series, 0: none */
	uint32_t nof_series;
	struct names values; /* of influencers */
	size_t nseen;	     /* in all leaves */
};

void bucket_free(struct bucket *);
/* Forget what was gathered; it is then the bucket that starts at start_s. */
void bucket_reset(struct bucket *, int64_t start_s);

/* NULL: the series has no record here. */
const struct leaf *bucket_find(const struct bucket *, uint32_t series);
/* The same, made if it is not there. NULL with ENOMEM. */
struct leaf *bucket_leaf(struct bucket *, uint32_t series);

/*
 * A record of the leaf had this value in an influencer field.
 *
 * field    index of the influencer
 * may_grow false: remember no value that is not known yet
 * part     the record alone
 *
 * Returns 0, or -1 with ENOMEM.
 */
int bucket_see(struct bucket *, struct leaf *, uint32_t field, const char *p,
    size_t len, bool may_grow, const struct tally *part) MUST_CHECK;

/* Room for one more, its content undefined. NULL with ENOMEM. */
struct influence *bucket_new_influence(struct bucket *, struct leaf *);

/* What it holds in bytes: a function of the numbers of elements. */
size_t bucket_bytes(const struct bucket *);

#endif
