/*
 * The names of the files in snapshots/. The number is that of the last journal
 * entry in the state, of 20 digits, and the ending says what the file is.
 */
#ifndef COMMON_SNAPFILE_H
#define COMMON_SNAPFILE_H

#include <stdint.h>

#include "common/compat.h"

#define SNAPFILE_DIR "snapshots"
#define SNAPFILE_PATH_BYTES 4224 /* the longest directory, and a name */

enum snapfile {
	SNAPFILE_SNAP,	 /* ".snap": a snapshot, which the API lists */
	SNAPFILE_BASE,	 /* ".base": the state that a revert made; not listed */
	SNAPFILE_PREV,	 /* ".prev": a snapshot that the API lists no more */
	SNAPFILE_REVERT, /* ".revert": the same until it counts: settle.h */
	SNAPFILE_META,	 /* ".meta": what a user says of that snapshot */
	SNAPFILE_NKINDS
};

/* Its path below the directory of the job; NULL: that is the current one. */
const char *snapfile_path(char dst[SNAPFILE_PATH_BYTES], const char *job_dir,
    uint64_t seq, enum snapfile);

/* The number in a name without directory; 0: it is not of this kind. */
uint64_t snapfile_number(const char *name, enum snapfile);

#endif
