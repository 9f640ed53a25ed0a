/* Owns the frame header: writing it, and judging one that came in. */
#include "common/compat.h"

#include <errno.h>
#include <string.h>

#include "common/frame.h"
#include "common/msg.h"

void
frame_put_header(uint8_t *dst, uint16_t type, uint32_t request, size_t len)
{
	uint32_t n = (uint32_t)len;

	for (int i = 0; i < 4; i++) {
		dst[i] = (uint8_t)(n >> (24 - 8 * i));
		dst[8 + i] = (uint8_t)(request >> (24 - 8 * i));
	}
	dst[4] = (uint8_t)(type >> 8);
	dst[5] = (uint8_t)type;
	dst[6] = dst[7] = 0;
}

int
frame_get_header(const uint8_t *src, unsigned from, unsigned state,
    struct frame_header *h, const char **why)
{
	const struct msg_info *m;
	const char *text = NULL;
	uint16_t reserved;
	struct rbuf rb;

	rbuf_init(&rb, src, FRAME_HEADER_BYTES);
	wire_get_u32(&rb, &h->len);
	wire_get_u16(&rb, &h->type);
	wire_get_u16(&rb, &reserved);
	wire_get_u32(&rb, &h->request);

	m = msg_find(h->type);
	if (m == NULL)
		text = "unknown type";
	else if (reserved != 0)
		text = "reserved bits set";
	else if (h->len < m->min || h->len > m->max)
		text = "length out of range";
	else if ((m->from & from) == 0)
		text = "not for this sender";
	else if ((m->states & state) == 0)
		text = "not in this state";
	if (text == NULL)
		return 0;
	if (why != NULL)
		*why = text;
	errno = EBADMSG;
	return -1;
}

int
frame_put(struct wbuf *wb, uint16_t type, uint32_t request, const void *obj)
{
	const struct msg_info *m = msg_find(type);
	size_t start = wb->len;
	uint8_t *header;

	if (m == NULL || m->schema == NULL) {
		errno = EINVAL;
		return -1;
	}
	header = wbuf_reserve(wb, FRAME_HEADER_BYTES);
	if (header == NULL) {
		errno = ENOMEM;
		return -1;
	}
	wb->len += FRAME_HEADER_BYTES;
	if (schema_encode(m->schema, obj, wb) == -1) {
		wb->len = start;
		return -1;
	}
	frame_put_header(wb->data + start, type, request,
	    wb->len - start - FRAME_HEADER_BYTES);
	return 0;
}

int
frame_put_raw(struct wbuf *wb, uint16_t type, uint32_t request,
    const void *data, size_t len)
{
	const struct msg_info *m = msg_find(type);
	uint8_t *header;

	if (m == NULL || m->schema != NULL || len < m->min || len > m->max) {
		errno = EINVAL;
		return -1;
	}
	header = wbuf_reserve(wb, FRAME_HEADER_BYTES + len);
	if (header == NULL) {
		errno = ENOMEM;
		return -1;
	}
	frame_put_header(header, type, request, len);
	memcpy(header + FRAME_HEADER_BYTES, data, len);
	wb->len += FRAME_HEADER_BYTES + len;
	return 0;
}
