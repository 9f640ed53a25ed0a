/*
 * The file that holds a job's state: named sections of objects that are
 * declared as schemas (common/schema.h), each section with its checksum.
 *
 * Writing: snapshot_section, then any number of snapshot_put; the next section
 * or snapshot_finish ends it. Reading: the same order, snapshot_enter then
 * snapshot_get. A reader may ask how much is left before it allocates.
 *
 * Layout, big-endian: magic "ANOMSNAP", u32 format, u64 applied_seq, i64
 * created_ms, string job_id, u32 checksum of these; sections of u32 tag, u64
 * length, bytes, u32 CRC-32C; the tag SNAPSHOT_END; all in anomd-worker(8). The
 * checksum of a section is of its bytes, then its tag, then its length, so that
 * a section can be written before its length is known.
 */
#ifndef WORKER_SNAPSHOT_H
#define WORKER_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"

#define SNAPSHOT_TAG(a, b, c, d)                                               \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 |      \
	    (uint32_t)(d))
#define SNAPSHOT_INTAKE SNAPSHOT_TAG('I', 'N', 'T', 'K')
#define SNAPSHOT_ENGINE SNAPSHOT_TAG('E', 'N', 'G', 'N')
#define SNAPSHOT_TOTALS SNAPSHOT_TAG('T', 'O', 'T', 'L')
#define SNAPSHOT_END SNAPSHOT_TAG('E', 'N', 'D', '.')

struct snapshot_writer;
struct snapshot_reader;

/* What a snapshot says about itself. */
#define SNAPSHOT_HEAD_FIELDS(F, S)                                             \
	F(S, U64, applied_seq, 0, INFINITY) /* last journal entry in it */     \
	F(S, I64, created_ms, -INFINITY, INFINITY)                             \
	F(S, STR, job_id, 0, 64)
SCHEMA_STRUCT(snapshot_head, SNAPSHOT_HEAD_FIELDS);

/* Begin a section. Returns 0, or -1 with errno. */
int snapshot_section(struct snapshot_writer *, uint32_t tag) MUST_CHECK;
/* Append one object. Returns 0, or -1 with EINVAL, ENOMEM or a write error. */
int snapshot_put(struct snapshot_writer *, const struct schema *,
    const void *obj) MUST_CHECK;

/*
 * End the last section and the snapshot; a second call changes nothing.
 * Returns 0, or -1 with errno when any call before it has failed, too.
 */
int snapshot_finish(struct snapshot_writer *) MUST_CHECK;

/*
 * Write to a file from its start, without a sync. fd is borrowed. NULL with
 * errno.
 */
struct snapshot_writer *snapshot_writer_file(
    int fd, const struct snapshot_head *head);

/*
 * Go to a section, whose checksum is verified first. Returns 0, or -1 with
 * EBADMSG (not there, broken).
 */
int snapshot_enter(struct snapshot_reader *, uint32_t tag) MUST_CHECK;
/*
 * Read the next object of the section; spans point into the reader's memory
 * and live as long as it. Returns 0, or -1 with EBADMSG.
 */
int snapshot_get(
    struct snapshot_reader *, const struct schema *, void *obj) MUST_CHECK;
/* Bytes left in the section: compare a count with it before allocating. */
size_t snapshot_left(const struct snapshot_reader *);

/* For tests and fuzzers: write to and read from memory. */
struct snapshot_writer *snapshot_writer_memory(void);
/* Finishes it, if that was not done. *data is borrowed from the writer. */
int snapshot_memory(
    struct snapshot_writer *, const uint8_t **data, size_t *len) MUST_CHECK;
void snapshot_writer_free(struct snapshot_writer *);
/* Checks the header; NULL with EBADMSG or ENOMEM. data is borrowed. */
struct snapshot_reader *snapshot_reader_memory(const void *data, size_t len);
/* Borrowed from the reader and its memory. */
const struct snapshot_head *snapshot_reader_head(
    const struct snapshot_reader *);
/*
 * Look at everything: each checksum, and that nothing follows the end. Returns
 * 0, or -1 with EBADMSG.
 */
int snapshot_verify(const struct snapshot_reader *) MUST_CHECK;
void snapshot_reader_free(struct snapshot_reader *);

#endif
