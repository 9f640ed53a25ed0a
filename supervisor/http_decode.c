/* Owns the decoding of request bodies that the supervisor itself reads. */
#include "common/compat.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#define ZLIB_CONST /* its input is const */
#include <zlib.h>
#include <zstd.h>

#include "supervisor/http_decode.h"

#define STEP_BYTES 16384 /* output room asked for at a time */

struct http_decoder {
	enum http_encoding encoding;
	z_stream gz;
	ZSTD_DCtx *zstd;
	bool between; /* no stream is begun or the last one is over */
};

struct http_decoder *
http_decoder_new(enum http_encoding encoding)
{
	struct http_decoder *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->encoding = encoding;
	d->between = true;
	if (encoding == HTTP_GZIP) {
		if (inflateInit2(&d->gz, 15 + 16) == Z_OK)
			return d;
	} else if ((d->zstd = ZSTD_createDCtx()) != NULL) {
		if (!ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd,
			ZSTD_d_windowLogMax, HTTP_ZSTD_WINDOW_LOG_MAX)))
			return d;
		ZSTD_freeDCtx(d->zstd);
	}
	free(d);
	errno = ENOMEM;
	return NULL;
}

void
http_decoder_free(struct http_decoder *d)
{
	if (d == NULL)
		return;
	if (d->encoding == HTTP_GZIP)
		inflateEnd(&d->gz);
	else
		ZSTD_freeDCtx(d->zstd);
	free(d);
}

/* A step of a codec: moves in and out on. 0, or -1 with errno. */
struct step {
	const unsigned char *in;
	size_t in_len;
	unsigned char *out;
	size_t out_len;
};

static int
step_gzip(struct http_decoder *d, struct step *st)
{
	int rc;

	/* Members may follow each other, RFC 1952 section 2.2. */
	if (d->between && inflateReset(&d->gz) != Z_OK) {
		errno = EBADMSG;
		return -1;
	}
	d->gz.next_in = st->in;
	d->gz.avail_in = (unsigned)st->in_len;
	d->gz.next_out = st->out;
	d->gz.avail_out = (unsigned)st->out_len;
	rc = inflate(&d->gz, Z_NO_FLUSH);
	st->in = d->gz.next_in;
	st->in_len = d->gz.avail_in;
	st->out_len = d->gz.avail_out;
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
		errno = rc == Z_MEM_ERROR ? ENOMEM : EBADMSG;
		return -1;
	}
	d->between = rc == Z_STREAM_END;
	return 0;
}

static int
step_zstd(struct http_decoder *d, struct step *st)
{
	ZSTD_inBuffer in = { st->in, st->in_len, 0 };
	ZSTD_outBuffer out = { st->out, st->out_len, 0 };
	size_t rc = ZSTD_decompressStream(d->zstd, &out, &in);

	st->in += in.pos;
	st->in_len -= in.pos;
	st->out_len -= out.pos;
	if (ZSTD_isError(rc)) {
		errno = EBADMSG;
		return -1;
	}
	d->between = rc == 0;
	return 0;
}

/*
 * One step from st->in to the end of dst. *full: the room was used up, so more
 * may come out without more input.
 */
static int
step_into(
    struct http_decoder *d, struct step *st, struct evbuffer *dst, bool *full)
{
	struct evbuffer_iovec v[1];
	int rc;

	if (evbuffer_reserve_space(dst, STEP_BYTES, v, 1) != 1) {
		errno = ENOMEM;
		return -1;
	}
	st->out = v[0].iov_base;
	st->out_len = STEP_BYTES;
	rc = d->encoding == HTTP_GZIP ? step_gzip(d, st) : step_zstd(d, st);
	*full = st->out_len == 0;
	v[0].iov_len = STEP_BYTES - st->out_len;
	return evbuffer_commit_space(dst, v, 1) == -1 ? -1 : rc;
}

static int
decode_extent(
    struct http_decoder *d, struct step *st, struct evbuffer *dst, size_t max)
{
	bool full = false;
	int rc;

	while (st->in_len > 0 || (full && !d->between)) {
		rc = step_into(d, st, dst, &full);
		/* Also of what came out before a break. */
		if (evbuffer_get_length(dst) > max) {
			errno = EMSGSIZE;
			return -1;
		}
		if (rc == -1)
			return -1;
	}
	return 0;
}

int
http_decode(struct http_decoder *d, struct evbuffer *src, struct evbuffer *dst,
    size_t max)
{
	struct evbuffer_iovec v[1];
	size_t len;

	while ((len = evbuffer_get_length(src)) > 0) {
		struct step st = { 0 };

		if (evbuffer_get_contiguous_space(src) == 0)
			evbuffer_pullup(src, len > 4096 ? 4096 : (int)len);
		evbuffer_peek(src, -1, NULL, v, 1);
		st.in = v[0].iov_base;
		st.in_len = v[0].iov_len;
		if (decode_extent(d, &st, dst, max) == -1)
			return -1;
		evbuffer_drain(src, v[0].iov_len);
	}
	return 0;
}

int
http_decode_end(const struct http_decoder *d)
{
	if (d->between)
		return 0;
	errno = EBADMSG;
	return -1;
}
