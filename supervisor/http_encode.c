/* Owns the compression of answers. */
#include "common/compat.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "supervisor/http_encode.h"
#include "supervisor/http_head.h"

#define STEP_BYTES 16384
#define GZIP_LEVEL 1 /* JSON shrinks to a tenth already; higher costs time */

struct http_encoder {
	z_stream gz;
};

/* ---- Accept-Encoding ---- */

/*
 * True when the weight behind an element's ";" is more than nothing. A weight
 * that cannot be read counts as 1, as if it were not there.
 */
static bool
weight_is_positive(const char *params, size_t len)
{
	const char *end = params + len;

	while (params < end && strchr("; \t", *params) != NULL)
		params++;
	if (end - params < 3 || (*params != 'q' && *params != 'Q') ||
	    params[1] != '=' || params[2] != '0')
		return true;
	for (params += 3; params < end; params++)
		if (*params >= '1' && *params <= '9')
			return true;
	return false;
}

bool
http_head_accepts_gzip(const struct http_head *h)
{
	const char *value, *item;
	bool named = false, any = false, gzip = false;
	unsigned at = 0;
	size_t len, word;

	while (
	    (value = http_head_field_next(h, "accept-encoding", &at)) != NULL) {
		while (http_list_next(&value, &item, &len)) {
			bool yes;

			for (word = 0; word < len; word++)
				if (strchr("; \t", item[word]) != NULL)
					break;
			yes = weight_is_positive(item + word, len - word);
			if (http_item_is(item, word, "gzip") ||
			    http_item_is(item, word, "x-gzip")) {
				named = true;
				gzip = gzip || yes;
			} else if (http_item_is(item, word, "*")) {
				any = yes;
			}
		}
	}
	return named ? gzip : any;
}

/* ---- the compressor ---- */

struct http_encoder *
http_encoder_new(void)
{
	struct http_encoder *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	if (deflateInit2(&e->gz, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8,
		Z_DEFAULT_STRATEGY) == Z_OK)
		return e;
	free(e);
	errno = ENOMEM;
	return NULL;
}

void
http_encoder_free(struct http_encoder *e)
{
	if (e == NULL)
		return;
	deflateEnd(&e->gz);
	free(e);
}

void
http_encoder_reset(struct http_encoder *e)
{
	deflateReset(&e->gz);
}

/* Run deflate until it wants more input, or with Z_FINISH until the end. */
static int
deflate_all(struct http_encoder *e, struct evbuffer *dst, int flush)
{
	struct evbuffer_iovec v[1];
	int rc;

	do {
		if (evbuffer_reserve_space(dst, STEP_BYTES, v, 1) != 1) {
			errno = ENOMEM;
			return -1;
		}
		e->gz.next_out = v[0].iov_base;
		e->gz.avail_out = STEP_BYTES;
		rc = deflate(&e->gz, flush);
		v[0].iov_len = STEP_BYTES - e->gz.avail_out;
		evbuffer_commit_space(dst, v, 1);
	} while (e->gz.avail_out == 0 && rc != Z_STREAM_END);
	return 0;
}

int
http_encode(struct http_encoder *e, struct evbuffer *src, size_t max,
    struct evbuffer *dst, bool last)
{
	struct evbuffer_iovec v[1];
	size_t n;

	while (max > 0 && evbuffer_get_length(src) > 0) {
		if (evbuffer_get_contiguous_space(src) == 0)
			evbuffer_pullup(src, 1);
		evbuffer_peek(src, -1, NULL, v, 1);
		n = v[0].iov_len < max ? v[0].iov_len : max;
		e->gz.next_in = v[0].iov_base;
		e->gz.avail_in = (unsigned)n;
		if (deflate_all(e, dst, Z_NO_FLUSH) == -1)
			return -1;
		evbuffer_drain(src, n);
		max -= n;
	}
	if (!last || evbuffer_get_length(src) > 0)
		return 0;
	e->gz.avail_in = 0;
	return deflate_all(e, dst, Z_FINISH);
}
