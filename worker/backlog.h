/*
 * The line of a job: sealed uploads, flushes, removals of old results and at
 * last the close, in the order in which they came. Each is journaled, then
 * processed, then answered; none overtakes another.
 */
#ifndef WORKER_BACKLOG_H
#define WORKER_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/peer.h"
#include "worker/analysis.h"
#include "worker/arrival.h"
#include "worker/journal.h"
#include "worker/snapper.h"

#define BACKLOG_MAX 1000 /* the supervisor's line is shorter by far */

/* In place of a request's, for interim results that nobody has asked for. */
#define BACKLOG_INTERIM_TOKEN UINT64_MAX

struct backlog;

/* Borrows all. NULL with ENOMEM. */
struct backlog *backlog_new(struct peer *, struct analysis *, struct journal *,
    struct snapper *, uint32_t epoch);
void backlog_free(struct backlog *);

/*
 * Takes over the arrival, which is sealed. Each: 0, or -1 with ENOMEM, or
 * EBADMSG: the line is longer than it can be.
 */
int backlog_add_upload(
    struct backlog *, struct arrival *, int64_t receipt_ms) MUST_CHECK;
int backlog_add_flush(
    struct backlog *, uint32_t request, const struct msg_flush *) MUST_CHECK;
/* job_id is borrowed in both; not CHORE_REVERT. */
int backlog_add_forecast(
    struct backlog *, uint32_t request, const struct msg_forecast *) MUST_CHECK;
int backlog_add_expire(struct backlog *, uint32_t request,
    const struct msg_expire *, const char *job_id) MUST_CHECK;
int backlog_add_chore(struct backlog *, uint32_t request,
    const struct msg_chore *, const char *job_id) MUST_CHECK;
int backlog_add_close(struct backlog *) MUST_CHECK;
/*
 * Interim results of all open buckets, which nobody is told of: see beat.h.
 * Without room on the disk they are left out, and those from before stand.
 */
int backlog_add_interim(struct backlog *) MUST_CHECK;

/* What has this token waits, or is under way. 0: nothing has. */
bool backlog_has_token(const struct backlog *, uint64_t token);
/* What backlog_add_interim has added does. */
bool backlog_makes_interim(const struct backlog *);
/* Something waits or is under way. */
bool backlog_is_busy(const struct backlog *);
/* No entry is half done, and no transaction of an expiry is open. */
bool backlog_is_between(const struct backlog *);
/* All that is left is a close, which waits for a snapshot under way. */
bool backlog_is_waiting(const struct backlog *);
/* The close was processed and answered. */
bool backlog_is_closed(const struct backlog *);
/* Bytes of sealed uploads that wait to be decoded. */
size_t backlog_pending(const struct backlog *);
/* The journal's quota leaves room for an upload. */
bool backlog_has_room(const struct backlog *);
/* Sealed uploads that may still hold a window of zstd. */
unsigned backlog_windows(const struct backlog *);

/*
 * Decode, journal and process until the monotonic clock reaches deadline_us.
 * Returns 0, or -1 with errno: the worker must end, and replay will repeat
 * what was journaled.
 */
int backlog_work(
    struct backlog *, int64_t deadline_us, uint64_t *progress) MUST_CHECK;

#endif
