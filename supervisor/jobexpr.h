/* Job id expressions: ids, groups, wildcards, _all (jobs-and-data 1.10). */
#ifndef SUPERVISOR_JOBEXPR_H
#define SUPERVISOR_JOBEXPR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/apierr.h"
#include "common/compat.h"

struct call;
struct job;
struct jobconf;
struct jobs;

/*
 * The jobs that an expression names (NULL: all), each once, sorted by id.
 *
 * c               whose rights decide which jobs there are; NULL: all
 * allow_no_match  false: a wildcard that matches nothing is an error too
 * *list           receives an array that the caller frees, may be NULL
 *
 * Returns their number, or -1 with *e set (404 naming the tokens, 400 when
 * there are too many wildcards, 403 for the name of one that the caller has no
 * right to see, whether it is there or not, 503).
 */
long jobexpr_expand(struct jobs *, const struct call *c, const char *expr,
    bool allow_no_match, struct job ***list, struct apierr *e);
/* The same as if those that are being deleted were gone. */
long jobexpr_expand_lasting(struct jobs *, const struct call *c,
    const char *expr, bool allow_no_match, struct job ***list,
    struct apierr *e);

/*
 * Ids of jobs and names of groups are one set of names, or an expression
 * could mean either: 0, or -1 with *e when a job that is new or changed has a
 * group named like another job, or an id that is a group.
 */
int jobexpr_check_names(
    struct jobs *, const struct jobconf *, struct apierr *e) MUST_CHECK;

#endif
