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
#include "supervisor/quarantined.h"
#include "supervisor/recovery.h"

struct call;
struct chan;
struct child;
struct chore;
struct job;
struct retention_item;
struct server;

enum job_state {
	JOB_CREATING, /* the keeper makes its row and directory */
	JOB_CLOSED,
	JOB_OPENING,
	JOB_OPENED,
	JOB_CLOSING,
	JOB_FAILED,
	JOB_DELETING,
	JOB_RESETTING,	/* the keeper gives it a new incarnation */
	JOB_TENDING,	/* closed; a worker does one task, and no more */
	JOB_PAUSING,	/* upgrade mode: its worker keeps its state and ends */
	JOB_PAUSED,	/* opened, but for a worker, until upgrade mode ends */
	JOB_RECOVERING, /* its worker died: another one is to take over */
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
	EV_REFUSED, /* the process is gone, and no other one would do better */
	EV_DELETE,
	EV_DELETE_FAILED,
	EV_LOADED, /* at the start of the daemon; not worth a line each */
	EV_RESET,
	EV_RESET_DONE,
	EV_RESET_FAILED,
	EV_TEND,
	EV_TENDED, /* the process that tended is gone, as it may be */
	EV_PAUSE,
	EV_RESUME,
	JOB_NEVENTS
};

enum op_kind { OP_UPLOAD, OP_FLUSH, OP_EXPIRE, OP_DROP, OP_CHORE, OP_FORECAST };

#define OP_FORECAST_ID_BYTES 21

/* An operation that the worker owes an answer. */
struct op {
	TAILQ_ENTRY(op) entry;
	struct job *job;
	struct call *call; /* NULL: the client left, or none has asked */
	uint32_t request;
	enum op_kind kind;
	bool in_line;	   /* sealed: it counts, and is never dropped */
	bool sent;	   /* to a worker, which may have died */
	bool repeated;	   /* and then to another one */
	uint64_t kept_seq; /* its entry of the journal; 0: none is known */
	/* What is needed to send it again, until it is kept. */
	struct upload *upload; /* owned; of OP_UPLOAD */
	struct chore *chore;   /* owned; of OP_CHORE */
	struct msg_flush flush;
	struct msg_expire expire;
	struct msg_forecast forecast;
	char forecast_id[OP_FORECAST_ID_BYTES]; /* of that */
	/* Of OP_DROP, and of an OP_UPLOAD out of the quarantine; else 0. */
	uint64_t aside_entry;
	int64_t receipt_ms;
};
TAILQ_HEAD(op_list, op);

enum wait_kind {
	WAIT_CREATED,
	WAIT_OPENED,
	WAIT_CLOSED,
	WAIT_DELETED,
	WAIT_RESET,
	WAIT_PAUSED, /* or not open for another reason */
	WAIT_NKINDS
};

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
	struct forecast_totals forecasts;
	unsigned storing;	/* requests for its state under way */
	bool unstored;		/* the last of them has failed */
	unsigned store_delay_s; /* until the next try; doubles */
	int64_t store_at_us;	/* of it, monotonic */

	enum job_state state;
	enum job_state resumes; /* of RECOVERING: what it is to the API */
	int64_t since_ms;	/* wall clock of the last change of state */
	int64_t opened_ms;	/* wall clock of the last change to OPENED */
	char cause[256];	/* of the last change; plain ASCII */

	bool queued;   /* OPENING, and waits for its turn to start */
	bool starting; /* has a process that is not ready */
	struct child *child;
	struct chan *chan;
	bool expect_exit; /* CLOSED was said, or it was killed by request */
	bool killed;	  /* what it said before may still be read */
	char death[200];  /* why the process ended or was ended */
	bool refused;	  /* the process said that it cannot open the job */
	struct recovery recovery;
	struct quarantined_list quarantined;
	unsigned nquarantined;
	bool delete_when_closed;
	bool close_asked; /* by a client: it stays closed after a restart */
	uint64_t task;	  /* of its deletion or reset; 0: none is under way */
	uint64_t reset_from; /* the incarnation that its reset gives up */
	unsigned load;	     /* the last one of the catalogue that had it */
	bool gone;	     /* deleted, by a keeper that died of it */
	struct watch watch;

	bool tends;	       /* its process does one task of a closed job */
	uint32_t tend_request; /* that it owes an answer; 0: none */
	struct op *tend_op;    /* owned: the chore it does */
	struct op_list chores; /* that wait: chores.c */
	unsigned nchores;
	struct retention_item *retention; /* whose turn it is in; borrowed */

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

