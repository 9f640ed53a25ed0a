/*
 * Scores of earlier results made again, in results.db: those of final buckets
 * of a range of time, of their influencers, and of records
 * (results-and-models 4.7). What is written first (initial_*), probabilities
 * and raw scores stay as they are.
 *
 * However many rows there are, the work of one run is bounded: the newest
 * RESCORE_BUCKETS buckets that have records, and of influencers and records
 * RESCORE_ROWS each, the most unlikely of each bucket, or of each run of ids
 * (resultsdb.h).
 */
#ifndef WORKER_RESCORE_H
#define WORKER_RESCORE_H

#include <stdbool.h>

#include "common/compat.h"
#include "common/results.h"

#define RESCORE_BUCKETS 5000
#define RESCORE_ROWS 5000

struct rescore;
struct sqlite3;

/*
 * Begin in a database, within a transaction of the caller. The rescorer is
 * copied. NULL with errno.
 */
struct rescore *rescore_new(struct sqlite3 *, const struct rescorer *);
void rescore_free(struct rescore *); /* NULL is fine */

/* A few dozen rows. Returns 1: there is more; 0: done; -1 with errno. */
int rescore_step(struct rescore *) MUST_CHECK;

/* Whether a change of a score is worth being written (4.7). */
bool rescore_is_big(double was, double now);

#endif
