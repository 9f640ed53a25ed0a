/*
 * What a worker has in hand, where its successor finds it: a small file in the
 * job's directory that is mapped, so that a note costs two stores and is still
 * there after any death of the process. Deaths by an entry's own hand are
 * counted in it; at the second one the entry is condemned.
 *
 * A request that is not in the journal yet is known by its token alone.
 */
#ifndef WORKER_MARK_H
#define WORKER_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/verify.h"

#define MARK_FILE "in-hand"
#define MARK_DEATHS 2 /* of which an entry is condemned */

struct mark;

/*
 * Read what the predecessor had in hand, and count it if that one died of it.
 *
 * crash  signal of such a death (SIGKILL: by the kernel, for its memory); 0:
 *        it ended otherwise
 *
 * NULL with errno (logged): then nothing can be noted.
 */
struct mark *mark_open(unsigned crash);
void mark_free(struct mark *);

/* Note and forget. m may be NULL here and below. */
void mark_take(struct mark *, uint64_t seq, uint64_t token);
void mark_drop(struct mark *);

/* The signal of which it was condemned; 0: it was not. seq 0: not journaled. */
unsigned mark_condemns(const struct mark *, uint64_t seq, uint64_t token);
/* As those of worker/verify.h; a worker may be at work. */
int mark_verify(const char *path, verify_report_cb *, void *arg) MUST_CHECK;

/* It has been dealt with. Returns 0, or -1 with errno. */
int mark_forget(struct mark *, uint64_t seq, uint64_t token) MUST_CHECK;

#endif
