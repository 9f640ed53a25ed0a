/* Copying a database that others write to, by SQLite's own interface. */
#ifndef CTL_DBCOPY_H
#define CTL_DBCOPY_H

#include "common/compat.h"
#include "ctl/copy.h"

struct sqlite3;

/*
 * The real path of a file below a directory, into dst of PATH_MAX bytes.
 * Returns 0, or -1 with errno.
 */
int dbcopy_path(char *dst, int dirfd, const char *file) MUST_CHECK;

/*
 * Copy a database as it is at one moment, with the owner of the original; the
 * copy is a single file and on disk.
 *
 * from, to  directories; the copy has the same name
 *
 * Returns 0 with *sum set, or -1 with errno; some of it is logged.
 */
int dbcopy(int from, int to, const char *file, struct copy_sum *sum) MUST_CHECK;

/*
 * Open one that may be in use, for reading, without a trace in its directory.
 * NULL with errno.
 */
struct sqlite3 *dbcopy_open(int dirfd, const char *file);

/*
 * Give a restored copy the -wal and -shm that belong to it, with its owner.
 * Returns 0, or -1 with errno.
 */
int dbcopy_revive(int dirfd, const char *file) MUST_CHECK;

#endif
