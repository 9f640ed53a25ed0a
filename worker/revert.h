/*
 * Setting the models of a closed job back to a snapshot, or to nothing.
 *
 * It happens in one moment. What the models then are is written to a file with
 * a number above all that were given out, <number>.revert, which nobody loads.
 * One transaction removes results and answers, and sets applied_seq to that
 * number: this is the moment. Then the file becomes <number>.base, and nothing
 * older counts. settle.h sees to what a death leaves in between.
 */
#ifndef WORKER_REVERT_H
#define WORKER_REVERT_H

#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"
#include "common/peer.h"
#include "common/snaplist.h"

struct revert;

/*
 * The message and job_id are borrowed.
 *
 * list  all that there are
 * to    one of them; NULL: to no model
 *
 * NULL with ENOMEM.
 */
struct revert *revert_new(const struct msg_chore *, const char *job_id,
    const struct snaplist *list, const struct snapinfo *to);
void revert_free(struct revert *);

/*
 * Work until the monotonic clock reaches deadline_us. Returns 1: not yet done;
 * 0: done; -1 with *e set (logged).
 */
int revert_step(struct revert *, int64_t deadline_us, uint64_t *progress,
    struct apierr *e) MUST_CHECK;

/* After the end: send the totals that the job now has. */
int revert_tell_totals(const struct revert *, struct peer *) MUST_CHECK;
/* After the end: what "empty" is shown as. */
const struct snapinfo *revert_empty(const struct revert *);

#endif
