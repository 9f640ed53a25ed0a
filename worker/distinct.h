/*
 * How many different texts there are among those that come, known by their
 * hashes: the hashes themselves while they are few, which is exact, then a
 * sketch of constant size (HyperLogLog: Flajolet and others, AofA 2007; with
 * the estimate of Ertl, arXiv 1702.01284, which needs no correction for few or
 * many). With 2048 registers its standard error is 1.04 / sqrt(2048), 2.3 %;
 * with the 256 of a part, 6.5 %.
 */
#ifndef WORKER_DISTINCT_H
#define WORKER_DISTINCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/snapshot.h"

/* Registers, of a byte each; and of hashes an eighth of that is kept. */
#define DISTINCT_FIRST_REGISTERS 32 /* that it begins with room for */
#define DISTINCT_REGISTERS 2048	    /* of all values of a bucket */
#define DISTINCT_PART_REGISTERS 256 /* of those with an influencer's value */

struct distinct {
	double n; /* texts, whether different or not */
	uint32_t nhashes;
	uint32_t room;	 /* bytes */
	bool is_sketch;	 /* registers in place of hashes */
	uint64_t word[]; /* hashes, ascending; or registers, a byte each */
};

/* The same text has the same hash in every process. */
uint64_t distinct_hash(const char *p, size_t len);

/*
 * Add a text; NULL is an empty set, and it may move.
 *
 * most  DISTINCT_REGISTERS or DISTINCT_PART_REGISTERS, always the same; or
 *       less, if it is to become a sketch rather than to grow beyond that:
 *       DISTINCT_FIRST_REGISTERS at the least, and a power of two
 *
 * Returns 0, or -1 with ENOMEM.
 */
int distinct_add(struct distinct **, uint64_t hash, uint32_t most) MUST_CHECK;

/* The number of different texts, a whole number, at least 1. */
double distinct_count(const struct distinct *);

size_t distinct_bytes(const struct distinct *); /* NULL: 0 */

/* 0, or -1 with errno. What is loaded is *d, which is NULL before. */
int distinct_save(const struct distinct *, struct snapshot_writer *) MUST_CHECK;
int distinct_load(
    struct distinct **d, uint32_t most, struct snapshot_reader *) MUST_CHECK;

#endif
