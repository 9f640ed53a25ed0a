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
#include "worker/names.h"
#include "worker/statistic.h"

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
	union statistic stat;
};

struct leaf {
	uint32_t series;
	uint16_t nseen;
	uint8_t kind;		/* enum statistic_kind */
	struct influence *seen; /* owned */
	union statistic stat;
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
	/*
	 * Bytes that are allocated: a function of the numbers of elements now
	 * and of the most there were, which are kept in snapshots.
	 */
	size_t bytes;
};

void bucket_free(struct bucket *);
/* Forget what was gathered; it is then the bucket that starts at start_s. */
void bucket_reset(struct bucket *, int64_t start_s);

/*
 * Free what so many leaves and texts hold, the last ones: a large bucket takes
 * long to be reset. Nothing but that may be done with it afterwards. Returns
 * whether there are more.
 */
bool bucket_shed(struct bucket *, uint32_t n);

/* NULL: the series has no record here. */
const struct leaf *bucket_find(const struct bucket *, uint32_t series);
/*
 * The same, made if it is not there, with statistics of this kind, which is
 * that of the series. NULL with ENOMEM.
 */
struct leaf *bucket_leaf(
    struct bucket *, uint32_t series, enum statistic_kind kind);

/* Statistics that grow; see bucket_add. */
int bucket_add_growing(struct bucket *, union statistic *,
    const struct observation *, bool part) MUST_CHECK;

/* Add a record to the statistics of a leaf. Returns 0, or -1 with ENOMEM. */
static inline int
bucket_add(struct bucket *b, struct leaf *leaf, const struct observation *o)
{
	if (o->kind != STATISTIC_TALLY)
		return bucket_add_growing(b, &leaf->stat, o, false);
	tally_add(&leaf->stat.tally, o->value, o->n, o->times_events);
	return 0;
}

/*
 * The record of the leaf had this value in an influencer field.
 *
 * field    index of the influencer
 * may_grow false: remember no value that the leaf does not know yet
 *
 * Returns 0, or -1 with ENOMEM.
 */
int bucket_see(struct bucket *, struct leaf *, uint32_t field, const char *p,
    size_t len, bool may_grow, const struct observation *) MUST_CHECK;

/* Room for one more, of no record. NULL with ENOMEM. */
struct influence *bucket_new_influence(struct bucket *, struct leaf *);

/* The next value of influencers. 0, or -1 with ENOMEM, or EBADMSG: twice. */
int bucket_load_value(struct bucket *, struct span text) MUST_CHECK;

/*
 * Tables as large as they were: of so many leaves, and for series below a
 * number. Statistics that were loaded into a leaf are counted. 0, or -1 with
 * ENOMEM.
 */
int bucket_reserve(
    struct bucket *, uint32_t leaves, uint32_t nof_series) MUST_CHECK;
void bucket_note_loaded(struct bucket *, const struct leaf *);

/* What a leaf of that series would add, which has none. */
size_t bucket_growth(const struct bucket *, uint32_t series);

#endif
