/* The query process: answers from results.db files, one at a time. */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include "common/compat.h"

/*
 * Serve queries on fd (owned) until the supervisor closes it. Returns the
 * exit status of the process: 0, or 1 when something failed (logged).
 */
int query_main(int fd);

#endif
