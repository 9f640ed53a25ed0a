/* Owns the layout of a snapshot: written as it grows, read in place. */
#include "common/compat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/disk.h"
#include "worker/snapshot.h"

#define MAGIC "ANOMSNAP"
#define MAGIC_BYTES 8
#define FORMAT 1
#define SECTION_HEAD_BYTES 12	 /* tag, length */
#define LENGTH_AT 4		 /* of the section's head */
#define FLUSH_BYTES (256 * 1024) /* held in memory before a write */

SCHEMA_DEFINE(snapshot_head, SNAPSHOT_HEAD_FIELDS);

struct snapshot_writer {
	int fd;		      /* borrowed; -1: memory */
	struct wbuf buf;      /* what is not yet in the file */
	uint64_t flushed;     /* bytes in the file before buf */
	uint32_t tag;	      /* of the open section; 0: none is open */
	uint64_t section_at;  /* where it starts, from the beginning */
	uint32_t section_crc; /* of its bytes so far */
	int error;	      /* errno of the first failure; sticky */
	bool finished;
};

struct snapshot_reader {
	const uint8_t *data; /* borrowed */
	size_t len;
	size_t body_at; /* where the first section starts */
	struct snapshot_head head;
	struct rbuf section; /* rest of the one entered */
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
	if (disk_write_at(w->fd, w->buf.data, w->buf.len, w->flushed) == -1)
		return writer_fail(w, errno);
	w->flushed += w->buf.len;
	wbuf_reset(&w->buf);
	return 0;
}

static int
writer_head(struct snapshot_writer *w, const struct snapshot_head *head)
{
	struct wbuf *wb = &w->buf;

	if (wire_put_bytes(wb, MAGIC, MAGIC_BYTES) == -1 ||
	    wire_put_u32(wb, FORMAT) == -1)
		return writer_fail(w, ENOMEM);
	if (schema_encode(&snapshot_head_schema, head, wb) == -1)
		return writer_fail(w, errno);
	if (wire_put_u32(wb, crc32c(0, wb->data, wb->len)) == -1)
		return writer_fail(w, ENOMEM);
	return 0;
}

struct snapshot_writer *
snapshot_writer_file(int fd, const struct snapshot_head *head)
{
	struct snapshot_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->fd = fd;
	wbuf_init(&w->buf, 0);
	if (writer_head(w, head) == -1) {
		snapshot_writer_free(w);
		return NULL;
	}
	return w;
}

struct snapshot_writer *
snapshot_writer_memory(void)
{
	struct snapshot_head head = { .applied_seq = 0 };

	return snapshot_writer_file(-1, &head);
}

void
snapshot_writer_free(struct snapshot_writer *w)
{
	if (w == NULL)
		return;
	wbuf_clear(&w->buf);
	free(w);
}

/* The length stands before the bytes, and may already be in the file. */
static int
writer_patch_length(struct snapshot_writer *w, uint64_t length)
{
	uint64_t at = w->section_at + LENGTH_AT;
	uint8_t b[8];

	for (int i = 0; i < 8; i++)
		b[i] = (uint8_t)(length >> (56 - 8 * i));
	w->section_crc = crc32c(w->section_crc, b, sizeof(b));
	if (at >= w->flushed) {
		memcpy(w->buf.data + (at - w->flushed), b, sizeof(b));
		return 0;
	}
	/* Buffered sections never straddle: the head is flushed whole. */
	if (disk_write_at(w->fd, b, sizeof(b), at) == -1)
		return writer_fail(w, errno);
	return 0;
}

static int
writer_end_section(struct snapshot_writer *w)
{
	uint8_t tag[4];

	if (w->tag == 0)
		return 0;
	for (int i = 0; i < 4; i++)
		tag[i] = (uint8_t)(w->tag >> (24 - 8 * i));
	w->section_crc = crc32c(w->section_crc, tag, sizeof(tag));
	w->tag = 0;
	if (writer_patch_length(w,
		w->flushed + w->buf.len - w->section_at - SECTION_HEAD_BYTES) ==
	    -1)
		return -1;
	if (wire_put_u32(&w->buf, w->section_crc) == -1)
		return writer_fail(w, ENOMEM);
	return 0;
}

int
snapshot_section(struct snapshot_writer *w, uint32_t tag)
{
	if (w->error != 0 || w->finished || tag == 0 || tag == SNAPSHOT_END)
		return writer_fail(w, EINVAL);
	if (writer_end_section(w) == -1)
		return -1;
	w->section_at = w->flushed + w->buf.len;
	w->section_crc = 0;
	w->tag = tag;
	if (wire_put_u32(&w->buf, tag) == -1 || wire_put_u64(&w->buf, 0) == -1)
		return writer_fail(w, ENOMEM);
	return 0;
}

int
snapshot_put(
    struct snapshot_writer *w, const struct schema *sc, const void *obj)
{
	size_t before = w->buf.len;

