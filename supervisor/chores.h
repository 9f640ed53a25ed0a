/*
 * What is done with the snapshots and forecasts of jobs at the request of
 * clients. In an open job it takes its place in the line; a closed one is given
 * a worker for it, one chore after the other, and stays closed.
 */
#ifndef SUPERVISOR_CHORES_H
#define SUPERVISOR_CHORES_H

#include <stdbool.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"

struct call;
struct chore;
struct job;
struct op;

/* What the client asked for; it decides the form of the answer. */
enum chore_answer {
	CHORE_ANSWER_UPDATE,
	CHORE_ANSWER_DELETE,
	CHORE_ANSWER_REVERT,
	CHORE_ANSWER_UPGRADE,
	CHORE_ANSWER_FORECASTS
};

/*
 * Have it done, and answer the call. The message is copied; a revert's
 * configuration and totals are filled in when its turn has come.
 */
void chore_ask(
    struct job *, struct call *, enum chore_answer, const struct msg_chore *);

/* The state of the job has changed: some may have their turn now. */
void chores_pump(struct job *);
/* All that wait for their turn get this error. */
void chores_fail(struct job *, const struct apierr *);
/* A revert of the job has been begun and not answered. */
bool chores_revert(const struct job *);

/* The worker has answered. false: it was not asked. */
bool chore_done(struct job *, uint32_t request, const struct msg_chore_done *);
bool chore_failed(struct job *, uint32_t request, const struct apierr *);
/* The process that was to do it for a closed job has gone. */
void chore_tender_ended(struct job *);

/* Tell the worker. 0, or -1: it cannot be told. */
int chore_send(struct op *) MUST_CHECK;
void chore_free(struct chore *);

#endif
