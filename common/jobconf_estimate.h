/* How much memory the models of a job will take, before it is there. */
#ifndef COMMON_JOBCONF_ESTIMATE_H
#define COMMON_JOBCONF_ESTIMATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"

/*
 * Read the body of _estimate_model_memory: an analysis_config, checked as that
 * of a job, and in overall_cardinality and max_bucket_cardinality the numbers
 * of distinct values of its fields.
 *
 * text  JSON of len bytes; need not end in NUL
 * *mb   MiB, rounded up; saturates at what fits into INT64_MAX bytes
 *
 * Returns 0, or -1 with *e set (400, 503).
 * Source: jobs-and-data 7.4.
 */
int jobconf_estimate(
    const char *text, size_t len, uint64_t *mb, struct apierr *e) MUST_CHECK;

#endif
