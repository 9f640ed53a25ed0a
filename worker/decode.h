/*
 * Undoing the Content-Encoding of a body as it arrives: gzip (RFC 1952, any
 * number of members) and zstd (RFC 8878, any number of frames). Strict: bytes
 * that belong to no member are an error.
 */
#ifndef WORKER_DECODE_H
#define WORKER_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/msg.h"

/* Window of a zstd frame: what one stream may cost in memory. */
#define DECODE_ZSTD_WINDOW_LOG 23 /* 8 MB */

struct decoder;

/* Input not yet read and room not yet filled; decode_step moves both on. */
struct decode_io {
	const uint8_t *in; /* borrowed */
	size_t inlen;
	uint8_t *out; /* borrowed */
	size_t outlen;
};

/* ENCODING_GZIP or ENCODING_ZSTD. NULL with ENOMEM. */
struct decoder *decoder_new(enum upload_encoding);
void decoder_free(struct decoder *);

/*
 * Decode until the input or the room is used up. Returns 1: the room is full
 * and more may come out of what was read already; 0: more input is wanted; -1
 * with EBADMSG (decoder_error says why) or ENOMEM.
 */
int decode_step(struct decoder *, struct decode_io *) MUST_CHECK;

/* All that was read is whole members; true also when nothing was read. */
bool decoder_is_whole(const struct decoder *);

/* Why the last step failed: static text, for the client. */
const char *decoder_error(const struct decoder *);

#endif
