/*
 * An upload on its way in: bytes as the client sent them, decoded into its
 * spool. Nothing of it counts before its seal.
 */
#ifndef WORKER_ARRIVAL_H
#define WORKER_ARRIVAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"
#include "worker/decode.h"
#include "worker/retry.h"
#include "worker/spool.h"

struct repost;

struct arrival {
	TAILQ_ENTRY(arrival) link; /* of whoever keeps it */
	uint32_t request;
	int64_t reset_start_s;
	int64_t reset_end_s;
	bool sealed;
	struct retry retry; /* with the seal */
	bool windowed;	    /* zstd: decoding it may take a window of 8 MB */
	uint64_t wire_bytes;
	uint32_t wire_crc;
	struct spool *spool;	 /* owned */
	struct repost *repost;	 /* owned; NULL: frames bring it */
	struct decoder *decoder; /* owned; NULL: identity */
	struct wbuf pending;	 /* not yet decoded, from pending_at on */
	size_t pending_at;
	bool more; /* the decoder holds back output */
};

/*
 * max_bytes  of the decoded body; 0: no limit
 * flush      the journal will sync
 *
 * NULL with ENOMEM.
 */
struct arrival *arrival_new(uint32_t request, const struct msg_upload_begin *,
    uint64_t max_bytes, bool flush);
void arrival_free(struct arrival *);

/*
 * Take bytes of the body. Returns 0, or -1 with *e set: the upload has failed
 * and is to be dropped.
 */
int arrival_data(
    struct arrival *, const uint8_t *, size_t len, struct apierr *e) MUST_CHECK;

/* Bytes that wait to be decoded. */
size_t arrival_pending(const struct arrival *);
bool arrival_is_busy(const struct arrival *);

/*
 * Decode until the monotonic clock reaches deadline_us. Returns 1: more is
 * pending; 0: nothing is; -1 as arrival_data.
 */
int arrival_decode(struct arrival *, int64_t deadline_us, uint64_t *progress,
    struct apierr *e) MUST_CHECK;

/*
 * The last byte was sent. Returns 0, or -1: these are not the bytes that came
 * (the supervisor's fault, not the client's).
 */
int arrival_seal(struct arrival *, const struct msg_upload_seal *) MUST_CHECK;

/*
 * Once sealed and with nothing pending: the spool holds the whole body.
 * Returns as arrival_data.
 */
int arrival_finish(struct arrival *, struct apierr *e) MUST_CHECK;

/* Set *e: the journal has no room for the request yet. Returns -1. */
int arrival_over_quota(struct apierr *);
/* Set *e: the disk did not take the request, for this errno. Returns -1. */
int arrival_not_kept(struct apierr *e, int error);

#endif
