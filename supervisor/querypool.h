/*
 * The processes that read results: a few, started on demand, each with one
 * query at a time; what comes meanwhile waits in a bounded line.
 */
#ifndef SUPERVISOR_QUERYPOOL_H
#define SUPERVISOR_QUERYPOOL_H

#include "common/compat.h"
#include "common/msg.h"

struct call;
struct querypool;
struct server;

/* Starts nothing yet. NULL with ENOMEM. */
struct querypool *querypool_new(struct server *);
void querypool_free(struct querypool *);
/* Every second: ends a query process that hangs. */
void querypool_tick(struct querypool *);

/*
 * Ask, and answer the call with what comes. What the message points to is
 * copied.
 */
void querypool_ask(struct querypool *, struct call *, const struct msg_query *);

#endif
