/* Owns the head of a snapshot's file. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/disk.h"
#include "common/snaphead.h"

#define MAGIC "ANOMSNAP"
#define MAGIC_BYTES 8
#define LENGTH_AT 12
#define FIXED_BYTES 16 /* magic, format, length */

SCHEMA_DEFINE(snapshot_head, SNAPSHOT_HEAD_FIELDS);

static int
parse_format_2(
    struct rbuf *rb, struct snapshot_head *head, struct model_size *size)
{
	if (schema_decode(&snapshot_head_schema, rb, head, NULL) == -1 ||
	    schema_decode(&model_size_schema, rb, size, NULL) == -1)
		return -1;
	return rb->left == 0 ? 0 : -1;
}

/* The formats that are read, and how; in order. */
static const struct {
	uint32_t format;
	int (*parse)(
	    struct rbuf *, struct snapshot_head *, struct model_size *);
} readers[] = {
	{ 2, parse_format_2 },
	{ 4, parse_format_2 }, /* other sections behind the same head */
	{ 5, parse_format_2 },
	{ 6, parse_format_2 },
};

int
snaphead_put(struct wbuf *wb, const struct snapshot_head *head,
    const struct model_size *size)
{
	size_t start = wb->len, length;

	if (wire_put_bytes(wb, MAGIC, MAGIC_BYTES) == -1 ||
	    wire_put_u32(wb, SNAPHEAD_FORMAT) == -1 ||
	    wire_put_u32(wb, 0) == -1)
		goto no_memory;
	if (schema_encode(&snapshot_head_schema, head, wb) == -1 ||
	    schema_encode(&model_size_schema, size, wb) == -1)
		return -1;
	length = wb->len - start - FIXED_BYTES;
	for (int i = 0; i < 4; i++)
		wb->data[start + LENGTH_AT + (size_t)i] =
		    (uint8_t)(length >> (24 - 8 * i));
	if (wire_put_u32(wb, crc32c(0, wb->data + start, wb->len - start)) == 0)
		return 0;
no_memory:
	errno = ENOMEM;
	return -1;
}

/* The checksum comes first: a damaged format is damage, not another format. */
int
snaphead_get(const void *data, size_t len, struct snapshot_head *head,
    struct model_size *size, uint32_t *format, size_t *body_at)
{
	const uint8_t *magic, *fields;
	uint32_t length, sum;
	struct rbuf rb;

	*format = 0;
	rbuf_init(&rb, data, len);
	if (wire_get_bytes(&rb, &magic, MAGIC_BYTES) == -1 ||
	    memcmp(magic, MAGIC, MAGIC_BYTES) != 0 ||
	    wire_get_u32(&rb, format) == -1)
		goto bad;
	if (wire_get_u32(&rb, &length) == -1 ||
	    wire_get_bytes(&rb, &fields, length) == -1 ||
	    wire_get_u32(&rb, &sum) == -1 ||
	    crc32c(0, data, FIXED_BYTES + (size_t)length) != sum)
		goto bad;
	*body_at = FIXED_BYTES + (size_t)length + sizeof(sum);
	rbuf_init(&rb, fields, length);
	for (size_t i = 0; i < NELEM(readers); i++)
		if (readers[i].format == *format) {
			if (readers[i].parse(&rb, head, size) == 0)
				return 0;
			goto bad;
		}
	errno = EPROTONOSUPPORT;
	return -1;
bad:
	errno = EBADMSG;
	return -1;
}

int
snaphead_read(const char *path, struct snaphead_file *f)
{
	ssize_t n = disk_read_start(path, f->data, sizeof(f->data));
	size_t body_at;

	f->format = 0;
	if (n == -1)
		return -1;
	return snaphead_get(
	    f->data, (size_t)n, &f->head, &f->size, &f->format, &body_at);
}

const char *
snaphead_id(char dst[SNAPHEAD_ID_BYTES], int64_t created_ms)
{
	snprintf(dst, SNAPHEAD_ID_BYTES, "%" PRId64, created_ms / 1000);
	return dst;
}
