/* gzip for answers: whether a client takes it, and a compressor in slices. */
#ifndef SUPERVISOR_HTTP_ENCODE_H
#define SUPERVISOR_HTTP_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compat.h"

struct evbuffer;
struct http_encoder;
struct http_head;

/* What Accept-Encoding says about gzip; q=0 is a no. */
bool http_head_accepts_gzip(const struct http_head *);

/* NULL with ENOMEM. */
struct http_encoder *http_encoder_new(void);
void http_encoder_free(struct http_encoder *);
/* Ready for another stream. */
void http_encoder_reset(struct http_encoder *);

/*
 * Compress up to max bytes from the front of src (drained) to the end of dst;
 * last: the stream ends once src is empty.
 *
 * Returns 0, or -1 with ENOMEM.
 */
int http_encode(struct http_encoder *, struct evbuffer *src, size_t max,
    struct evbuffer *dst, bool last) MUST_CHECK;

#endif
