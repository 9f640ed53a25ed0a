/*
 * The file that holds a job's state: a head (common/snaphead.h), then named
 * sections of objects that are declared as schemas (common/schema.h).
 *
 * Writing: snapshot_section, then any number of snapshot_put; the next section
 * or snapshot_finish ends it. Reading: the same order, snapshot_enter then
 * snapshot_get. A reader may ask how much is left before it allocates.
 *
 * A section is a u32 tag and blocks. A block holds whole objects: u32 bytes of
 * content, u32 bytes as stored, a zstd frame, u32 CRC-32C of the tag, the
 * block's number in its section (u32) and what stands before the checksum. A
 * block of no content ends the section: after its two lengths, both 0, come
 * u64 bytes of content in all, u32 their CRC-32C, and the block's checksum. The
 * tag SNAPSHOT_END, u32 number of sections and the CRC-32C of both end the
 * file. All in anomd-worker(8).
 */
#ifndef WORKER_SNAPSHOT_H
#define WORKER_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "common/snaphead.h"

#define SNAPSHOT_TAG(a, b, c, d)                                               \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 |      \
	    (uint32_t)(d))
#define SNAPSHOT_INTAKE SNAPSHOT_TAG('I', 'N', 'T', 'K')
#define SNAPSHOT_ENGINE SNAPSHOT_TAG('E', 'N', 'G', '3')
#define SNAPSHOT_ENGINE_1 SNAPSHOT_TAG('E', 'N', 'G', 'N') /* format 2 */
#define SNAPSHOT_SCORES SNAPSHOT_TAG('S', 'C', 'O', 'R')   /* may be missing */
#define SNAPSHOT_EVENTS SNAPSHOT_TAG('E', 'V', 'N', 'T')   /* may be missing */
#define SNAPSHOT_SIBLINGS SNAPSHOT_TAG('S', 'I', 'B', 'L') /* the same */
#define SNAPSHOT_WIDTHS SNAPSHOT_TAG('W', 'I', 'D', 'E')   /* the same */
#define SNAPSHOT_PAIRS SNAPSHOT_TAG('P', 'A', 'I', 'R')	   /* the same */
#define SNAPSHOT_TOTALS SNAPSHOT_TAG('T', 'O', 'T', 'L')
#define SNAPSHOT_END SNAPSHOT_TAG('E', 'N', 'D', '.')

/*
 * A block is ended when it holds so much; one object may make it longer, up to
 * the second figure, which bounds what a reader allocates for a block.
 */
#define SNAPSHOT_BLOCK_BYTES (256u * 1024)
#define SNAPSHOT_BLOCK_MAX (64u * 1024 * 1024)

struct snapshot_writer;
struct snapshot_reader;

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
    int fd, const struct snapshot_head *head, const struct model_size *);

/*
 * Go to a section, whose checksums are verified first. Returns 0, or -1 with
 * EBADMSG (not there, broken).
 */
int snapshot_enter(struct snapshot_reader *, uint32_t tag) MUST_CHECK;
/* The same of a section that may be missing: 1, 0: it is, -1 as above. */
int snapshot_enter_if(struct snapshot_reader *, uint32_t tag) MUST_CHECK;
/*
 * Read the next object of the section; spans point into the reader's memory
 * and live until the next call. Returns 0, or -1 with EBADMSG, ENOMEM.
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
/*
 * Checks the head; NULL with EBADMSG, ENOMEM, or EPROTONOSUPPORT: of a format
 * that is not read. data is borrowed.
 */
struct snapshot_reader *snapshot_reader_memory(const void *data, size_t len);
/* Of the file: SNAPHEAD_FORMAT, or an older one that is still read. */
uint32_t snapshot_format(const struct snapshot_reader *);
/* Borrowed from the reader and its memory. */
const struct snapshot_head *snapshot_reader_head(
    const struct snapshot_reader *);
/*
 * Look at everything: each checksum, and that nothing follows the end. Returns
 * 0, or -1 with EBADMSG; *at (may be NULL) is then where the part begins that
 * is wrong.
 */
int snapshot_verify(const struct snapshot_reader *, size_t *at) MUST_CHECK;
void snapshot_reader_free(struct snapshot_reader *);

#endif
