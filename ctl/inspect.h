/*
 * Looking files of a state directory over, without changing them: every
 * checksum that is in them, and that they can be read to their end.
 */
#ifndef CTL_INSPECT_H
#define CTL_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"

/*
 * Called for each thing that is wrong.
 *
 * offset  byte of the file where the damaged part begins
 * what    one line for people, without the path; lives until the call returns
 */
typedef void inspect_report_cb(
    void *arg, const char *path, uint64_t offset, const char *what);

/* All three return 0, or -1 with errno: the file cannot be read. */

/*
 * A segment of the journal, compressed or not.
 *
 * next_seq  number of the first entry of the next one; 0: it is the last. From
 *           there on entries do not count, and half an entry at the end of the
 *           last one is what every death leaves.
 */
int inspect_segment(int dirfd, const char *name, const char *path,
    uint64_t next_seq, inspect_report_cb *, void *arg) MUST_CHECK;

int inspect_snapshot(int dirfd, const char *name, const char *path,
    inspect_report_cb *, void *arg) MUST_CHECK;

/* still: nobody writes to it, and no -wal belongs to it. */
int inspect_database(int dirfd, const char *name, const char *path, bool still,
    inspect_report_cb *, void *arg) MUST_CHECK;

#endif
