/*
 * The time zone in which the job's source lives. The C library holds one for
 * the whole process, and so does this: a worker has one job.
 */
#ifndef WORKER_ZONE_H
#define WORKER_ZONE_H

#include <stdint.h>

#include "common/compat.h"

/*
 * Local times are those of this zone from now on.
 *
 * name  of the IANA database; NULL: UTC
 *
 * Returns 0, or -1 with errno: ENOENT, EINVAL, ... when the machine's zone data
 * cannot be read or has no such zone. Local times are those of UTC then.
 */
int zone_use(const char *name) MUST_CHECK;

/*
 * Seconds by which local time is ahead of UTC at an epoch time in seconds; 0
 * beyond the years that the C library can tell.
 */
int64_t zone_offset_s(int64_t time_s);

#endif
