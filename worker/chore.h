/*
 * What is done with a job's snapshots at somebody's request: what users say of
 * one, its removal, a return to it. In slices.
 *
 * None of it is an entry of the journal. What becomes of a revert that is cut
 * off: revert.h.
 */
#ifndef WORKER_CHORE_H
#define WORKER_CHORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"
#include "common/peer.h"
#include "worker/forecasts.h"
#include "worker/results.h"

struct chore;

/*
 * The message is copied, job_id is borrowed. The job's directory is the current
 * one; CHORE_REVERT needs it to be closed. NULL with ENOMEM.
 */
struct chore *chore_new(
    const struct msg_chore *, const char *job_id, uint32_t request);
void chore_free(struct chore *);
/*
 * Where forecasts are; in an open job some may still be made. To be called
 * before the first step of one that removes some.
 */
void chore_use(struct chore *, struct results *, struct forecasts *);
/* It removes forecasts. */
bool chore_is_of_forecasts(const struct chore *);
/* It sets the models back, and results with them. */
bool chore_reverts(const struct chore *);

/*
 * Work until the monotonic clock reaches deadline_us, and answer at the end
 * (CHORE_DONE or FAILED). Returns 1: not yet done; 0: answered; -1 with errno:
 * the answer could not be sent.
 */
int chore_step(struct chore *, struct peer *, int64_t deadline_us,
    uint64_t *progress) MUST_CHECK;

#endif
