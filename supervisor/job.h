/*
 * Jobs as the supervisor knows them: the copy of the catalogue, the state of
 * each, its worker process, and the line of operations that wait in it.
 *
 * job_event() in job_state.c is the only place that writes job->state.
 */
#ifndef SUPERVISOR_JOB_H
#define SUPERVISOR_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/jobconf.h"
#include "common/msg.h"
#include "common/totals.h"

struct call;
struct chan;
struct child;
struct job;
struct server;

enum job_state {
	JOB_CREATING, /* the keeper makes its row and directory */
	JOB_CLOSED,
	JOB_OPENING,
	JOB_OPENED,
	JOB_CLOSING,
	JOB_FAILED,
	JOB_DELETING,
	JOB_NSTATES
};

enum job_event {
	EV_CREATED,
	EV_OPEN,	  /* by request, or at the start of the daemon */
	EV_READY,	  /* the worker has its state back */
	EV_CLOSE,	  /* in order: the worker keeps its state */
	EV_FORCE,	  /* at once: the worker is killed */
	EV_EXIT_EXPECTED, /* the process is gone, as it should */
	EV_EXIT_UNEXPECTED,
	EV_DELETE,
	EV_DELETE_FAILED,
	EV_LOADED, /* at the start of the daemon; not worth a line each */
	JOB_NEVENTS
};

enum op_kind { OP_UPLOAD, OP_FLUSH };

/* An operation that the worker owes an answer. */
struct op {
	TAILQ_ENTRY(op) entry;
	struct job *job;
	struct call *call; /* NULL: the client left, the answer is lost */
	uint32_t request;
	enum op_kind kind;
	bool in_line;	       /* sealed: it counts, and is never dropped */
	struct upload *upload; /* owned; of OP_UPLOAD before its seal */
};
TAILQ_HEAD(op_list, op);

enum wait_kind { WAIT_CREATED, WAIT_OPENED, WAIT_CLOSED, WAIT_DELETED };

struct waiter;
TAILQ_HEAD(waiter_list, waiter);

/* Answers alive but stuck: see watchdog.c. */
struct watch {
	uint64_t token;
	int64_t pinged_us; /* 0: no ping is under way */
	uint64_t progress;
	int64_t progress_us; /* when progress was last seen or not needed */
};

struct update;
TAILQ_HEAD(update_list, update);

struct job {
	RB_ENTRY(job) entry;
	TAILQ_ENTRY(job) start_entry; /* in jobs->starting, when queued */
	struct server *srv;
	char *id;
	uint64_t incarnation;
	struct jobconf *conf;
	int64_t create_time_ms;
	int64_t finished_time_ms; /* TIME_UNSET: none */
	char *model_snapshot_id;  /* NULL: none */
	bool wanted_open;	  /* survives a restart of the daemon */
	struct job_totals totals;

	enum job_state state;
	int64_t since_ms;  /* wall clock of the last change of state */
	int64_t opened_ms; /* wall clock of the last change to OPENED */
	char cause[256];   /* of the last change; plain ASCII */

	bool queued;   /* OPENING, and waits for its turn to start */
	bool starting; /* has a process that is not ready */
	struct child *child;
	struct chan *chan;
	bool expect_exit; /* CLOSED was said, or it was killed by request */
	bool killed;	  /* what it said before may still be read */
	char death[200];  /* why the process ended or was ended */
	bool delete_when_closed;
	bool close_asked; /* by a client: it stays closed after a restart */
	struct watch watch;

	uint32_t next_request;
	struct op_list line; /* sealed, in order */
	unsigned nline;
	struct op_list arriving; /* uploads before their seal */
	struct waiter_list waiters;
	struct update_list updates; /* in order; the first is worked on */
	struct jobconf *next_conf;  /* owned; of the first, being stored */
	bool updating;		    /* in the loop over them */
};

/* At most this many operations wait in one job (jobs-and-data 5.2). */
#define JOB_LINE_MAX 100

RB_HEAD(job_tree, job);
RB_PROTOTYPE(job_tree, job, entry, job_compare)

struct jobs {
	struct server *srv;
	struct job_tree tree;
	TAILQ_HEAD(, job) starting; /* OPENING, no process yet */
	unsigned nstarting;	    /* with a process that is not ready */
	int64_t tick_us;	    /* the last one; 0: none yet */
};

/* ---- jobs.c: the set of jobs ---- */

struct jobs *jobs_new(struct server *);
void jobs_free(struct jobs *);
struct job *jobs_find(struct jobs *, const char *id);
/* The same, with those that are still being created. */
struct job *jobs_find_any(struct jobs *, const char *id);
/* The first job with an id at or after this; sorted bytewise. */
struct job *jobs_first(struct jobs *, const char *from);
struct job *job_next(struct job *);
/*
 * What the keeper has stored: becomes a closed job; of one that is known the
 * configuration is taken over. One that cannot be loaded is logged and left
 * alone.
 */
