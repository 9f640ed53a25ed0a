/*
 * What every request may say about its answer and its body, whatever its
 * route: the common parameters, and the headers that go with them.
 */
#ifndef SUPERVISOR_WISH_H
#define SUPERVISOR_WISH_H

#include <stdbool.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "supervisor/media.h"

struct call;

/*
 * Read the query string, and the form of the answer from it and from Accept:
 * params, style, media, wish and error_trace of the call, whose route may be
 * unknown. Returns 0, or -1 with *e set; the call can be answered in any case.
 */
int wish_read(struct call *, struct apierr *e) MUST_CHECK;

/*
 * A body may come as the parameter "source", with its type beside it, to a
 * route that takes one: into body of the call. Returns 0, or -1 with *e set
 * (400, 503).
 */
int wish_source(struct call *, enum media_body, struct apierr *e) MUST_CHECK;

#endif
