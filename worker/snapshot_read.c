/* Owns the reading of a snapshot, by blocks, and what is believed of it. */
#include "common/compat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <zstd.h>

#include "common/crc32c.h"
#include "worker/snapshot_format.h"

#define LENGTHS_BYTES 8 /* of a block: content, stored */
#define TOTALS_BYTES 12 /* of the block that ends a section */
#define SUM_BYTES 4

struct snapshot_reader {
	const uint8_t *data; /* borrowed */
	size_t len;
	size_t body_at; /* where the first section starts */
	struct snapshot_head head;
	uint32_t format;
	struct model_size size;
	ZSTD_DCtx *zstd; /* owned */

	/* The section that was entered. */
	uint32_t tag;
	uint32_t number;  /* of the next block */
	struct rbuf file; /* from that block on */
	uint8_t *content; /* owned: of the present block */
	size_t content_cap;
	struct rbuf block;  /* rest of it */
	uint64_t left;	    /* bytes of content not yet handed out */
	uint64_t unread;    /* bytes of content in blocks to come */
	uint32_t crc;	    /* of the content so far */
	uint32_t whole_crc; /* that it must come to */
};

struct block {
	uint32_t content_len; /* 0: the end of the section */
	const uint8_t *stored;
	uint32_t stored_len;
	uint64_t total; /* of the end: content in all, and its checksum */
	uint32_t total_crc;
};

uint32_t
snapshot_block_crc(uint32_t tag, uint32_t number, const void *data, size_t len)
{
	uint8_t place[8];

	for (int i = 0; i < 4; i++) {
		place[i] = (uint8_t)(tag >> (24 - 8 * i));
		place[4 + i] = (uint8_t)(number >> (24 - 8 * i));
	}
	return crc32c(crc32c(0, place, sizeof(place)), data, len);
}

static int
bad(void)
{
	errno = EBADMSG;
	return -1;
}

struct snapshot_reader *
snapshot_reader_memory(const void *data, size_t len)
{
	struct snapshot_reader *r = calloc(1, sizeof(*r));
	int saved;

	if (r == NULL)
		return NULL;
	r->data = data;
	r->len = len;
	rbuf_init(&r->block, NULL, 0);
	if (snaphead_get(
		data, len, &r->head, &r->size, &r->format, &r->body_at) == 0)
		return r;
	saved = errno;
	free(r);
	errno = saved;
	return NULL;
}

uint32_t
snapshot_format(const struct snapshot_reader *r)
{
	return r->format;
}

void
snapshot_reader_free(struct snapshot_reader *r)
{
	if (r == NULL)
		return;
	ZSTD_freeDCtx(r->zstd);
	free(r->content);
	free(r);
}

const struct snapshot_head *
snapshot_reader_head(const struct snapshot_reader *r)
{
	return &r->head;
}

/* Read the next block of a section and check it. Returns 0, or -1. */
static int
block_next(struct rbuf *rb, uint32_t tag, uint32_t number, struct block *b)
{
	const uint8_t *start = rb->p, *rest;
	size_t n;
	uint32_t sum;

	if (wire_get_u32(rb, &b->content_len) == -1 ||
	    wire_get_u32(rb, &b->stored_len) == -1 ||
	    b->content_len > SNAPSHOT_BLOCK_MAX)
		return -1;
	if (b->content_len == 0) {
		if (b->stored_len != 0 || wire_get_u64(rb, &b->total) == -1 ||
		    wire_get_u32(rb, &b->total_crc) == -1)
			return -1;
		n = LENGTHS_BYTES + TOTALS_BYTES;
	} else {
		if (b->stored_len > ZSTD_compressBound(b->content_len) ||
		    wire_get_bytes(rb, &rest, b->stored_len) == -1)
			return -1;
		b->stored = rest;
		n = LENGTHS_BYTES + (size_t)b->stored_len;
	}
	if (wire_get_u32(rb, &sum) == -1 ||
	    snapshot_block_crc(tag, number, start, n) != sum)
		return -1;
	return 0;
}

/*
 * Walk over the blocks of a section and check each. Returns 0: *end is the
 * last one, whose total is right; or -1.
 */
