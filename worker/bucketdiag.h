/*
 * Bucket diagnostics of the input (jobs-and-data 5.7): how many bucket spans
 * the accepted records cover, and which of them were empty or sparse. They are
 * counted apart from result buckets.
 *
 * Every bucket from that of the first record to that of the latest is counted
 * once, both ends included. The latest one is counted when an upload ends in
 * it; whether a bucket was empty or sparse is judged once it has been left.
 *
 * A window of the last K = max(10, ceil(latency / span)) buckets is kept, as
 * a list of those that hold records: time and memory do not depend on how far
 * the next record is ahead.
 */
#ifndef WORKER_BUCKETDIAG_H
#define WORKER_BUCKETDIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/totals.h"
#include "worker/snapshot.h"

struct bucketdiag;

/* span_s > 0, latency_s >= 0. NULL with ENOMEM. */
struct bucketdiag *bucketdiag_new(int64_t span_s, int64_t latency_s);
void bucketdiag_free(struct bucketdiag *);

/* An accepted record of t_ms. Ends the process when memory is out. */
void bucketdiag_add(struct bucketdiag *, int64_t t_ms);

/* An upload has ended: report what it leaves behind. */
void bucketdiag_report(struct bucketdiag *);

/*
 * The job is opened and its latest record was at latest_ms: what is not yet
 * reported is reported, then the window holds that one record, so that a gap
 * across the close is seen.
 */
void bucketdiag_reopen(struct bucketdiag *, int64_t latest_ms);

/*
 * Move what was reported since the last call into both counts; other may be
 * NULL. Of the times only those after 0 and after the present one count.
 */
void bucketdiag_move(
    struct bucketdiag *, struct data_counts *, struct data_counts *other);

/* State, in the section at hand. 0, or -1 with errno (load: EBADMSG, ENOMEM) */
int bucketdiag_save(
    const struct bucketdiag *, struct snapshot_writer *) MUST_CHECK;
int bucketdiag_load(struct bucketdiag *, struct snapshot_reader *) MUST_CHECK;

#endif
