/*
 * Opening a database that others may write to, for reading, without leaving a
 * file beside it: where nobody has it open, SQLite would make a -wal and a -shm
 * and, with no right to write, not remove them.
 */
#ifndef COMMON_DBREAD_H
#define COMMON_DBREAD_H

#include <stdbool.h>
#include <sys/stat.h>

#include "common/compat.h"

struct sqlite3;

struct dbread {
	bool alone; /* it had no WAL, and is read as if it could not change */
	struct stat was;
};

/*
 * Open it with our checksums.
 *
 * live  take it for one that is in use
 *
 * NULL with errno (logged but for ENOENT).
 */
struct sqlite3 *dbread_open(const char *path, bool live, struct dbread *);

/*
 * Did somebody begin to write meanwhile to one that was read alone? Then what
 * was read may not fit together: open it again, live.
 */
bool dbread_is_disturbed(const char *path, const struct dbread *);

#endif
