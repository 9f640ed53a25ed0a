/*
 * What a user says of a snapshot, in a small file beside it: the snapshot
 * itself is never written again. The file is replaced as a whole.
 *
 * Layout, big-endian: magic "ANOMMETA", u32 format, u32 length, a snapmeta of
 * that length, u32 checksum of all before.
 */
#ifndef COMMON_SNAPMETA_H
#define COMMON_SNAPMETA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"

#define SNAPMETA_FORMAT 1
#define SNAPMETA_DESCRIPTION_MAX 4096

#define SNAPMETA_FIELDS(F, S)                                                  \
	F(S, BOOL, described, 0, 1) /* description takes the head's place */   \
	F(S, STR, description, 0, SNAPMETA_DESCRIPTION_MAX)                    \
	F(S, BOOL, retain, 0, 1) /* never removed for its age */
SCHEMA_STRUCT(snapmeta, SNAPMETA_FIELDS);

/*
 * Read one from its bytes, to which the text points. 0, or -1 with EBADMSG,
 * ENOTSUP: of a later format.
 */
int snapmeta_get(const void *data, size_t len, struct snapmeta *) MUST_CHECK;

/* One that was read from a file: the text points into its own memory. */
struct snapmeta_file {
	struct snapmeta meta;
	uint8_t data[SNAPMETA_DESCRIPTION_MAX + 64];
};

/*
 * dir is the directory of the job, NULL for the current one; seq the number of
 * the snapshot.
 *
 * Returns 1: *f is set; 0: there is none, *f says nothing; -1 with errno:
 * EBADMSG (damaged), ENOTSUP (of a later format), or why it cannot be read; *f
 * says then that the snapshot is to be kept, which is the safe reading.
 */
int snapmeta_read(
    const char *dir, uint64_t seq, struct snapmeta_file *f) MUST_CHECK;

/*
 * Write it, so that it lasts: after a death either the old one is there or the
 * new one. Returns 0, or -1 with errno; the old one is there then.
 */
int snapmeta_write(
    const char *dir, uint64_t seq, const struct snapmeta *) MUST_CHECK;

#endif
