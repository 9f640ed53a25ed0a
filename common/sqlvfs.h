/*
 * Checksums below SQLite, which does not see a flipped bit: one in an index
 * loses rows in silence. Databases that are opened through this VFS end each
 * page with a CRC-32C of its number and its bytes, in space that SQLite leaves
 * free (its "reserved bytes"); no page is handed up that does not match.
 *
 * Pages in a WAL have no such end: there the checksums that SQLite keeps with
 * each frame, and looks at only after a crash, are compared at each read.
 *
 * A mismatch is SQLITE_IOERR_DATA, a line in the log with file and offset, and
 * EBADMSG where sqlx_errno makes it an errno. A page of nothing but zeros was
 * never written, and is none; in a tree SQLite finds that by itself.
 */
#ifndef COMMON_SQLVFS_H
#define COMMON_SQLVFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

struct sqlite3;

#define SQLVFS_SUM_BYTES 4 /* at the end of a page */

/*
 * Name for sqlite3_open_v2, known to SQLite after the first call; NULL with
 * ENOMEM.
 */
const char *sqlvfs_name(void);

/*
 * The same, but pages are taken as they are: for reading what is left of a
 * damaged database, and one that was made without checksums. What is written
 * gets them.
 */
const char *sqlvfs_name_unchecked(void);

/*
 * Open a database through it, for one thread and never through a link. flags:
 * of sqlite3_open_v2, beyond that. NULL with errno (logged).
 */
struct sqlite3 *sqlvfs_open(const char *name, int flags);

/* Leave room for checksums: of a new database, before anything is in it. */
int sqlvfs_reserve(struct sqlite3 *) MUST_CHECK;

/*
 * Look at the first bytes of a file before SQLite does, which takes an empty
 * file for a new database and then removes its WAL.
 *
 * Returns 0: a database with room for checksums; 1: one without; -1 with
 * EBADMSG (logged), ENOENT or another errno.
 */
int sqlvfs_probe(const char *path) MUST_CHECK;

/*
 * From now on *calls grows with each reading, writing and sync of a database
 * or a WAL, so that others can see that a long statement gets on. NULL: no
 * more.
 */
void sqlvfs_count_calls(uint64_t *calls);

/* The last mismatch of this process. */
struct sqlvfs_damage {
	char path[256]; /* cut if it is longer; empty: there was none */
	uint64_t offset;
};
const struct sqlvfs_damage *sqlvfs_damage(void);
void sqlvfs_forget_damage(void);

/* Does a page, all of it, match its checksum? number begins with 1. */
bool sqlvfs_page_is_right(const void *page, size_t len, uint32_t number);

#endif
