/* What a client is told when the results of a job cannot be read. */
#ifndef QUERY_FAULT_H
#define QUERY_FAULT_H

#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"

/*
 * Turn errno into the client's error.
 *
 * directory  of the job, below that of the jobs
 *
 * Returns -1.
 */
int fault_set(struct apierr *, const char *job_id, const char *directory);

/* A row does not match its checksum; logged. Returns -1. */
int fault_set_row(struct apierr *, const char *job_id, const char *directory,
    const char *table, int64_t id);

#endif
