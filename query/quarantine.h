/*
 * What a job's quarantine holds: entries of its journal that were put aside,
 * and files that were found damaged.
 */
#ifndef QUERY_QUARANTINE_H
#define QUERY_QUARANTINE_H

#include "common/apierr.h"
#include "common/compat.h"
#include "query/out.h"
#include "query/request.h"

/* As answer_make(). */
int quarantine_answer(const struct request *, const char *jobs_dir,
    struct out *o, struct apierr *e) MUST_CHECK;

#endif
