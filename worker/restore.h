/*
 * Opening a job: its newest whole snapshot, then what the journal holds after
 * it. Replay runs through the same code as new entries do; results that exist
 * already are muted.
 */
#ifndef WORKER_RESTORE_H
#define WORKER_RESTORE_H

#include <errno.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/peer.h"
#include "worker/analysis.h"
#include "worker/aside.h"
#include "worker/awaiting.h"
#include "worker/entry.h"
#include "worker/journal.h"

struct restore;

#define RESTORE_DAMAGED EBADMSG

/*
 * Load the snapshot into a, which is as new, and open the journal. a, and what
 * is to be answered on the way, are borrowed. NULL with errno (logged);
 * RESTORE_DAMAGED: see below.
 */
struct restore *restore_new(struct analysis *a, const char *job_id,
    enum sync_policy, struct peer *, struct awaiting *);
void restore_free(struct restore *);

/*
 * Replay until the monotonic clock reaches deadline_us. Returns 1: more is
 * left; 0: the job is as it was, and opened if this is an opening; -1 with
 * errno (logged): it cannot be opened now. RESTORE_DAMAGED: results.db is
 * damaged, and marked; nobody was told anything of entries, so once that is
 * mended it can be begun anew.
 */
int restore_step(
    struct restore *, int64_t deadline_us, uint64_t *progress) MUST_CHECK;

/* After the end: the journal, ready to be written; the caller's now. */
struct journal *restore_take_journal(struct restore *);
/* The entries that are put aside, which are to be cleared. */
void restore_take_aside(struct restore *, struct aside *);

#endif
