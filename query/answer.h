/* The answer to one query, from opening the job's results to the last byte. */
#ifndef QUERY_ANSWER_H
#define QUERY_ANSWER_H

#include "common/apierr.h"
#include "common/compat.h"
#include "query/out.h"
#include "query/patience.h"
#include "query/request.h"

/*
 * Answer a query.
 *
 * jobs_dir  directory of the jobs
 * tick      may be NULL
 * o         the text goes there; its send is first called when the answer is
 *	     known to be complete
 *
 * Returns 0; or -1 with *e set when nothing was sent; or -1 with e->status 0
 * when it cannot be answered any more (send or tick gave up, or the file broke
 * between the two passes over a long answer; logged). errno is EBADMSG then if
 * results.db is damaged, and another one if it is not known to be.
 */
int answer_make(const struct request *, const char *jobs_dir, answer_tick *tick,
    void *arg, struct out *o, struct apierr *e) MUST_CHECK;

#endif
