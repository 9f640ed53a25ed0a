/* Owns the way of an upload's bytes from frames to its spool. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "worker/arrival.h"
#include "worker/repost.h"

#define DECODE_BYTES (64 * 1024) /* decoded at once: well below a slice */
#define RETRY_AFTER_S 10	 /* time for somebody to make room */
#define QUOTA_RETRY_AFTER_S 2	 /* a snapshot takes about as long */

int
arrival_not_kept(struct apierr *e, int error)
{
	apierr_set(e, 503, E_EXCEPTION,
	    "the request cannot be stored: %s; nothing of it was kept",
	    strerror(error));
	e->retry_after_s = RETRY_AFTER_S;
	return -1;
}

int
arrival_over_quota(struct apierr *e)
{
	apierr_set(e, 503, E_EXCEPTION,
	    "the journal of this job has grown to its journal_quota, and waits "
	    "for a snapshot of the models to make room (if none can be "
	    "written, the log of the daemon says why); nothing of the request "
	    "was kept");
	e->retry_after_s = QUOTA_RETRY_AFTER_S;
	return -1;
}

struct arrival *
arrival_new(uint32_t request, const struct msg_upload_begin *m,
    uint64_t max_bytes, bool flush)
{
	struct arrival *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->request = request;
	a->reset_start_s = m->reset_start_s;
	a->reset_end_s = m->reset_end_s;
	a->windowed = m->encoding == ENCODING_ZSTD;
	wbuf_init(&a->pending, 0);
	a->spool = spool_new(request, max_bytes, flush);
	if (m->encoding != ENCODING_IDENTITY)
		a->decoder = decoder_new(m->encoding);
	if (a->spool == NULL ||
	    (m->encoding != ENCODING_IDENTITY && a->decoder == NULL)) {
		arrival_free(a);
		errno = ENOMEM;
		return NULL;
	}
	return a;
}

void
arrival_free(struct arrival *a)
{
	if (a == NULL)
		return;
	spool_free(a->spool);
	decoder_free(a->decoder);
	repost_free(a->repost);
	wbuf_clear(&a->pending);
	free(a);
}

/* Past the limit is the client's fault, the rest is the disk's or ours. */
static int
spool_error(const struct arrival *a, struct apierr *e)
{
	if (errno == E2BIG)
		return apierr_set(e, 413, E_ILLEGAL_ARGUMENT,
		    "the request body is larger than max_body_size allows, "
		    "after its Content-Encoding was undone");
	log_warn("spool of request %" PRIu32, a->request);
	return arrival_not_kept(e, errno);
}

int
arrival_data(
    struct arrival *a, const uint8_t *data, size_t len, struct apierr *e)
{
	a->wire_bytes += len;
	if (a->decoder == NULL) {
		if (spool_write(a->spool, data, len) == -1)
			return spool_error(a, e);
		a->wire_crc = spool_crc(a->spool); /* of the same bytes */
		return 0;
	}
	a->wire_crc = crc32c(a->wire_crc, data, len);
	if (wire_put_bytes(&a->pending, data, len) == -1) {
		errno = ENOMEM;
		return spool_error(a, e);
	}
	return 0;
}

size_t
arrival_pending(const struct arrival *a)
{
	return a->pending.len - a->pending_at;
}

bool
arrival_is_busy(const struct arrival *a)
{
	return a->more || arrival_pending(a) > 0 ||
	    (a->repost != NULL && !repost_is_over(a->repost));
}

static int
decode_error(const struct arrival *a, struct apierr *e)
{
	if (errno != EBADMSG)
		return spool_error(a, e);
	return apierr_set(e, 400, E_PARSE,
	    "the request body cannot be decoded: %s",
	    decoder_error(a->decoder));
}

/* One room's worth of output. */
static int
decode_some(struct arrival *a, uint8_t *room, struct apierr *e)
{
	struct decode_io io = { .in = a->pending.data + a->pending_at,
		.inlen = arrival_pending(a),
		.out = room,
		.outlen = DECODE_BYTES };
	int rc = decode_step(a->decoder, &io);

	if (rc == -1)
		return decode_error(a, e);
	a->more = rc == 1;
	a->pending_at = a->pending.len - io.inlen;
	if (spool_write(a->spool, room, DECODE_BYTES - io.outlen) == -1)
		return spool_error(a, e);
	return 0;
}

/* Its file in place of what is pending. */
static int
copy_repost(struct arrival *a, int64_t deadline_us, uint64_t *progress,
    struct apierr *e)
{
	while (!repost_is_over(a->repost)) {
		if (repost_copy(a->repost, a->spool, DECODE_BYTES) == -1)
			return spool_error(a, e);
		(*progress)++;
		if (clock_mono_us() >= deadline_us)
			break;
	}
	return repost_is_over(a->repost) ? 0 : 1;
}

int
arrival_decode(struct arrival *a, int64_t deadline_us, uint64_t *progress,
    struct apierr *e)
{
	uint8_t *room;
	int rc = 0;

	if (!arrival_is_busy(a))
		return 0;
	if (a->repost != NULL)
		return copy_repost(a, deadline_us, progress, e);
	room = malloc(DECODE_BYTES);
	if (room == NULL) {
		errno = ENOMEM;
		return spool_error(a, e);
	}
	do {
		rc = decode_some(a, room, e);
		(*progress)++;
	} while (
	    rc == 0 && arrival_is_busy(a) && clock_mono_us() < deadline_us);
	free(room);
	if (rc == -1)
		return -1;
	if (arrival_is_busy(a))
		return 1;
	wbuf_clear(&a->pending);
	a->pending_at = 0;
	return 0;
}

int
arrival_seal(struct arrival *a, const struct msg_upload_seal *m)
{
	if (m->wire_bytes != a->wire_bytes || m->wire_crc != a->wire_crc)
		return -1;
	a->sealed = true;
	a->retry =
	    (struct retry){ m->key_hi, m->key_lo, m->digest_hi, m->digest_lo };
	return 0;
}

int
arrival_finish(struct arrival *a, struct apierr *e)
{
	bool whole = a->decoder == NULL || decoder_is_whole(a->decoder);

	if (a->repost != NULL && !repost_is_right(a->repost, a->spool))
		return apierr_set(e, 500, E_EXCEPTION,
		    "the file of this entry is damaged: it is not posted "
		    "again, and can only be dropped");
	repost_free(a->repost);
	a->repost = NULL;
	/* Its window may be large, and the line long. */
	decoder_free(a->decoder);
	a->decoder = NULL;
	if (whole)
		return 0;
	return apierr_set(e, 400, E_PARSE,
	    "the request body cannot be decoded: it ends too early");
}
