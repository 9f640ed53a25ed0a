/*
 * The answer to a query for overall buckets: from the results of many jobs,
 * open or closed, read one after the other where they lie.
 */
#ifndef QUERY_OVERALL_H
#define QUERY_OVERALL_H

#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "query/out.h"
#include "query/patience.h"
#include "query/request.h"

/*
 * As answer_make (answer.h). *damaged becomes which of the jobs it is when
 * errno is EBADMSG. A job that has no results, or is gone, adds nothing.
 */
int overall_answer(const struct request *, const char *jobs_dir,
    answer_tick *tick, void *arg, struct out *, struct apierr *,
    uint32_t *damaged) MUST_CHECK;

#endif
