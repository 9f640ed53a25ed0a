/* The uploads that arrive side by side, known by number of their request. */
#ifndef WORKER_UPLOADS_H
#define WORKER_UPLOADS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/peer.h"
#include "worker/arrival.h"

struct uploads {
	struct peer *peer;  /* borrowed: for answers to what fails */
	uint64_t max_bytes; /* of a decoded body; 0: no limit */
	bool flush;	    /* the journal will sync */
	TAILQ_HEAD(, arrival) list;
	unsigned n;
	unsigned nwindowed; /* of them */
	/*
	 * The highest request that has begun, 0 for none. Frames of one that
	 * was answered as failed may still be on their way, of any number of
	 * them: what has begun and is not here any more is late, not wrong.
	 */
	uint32_t begun;
};

void uploads_init(struct uploads *, struct peer *);
/* Drop all: the job is closing. Their frames are ignored from then on. */
void uploads_clear(struct uploads *);
void uploads_free(struct uploads *);

/*
 * Frames of an upload. What is wrong with the upload is answered to its
 * client here. Each returns 0, or -1 with errno; EBADMSG: no such upload, or
 * not the bytes that were sealed.
 *
 * sealed_windows  of sealed uploads, which count as well: LOOP_WINDOWS_MAX
 * has_room        backlog_has_room: else its body need not come at all
 */
int uploads_begin(struct uploads *, uint32_t request,
    const struct msg_upload_begin *, unsigned sealed_windows,
    bool has_room) MUST_CHECK;
int uploads_data(
    struct uploads *, uint32_t request, const uint8_t *, size_t) MUST_CHECK;
/* *a: sealed, the caller's now; NULL when it had failed before. */
int uploads_seal(struct uploads *, uint32_t request,
    const struct msg_upload_seal *, struct arrival **a) MUST_CHECK;
void uploads_drop(struct uploads *, uint32_t request);

bool uploads_is_busy(const struct uploads *);
size_t uploads_pending(const struct uploads *);

/* Decode what is pending until the monotonic clock reaches deadline_us. */
int uploads_decode(
    struct uploads *, int64_t deadline_us, uint64_t *progress) MUST_CHECK;

#endif
