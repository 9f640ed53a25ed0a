/*
 * The bytes of one upload until it is sealed: in memory while they are few,
 * else in a file of spool/ that leaves room in front for what makes it a
 * segment of the journal (journal.h), so that no byte is copied again.
 * Paths are relative: the job's directory is the current one.
 */
#ifndef WORKER_SPOOL_H
#define WORKER_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

#define SPOOL_MEMORY_MAX (256 * 1024) /* bytes; more go to a file */

struct spool;

/*
 * request    names the file
 * max_bytes  more are refused; 0: no limit
 * flush      have the disk begin early, for a sync will come
 *
 * NULL with ENOMEM. Freeing removes the file, unless it was taken.
 */
struct spool *spool_new(uint32_t request, uint64_t max_bytes, bool flush);
void spool_free(struct spool *);

/* Append. Returns 0, or -1: E2BIG (past max_bytes), or errno of the file. */
int spool_write(struct spool *, const void *, size_t len) MUST_CHECK;

uint64_t spool_bytes(const struct spool *);
uint32_t spool_crc(const struct spool *); /* CRC-32C of the bytes */
bool spool_is_file(const struct spool *);

/*
 * The bytes, all at once, until spool_free; a file is mapped on the first
 * call, and in use at once (filemap.h). Returns 0, or -1 with errno.
 */
int spool_data(struct spool *, const char **data) MUST_CHECK;

/*
 * Of a file: its path and its descriptor, both borrowed. spool_moved says that
 * somebody has renamed the file and owns both from then on; a mapping stays.
 */
const char *spool_path(const struct spool *);
int spool_fd(const struct spool *);
void spool_moved(struct spool *);

/* Remove what an earlier worker left. Returns 0, or -1 with errno. */
int spool_clean(void) MUST_CHECK;

#endif
