/*
 * The Warning headers of the API about what it calls deprecated. Sent only
 * where the configuration asks for them: some clients fail on any.
 */
#ifndef SUPERVISOR_WARNINGS_H
#define SUPERVISOR_WARNINGS_H

#include "common/compat.h"

struct call;

/* What the request's line shows: old path, route, parameters. */
void warnings_add(struct call *);
/* The field allow_no_jobs was used, wherever it stood. */
void warnings_add_allow_no_jobs(struct call *);

#endif
