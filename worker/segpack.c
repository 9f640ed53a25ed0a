/* Owns the bytes of a compressed segment. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "common/crc32c.h"
#include "common/disk.h"
#include "common/wire.h"
#include "worker/segpack.h"

#define LEVEL                                                                  \
	1 /* about ten to one on NDJSON; more costs more than it gives         \
	   */

/* A skippable frame of zstd with 24 bytes in it; little-endian, as theirs. */
static const uint8_t head_magic[8] = { 0x5a, 0x2a, 0x4d, 0x18, 24, 0, 0, 0 };

struct head {
	uint64_t offset; /* of the block in the segment */
	uint32_t plain;	 /* bytes of it there; 0: the end */
	uint32_t packed; /* bytes of the frame behind this head */
	uint32_t crc;	 /* of the frame */
};

struct segpack {
	int src;
	int dst;
	uint64_t offset; /* in src */
	uint64_t bytes;	 /* of dst */
	ZSTD_CCtx *zstd;
	uint8_t *plain;	 /* SEGPACK_BLOCK_BYTES */
	uint8_t *packed; /* head and frame */
	size_t packed_cap;
};

static int
head_put(uint8_t *dst, const struct head *h)
{
	struct wbuf wb;
	int rc = -1;

	wbuf_init(&wb, 0);
	if (wire_put_bytes(&wb, head_magic, sizeof(head_magic)) == 0 &&
	    wire_put_u64(&wb, h->offset) == 0 &&
	    wire_put_u32(&wb, h->plain) == 0 &&
	    wire_put_u32(&wb, h->packed) == 0 &&
	    wire_put_u32(&wb, h->crc) == 0 &&
	    wire_put_u32(&wb, crc32c(0, wb.data, wb.len)) == 0) {
		memcpy(dst, wb.data, SEGPACK_HEAD_BYTES);
		rc = 0;
	} else {
		errno = ENOMEM;
	}
	wbuf_clear(&wb);
	return rc;
}

