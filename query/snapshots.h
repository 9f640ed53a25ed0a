/* The answer to a query for a job's snapshots: from the files' heads. */
#ifndef QUERY_SNAPSHOTS_H
#define QUERY_SNAPSHOTS_H

#include "common/apierr.h"
#include "common/compat.h"
#include "query/out.h"
#include "query/request.h"

/* As answer_make (answer.h); reading heads needs no tick. */
int snapshots_answer(const struct request *, const char *jobs_dir, struct out *,
    struct apierr *) MUST_CHECK;

#endif
