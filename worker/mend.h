/*
 * Bringing results.db in order before a job is opened: salvage of a damaged
 * one, and the walk through a large WAL that a dead worker has left. Either
 * takes as long as the file is large, so a child does it while the loop of the
 * worker goes on; how far it is shows in the calls that it makes to the disk.
 *
 * A death at any moment leaves what the next start begins again or finds done.
 * Paths are relative: the job's directory is the current one.
 */
#ifndef WORKER_MEND_H
#define WORKER_MEND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/msg.h"

/* Between two looks at the child. */
#define MEND_LOOK_MS 20

struct mend;

/* There is something to be done. */
bool mend_is_due(void);

/*
 * Fork the child; nothing of this process may be in results.db. lockfd, the
 * lock of the job's directory, is what the child keeps, so that a successor
 * waits for its end. NULL with errno.
 */
struct mend *mend_begin(int lockfd);

/*
 * Look at it. *progress grows when it has got on since the last look. Returns
 * 1: it is still at work; 0: the file is in order, or there is none; -1 with
 * errno (logged): as the child has failed, EINTR when a signal ended it.
 */
int mend_step(struct mend *, uint64_t *progress) MUST_CHECK;

/* After 0: were the results salvaged? Then *salvaged says what of them. */
bool mend_has_salvaged(const struct mend *, struct msg_salvaged *salvaged);

/* A child that is still at work dies with this process. */
void mend_free(struct mend *);

#endif
