/*
 * How long a worker goes without looking at its channel. The program is linked
 * with peer_poll, the syncs, and opening and committing results.db wrapped;
 * what they see is kept in memory that parent and child share.
 */
#ifndef BENCH_GAPS_H
#define BENCH_GAPS_H

#include <stdint.h>

struct gaps {
	uint64_t looks;
	int64_t longest_us;	/* between two looks, less syncs and commits */
	int64_t longest_cpu_us; /* the same by the clock of the process */
	uint64_t above;		/* gaps longer than GAPS_LIMIT_US */
	int64_t sync_us;	/* the longest one, all between two looks */
	int64_t commit_us;
	int64_t total_sync_us;
	int64_t total_commit_us;
};

#define GAPS_LIMIT_US 10000

/* Shared from the next fork on; zeroed. Ends the program on failure. */
struct gaps *gaps_new(void);

#endif
