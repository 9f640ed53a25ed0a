/* A worker that was started for one task of a closed job, and no more. */
#ifndef WORKER_TENDING_H
#define WORKER_TENDING_H

#include <stdint.h>

#include "common/compat.h"

struct session;

/*
 * A slice of the task, until the monotonic clock reaches deadline_us; the
 * session ends behind it. Returns 0, or -1 with errno.
 */
int tending_work(struct session *, int64_t deadline_us) MUST_CHECK;

#endif
