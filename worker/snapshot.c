/* Owns the writing of a snapshot: blocks that grow, are packed and leave. */
#include "common/compat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <zstd.h>

#include "common/crc32c.h"
#include "common/disk.h"
#include "worker/snapshot_format.h"

#define ZSTD_LEVEL 1		 /* fast; models are dense numbers */
#define FLUSH_BYTES (256 * 1024) /* held in memory before a write */

struct snapshot_writer {
	int fd;		    /* borrowed; -1: memory */
	struct wbuf out;    /* of the file, not yet written */
	uint64_t flushed;   /* bytes in the file before out */
	struct wbuf block;  /* content of the block that grows */
	ZSTD_CCtx *zstd;    /* owned */
	uint32_t tag;	    /* of the open section; 0: none is open */
	uint32_t nblocks;   /* of it */
	uint64_t content;   /* bytes in them */
	uint32_t crc;	    /* of these */
	uint32_t nsections; /* begun */
	int error;	    /* errno of the first failure; sticky */
	bool finished;
};

static int
writer_fail(struct snapshot_writer *w, int error)
{
	if (w->error == 0)
		w->error = error;
	errno = w->error;
	return -1;
}

static int
writer_flush(struct snapshot_writer *w)
{
	if (w->fd == -1)
		return 0;
	if (disk_write_at(w->fd, w->out.data, w->out.len, w->flushed) == -1)
		return writer_fail(w, errno);
	w->flushed += w->out.len;
	wbuf_reset(&w->out);
	return 0;
}

struct snapshot_writer *
snapshot_writer_file(
    int fd, const struct snapshot_head *head, const struct model_size *size)
{
	struct snapshot_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->fd = fd;
	wbuf_init(&w->out, 0);
	wbuf_init(&w->block, 0);
	w->zstd = ZSTD_createCCtx();
	if (w->zstd == NULL) {
		errno = ENOMEM;
	} else if (!ZSTD_isError(ZSTD_CCtx_setParameter(
		       w->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
	    snaphead_put(&w->out, head, size) == 0) {
		return w;
	}
	snapshot_writer_free(w);
	return NULL;
}

struct snapshot_writer *
snapshot_writer_memory(void)
{
	struct snapshot_head head = { .applied_seq = 0 };
	struct model_size size = { .model_bytes = 0 };

	return snapshot_writer_file(-1, &head, &size);
}

void
snapshot_writer_free(struct snapshot_writer *w)
{
	if (w == NULL)
		return;
	ZSTD_freeCCtx(w->zstd);
	wbuf_clear(&w->out);
	wbuf_clear(&w->block);
	free(w);
}

/* The checksum of the block that begins at this place of out. */
static int
block_seal(struct snapshot_writer *w, size_t at)
{
	uint32_t sum = snapshot_block_crc(
	    w->tag, w->nblocks, w->out.data + at, w->out.len - at);

	w->nblocks++;
	if (wire_put_u32(&w->out, sum) == -1)
		return writer_fail(w, ENOMEM);
	return w->out.len >= FLUSH_BYTES ? writer_flush(w) : 0;
}

/* Pack what has been put since the last block. */
static int
block_end(struct snapshot_writer *w)
{
	size_t at = w->out.len, n, bound = ZSTD_compressBound(w->block.len);
	uint8_t *dst;

	if (w->block.len == 0)
		return 0;
	if (wire_put_u32(&w->out, (uint32_t)w->block.len) == -1 ||
	    wire_put_u32(&w->out, 0) == -1 ||
	    (dst = wbuf_reserve(&w->out, bound)) == NULL)
		return writer_fail(w, ENOMEM);
	n = ZSTD_compress2(w->zstd, dst, bound, w->block.data, w->block.len);
	if (ZSTD_isError(n))
		return writer_fail(w, ENOMEM);
	for (size_t i = 0; i < 4; i++)
		w->out.data[at + 4 + i] = (uint8_t)(n >> (24 - 8 * i));
	w->out.len += n;
	w->content += w->block.len;
	w->crc = crc32c(w->crc, w->block.data, w->block.len);
	wbuf_reset(&w->block);
	return block_seal(w, at);
}

static int
section_end(struct snapshot_writer *w)
{
	size_t at;

	if (w->tag == 0)
		return 0;
	if (block_end(w) == -1)
		return -1;
	at = w->out.len;
	if (wire_put_u32(&w->out, 0) == -1 || wire_put_u32(&w->out, 0) == -1 ||
	    wire_put_u64(&w->out, w->content) == -1 ||
	    wire_put_u32(&w->out, w->crc) == -1)
		return writer_fail(w, ENOMEM);
	if (block_seal(w, at) == -1)
		return -1;
	w->tag = 0;
	return 0;
}

int
snapshot_section(struct snapshot_writer *w, uint32_t tag)
{
	if (w->error != 0 || w->finished || tag == 0 || tag == SNAPSHOT_END)
		return writer_fail(w, EINVAL);
	if (section_end(w) == -1)
		return -1;
	if (wire_put_u32(&w->out, tag) == -1)
		return writer_fail(w, ENOMEM);
	w->tag = tag;
	w->nblocks = 0;
	w->content = 0;
	w->crc = 0;
	w->nsections++;
	return 0;
}

int
snapshot_put(
    struct snapshot_writer *w, const struct schema *sc, const void *obj)
{
	if (w->error != 0 || w->tag == 0)
		return writer_fail(w, EINVAL);
	if (schema_encode(sc, obj, &w->block) == -1)
		return writer_fail(w, errno);
	if (w->block.len > SNAPSHOT_BLOCK_MAX)
		return writer_fail(w, EINVAL);
	return w->block.len >= SNAPSHOT_BLOCK_BYTES ? block_end(w) : 0;
}

int
snapshot_finish(struct snapshot_writer *w)
{
	size_t at;

	if (w->error != 0)
		return writer_fail(w, w->error);
	if (w->finished)
		return 0;
	if (section_end(w) == -1)
		return -1;
	at = w->out.len;
	if (wire_put_u32(&w->out, SNAPSHOT_END) == -1 ||
	    wire_put_u32(&w->out, w->nsections) == -1 ||
	    wire_put_u32(
		&w->out, crc32c(0, w->out.data + at, w->out.len - at)) == -1)
		return writer_fail(w, ENOMEM);
	w->finished = true;
	return writer_flush(w);
}

int
snapshot_memory(struct snapshot_writer *w, const uint8_t **data, size_t *len)
{
	if (snapshot_finish(w) == -1)
		return -1;
	*data = w->out.data;
	*len = w->out.len;
	return 0;
}
