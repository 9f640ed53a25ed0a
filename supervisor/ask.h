/* A call that is answered by a query process. */
#ifndef SUPERVISOR_ASK_H
#define SUPERVISOR_ASK_H

#include "common/compat.h"
#include "common/msg.h"

struct call;
struct job;

/*
 * Ask in the style that the call wants, about this job, or about the jobs that
 * the message has (job is NULL). What m points to is copied.
 */
void ask_query(struct call *, const struct job *, struct msg_query *m);

#endif
