/*
 * Taking a snapshot of a job. While the job is open a forked child writes it:
 * the models stand still there, and go on here. At a close it is written in
 * place, for nothing else is to be done.
 *
 * A snapshot must not know more than the results do: before it gets its name
 * they are committed so that they last. Then what it makes superfluous goes:
 * the journal up to the one before it, so that one bad snapshot is no loss, and
 * what snapdir_bound says.
 */
#ifndef WORKER_SNAPPER_H
#define WORKER_SNAPPER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/analysis.h"
#include "worker/journal.h"

struct snapper;

/*
 * Borrows all. lockfd, the lock of the job's directory, is what a child keeps
 * open beside its file. NULL with ENOMEM.
 */
struct snapper *snapper_new(
    struct analysis *, struct journal *, const char *job_id, int lockfd);
/* A child that is still at work dies with this process, or ends by itself. */
void snapper_free(struct snapper *);

/*
 * One is due: there is something new, and enough of it, or enough time has
 * passed since the last one.
 */
bool snapper_is_due(const struct snapper *);

/*
 * A bound to the journal, in bytes before compression; 0, as at first: none.
 * The journal keeps what has come since the second-newest snapshot. So one is
 * due after each quarter, and there is room until half has come since the
 * newest: when there is none, something is new, and the snapshot that this
 * makes possible frees what is older than the one before.
 *
 * snapper_has_room: an entry with len bytes of data still fits. If it does not
 * a snapshot is due at once.
 */
void snapper_set_quota(struct snapper *, uint64_t bytes);
bool snapper_has_room(struct snapper *, uint64_t len);

/* Something was processed since the last one. */
bool snapper_has_news(const struct snapper *);

/* One is wanted as soon as it can be, or not any more; snapper_begin is it. */
void snapper_ask(struct snapper *, bool wanted);
bool snapper_is_asked(const struct snapper *);
/*
 * The id that the API shows: of the newest snapshot, or of the one that the job
 * was reverted to last. Empty: there is none. false: nobody can tell.
 */
bool snapper_id(const struct snapper *, char dst[SNAPHEAD_ID_BYTES]);

/*
 * It is time for snapper_step or snapper_begin: who has many entries to
 * process should leave a gap after this one.
 */
bool snapper_wants_gap(const struct snapper *);

/*
 * Fork the child. Nothing may be under way in the analysis. Returns 0; or -1:
 * it cannot be now (logged), and is tried again later.
 */
int snapper_begin(struct snapper *);
bool snapper_is_running(const struct snapper *);

/*
 * See whether the child has ended, and finish what it has begun; between two
 * entries. Returns 1: there is a new snapshot; 0: not (yet), which was logged
 * if it failed.
 */
int snapper_step(struct snapper *) MUST_CHECK;

/*
 * Write one in place, when the job is closed and there is something new.
 * Returns as snapper_step.
 */
int snapper_close(struct snapper *) MUST_CHECK;

/* When the last one was made, epoch ms: its id. */
int64_t snapper_created_ms(const struct snapper *);
/* Milliseconds until snapper_is_due or snapper_step may say more, or -1. */
int snapper_timer_ms(const struct snapper *);

#endif
