/*
 * A child's end of its channel to the supervisor: one stream socket, read and
 * written without blocking, frames judged before they are stored.
 */
#ifndef COMMON_PEER_H
#define COMMON_PEER_H

#include <stdbool.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/frame.h"

#define PEER_FD 3 /* every child finds its channel here */

struct peer;

/*
 * What every child does first. A signal to the whole group, as of ^C, is for
 * the supervisor: it ends its children in order, and the channel tells when it
 * is gone. Broken pipes and limits of files show where they are written to.
 */
void peer_ignore_signals(void);

struct peer_frame {
	uint16_t type;
	uint32_t request;
	const uint8_t *data; /* valid until the next call of peer_next */
	size_t len;
};

/*
 * fd is owned from here on and made non-blocking. role: FROM_* of this side.
 * NULL with errno on failure.
 */
struct peer *peer_new(int fd, unsigned role);
void peer_free(struct peer *);

/*
 * Wait until something can be read, queued output can be written, or
 * timeout_ms is over (-1: for ever, 0: only look), and move bytes.
 *
 * may_read  false: leave input alone (the caller is full)
 *
 * Returns 0, or -1: the supervisor has gone (errno 0) or the socket failed.
 */
int peer_poll(struct peer *, int timeout_ms, bool may_read) MUST_CHECK;

/* Another descriptor (borrowed) that ends the wait when it can be read. */
void peer_watch(struct peer *, int fd);

/*
 * Take the next whole frame.
 *
 * state  the one IN_* of this side
 *
 * Returns 1: *f is set; 0: no whole frame there; -1 with EBADMSG: the
 * supervisor sent what it may not; logged here.
 */
int peer_next(struct peer *, unsigned state, struct peer_frame *f) MUST_CHECK;

/*
 * Queue a message; it leaves with the next peer_poll. 0, or -1 with ENOMEM, or
 * with EINVAL: it is not this side's to send, or a field is out of range.
 */
int peer_send(
    struct peer *, uint16_t type, uint32_t request, const void *obj) MUST_CHECK;
int peer_send_raw(struct peer *, uint16_t type, uint32_t request,
    const void *data, size_t len) MUST_CHECK;

/* Queue FAILED with this error: what became of a request. As peer_send. */
int peer_fail(
    struct peer *, uint32_t request, const struct apierr *) MUST_CHECK;

/* Bytes queued and not yet taken by the kernel. */
size_t peer_queued(const struct peer *);

/*
 * Write what the kernel takes at once; the rest stays queued. That it cannot be
 * written at all is for the next peer_poll to say.
 */
void peer_flush(struct peer *);

/* Give back the memory of empty buffers. */
void peer_trim(struct peer *);

/* Write all that is queued, waiting as long as it takes. 0 or -1. */
int peer_drain(struct peer *) MUST_CHECK;

#endif
