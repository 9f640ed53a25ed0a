/*
 * The life of a worker: it reads frames, dispatches them, and works in slices
 * between one look at its channel and the next.
 *
 * Stages: HELLO and the configuration come in, the lock of the job's directory
 * is waited for, the sandbox is entered, the state is restored, READY is sent;
 * then work until CLOSE or until the supervisor is gone.
 */
#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

#include "common/compat.h"

#define LOOP_SLICE_US 4000	/* twice (frames, work) is still below 10 ms */
#define LOOP_LOCK_WAIT_MS 10000 /* for a predecessor that is ending */
#define LOOP_ARRIVALS_MAX 512	/* each may have a file open */
#define LOOP_WINDOWS_MAX 64	/* zstd: each may hold a window of 8 MB */
#define LOOP_PENDING_BYTES (1024 * 1024) /* undecoded: then stop reading */
#define LOOP_IDLE_US 1000000		 /* then memory is given back */

/*
 * Serve the channel at fd, which is owned from here on, until the end.
 * Returns the exit status: 0 when the job was closed or the supervisor has
 * gone, 1 when the worker cannot go on (logged).
 */
int loop_run(int fd);

#endif
