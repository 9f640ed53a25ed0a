/*
 * The answer to a query about forecasts: what was asked for, of all of a job;
 * or of one, with its points behind it.
 */
#ifndef QUERY_FORECAST_H
#define QUERY_FORECAST_H

#include "common/apierr.h"
#include "common/compat.h"
#include "query/out.h"
#include "query/patience.h"
#include "query/request.h"

/* As answer_make. req->ids: the one that is meant; empty: the list. */
int forecast_answer(const struct request *, const char *jobs_dir,
    answer_tick *tick, void *arg, struct out *o, struct apierr *e) MUST_CHECK;

#endif
