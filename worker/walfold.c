/* Owns the moments at which a WAL is folded in. */
#include "common/compat.h"

#include <sqlite3.h>
#include <stdbool.h>

#include "common/resultsdb.h"
#include "worker/walfold.h"

/*
 * Pages of WAL that are folded into the database at a time: 16 MB, two syncs.
 * While readers come and go without a gap the WAL cannot begin anew and grows;
 * from 64 MB on the writer waits a little for one that it can begin in.
 */
#define WAL_FOLD_PAGES 4000
#define WAL_RESTART_PAGES 16000
#define WAL_RESTART_WAIT_MS 100

/* With a reader there all the time SQLite's hook was a fifth of the speed. */
static int
wal_cb(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct walfold *f = arg;
	bool restart = pages >= WAL_RESTART_PAGES;

	if (pages < f->pages) /* it has begun anew */
		f->at = WAL_FOLD_PAGES;
	f->pages = pages;
	if (pages < f->at)
		return SQLITE_OK;
	f->at = pages + WAL_FOLD_PAGES;
	if (restart)
		sqlite3_busy_timeout(db, WAL_RESTART_WAIT_MS);
	/* What could not be done now is tried again some pages later. */
	sqlite3_wal_checkpoint_v2(db, name,
	    restart ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE,
	    NULL, NULL);
	if (restart)
		sqlite3_busy_timeout(db, RESULTSDB_BUSY_TIMEOUT_MS);
	return SQLITE_OK;
}

void
walfold_begin(struct walfold *f, sqlite3 *db)
{
	*f = (struct walfold){ .pages = 0, .at = WAL_FOLD_PAGES };
	sqlite3_wal_hook(db, wal_cb, f);
}
