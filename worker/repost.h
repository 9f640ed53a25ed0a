/*
 * Entries that were put aside, and are posted again or dropped. One that is
 * posted takes the way of an upload, but that its bytes come from its file.
 *
 * The list names the token of the new entry before the journal has it, and the
 * file goes when the journal has it for good. Who dies in between leaves both,
 * and replay, which finds that token, removes the file: so it is never lost,
 * and never there to be posted once more.
 */
#ifndef WORKER_REPOST_H
#define WORKER_REPOST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"
#include "common/peer.h"
#include "worker/aside.h"
#include "worker/journal.h"
#include "worker/spool.h"

struct session;

/* ---- requests; each as a handler of frames ---- */

int repost_post(struct session *, uint32_t request,
    const struct msg_quarantine_post *) MUST_CHECK;
int repost_drop(struct session *, uint32_t request,
    const struct msg_quarantine_drop *) MUST_CHECK;

/* ---- the file of an entry, on its way into a spool ---- */

struct repost;

/* Its file, with a whole head. NULL with errno: EBADMSG: it is damaged. */
struct repost *repost_open(uint64_t seq);
void repost_free(struct repost *);
const struct journal_entry *repost_entry(const struct repost *);
bool repost_is_over(const struct repost *);
/* Some more of its data. 0, or -1 with errno of spool_write. */
int repost_copy(struct repost *, struct spool *, size_t len) MUST_CHECK;
/* At the end: the spool has what was put aside. */
bool repost_is_right(const struct repost *, const struct spool *);

/* ---- its end ---- */

/*
 * The journal has the entry with this token. If it was posted again, make it
 * last there, remove the file, and tell the supervisor.
 *
 * j  NULL: it was read from there, and is synced when replay is over
 *
 * Returns 0, or -1 with errno (logged): the worker must end, and its successor
 * does it.
 */
int repost_kept(struct aside *, struct peer *, struct journal *j,
    uint64_t token) MUST_CHECK;

#endif
