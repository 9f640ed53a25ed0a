/*
 * Taking old snapshots and forecasts away, and old results out of results.db:
 * their records and influencers, what the runs know of them, and at last the
 * pages that have become free. In slices; a death in between undoes a bucket
 * that is half gone.
 *
 * Models do not know results, and replay writes none at or below applied_seq:
 * so a removal needs no entry in the journal.
 */
#ifndef WORKER_EXPIRY_H
#define WORKER_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"
#include "worker/forecasts.h"
#include "worker/results.h"

struct expiry;

/*
 * Borrows the results, with nothing under way in them, and the id. NULL with
 * ENOMEM.
 */
struct expiry *expiry_new(
    struct results *, const struct msg_expire *, const char *job_id);
void expiry_free(struct expiry *);
/* Forecasts are in its results, too; before the first step. */
void expiry_use(struct expiry *, struct forecasts *);

/*
 * Work until the monotonic clock reaches deadline_us. Returns 1: not yet done;
 * 0: done, *m is set; -1 with errno (logged): what was committed is gone, the
 * results can go on to be used.
 */
int expiry_step(struct expiry *, int64_t deadline_us, uint64_t *progress,
    struct msg_expired *m) MUST_CHECK;

/* What a client may be told of a failure. */
void expiry_error(struct apierr *, int error);

#endif
