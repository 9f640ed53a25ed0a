/*
 * Removing results and model snapshots that are older than their jobs want to
 * keep: by request, and once a day. Runs wait for one another; in a run some
 * jobs have their turn at a time. An open job removes in its own line, a closed
 * one is given a worker that does only that; either is asked for a bounded
 * piece again and again, so that nobody behind it waits long.
 */
#ifndef SUPERVISOR_RETENTION_H
#define SUPERVISOR_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"

struct call;
struct job;
struct retention;
struct server;

/* NULL with ENOMEM. */
struct retention *retention_new(struct server *);
void retention_free(struct retention *); /* NULL is fine */

/*
 * Let these jobs remove old results, and answer the call: {"deleted":true} when
 * they have, false when timeout_ms (negative: any time) are over before.
 *
 * call           NULL: by the daemon itself, every day
 * rows_per_s     of all jobs together; 0: as fast as it goes
 */
void retention_ask(struct retention *, struct call *, struct job *const *list,
    size_t n, int64_t timeout_ms, double rows_per_s);

/* Every second: time limits, pauses, the daily run. */
void retention_tick(struct retention *);
/* The daemon ends: runs are cut short. */
void retention_stop(struct retention *);

/* ---- what becomes of requests to workers ---- */

void retention_answered(struct job *, const struct msg_expired *);
void retention_failed(struct job *, const struct apierr *);
/* The process of one that trims has gone; e NULL: it was to. */
void retention_tender_ended(struct job *, const struct apierr *e);
/* The job goes away. */
void retention_forget(struct job *);

#endif
