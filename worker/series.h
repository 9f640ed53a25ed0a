/*
 * What the engine remembers over buckets: partitions of detectors, each with
 * its history of scores, and the series in them, each with its model. Both are
 * numbered: a new one gets the lowest number that is free.
 */
#ifndef WORKER_SERIES_H
#define WORKER_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/aggregate.h"
#include "worker/keys.h"
#include "worker/model.h"
#include "worker/names.h"
#include "worker/normalise.h"
#include "worker/numbers.h"
#include "worker/special.h"

#define SERIES_NONE UINT32_MAX

/* One value of the partition field of one detector; or the whole of it. */
struct partition {
	uint32_t detector;
	uint32_t name;	  /* NAMES_NONE without partition field */
	uint32_t nseries; /* in it */
	int64_t first_s;  /* start of its first bucket */
	struct normaliser scores;
	/* Only while a bucket is judged: */
	struct aggregate members;
	double loudest; /* greatest raw score */
};

/*
 * One value of the by field of one partition; or the whole of it. A model for
 * each feature of the detector's function.
 */
struct series {
	uint32_t partition;
	uint32_t by;	/* NAMES_NONE without by field */
	int64_t last_s; /* start of the newest bucket that it knows */
	int64_t data_s; /* start of the newest bucket with a record of it */
	double buckets; /* with a record of it, fading */
	double peak;	/* largest raw score, fading */
	struct special *special; /* owned; in place of models; or NULL */
	uint32_t nmodels;
	struct model model[];
};

/* To be embedded; zeroed is empty. */
struct series_table {
	struct numbers partitions;
	struct partition **partition; /* owned; [number]; NULL: free */
	struct numbers numbers;	      /* of series */
	struct series **series;	      /* owned; [number]; NULL: free */
	size_t bytes;		  /* of all series, and of seasons in models */
	struct keys partition_of; /* (detector, name) */
	struct keys series_of;	  /* (partition, by) */
};

void series_clear(struct series_table *); /* frees; empty afterwards */

/* SERIES_NONE when there is no such partition or series. */
uint32_t partition_find(
    const struct series_table *, uint32_t detector, uint32_t name);
uint32_t series_find(
    const struct series_table *, uint32_t partition, uint32_t by);

/*
 * Add one. SERIES_NONE with ENOMEM.
 *
 * start_s  of the bucket it first appeared in. What a series knows ends
 *	    before that: the caller says where.
 */
uint32_t partition_add(
    struct series_table *, uint32_t detector, uint32_t name, int64_t start_s);
uint32_t series_add(struct series_table *, uint32_t partition, uint32_t by,
    uint32_t nmodels, int64_t last_s);

/*
 * What the series knows in place of models. It is removed when that fails: 0,
 * or -1 with ENOMEM.
 */
int series_make_special(
    struct series_table *, uint32_t series, enum special_kind) MUST_CHECK;

/* A partition goes when it has no series; the caller sees to both. */
void series_remove(struct series_table *, uint32_t series);
void partition_remove(struct series_table *, uint32_t partition);

/*
 * Loading: the next number is taken, and is free. When all are loaded,
 * series_loaded gives them back. 0, or -1 with ENOMEM.
 */
int partition_skip(struct series_table *) MUST_CHECK;
int series_skip(struct series_table *) MUST_CHECK;
int series_loaded(struct series_table *) MUST_CHECK;

/* Bytes that are allocated, and what one more would add. */
size_t series_bytes(const struct series_table *);
size_t series_growth(const struct series_table *, uint32_t nmodels);
size_t partition_growth(const struct series_table *);

#endif
