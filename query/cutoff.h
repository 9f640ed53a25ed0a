/*
 * The cutoff of a page: the value that the last wanted record has in an order
 * that is kept in runs. Only records that are at least as good are then read
 * and sorted with their ties, however many there are in all.
 */
#ifndef QUERY_CUTOFF_H
#define QUERY_CUTOFF_H

#include "common/compat.h"
#include "query/plan.h"

struct sqlite3;

/*
 * Narrow p->lo (descending) or p->hi (ascending) of a plan that wants it. At
 * least from + size matching records, ties of the last one included, stay
 * within. Returns 0, or -1 with errno (logged, but for EINTR).
 */
int cutoff_find(struct plan *p, struct sqlite3 *) MUST_CHECK;

#endif
