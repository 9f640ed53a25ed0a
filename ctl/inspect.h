/*
 * Looking files of a state directory over, without changing them: every
 * checksum that is in them, and that they can be read to their end.
 */
#ifndef CTL_INSPECT_H
#define CTL_INSPECT_H

#include <stdint.h>

#include "common/compat.h"
#include "common/verify.h"

/*
 * All three take a file below a directory that is open, and what it is called
 * in reports. They return 0, or -1 with errno: the file cannot be read.
 */

/*
 * A segment of the journal, compressed or not.
 *
 * next_seq  number of the first entry of the next one; 0: it is the last. From
 *           there on entries do not count, and half an entry at the end of the
 *           last one is what every death leaves.
 */
int inspect_segment(int dirfd, const char *name, const char *path,
    uint64_t next_seq, verify_report_cb *, void *arg) MUST_CHECK;

int inspect_snapshot(int dirfd, const char *name, const char *path,
    verify_report_cb *, void *arg) MUST_CHECK;

/* It may be in use. */
int inspect_database(int dirfd, const char *name, const char *path,
    verify_report_cb *, void *arg) MUST_CHECK;

#endif