void jobs_load(struct jobs *, const struct msg_keep_job *);
/* Open again what was open when the daemon ended. */
void jobs_reopen(struct jobs *);
/* Every second: the watchdog of each worker, the time limits of requests. */
void jobs_tick(struct jobs *);
/* Close all in order. */
void jobs_stop(struct jobs *);

struct jobs_count {
	size_t all, opened, failed;
};
void jobs_count(struct jobs *, struct jobs_count *);
/* Jobs that have a process, or wait for one. */
size_t jobs_running(struct jobs *);
/* Takes conf; answers the call when the job is stored. */
void job_create(struct jobs *, struct call *, struct jobconf *conf);
/* Forget a job: it is deleted, or was never made. */
void job_forget(struct job *);
const char *job_state_name(const struct job *); /* as the API says it */
/* Why a job has no worker, or has one: of _stats; NULL: it is closed. */
const char *job_explanation(const struct job *);
/* It has a worker, or waits for one. */
bool job_is_assigned(const struct job *);
/* How long it has been open; TIME_UNSET: it is not. */
int64_t job_open_ms(const struct job *);

/* ---- job_state.c: the state machine ---- */

/*
 * Something happened. why is kept as the cause of the change, escaped and cut
 * to what fits. Returns 0, or -1 when the state knows no such event; nothing
 * has changed then.
 */
int job_event(struct job *, enum job_event, const char *why);
/* The state that the event leads to, or JOB_NSTATES: it is not known there. */
enum job_state job_edge(enum job_state, enum job_event);

/* ---- waiters.c: those who wait for a state ---- */

/*
 * Let the call wait until the job comes into the state. Returns 0, or -1: out
 * of memory, the call was answered.
 */
int job_wait(struct job *, struct call *, enum wait_kind) MUST_CHECK;
/*
 * The same for WAIT_OPENED, for timeout_ms at the longest (negative: for ever);
 * then the call is answered 408.
 */
int job_wait_opened(struct job *, struct call *, int64_t timeout_ms) MUST_CHECK;
/* Answer those whose time is over. */
void job_waiters_tick(struct job *, int64_t now_us);
/* Answer everybody who waits for kind; e NULL: it has come about. */
void job_wake(struct job *, enum wait_kind kind, const struct apierr *e);

/*
 * A call that waits for several jobs to close, answered after gather_end when
 * the last one has. NULL: out of memory, the call was answered.
 */
struct gather *gather_new(struct call *);
/* 0, or -1: out of memory; the call will be answered 503. */
int gather_add(struct gather *, struct job *, enum wait_kind) MUST_CHECK;
void gather_end(struct gather *);

/* ---- job_process.c: the worker process of a job ---- */

/* Start its worker, or queue it behind others. */
void job_process_start(struct job *);
/* Ask it to keep its state and end. */
void job_process_close(struct job *);
/* SIGKILL. expected: by request, not a failure. */
void job_process_kill(struct job *, bool expected, const char *why);
/* Opened, and its process has not been seen to end. */
bool job_takes_work(const struct job *);
/* Start the next of those that queue. */
void jobs_start_next(struct jobs *);

/* ---- watchdog.c ---- */

void watchdog_start(struct job *);
void watchdog_tick(struct job *, int64_t now_us);
void watchdog_pong(struct job *, const struct msg_pong *);
/* The daemon itself did not run for so long: nobody is to blame. */
void watchdog_excuse(struct job *, int64_t us);

/* ---- line.c: operations ---- */

/* A new operation, not yet in a list. Answers the call when it fails. */
struct op *op_new(struct job *, struct call *, enum op_kind);
void op_free(struct op *);
struct op *op_find(struct job *, uint32_t request);
/* Is there a place in the line? 0, or -1 with *e set (429, or 500). */
int line_admit(const struct job *, bool old_path, struct apierr *e);
/* Take the last place. */
void op_enter_line(struct op *);
/* The operation is over: take it out of its list, give the call back. */
struct call *op_finish(struct op *);
/* All that wait get this error; uploads that arrive too. */
void line_fail(struct job *, const struct apierr *e);
/* Uploads that still arrive get this error and are dropped. */
void arriving_fail(struct job *, const struct apierr *e);
/* Queue a flush. Answers the call sooner or later. */
void line_flush(struct job *, struct call *, const struct msg_flush *);

/* ---- api_update.c ---- */

/* All updates that wait get this error. */
void updates_fail(struct job *, const struct apierr *e);

/* ---- upload.c ---- */

/* Take the body of the call's request as an upload of this job. */
void upload_start(
    struct job *, struct call *, int64_t reset_start_s, int64_t reset_end_s);
/* The channel can take more. */
void uploads_resume(struct job *);
void upload_free(struct upload *);

#endif
