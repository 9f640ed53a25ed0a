/* The inside of the backlog, shared by the files that make it up. */
#ifndef WORKER_BACKLOG_INT_H
#define WORKER_BACKLOG_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/wire.h"
#include "worker/analysis.h"
#include "worker/arrival.h"
#include "worker/backlog.h"
#include "worker/journal.h"
#include "worker/retrying.h"

struct chore;
struct entry_run;
struct expiry;

enum task_stage {
	TASK_ARRIVING, /* sealed, and still to be decoded */
	TASK_WHOLE,    /* to be journaled */
	TASK_QUEUED,   /* in the journal's present batch */
	TASK_KEPT      /* journaled, or nothing for the journal */
};

struct task {
	TAILQ_ENTRY(task) link;
	enum task_stage stage;
	uint32_t request;
	struct journal_entry entry;
	struct arrival *arrival;    /* owned; NULL: not an upload */
	struct wbuf data;	    /* owned: of a forecast */
	struct expiry *expiry;	    /* owned; else it is an entry */
	struct chore *chore;	    /* the same */
	struct followers followers; /* owned: of an upload */
};

struct backlog {
	struct peer *peer; /* borrowed, like the next three */
	struct analysis *analysis;
	struct journal *journal;
	struct snapper *snapper;
	uint32_t epoch;
	TAILQ_HEAD(, task) tasks;
	unsigned n;
	struct entry_run *run; /* owned: the first task's; NULL: not begun */
	bool expiring;	       /* the first task has borrowed the results */
	bool closed;
};

/* Take it out of the line, and free it. */
void backlog_remove(struct backlog *, struct task *);
/* The same, once whoever waits for it was told. 0, or -1 with errno. */
int backlog_fail(
    struct backlog *, struct task *, const struct apierr *) MUST_CHECK;
/* What an entry comes with, decoded. 0, or -1 with errno. */
int backlog_data(const struct task *, const char **data) MUST_CHECK;

/*
 * backlog_run.c: do some of the first task, which is kept. Returns 1: the slice
 * is over; else as backlog_work.
 */
int backlog_run(struct backlog *, struct task *, int64_t deadline_us,
    uint64_t *progress) MUST_CHECK;

#endif
