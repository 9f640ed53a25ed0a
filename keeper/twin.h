/*
 * The copy of the catalogue, which follows each change: whatever becomes of
 * catalog.db, all that was answered is there a second time. It takes each
 * change right after the catalogue has it, and is not synced; so after a loss
 * of power it may be behind, which the next start mends.
 *
 * A copy that cannot follow, as on a full disk, costs a line in the log and is
 * made anew later; the catalogue goes on without it.
 */
#ifndef KEEPER_TWIN_H
#define KEEPER_TWIN_H

#include "common/compat.h"

struct sqlite3;
struct twin;

/*
 * Begin to follow db, which is borrowed, with a copy that has the same by then.
 * NULL with ENOMEM; without a copy twin_idle goes on trying.
 */
struct twin *twin_new(struct sqlite3 *db);
/* Before db is closed. NULL is fine. */
void twin_free(struct twin *);

/*
 * A change that was made while a statement was under way is not folded into the
 * file yet: call this when there is none.
 */
void twin_settle(struct twin *);

/* Make the copy anew if there is none; at most once in some seconds. */
void twin_idle(struct twin *);

#endif
