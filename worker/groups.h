/*
 * The events of a bucket by where they are, on a dial or on the globe: those
 * that fall into the same cell of it are one group, of which the number and
 * the mean position are kept.
 *
 * A position is a number of its cell, and up to three coordinates whose mean
 * within a cell means something: the seconds of a dial, the unit vector of a
 * place. Beyond the bound an event counts for the nearest group that is there.
 */
#ifndef WORKER_GROUPS_H
#define WORKER_GROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/snapshot.h"

/* Cells of a dial are few (dial.h), those of the globe are not. */
#define GROUPS_TIMES_MOST 336u
#define GROUPS_PLACES_MOST 64u
#define GROUPS_PART_MOST 16u

struct position {
	uint32_t cell;
	double at[3];
};

struct group {
	uint32_t cell;
	double n;      /* events, > 0 */
	double sum[3]; /* of their positions */
};

struct groups {
	double n;
	uint32_t ngroups;
	uint32_t room;
	struct group group[]; /* cells ascend */
};

/*
 * Add n events of one position; NULL is empty, and it may move.
 *
 * most  of groups; there may be more already
 *
 * Returns 0, or -1 with ENOMEM.
 */
int groups_add(struct groups **, const struct position *, double n,
    uint32_t most) MUST_CHECK;

/* The group of the cell; NULL: no event fell into it. */
const struct group *groups_find(const struct groups *, uint32_t cell);

size_t groups_bytes(const struct groups *); /* NULL: 0 */

/* 0, or -1 with errno. What is loaded is *g, which is NULL before. */
int groups_save(const struct groups *, struct snapshot_writer *) MUST_CHECK;
int groups_load(
    struct groups **g, uint32_t most, struct snapshot_reader *) MUST_CHECK;

#endif