struct gather;
TAILQ_HEAD(gather_list, gather);

struct jobs {
	struct server *srv;
	struct job_tree tree;
	struct gather_list gathers;
	TAILQ_HEAD(, job) starting; /* OPENING, no process yet */
	unsigned nstarting;	    /* with a process that is not ready */
	int64_t tick_us;	    /* the last one; 0: none yet */
	unsigned load;		    /* of the catalogue: this or the next */
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
 * What the keeper has stored: becomes a closed job. If it is one that is being
 * created, a keeper has stored it and died: then it is created, or there is
 * one of that id already. Of one that is known the configuration is taken
 * over. One that cannot be loaded is logged and left alone.
 */
void jobs_load(struct jobs *, const struct msg_keep_job *);
/* The keeper has sent all jobs. */
void jobs_loaded(struct jobs *);
/* Open again, or let rest, what was open when the daemon ended. */
void jobs_reopen(struct jobs *);
/* Every second: the watchdog of each worker, the time limits of requests. */
void jobs_tick(struct jobs *);
/* Close all in order. */
void jobs_stop(struct jobs *);

struct jobs_count {
	size_t all, opened, failed;
	size_t quarantined; /* have something in it */
	size_t replaying;   /* their journals; and how far all of them are */
	uint64_t done_bytes, all_bytes;
};
void jobs_count(struct jobs *, struct jobs_count *);
/* Jobs that have a process, or wait for one. */
size_t jobs_running(struct jobs *);
/* Takes conf; answers the call when the job is stored. */
void job_create(struct jobs *, struct call *, struct jobconf *conf);
/* Forget a job: it is deleted, or was never made. */
void job_forget(struct job *);
const char *job_state_name(const struct job *); /* as the API says it */
/* "delete", "reset" or "revert" while that is under way, else NULL. */
const char *job_blocked(const struct job *);
/* Why a job has no worker, or has one: of _stats; NULL: it is closed. */
const char *job_explanation(const struct job *);
/* It has a worker, or waits for one. */
bool job_is_assigned(const struct job *);
/* How long it has been open; TIME_UNSET: it is not. */
int64_t job_open_ms(const struct job *);
/* Begin a deletion or reset, which has a number. Returns as job_event. */
int job_task_begin(struct job *, enum job_event, const char *why);
/* "<node>:<n>" of it. */
#define JOB_TASK_BYTES 48
void job_task(const struct job *, char dst[JOB_TASK_BYTES]);

/* ---- job_state.c: the state machine ---- */

/*
 * Something happened. why is kept as the cause of the change, escaped and cut
 * to what fits. Returns 0, or -1 when the state knows no such event; nothing
 * has changed then.
 */
int job_event(struct job *, enum job_event, const char *why);
/* It has been reset: nothing is left but its configuration. */
void job_begin_anew(struct job *, uint64_t incarnation);
/* Before a forced end: those who wait for the orderly one are told. */
void job_interrupt_close(struct job *);
/* The state that the event leads to, or JOB_NSTATES: it is not known there. */
enum job_state job_edge(enum job_state, enum job_event);
/* The name of what is done then; NULL: nothing. */
const char *job_edge_action(enum job_state, enum job_event);

/* ---- job_store.c: what the keeper stores of it ---- */

/* Have it stored that it is open; job_wake(WAIT_OPENED) tells of it. */
void job_store_opened(struct job *);
/*
 * The same of one that is closed, and WAIT_CLOSED. Whoever was told that it was
 * not stored may ask again: then it must not be lost at the next start.
 */
void job_store_closed(struct job *);
/* That it is paused. */
void job_store_paused(struct job *);
/* Have the id of its newest snapshot stored. */
void job_store_snapshot(struct job *);
/* Have a state stored that was not, when its time has come. */
void job_store_tick(struct job *, int64_t now_us);

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
 * A call that waits for several jobs, answered {"<key>":true} after gather_end
 * when the last one has come there; or with 408 when timeout_ms are over
 * (negative: never), and what it waits for goes on.
 *
 * key    static
 * what   is late then: "Closing job [j]"
 * ended  when nothing is waited for any more, even when the call has long been
 *        answered; may be NULL
 *
 * NULL: out of memory, the call was answered.
 */
struct gather *gather_new(struct jobs *, struct call *, const char *key,
    const char *what, int64_t timeout_ms, void (*ended)(struct server *));
/* 0, or -1: out of memory; the call will be answered 503. */
int gather_add(struct gather *, struct job *, enum wait_kind) MUST_CHECK;
/* The call will be answered so, if nothing came before. */
void gather_fail(struct gather *, const struct apierr *);
void gather_end(struct gather *);
struct server *gather_server(const struct gather *);
void gathers_tick(struct jobs *, int64_t now_us);
/* At the end of the daemon: those that nobody will end. */
void gathers_free(struct jobs *);

/* ---- job_process.c: the worker process of a job ---- */

/* Start its worker, or queue it behind others. */
void job_process_start(struct job *);
/* Ask it to keep its state and end. */
void job_process_close(struct job *);
/* Start a worker for one task of a closed job; who wants it asks it. */
void job_process_tend(struct job *);
/*
 * Have its worker remove old results: in the line of an open job, or by the one
 * that trims. retention.h hears of the answer. 0, or -1: it cannot be now.
 */
int job_process_expire(struct job *, const struct msg_expire *) MUST_CHECK;
/* Its configuration has changed in what a running worker has to know. */
void job_process_update(struct job *);
/* SIGKILL. expected: by request, not a failure. */
void job_process_kill(struct job *, bool expected, const char *why);
/* Opened, and its process has not been seen to end. */
bool job_takes_work(const struct job *);
/* Operations may come into its line, though they may have to wait there. */
bool job_has_line(const struct job *);
/* Start the next of those that queue. */
void jobs_start_next(struct jobs *);
/* Its worker is ready or dead: another one may start. */
void job_start_over(struct job *);

/* ---- job_frames.c ---- */

/* A frame of its worker (chan.h); one that it may not send ends the worker. */
void job_frame(void *job, uint16_t type, uint32_t request, const uint8_t *data,
    size_t len);

/* ---- watchdog.c ---- */

void watchdog_start(struct job *);
void watchdog_tick(struct job *, int64_t now_us);
void watchdog_pong(struct job *, const struct msg_pong *);
/* The daemon itself did not run for so long: nobody is to blame. */
void watchdog_excuse(struct job *, int64_t us);

/* ---- line.c: operations ---- */

/* A number for a request to the job's worker. */
uint32_t job_next_request(struct job *);
/*
 * A new operation, not yet in a list; call NULL: of the daemon's own. Answers
 * the call when it fails.
 */
struct op *op_new(struct job *, struct call *, enum op_kind);
void op_free(struct op *);
struct op *op_find(struct job *, uint32_t request);
/* Is there a place in the line? 0, or -1 with *e set (429, or 500). */
int line_admit(const struct job *, bool old_path, struct apierr *e);
/* Take the last place. */
void op_enter_line(struct op *);
/*
 * Send a sealed operation, if there is a worker that takes work; else it waits
 * until there is one. 0, or -1: out of memory.
 */
int op_send(struct op *) MUST_CHECK;
/* The journal has it: what would be sent again is given back. */
void op_kept(struct op *, uint64_t seq);
/* The worker has died: what cannot be sent again and is not sealed fails. */
void line_interrupt(struct job *);
/* Name to a new worker what an earlier one has had. 0, or -1. */
int line_await(struct job *) MUST_CHECK;
/* It is ready, and has answered what was kept: the rest is sent again. */
void line_resume(struct job *);
/* The operation is over: take it out of its list, give the call back. */
struct call *op_finish(struct op *);
/* All that wait get this error; uploads that arrive too. */
void line_fail(struct job *, const struct apierr *e);
/* Uploads that still arrive get this error and are dropped. */
void arriving_fail(struct job *, const struct apierr *e);
/* Queue a removal of old results. 0, or -1: there is no place. */
int line_expire(struct job *, const struct msg_expire *) MUST_CHECK;
/* Queue a flush. Answers the call sooner or later. */
void line_flush(struct job *, struct call *, const struct msg_flush *);

/* ---- api_quarantine.c ---- */

/* An entry is gone, as was asked: answers, and ends the operation. */
void quarantine_dropped(struct op *);

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
/* Send a sealed one whole. 0, or -1: out of memory. */
int upload_send_whole(struct op *) MUST_CHECK;
/* It is held here whole, and can be sent again. */
bool upload_is_whole(const struct upload *);
/* Some of it went to a worker: without that one it is nothing. */
bool upload_is_begun(const struct upload *);

#endif
