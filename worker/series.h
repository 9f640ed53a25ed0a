/*
 * What the engine remembers over buckets: partitions of detectors, each with
 * its history of scores, and the series in them, each with its model. Both are
 * numbered in the order in which they first appeared, and never go away.
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

#define SERIES_NONE UINT32_MAX

/* One value of the partition field of one detector; or the whole of it. */
struct partition {
	uint32_t detector;
	uint32_t name; /* NAMES_NONE without partition field */
	struct normaliser scores;
	/* Only while a bucket is judged: */
	struct aggregate members;
	double loudest; /* greatest raw score */
};

/* One value of the by field of one partition; or the whole of it. */
struct series {
	uint32_t partition;
	uint32_t by;	/* NAMES_NONE without by field */
	int64_t last_s; /* start of the newest bucket that it knows */
	double peak;	/* largest raw score, fading */
	struct model model;
};

/* To be embedded; zeroed is empty. */
struct series_table {
	struct partition *partition; /* owned */
	uint32_t npartitions;
	struct series *series; /* owned */
	uint32_t nseries;
	size_t table_bytes;	  /* of seasons, in all models */
	struct keys partition_of; /* (detector, name) */
	struct keys series_of;	  /* (partition, by) */
};

/* What one more costs, less its name. */
#define SERIES_COST (sizeof(struct series) + KEYS_COST + sizeof(uint32_t))
#define PARTITION_COST (sizeof(struct partition) + KEYS_COST)

void series_clear(struct series_table *); /* frees; empty afterwards */

/* SERIES_NONE when there is no such partition or series. */
uint32_t partition_find(
    const struct series_table *, uint32_t detector, uint32_t name);
uint32_t series_find(
    const struct series_table *, uint32_t partition, uint32_t by);

/* SERIES_NONE with ENOMEM. What last_s is to begin with is said by add. */
uint32_t partition_add(struct series_table *, uint32_t detector, uint32_t name);
uint32_t series_add(
    struct series_table *, uint32_t partition, uint32_t by, int64_t last_s);

size_t series_bytes(const struct series_table *);

#endif
