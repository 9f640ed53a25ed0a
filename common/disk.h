/*
 * What code that keeps files wants of a disk: writes that are whole, names
 * that last, files seen as memory, directories read to their end. Nothing here
 * logs: the caller knows the subject.
 */
#ifndef COMMON_DISK_H
#define COMMON_DISK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/compat.h"

/*
 * In a state directory: what is being restored, until all of it is there. With
 * it and without a catalogue the directory is not one yet.
 */
#define DISK_RESTORE_STAGE "restore.new"

/*
 * Write all of len bytes at an offset, in bytes. Returns 0, or -1 with errno;
 * how much was written then is not known.
 */
int disk_write_at(
    int fd, const void *data, size_t len, uint64_t offset) MUST_CHECK;

/*
 * Make the names in a directory last: what was created, renamed and removed in
 * it. Returns 0, or -1 with errno.
 */
int disk_sync_dir(const char *path) MUST_CHECK;

/*
 * Read the start of a file, not through a link. Returns how many bytes there
 * are, at most len, or -1 with errno.
 */
ssize_t disk_read_start(const char *path, void *data, size_t len) MUST_CHECK;

/*
 * Map a whole file for reading.
 *
 * *map  NULL when the file is empty; else for filemap_close(*map, *len), and
 *       all that filemap.h says of pages that cannot be read
 *
 * Returns 0, or -1 with errno; *map is NULL and *len 0 then.
 */
int disk_map(const char *path, void **map, size_t *len) MUST_CHECK;

/*
 * Call cb for each name in a directory that does not begin with a dot, in no
 * order, until it returns something else than 0. Returns what cb returned
 * last, 0 for an empty directory, or -1 with errno: it cannot be read, or not
 * to its end.
 */
typedef int disk_each_cb(void *arg, const char *name);
int disk_each(const char *path, disk_each_cb *cb, void *arg) MUST_CHECK;

#endif