	if (w->error != 0 || w->tag == 0)
		return writer_fail(w, EINVAL);
	if (schema_encode(sc, obj, &w->buf) == -1)
		return writer_fail(w, errno);
	w->section_crc =
	    crc32c(w->section_crc, w->buf.data + before, w->buf.len - before);
	return w->buf.len >= FLUSH_BYTES ? writer_flush(w) : 0;
}

int
snapshot_finish(struct snapshot_writer *w)
{
	if (w->error != 0)
		return writer_fail(w, w->error);
	if (w->finished)
		return 0;
	if (writer_end_section(w) == -1)
		return -1;
	if (wire_put_u32(&w->buf, SNAPSHOT_END) == -1)
		return writer_fail(w, ENOMEM);
	w->finished = true;
	return writer_flush(w);
}

int
snapshot_memory(struct snapshot_writer *w, const uint8_t **data, size_t *len)
{
	if (snapshot_finish(w) == -1)
		return -1;
	*data = w->buf.data;
	*len = w->buf.len;
	return 0;
}

static int
reader_head(struct snapshot_reader *r)
{
	const uint8_t *magic;
	uint32_t format, sum;
	struct rbuf rb;

	rbuf_init(&rb, r->data, r->len);
	if (wire_get_bytes(&rb, &magic, MAGIC_BYTES) == -1 ||
	    memcmp(magic, MAGIC, MAGIC_BYTES) != 0 ||
	    wire_get_u32(&rb, &format) == -1 || format != FORMAT ||
	    schema_decode(&snapshot_head_schema, &rb, &r->head, NULL) == -1)
		goto bad;
	r->body_at = r->len - rb.left;
	if (wire_get_u32(&rb, &sum) == -1 ||
	    crc32c(0, r->data, r->body_at) != sum)
		goto bad;
	r->body_at += sizeof(sum);
	return 0;
bad:
	errno = EBADMSG;
	return -1;
}

struct snapshot_reader *
snapshot_reader_memory(const void *data, size_t len)
{
	struct snapshot_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->data = data;
	r->len = len;
	rbuf_init(&r->section, NULL, 0);
	if (reader_head(r) == -1) {
		free(r);
		errno = EBADMSG;
		return NULL;
	}
	return r;
}

void
snapshot_reader_free(struct snapshot_reader *r)
{
	free(r);
}

const struct snapshot_head *
snapshot_reader_head(const struct snapshot_reader *r)
{
	return &r->head;
}

/* A section of the walk: its bytes, and the checksum that is to be theirs. */
struct section {
	uint32_t tag;
	const uint8_t *head;
	const uint8_t *data;
	size_t len;
	uint32_t sum;
};

/* Returns 1: *s is set; 0: the end tag was there; -1: neither. */
static int
section_next(struct rbuf *rb, struct section *s)
{
	uint64_t len;

	s->head = rb->p;
	if (wire_get_u32(rb, &s->tag) == -1)
		return -1;
	if (s->tag == SNAPSHOT_END)
		return 0;
	if (wire_get_u64(rb, &len) == -1 || len > rb->left ||
	    wire_get_bytes(rb, &s->data, (size_t)len) == -1 ||
	    wire_get_u32(rb, &s->sum) == -1)
		return -1;
	s->len = (size_t)len;
	return 1;
}

static bool
section_is_whole(const struct section *s)
{
	uint32_t crc = crc32c(0, s->data, s->len);

	crc = crc32c(crc, s->head, LENGTH_AT);
	crc = crc32c(crc, s->head + LENGTH_AT, SECTION_HEAD_BYTES - LENGTH_AT);
	return crc == s->sum;
}

int
snapshot_verify(const struct snapshot_reader *r)
{
	struct section s;
	struct rbuf rb;
	int rc;

	rbuf_init(&rb, r->data + r->body_at, r->len - r->body_at);
	while ((rc = section_next(&rb, &s)) == 1)
		if (!section_is_whole(&s))
			break;
	if (rc == 0 && rb.left == 0)
		return 0;
	errno = EBADMSG;
	return -1;
}

int
snapshot_enter(struct snapshot_reader *r, uint32_t tag)
{
	struct section s;
	struct rbuf rb;

	rbuf_init(&r->section, NULL, 0);
	rbuf_init(&rb, r->data + r->body_at, r->len - r->body_at);
	while (section_next(&rb, &s) == 1) {
		if (s.tag != tag)
			continue;
		if (!section_is_whole(&s))
			break;
		rbuf_init(&r->section, s.data, s.len);
		return 0;
	}
	errno = EBADMSG;
	return -1;
}

int
snapshot_get(struct snapshot_reader *r, const struct schema *sc, void *obj)
{
	return schema_decode(sc, &r->section, obj, NULL);
}

size_t
snapshot_left(const struct snapshot_reader *r)
{
	return r->section.left;
}
