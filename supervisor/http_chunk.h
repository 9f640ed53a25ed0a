/*
 * Reader of the framing of a chunked body, RFC 9112 section 7.1. It sees sizes,
 * extensions and trailers, never the data: the caller moves that by itself and
 * says how much it was.
 */
#ifndef SUPERVISOR_HTTP_CHUNK_H
#define SUPERVISOR_HTTP_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "supervisor/http_fault.h"
#include "supervisor/http_text.h"

#define HTTP_CHUNK_LINE_MAX 4096 /* size and extensions of one chunk */
/*
 * Extension bytes of a body beyond as many as it has data: else a client could
 * keep the reader busy with extensions and never send a body.
 */
#define HTTP_CHUNK_EXCESS_MAX 16384

enum http_chunk_result {
	HTTP_CHUNK_MORE, /* needs more framing bytes */
	HTTP_CHUNK_DATA, /* left bytes of data come next */
	HTTP_CHUNK_DONE, /* the body and its trailers are over */
	HTTP_CHUNK_BAD
};

enum http_chunk_state {
	CHUNK_SIZE_FIRST,
	CHUNK_SIZE,
	CHUNK_BEFORE_EXT, /* white space between size, name or value and ";" */
	CHUNK_EXT_NAME_FIRST,
	CHUNK_EXT_NAME,
	CHUNK_AFTER_NAME,
	CHUNK_EXT_VALUE_FIRST,
	CHUNK_EXT_VALUE,
	CHUNK_EXT_QUOTED,
	CHUNK_EXT_ESCAPED,
	CHUNK_EXT_QUOTED_END,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER,
	CHUNK_DONE
};

struct http_chunk {
	enum http_chunk_state state;
	enum http_fault fault; /* after HTTP_CHUNK_BAD */
	uint64_t left;	       /* bytes of this chunk's data still to come */
	uint64_t data;	       /* bytes of data so far */
	uint64_t extensions;   /* bytes of extensions so far */
	size_t line;	       /* bytes of this size line */
	size_t trailers;       /* bytes of the trailer section */
	size_t trailers_max;
	enum http_field_state field;
};

/* trailers_max: bytes of all trailer fields together. */
void http_chunk_init(struct http_chunk *, size_t trailers_max);

/*
 * Take framing bytes; *used of them were read. Stops before data and behind
 * the end of the body.
 */
enum http_chunk_result http_chunk_read(
    struct http_chunk *, const void *bytes, size_t len, size_t *used);

/* n bytes of data were taken; n <= left. */
void http_chunk_take(struct http_chunk *, uint64_t n);

#endif
