/*
 * The content of a compressed segment as one piece of memory, for entries are
 * handed out whole and may be larger than what a process should hold. It is
 * unpacked into a file without a name, whose pages the kernel takes back when
 * it needs them; into memory only where the disk is full.
 */
#ifndef WORKER_INFLATED_H
#define WORKER_INFLATED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

struct inflated;

/* The file is mapped until inflated_free. NULL with errno. */
struct inflated *inflated_new(const char *path);
/* The same in memory: for those who must leave the directory as it is. */
struct inflated *inflated_new_memory(const char *path);
/*
 * Unpack a block. Returns 1: more is left; 0: the end; -1 with errno: the disk
 * fails, or memory is out. Damage is an early end.
 */
int inflated_step(struct inflated *) MUST_CHECK;
/* After -1: does the disk fail to read the file, and at which byte? */
bool inflated_failed(const struct inflated *, size_t *at);
/* NULL: it is whole; else what is wrong, and at which byte of the file. */
const char *inflated_damage(const struct inflated *, size_t *at);
/*
 * After the end: what was unpacked, for filemap_close(*map, *len); NULL when
 * that is nothing. Returns 0, or -1 with errno.
 */
int inflated_take(struct inflated *, void **map, size_t *len) MUST_CHECK;
void inflated_free(struct inflated *);

#endif
