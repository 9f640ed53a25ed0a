/* Owns the names of the files of snapshots/. */
#include "common/compat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/snapfile.h"

#define DIGITS 20

static const char *const ending[SNAPFILE_NKINDS] = {
	[SNAPFILE_SNAP] = ".snap",
	[SNAPFILE_BASE] = ".base",
	[SNAPFILE_PREV] = ".prev",
	[SNAPFILE_REVERT] = ".revert",
	[SNAPFILE_META] = ".meta",
};

const char *
snapfile_path(char dst[SNAPFILE_PATH_BYTES], const char *job_dir, uint64_t seq,
    enum snapfile kind)
{
	snprintf(dst, SNAPFILE_PATH_BYTES,
	    "%s%s" SNAPFILE_DIR "/%0*" PRIu64 "%s",
	    job_dir == NULL ? "" : job_dir, job_dir == NULL ? "" : "/", DIGITS,
	    seq, ending[kind]);
	return dst;
}

uint64_t
snapfile_number(const char *name, enum snapfile kind)
{
	if (strspn(name, "0123456789") != DIGITS ||
	    strcmp(name + DIGITS, ending[kind]) != 0)
		return 0;
	return strtoull(name, NULL, 10);
}
