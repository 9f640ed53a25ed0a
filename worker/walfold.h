/*
 * When the WAL of a database is folded into it: in place of SQLite's own hook,
 * which past its limit tries, and syncs, after each commit.
 */
#ifndef WORKER_WALFOLD_H
#define WORKER_WALFOLD_H

#include "common/compat.h"

struct sqlite3;

/* To be embedded; it must stay where it is while the database is open. */
struct walfold {
	int pages; /* after the last commit */
	int at;	   /* pages at which to fold the next time */
};

void walfold_begin(struct walfold *, struct sqlite3 *);

#endif
