/* Owns the bytes of values: bounded reader and writer. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire.h"

void
rbuf_init(struct rbuf *rb, const void *data, size_t len)
{
	rb->p = data;
	rb->left = len;
	rb->bad = false;
}

int
wire_get_bytes(struct rbuf *rb, const uint8_t **v, size_t len)
{
	*v = NULL;
	if (rb->bad || rb->left < len) {
		rb->bad = true;
		return -1;
	}
	*v = rb->p;
	if (len > 0)
		rb->p += len;
	rb->left -= len;
	return 0;
}

static int
get_uint(struct rbuf *rb, size_t width, uint64_t *v)
{
	const uint8_t *p;

	*v = 0;
	if (wire_get_bytes(rb, &p, width) == -1)
		return -1;
	for (size_t i = 0; i < width; i++)
		*v = *v << 8 | p[i];
	return 0;
}

int
wire_get_u8(struct rbuf *rb, uint8_t *v)
{
	uint64_t u;
	int rc = get_uint(rb, 1, &u);

	*v = (uint8_t)u;
	return rc;
}

int
wire_get_u16(struct rbuf *rb, uint16_t *v)
{
	uint64_t u;
	int rc = get_uint(rb, 2, &u);

	*v = (uint16_t)u;
	return rc;
}

int
wire_get_u32(struct rbuf *rb, uint32_t *v)
{
	uint64_t u;
	int rc = get_uint(rb, 4, &u);

	*v = (uint32_t)u;
	return rc;
}

int
wire_get_u64(struct rbuf *rb, uint64_t *v)
{
	return get_uint(rb, 8, v);
}

int
wire_get_i64(struct rbuf *rb, int64_t *v)
{
	uint64_t u;
	int rc = get_uint(rb, 8, &u);

	memcpy(v, &u, sizeof(*v));
	return rc;
}

int
wire_get_f64(struct rbuf *rb, double *v)
{
	uint64_t u;
	int rc = get_uint(rb, 8, &u);

	memcpy(v, &u, sizeof(*v));
	return rc;
}

void
wbuf_init(struct wbuf *wb, size_t max)
{
	memset(wb, 0, sizeof(*wb));
	wb->max = max;
}

void
wbuf_clear(struct wbuf *wb)
{
	size_t max = wb->max;

	free(wb->data);
	wbuf_init(wb, max);
}

void
wbuf_reset(struct wbuf *wb)
{
	wb->len = 0;
	wb->bad = false;
}

uint8_t *
wbuf_reserve(struct wbuf *wb, size_t len)
{
	size_t need, cap;
	uint8_t *data;

	if (wb->bad || len > SIZE_MAX / 2 - wb->len)
		goto bad;
	need = wb->len + len;
	if (wb->max != 0 && need > wb->max)
		goto bad;
	if (need > wb->cap || wb->data == NULL) {
		cap = wb->cap == 0 ? 256 : wb->cap;
		while (cap < need)
			cap *= 2;
		data = realloc(wb->data, cap);
		if (data == NULL)
			goto bad;
		wb->data = data;
		wb->cap = cap;
	}
	return wb->data + wb->len;
bad:
	wb->bad = true;
	return NULL;
}

int
wire_put_bytes(struct wbuf *wb, const void *data, size_t len)
{
	uint8_t *p = wbuf_reserve(wb, len);

	if (p == NULL)
		return -1;
	if (len > 0)
		memcpy(p, data, len);
	wb->len += len;
	return 0;
}

static int
put_uint(struct wbuf *wb, size_t width, uint64_t v)
{
	uint8_t b[8];

	for (size_t i = 0; i < width; i++)
		b[i] = (uint8_t)(v >> (8 * (width - 1 - i)));
	return wire_put_bytes(wb, b, width);
}

int
wire_put_u8(struct wbuf *wb, uint8_t v)
{
	return put_uint(wb, 1, v);
}

int
wire_put_u16(struct wbuf *wb, uint16_t v)
{
	return put_uint(wb, 2, v);
}

int
wire_put_u32(struct wbuf *wb, uint32_t v)
{
	return put_uint(wb, 4, v);
}

int
wire_put_u64(struct wbuf *wb, uint64_t v)
{
	return put_uint(wb, 8, v);
}

int
wire_put_i64(struct wbuf *wb, int64_t v)
{
	uint64_t u;

	memcpy(&u, &v, sizeof(u));
	return put_uint(wb, 8, u);
}

int
wire_put_f64(struct wbuf *wb, double v)
{
	uint64_t u;

	memcpy(&u, &v, sizeof(u));
	return put_uint(wb, 8, u);
}

/* Smallest code point that needs this many continuation bytes. */
static const uint32_t utf8_least[] = { 0, 0x80, 0x800, 0x10000 };

bool
wire_utf8_ok(const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t i = 0;

	while (i < len) {
		uint8_t c = p[i++];
		uint32_t cp;
		size_t n;

		if (c == 0)
			return false;
		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c <= 0xdf) {
			n = 1;
			cp = c & 0x1fu;
		} else if ((c & 0xf0) == 0xe0) {
			n = 2;
			cp = c & 0x0fu;
		} else if (c >= 0xf0 && c <= 0xf4) {
			n = 3;
			cp = c & 0x07u;
		} else {
			return false;
		}
		if (len - i < n)
			return false;
		for (size_t k = 0; k < n; k++) {
			if ((p[i] & 0xc0) != 0x80)
				return false;
			cp = cp << 6 | (p[i++] & 0x3fu);
		}
		if (cp < utf8_least[n] || cp > 0x10ffff ||
		    (cp >= 0xd800 && cp <= 0xdfff))
			return false;
	}
	return true;
}
