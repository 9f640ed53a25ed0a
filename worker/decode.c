/* Owns the streams of zlib and zstd behind one interface. */
#include "common/compat.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "worker/decode.h"

#define GZIP_ONLY (15 + 16) /* inflateInit2: largest window, gzip header */

struct decoder {
	enum upload_encoding encoding;
	z_stream gzip;
	ZSTD_DCtx *zstd; /* owned */
	bool inside;	 /* a member has begun and not ended */
	const char *error;
};

struct decoder *
decoder_new(enum upload_encoding encoding)
{
	struct decoder *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->encoding = encoding;
	d->error = "no error";
	if (encoding == ENCODING_GZIP) {
		if (inflateInit2(&d->gzip, GZIP_ONLY) != Z_OK)
			goto fail;
		return d;
	}
	d->zstd = ZSTD_createDCtx();
	if (d->zstd == NULL ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(
		d->zstd, ZSTD_d_windowLogMax, DECODE_ZSTD_WINDOW_LOG)))
		goto fail;
	return d;
fail:
	decoder_free(d);
	errno = ENOMEM;
	return NULL;
}

void
decoder_free(struct decoder *d)
{
	if (d == NULL)
		return;
	if (d->encoding == ENCODING_GZIP)
		inflateEnd(&d->gzip);
	ZSTD_freeDCtx(d->zstd);
	free(d);
}

static int
decoder_fail(struct decoder *d, int error, const char *text)
{
	d->error = text;
	errno = error;
	return -1;
}

static uInt
clamp(size_t len)
{
	return len > UINT_MAX ? UINT_MAX : (uInt)len;
}

/* One call of inflate; its verdict is that of zlib. */
static int
gzip_inflate(struct decoder *d, struct decode_io *io)
{
	size_t in = clamp(io->inlen), out = clamp(io->outlen);
	int rc;

	/* zlib's interface predates const; it does not write there. */
	d->gzip.next_in = (Bytef *)(uintptr_t)io->in;
	d->gzip.avail_in = (uInt)in;
	d->gzip.next_out = io->out;
	d->gzip.avail_out = (uInt)out;
	rc = inflate(&d->gzip, Z_NO_FLUSH);
	in -= d->gzip.avail_in;
	out -= d->gzip.avail_out;
	io->in += in;
	io->inlen -= in;
	io->out += out;
	io->outlen -= out;
	return rc;
}

static int
gzip_step(struct decoder *d, struct decode_io *io)
{
	while (io->outlen > 0) {
		int rc;

		if (!d->inside && io->inlen == 0)
			return 0;
		d->inside = true;
		rc = gzip_inflate(d, io);
		if (rc == Z_MEM_ERROR)
			return decoder_fail(d, ENOMEM, "out of memory");
		if (rc == Z_STREAM_END) {
			d->inside = false;
			inflateReset(&d->gzip);
			continue;
		}
		if (rc != Z_OK && rc != Z_BUF_ERROR)
			return decoder_fail(
			    d, EBADMSG, "the gzip stream is broken");
		if (io->outlen > 0 && io->inlen == 0)
			return 0;
	}
	return 1;
}

static int
zstd_fail(struct decoder *d, size_t rc)
{
	ZSTD_ErrorCode code = ZSTD_getErrorCode(rc);

	if (code == ZSTD_error_memory_allocation)
		return decoder_fail(d, ENOMEM, "out of memory");
	if (code == ZSTD_error_frameParameter_windowTooLarge)
		return decoder_fail(d, EBADMSG,
		    "the window of the zstd stream is larger than 8 MB");
	return decoder_fail(d, EBADMSG, "the zstd stream is broken");
}

static int
zstd_step(struct decoder *d, struct decode_io *io)
{
	while (io->outlen > 0) {
		ZSTD_inBuffer in = { io->in, io->inlen, 0 };
		ZSTD_outBuffer out = { io->out, io->outlen, 0 };
		size_t rc;

		if (!d->inside && io->inlen == 0)
			return 0;
		rc = ZSTD_decompressStream(d->zstd, &out, &in);
		if (ZSTD_isError(rc))
			return zstd_fail(d, rc);
		d->inside = rc != 0;
		io->in += in.pos;
		io->inlen -= in.pos;
		io->out += out.pos;
		io->outlen -= out.pos;
		if (io->outlen > 0 && io->inlen == 0)
			return 0;
	}
	return 1;
}

int
decode_step(struct decoder *d, struct decode_io *io)
{
	return d->encoding == ENCODING_GZIP ? gzip_step(d, io)
					    : zstd_step(d, io);
}

bool
decoder_is_whole(const struct decoder *d)
{
	return !d->inside;
}

const char *
decoder_error(const struct decoder *d)
{
	return d->error;
}
