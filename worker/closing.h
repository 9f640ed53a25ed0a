/* Closing a job in order: its state is written so that no replay is needed. */
#ifndef WORKER_CLOSING_H
#define WORKER_CLOSING_H

#include <stddef.h>

#include "common/compat.h"
#include "worker/analysis.h"
#include "worker/journal.h"
#include "worker/snapper.h"

/*
 * Write the close entry, which says that the next start is an opening, not a
 * restart; seq is 0 if that could not be. It is then to be processed.
 */
void closing_begin(struct journal *, struct journal_entry *);

/*
 * Write the results and a snapshot; remove what those make superfluous. All
 * entries must have been processed, that of the close, too.
 *
 * id  of SNAPHEAD_ID_BYTES: the snapshot's id; "" when nothing has changed
 *     since the last one, or it could not be written: the journal has it all
 *
 * Returns 0, or -1 with errno: results could not be kept; replay will repeat
 * them.
 */
int closing_write(struct analysis *, struct snapper *, char *id) MUST_CHECK;

#endif
