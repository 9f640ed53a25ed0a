/*
 * The forecasts that are being made for a job. Each has a child that was forked
 * when it was asked for (forecaster.h); what the children say is taken from one
 * after the other, and written between two entries in transactions of its own.
 *
 * The request is an entry of the journal, and its row in results.db is written
 * with the entry. A worker that dies leaves the row unfinished: when replay
 * comes to the entry the models are what they were, and the forecast is made
 * again. So no snapshot is taken behind an entry whose forecast is not done.
 */
#ifndef WORKER_FORECASTS_H
#define WORKER_FORECASTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/peer.h"
#include "common/totals.h"
#include "worker/journal.h"
#include "worker/results.h"

struct analysis;
struct forecasts;
struct sqlite3;

#define FORECASTS_MOST 3 /* at a time, for a job */

/* Borrows the results. NULL with ENOMEM. */
struct forecasts *forecasts_new(struct results *);
/* Children that are still at work end by themselves. */
void forecasts_free(struct forecasts *);

/*
 * Process an entry. Returns 0: it is being made, or was; 1: it cannot be, *e is
 * set; -1 with errno: the results could not be kept.
 */
int forecasts_entry(struct analysis *, const struct journal_entry *,
    const char *data, struct apierr *e) MUST_CHECK;

/* Some are being made. */
bool forecasts_are_made(const struct forecasts *);
/* The one with this id of its row is. */
bool forecasts_make(const struct forecasts *, int64_t id);
/* There was something to take from a child when it was last looked for. */
bool forecasts_are_busy(const struct forecasts *);
/* It is time to look: leave a gap between two entries. */
bool forecasts_want_gap(const struct forecasts *);
/* Milliseconds until it is, or -1: none is being made. */
int forecasts_timer_ms(const struct forecasts *);

/*
 * Take what the children say; nothing may be under way in the results. What
 * cannot be written fails that forecast.
 */
void forecasts_step(
    struct forecasts *, struct peer *, int64_t deadline_us, uint64_t *progress);

/*
 * The job is being closed, which waits for them: not for more than minutes,
 * then they fail.
 */
void forecasts_close(struct forecasts *);

/*
 * Replay is over: what is unfinished and not being made will not be. The
 * supervisor is told.
 */
void forecasts_settle(struct forecasts *, struct peer *);

/* Rows were removed elsewhere: all are to be counted again. */
void forecasts_changed(struct forecasts *);
/*
 * Count some of those that are not counted. Returns 1: there are more; 0: no
 * more; -1 with errno.
 */
int forecasts_count(
    struct forecasts *, struct sqlite3 *, int64_t deadline_us) MUST_CHECK;
/*
 * Tell the supervisor how many there are, if that has changed; where many are
 * still to be counted, later. Nothing may be under way in the results. 0, or -1
 * with errno: it could not be sent.
 */
int forecasts_tell(struct forecasts *, struct peer *) MUST_CHECK;

#endif