struct segpack *
segpack_new(const char *src, const char *dst)
{
	struct segpack *p = calloc(1, sizeof(*p));
	int saved;

	if (p == NULL)
		return NULL;
	p->src = p->dst = -1;
	p->packed_cap = ZSTD_compressBound(SEGPACK_BLOCK_BYTES);
	p->plain = malloc(SEGPACK_BLOCK_BYTES);
	p->packed = malloc(SEGPACK_HEAD_BYTES + p->packed_cap);
	p->zstd = ZSTD_createCCtx();
	if (p->plain == NULL || p->packed == NULL || p->zstd == NULL) {
		segpack_free(p);
		errno = ENOMEM;
		return NULL;
	}
	p->src = open(src, O_RDONLY | O_CLOEXEC);
	if (p->src != -1)
		p->dst =
		    open(dst, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	if (p->dst != -1)
		return p;
	saved = errno;
	segpack_free(p);
	errno = saved;
	return NULL;
}

/* As much as a block takes; less only at the end. */
static int
read_block(struct segpack *p, size_t *len)
{
	*len = 0;
	while (*len < SEGPACK_BLOCK_BYTES) {
		ssize_t n = pread(p->src, p->plain + *len,
		    SEGPACK_BLOCK_BYTES - *len, (off_t)(p->offset + *len));

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	return 0;
}

static int
write_block(struct segpack *p, struct head *h)
{
	h->crc = crc32c(0, p->packed + SEGPACK_HEAD_BYTES, h->packed);
	if (head_put(p->packed, h) == -1 ||
	    disk_write_at(p->dst, p->packed, SEGPACK_HEAD_BYTES + h->packed,
		p->bytes) == -1)
		return -1;
	/* Only a hint, so that the one sync at the end is short. */
	sync_file_range(p->dst, (off_t)p->bytes, SEGPACK_HEAD_BYTES + h->packed,
	    SYNC_FILE_RANGE_WRITE);
	p->bytes += SEGPACK_HEAD_BYTES + h->packed;
	p->offset += h->plain;
	return 0;
}

int
segpack_step(struct segpack *p)
{
	struct head h = { .offset = p->offset };
	size_t len, packed;

	if (read_block(p, &len) == -1)
		return -1;
	if (len == 0)
		return write_block(p, &h) == -1 ? -1 : fdatasync(p->dst);
	packed = ZSTD_compressCCtx(p->zstd, p->packed + SEGPACK_HEAD_BYTES,
	    p->packed_cap, p->plain, len, LEVEL);
	if (ZSTD_isError(packed)) {
		errno = ENOMEM; /* all else is ruled out by the sizes */
		return -1;
	}
	h.plain = (uint32_t)len;
	h.packed = (uint32_t)packed;
	return write_block(p, &h) == -1 ? -1 : 1;
}

uint64_t
segpack_bytes(const struct segpack *p)
{
	return p->bytes;
}

void
segpack_free(struct segpack *p)
{
	if (p == NULL)
		return;
	if (p->src != -1)
		close(p->src);
	if (p->dst != -1)
		close(p->dst);
	ZSTD_freeCCtx(p->zstd);
	free(p->plain);
	free(p->packed);
	free(p);
}

void
segunpack_init(struct segunpack *u, const void *data, size_t len)
{
	*u = (struct segunpack){ .data = data, .len = len };
}

static int
unpack_fail(struct segunpack *u, const char *why)
{
	u->why = why;
	errno = EBADMSG;
	return -1;
}

static int
head_get(struct segunpack *u, struct head *h)
{
	const uint8_t *start, *magic;
	uint32_t sum;
	struct rbuf rb;

	/* An empty file is no memory at all. */
	if (u->len - u->at < SEGPACK_HEAD_BYTES)
		return unpack_fail(u, "it ends before its end");
	start = u->data + u->at;
	rbuf_init(&rb, start, SEGPACK_HEAD_BYTES);
	if (wire_get_bytes(&rb, &magic, sizeof(head_magic)) == -1 ||
	    memcmp(magic, head_magic, sizeof(head_magic)) != 0)
		return unpack_fail(u, "no block");
	if (wire_get_u64(&rb, &h->offset) == -1 ||
	    wire_get_u32(&rb, &h->plain) == -1 ||
	    wire_get_u32(&rb, &h->packed) == -1 ||
	    wire_get_u32(&rb, &h->crc) == -1 || wire_get_u32(&rb, &sum) == -1 ||
	    sum != crc32c(0, start, SEGPACK_HEAD_BYTES - sizeof(sum)))
		return unpack_fail(u, "wrong checksum of a block's head");
	if (h->offset != u->offset)
		return unpack_fail(u, "block out of order");
	if (h->plain > SEGPACK_BLOCK_BYTES)
		return unpack_fail(u, "block too large");
	if (h->packed > u->len - u->at - SEGPACK_HEAD_BYTES)
		return unpack_fail(u, "it ends within a block");
	return 0;
}

int
segunpack_next(struct segunpack *u, uint8_t *dst, size_t *n)
{
	const uint8_t *frame;
	struct head h;

	if (head_get(u, &h) == -1)
		return -1;
	frame = u->data + u->at + SEGPACK_HEAD_BYTES;
	if (h.plain == 0) {
		if (u->at + SEGPACK_HEAD_BYTES != u->len)
			return unpack_fail(u, "bytes behind its end");
		return 0;
	}
	if (crc32c(0, frame, h.packed) != h.crc)
		return unpack_fail(u, "wrong checksum of a block");
	if (ZSTD_decompress(dst, SEGPACK_BLOCK_BYTES, frame, h.packed) !=
	    h.plain)
		return unpack_fail(u, "block cannot be decompressed");
	u->at += SEGPACK_HEAD_BYTES + h.packed;
	u->offset += h.plain;
	*n = h.plain;
	return 1;
}
