/*
 * Segments of the journal that nobody writes to any more, compressed. Such a
 * file is a row of blocks, each a head and up to SEGPACK_BLOCK_BYTES of the
 * segment, then a head that says that this is all. Heads are skippable frames
 * of zstd and what follows one is a frame, so that zstd(1) reads the file,
 * too. Every byte of it is under a CRC32C. The layout is in anomd-journal(5).
 */
#ifndef WORKER_SEGPACK_H
#define WORKER_SEGPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

#define SEGPACK_BLOCK_BYTES                                                    \
	(1024 * 1024) /* 2 ms of packing, 1 of unpacking                       \
		       */
#define SEGPACK_HEAD_BYTES 32

/* ---- one file into another, block by block ---- */

struct segpack;

/* Opens src and makes dst. NULL with errno; dst is not there then. */
struct segpack *segpack_new(const char *src, const char *dst);
/*
 * Pack a block. Returns 1: more is left; 0: dst is complete and synced; -1
 * with errno.
 */
int segpack_step(struct segpack *) MUST_CHECK;
/* Bytes of dst so far. */
uint64_t segpack_bytes(const struct segpack *);
/* Leaves dst, in whatever state it is. */
void segpack_free(struct segpack *);

/* ---- the way back ---- */

struct segunpack {
	const uint8_t *data; /* borrowed: the whole file */
	size_t len;
	size_t at;	 /* start of the next block; after -1: of the bad one */
	uint64_t offset; /* in the segment, of what comes next */
	const char *why; /* after -1: static text */
};

void segunpack_init(struct segunpack *, const void *data, size_t len);
/*
 * Unpack the next block into dst of SEGPACK_BLOCK_BYTES. Returns 1: *n bytes
 * are there; 0: the end, which was where it should; -1 with EBADMSG: it is
 * damaged or cut off.
 */
int segunpack_next(struct segunpack *, uint8_t *dst, size_t *n) MUST_CHECK;

#endif
