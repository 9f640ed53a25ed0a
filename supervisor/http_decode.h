/*
 * Undoes the Content-Encoding of a request's body, piece by piece and bounded:
 * a small body that expands without end is stopped at the caller's limit.
 */
#ifndef SUPERVISOR_HTTP_DECODE_H
#define SUPERVISOR_HTTP_DECODE_H

#include "common/compat.h"
#include "supervisor/http.h"

struct http_decoder;

/* Largest window that a zstd body may ask for: 8 MB. */
#define HTTP_ZSTD_WINDOW_LOG_MAX 23

/* encoding: HTTP_GZIP or HTTP_ZSTD. NULL with ENOMEM. */
struct http_decoder *http_decoder_new(enum http_encoding);
void http_decoder_free(struct http_decoder *);

/*
 * Decode all of src (left empty) to the end of dst.
 *
 * max  bytes that dst may hold in all
 *
 * Returns 0, or -1 with EMSGSIZE when dst would hold more than max, EBADMSG
 * when src is no such encoding, ENOMEM.
 */
int http_decode(struct http_decoder *, struct evbuffer *src,
    struct evbuffer *dst, size_t max) MUST_CHECK;
/* The body is over: -1 with EBADMSG when the encoding is not. */
int http_decode_end(const struct http_decoder *) MUST_CHECK;

#endif
