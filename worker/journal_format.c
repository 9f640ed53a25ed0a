/* Owns the bytes of a segment: heads, entry headers, and the walk over them. */
#include "common/compat.h"

#include <errno.h>
#include <string.h>

#include "common/crc32c.h"
#include "worker/journal.h"

#define HEAD_MAGIC "ANOMJRNL"
#define HEAD_MAGIC_BYTES 8
#define ENTRY_MAGIC 0x41454e54u /* "AENT" */

SCHEMA_DEFINE(journal_entry, JOURNAL_ENTRY_FIELDS);

void
journal_entry_init(struct journal_entry *e, enum journal_type type)
{
	*e = (struct journal_entry){
		.type = (uint8_t)type,
		.receipt_ms = TIME_UNSET,
		.reset_start_s = TIME_UNSET,
		.reset_end_s = TIME_UNSET,
		.start_s = TIME_UNSET,
		.end_s = TIME_UNSET,
		.advance_time_s = TIME_UNSET,
		.skip_time_s = TIME_UNSET,
	};
}

/* Append the checksum of what was put since start. */
static int
put_sum(struct wbuf *wb, size_t start)
{
	return wire_put_u32(wb, crc32c(0, wb->data + start, wb->len - start));
}

int
journal_put_head(struct wbuf *wb, uint64_t first_seq)
{
	size_t start = wb->len;

	if (wire_put_bytes(wb, HEAD_MAGIC, HEAD_MAGIC_BYTES) == 0 &&
	    wire_put_u32(wb, JOURNAL_FORMAT) == 0 &&
	    wire_put_u64(wb, first_seq) == 0 && put_sum(wb, start) == 0)
		return 0;
	errno = ENOMEM;
	return -1;
}

int
journal_put_header(struct wbuf *wb, const struct journal_entry *e)
{
	size_t start = wb->len;

	if (wire_put_u32(wb, ENTRY_MAGIC) == -1) {
		errno = ENOMEM;
		return -1;
	}
	if (schema_encode(&journal_entry_schema, e, wb) == -1)
		return -1;
	if (put_sum(wb, start) == -1) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static int
cursor_fail(struct journal_cursor *c, const char *why)
{
	c->why = why;
	c->is_short = false;
	errno = EBADMSG;
	return -1;
}

static int
cursor_fail_short(struct journal_cursor *c, const char *why)
{
	cursor_fail(c, why);
	c->is_short = true;
	return -1;
}

int
journal_cursor_init(struct journal_cursor *c, const void *data, size_t len)
{
	const uint8_t *magic;
	uint32_t sum;
	struct rbuf rb;

	*c = (struct journal_cursor){ .data = data, .len = len };
	rbuf_init(&rb, data, len);
	if (wire_get_bytes(&rb, &magic, HEAD_MAGIC_BYTES) == -1 ||
	    memcmp(magic, HEAD_MAGIC, HEAD_MAGIC_BYTES) != 0)
		return cursor_fail(c, "no head of a segment");
	wire_get_u32(&rb, &c->format);
	wire_get_u64(&rb, &c->next_seq);
	if (wire_get_u32(&rb, &sum) == -1 ||
	    sum != crc32c(0, data, JOURNAL_HEAD_BYTES - sizeof(sum)))
		return cursor_fail(c, "wrong checksum of the head");
	if (c->format < JOURNAL_FORMAT_OLDEST || c->format > JOURNAL_FORMAT) {
		cursor_fail(c, "unknown format");
		errno = EPROTONOSUPPORT;
		return -1;
	}
	c->at = JOURNAL_HEAD_BYTES;
	return 0;
}

int
journal_cursor_next(
    struct journal_cursor *c, struct journal_entry *e, const char **data)
{
	const uint8_t *start = c->data + c->at;
	uint32_t magic, sum;
	struct rbuf rb;

	if (c->at == c->len)
		return 0;
	rbuf_init(&rb, start, c->len - c->at);
	if (rb.left < JOURNAL_HEADER_BYTES)
		return cursor_fail_short(c, "short header");
	wire_get_u32(&rb, &magic);
	if (magic != ENTRY_MAGIC)
		return cursor_fail(c, "no entry");
	if (schema_decode(&journal_entry_schema, &rb, e, NULL) == -1)
		return cursor_fail(c, "field out of range");
	wire_get_u32(&rb, &sum);
	if (sum != crc32c(0, start, JOURNAL_HEADER_BYTES - sizeof(sum)))
		return cursor_fail(c, "wrong checksum of the header");
	if (e->seq != c->next_seq)
		return cursor_fail(c, "number out of order");
	if (e->data_len > rb.left)
		return cursor_fail_short(c, "short data");
	*data = (const char *)rb.p;
	c->check_at = 0;
	c->check_crc = 0;
	c->at += JOURNAL_HEADER_BYTES + (size_t)e->data_len;
	c->next_seq++;
	return 1;
}

int
journal_cursor_check(struct journal_cursor *c, const struct journal_entry *e,
    const char *data, size_t len)
{
	size_t left = (size_t)e->data_len - c->check_at;

	if (len > left)
		len = left;
	c->check_crc = crc32c(c->check_crc, data + c->check_at, len);
	c->check_at += len;
	if (len < left)
		return 1;
	if (c->check_crc == e->data_crc)
		return 0;
	c->at -= JOURNAL_HEADER_BYTES + (size_t)e->data_len;
	c->next_seq--;
	return cursor_fail(c, "wrong checksum of the data");
}
