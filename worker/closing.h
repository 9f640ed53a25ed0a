/* Closing a job in order: its state is written so that no replay is needed. */
#ifndef WORKER_CLOSING_H
#define WORKER_CLOSING_H

#include <stddef.h>

#include "common/compat.h"
#include "worker/analysis.h"
#include "worker/journal.h"

#define CLOSING_ID_BYTES 32

/*
 * Write the close entry, the results and a snapshot; remove what those make
 * superfluous. All entries must have been processed.
 *
 * id  of CLOSING_ID_BYTES: the snapshot's id; "" when the job has seen nothing
 *     yet, or the snapshot could not be written: the journal has it all still
 *
 * Returns 0, or -1 with errno: results could not be kept; replay will repeat
 * them.
 */
int closing_write(struct analysis *, struct journal *, const char *job_id,
    char *id) MUST_CHECK;

#endif
