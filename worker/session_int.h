/* The inside of the session, shared by the files that make it up. */
#ifndef WORKER_SESSION_INT_H
#define WORKER_SESSION_INT_H

#include "common/apierr.h"
#include "common/compat.h"
#include "worker/session.h"

/* Tell the supervisor why this job cannot be opened. Returns -1. */
int session_refuse(struct session *, const struct apierr *);

/* The same of errno, which what has met. Returns -1. */
int session_fail(struct session *, const char *what);

/*
 * The disk is full, or a predecessor still hangs in it: nothing to fail a job
 * for. It ends, and a successor does it again when it can. Returns -1.
 */
int session_give_way(const char *what);

/* Says errno. */
bool session_is_out_of_room(void);

/*
 * session_start.c: the stages before SESSION_OPEN. Each returns 0, or -1 with
 * errno (logged or told).
 */
int session_enter_directory(struct session *) MUST_CHECK;
int session_work_locking(struct session *) MUST_CHECK;
int session_work_sandboxed(struct session *) MUST_CHECK;
int session_work_mending(struct session *) MUST_CHECK;
int session_work_restoring(struct session *, int64_t deadline_us) MUST_CHECK;

#endif
