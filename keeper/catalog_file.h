/*
 * The files of the catalogue: catalog.db, and the copy beside it that has the
 * same changes (keeper/twin.h). Paths are relative: the state directory is the
 * current one.
 */
#ifndef KEEPER_CATALOG_FILE_H
#define KEEPER_CATALOG_FILE_H

#include "common/compat.h"

#define CATALOG_COPY "catalog.db.copy"
/* Nobody else writes; an administrator may be looking. */
#define CATALOG_BUSY_MS 5000
#define CATALOG_DAMAGED "catalog.db.damaged" /* what it was */

struct sqlite3;

/*
 * Open catalog.db, or make it; one of an earlier version is brought up to this
 * one. All of it is looked over. If it is damaged, or has fewer changes than
 * its copy, it is set aside and made from that: logged, with what is lost.
 *
 * NULL with errno (logged; EBADMSG: damaged, and so is the copy).
 */
struct sqlite3 *catalog_file_open(void);

/*
 * Open the copy when it is whole. NULL with errno: ENOENT; EBADMSG: damaged
 * (logged); or another (logged).
 */
struct sqlite3 *catalog_file_open_copy(void);

/*
 * Make the copy anew, as db is now. 0, or -1 with errno (logged); there may be
 * none then.
 */
int catalog_file_copy(struct sqlite3 *db) MUST_CHECK;

/* Close it; NULL is fine. errno stays. */
void catalog_file_close(struct sqlite3 *);

#endif
