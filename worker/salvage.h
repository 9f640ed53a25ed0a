/*
 * A damaged results.db: what can be read of it goes into a new one, with no
 * entry applied, so that the journal is replayed into it from the snapshot on.
 * Paths are relative: the job's directory is the current one.
 */
#ifndef WORKER_SALVAGE_H
#define WORKER_SALVAGE_H

#include <stdbool.h>

#include "common/compat.h"
#include "common/msg.h"

/*
 * The damage was met while the job was at work: the next start is to salvage.
 * Returns 0; -1 with errno (logged): it could not be noted.
 */
int salvage_mark(void);
bool salvage_is_marked(void); /* keeps errno */

/*
 * Do it, or go on where a death has cut it off: the damaged file moves to
 * quarantine/. Takes as long as the reading and writing of all rows, and so is
 * the matter of a child (mend.h). Returns 1: done, *m says what of it; 0: it
 * was done before, but for the name; -1 with errno (logged): the next start
 * tries again.
 */
int salvage_results(struct msg_salvaged *m) MUST_CHECK;

#endif
