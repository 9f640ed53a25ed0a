/*
 * Looking files of a state directory over, without changing them: every
 * checksum that is in them, and that they can be read to their end.
 */
#ifndef CTL_INSPECT_H
#define CTL_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/verify.h"

/* What a segment of the journal has. */
struct inspected {
	uint64_t next_seq; /* after the last entry that can be read; 0: none */
	bool damaged;
	uint64_t at;	/* where, byte of the file */
	char what[160]; /* one line for people */
};

/*
 * A segment of the journal, compressed or not, below a directory that is open.
 *
 * next_seq  number of the first entry of the next one; 0: it is the last. From
 *           there on entries do not count, and half an entry at the end of the
 *           last one is what every death leaves.
 *
 * Returns 0 with *in set, or -1 with errno: the file cannot be read.
 */
int inspect_segment(int dirfd, const char *name, uint64_t next_seq,
    struct inspected *in) MUST_CHECK;

/* One of those of common/verify.h, worker/verify.h and their like. */
typedef int inspect_look(const char *path, verify_report_cb *, void *arg);

/*
 * Any other file below a directory that is open. It may be in use.
 *
 * path  what it is called in reports
 *
 * Returns the number of reports, or -1 with errno: it cannot be read.
 */
int inspect_file(inspect_look *, int dirfd, const char *name, const char *path,
    verify_report_cb *, void *arg) MUST_CHECK;

#endif
