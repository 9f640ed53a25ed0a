/*
 * Bounded reading and writing of fixed-width big-endian values. The reader
 * cannot overrun, the writer cannot overflow. Both keep a sticky failure, so
 * that a sequence may be checked once at its end.
 */
#ifndef COMMON_WIRE_H
#define COMMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

struct rbuf {
	const uint8_t *p; /* borrowed: next byte */
	size_t left;	  /* bytes after p */
	bool bad;	  /* something was read past the end */
};

struct wbuf {
	uint8_t *data; /* owned */
	size_t len;
	size_t cap;
	size_t max; /* never grows past this; 0 means no limit */
	bool bad;   /* limit met, or no memory */
};

void rbuf_init(struct rbuf *, const void *data, size_t len);

/* Each returns 0, or -1 when too few bytes are left; *v is then 0. */
int wire_get_u8(struct rbuf *, uint8_t *v);
int wire_get_u16(struct rbuf *, uint16_t *v);
int wire_get_u32(struct rbuf *, uint32_t *v);
int wire_get_u64(struct rbuf *, uint64_t *v);
int wire_get_i64(struct rbuf *, int64_t *v);
int wire_get_f64(struct rbuf *, double *v); /* any bit pattern */
/* *v points into the buffer of the reader. */
int wire_get_bytes(struct rbuf *, const uint8_t **v, size_t len);

void wbuf_init(struct wbuf *, size_t max);
void wbuf_clear(struct wbuf *); /* frees; usable again afterwards */
void wbuf_reset(struct wbuf *); /* forgets content, keeps memory */

/* Each returns 0, or -1 when the limit is met or memory is out. */
int wire_put_u8(struct wbuf *, uint8_t);
int wire_put_u16(struct wbuf *, uint16_t);
int wire_put_u32(struct wbuf *, uint32_t);
int wire_put_u64(struct wbuf *, uint64_t);
int wire_put_i64(struct wbuf *, int64_t);
int wire_put_f64(struct wbuf *, double);
int wire_put_bytes(struct wbuf *, const void *, size_t len);
/* Room for len bytes at the end, not yet counted in wb->len; NULL: as -1. */
uint8_t *wbuf_reserve(struct wbuf *, size_t len);

/* Strict UTF-8 (RFC 3629) without NUL. */
bool wire_utf8_ok(const void *, size_t len);

#endif