static int
section_walk(struct rbuf *rb, uint32_t tag, struct block *end)
{
	uint64_t total = 0;

	for (uint32_t number = 0;; number++) {
		if (block_next(rb, tag, number, end) == -1)
			return -1;
		if (end->content_len == 0)
			return end->total == total ? 0 : -1;
		total += end->content_len;
	}
}

/* The end tag was read. */
static int
end_check(struct rbuf *rb, uint32_t nsections)
{
	const uint8_t *start = rb->p - 4;
	uint32_t n, sum;

	if (wire_get_u32(rb, &n) == -1 || wire_get_u32(rb, &sum) == -1 ||
	    crc32c(0, start, 8) != sum)
		return -1;
	return n == nsections && rb->left == 0 ? 0 : -1;
}

int
snapshot_verify(const struct snapshot_reader *r, size_t *at)
{
	struct block end;
	struct rbuf rb;
	uint32_t tag;
	size_t start;

	rbuf_init(&rb, r->data + r->body_at, r->len - r->body_at);
	for (uint32_t n = 0;; n++) {
		start = r->len - rb.left;
		if (wire_get_u32(&rb, &tag) == -1)
			break;
		if (tag == SNAPSHOT_END && end_check(&rb, n) == 0)
			return 0;
		if (tag == SNAPSHOT_END || section_walk(&rb, tag, &end) == -1)
			break;
	}
	if (at != NULL)
		*at = start;
	return bad();
}

static void
section_begin(struct snapshot_reader *r, uint32_t tag, const struct rbuf *rb,
    const struct block *end)
{
	r->tag = tag;
	r->number = 0;
	r->file = *rb;
	rbuf_init(&r->block, NULL, 0);
	r->left = r->unread = end->total;
	r->crc = 0;
	r->whole_crc = end->total_crc;
}

int
snapshot_enter_if(struct snapshot_reader *r, uint32_t tag)
{
	struct rbuf rb, start;
	struct block end = { .total = 0 };
	uint32_t found;

	section_begin(r, 0, &r->block, &end);
	rbuf_init(&rb, r->data + r->body_at, r->len - r->body_at);
	while (wire_get_u32(&rb, &found) == 0) {
		if (found == SNAPSHOT_END)
			return 0;
		start = rb;
		if (section_walk(&rb, found, &end) == -1)
			break;
		if (found == tag) {
			section_begin(r, tag, &start, &end);
			return 1;
		}
	}
	return bad();
}

int
snapshot_enter(struct snapshot_reader *r, uint32_t tag)
{
	int rc = snapshot_enter_if(r, tag);

	if (rc == 0)
		return bad();
	return rc == 1 ? 0 : -1;
}

/* Memory for a block, and what unpacks it. Returns 0, or -1 with ENOMEM. */
static int
block_room(struct snapshot_reader *r, size_t len)
{
	uint8_t *p;

	if (r->zstd == NULL && (r->zstd = ZSTD_createDCtx()) == NULL)
		goto no_memory;
	if (len <= r->content_cap)
		return 0;
	p = realloc(r->content, len);
	if (p == NULL)
		goto no_memory;
	r->content = p;
	r->content_cap = len;
	return 0;
no_memory:
	errno = ENOMEM;
	return -1;
}

static int
block_load(struct snapshot_reader *r)
{
	struct block b;
	size_t n;

	if (r->unread == 0 ||
	    block_next(&r->file, r->tag, r->number++, &b) == -1 ||
	    b.content_len == 0 || b.content_len > r->unread)
		return bad();
	if (block_room(r, b.content_len) == -1)
		return -1;
	n = ZSTD_decompressDCtx(
	    r->zstd, r->content, b.content_len, b.stored, b.stored_len);
	if (ZSTD_isError(n) || n != b.content_len)
		return bad();
	r->unread -= n;
	r->crc = crc32c(r->crc, r->content, n);
	if (r->unread == 0 && r->crc != r->whole_crc)
		return bad();
	rbuf_init(&r->block, r->content, n);
	return 0;
}

int
snapshot_get(struct snapshot_reader *r, const struct schema *sc, void *obj)
{
	size_t before;

	if (r->block.left == 0 && block_load(r) == -1)
		return -1;
	before = r->block.left;
	if (schema_decode(sc, &r->block, obj, NULL) == -1)
		return -1;
	r->left -= before - r->block.left;
	return 0;
}

size_t
snapshot_left(const struct snapshot_reader *r)
{
	return (size_t)r->left;
}
