/* Owns the state machine of a job: the edges, and what each one does. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "supervisor/catalogue.h"
#include "supervisor/chores.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

static void act_created(struct job *);
static void act_opened(struct job *);
static void act_close(struct job *);
static void act_abort(struct job *);
static void act_force(struct job *);
static void act_closed(struct job *);
static void act_failed(struct job *);
static void act_delete(struct job *);
static void act_delete_later(struct job *);
static void act_reset(struct job *);
static void act_end_tending(struct job *);
static void act_pause(struct job *);
static void act_paused(struct job *);
static void note_close(struct job *);
static void act_recover(struct job *);
static void act_recovered(struct job *);
static void act_close_later(struct job *);

#define UPGRADE_WHY "upgrade mode"

struct edge {
	enum job_state from;
	enum job_event event;
	enum job_state to;
	void (*act)(struct job *);
	const char *action; /* its name, for the test of the table */
};

/* clang-format off */
#define EDGE(from, event, to, act) { JOB_##from, EV_##event, JOB_##to, act, #act }
static const struct edge edges[] = {
	EDGE(CREATING,  CREATED,         CLOSED,    act_created),
	EDGE(CREATING,  LOADED,          CLOSED,    NULL),

	EDGE(CLOSED,    OPEN,            OPENING,   job_process_start),
	EDGE(CLOSED,    CLOSE,           CLOSED,    act_closed),
	EDGE(CLOSED,    FORCE,           CLOSED,    act_closed),
	EDGE(CLOSED,    DELETE,          DELETING,  act_delete),
	EDGE(CLOSED,    RESET,           RESETTING, act_reset),
	EDGE(CLOSED,    TEND,            TENDING,   job_process_tend),
	EDGE(CLOSED,    PAUSE,           PAUSED,    NULL),

	EDGE(OPENING,   READY,           OPENED,    act_opened),
	EDGE(OPENING,   CLOSE,           CLOSING,   act_abort),
	EDGE(OPENING,   FORCE,           CLOSING,   act_abort),
	EDGE(OPENING,   EXIT_EXPECTED,   FAILED,    act_failed),
	EDGE(OPENING,   EXIT_UNEXPECTED, RECOVERING, act_recover),
	EDGE(OPENING,   REFUSED,         FAILED,    act_failed),
	EDGE(OPENING,   TENDED,          OPENING,   job_process_start),

	EDGE(OPENED,    CLOSE,           CLOSING,   act_close),
	EDGE(OPENED,    FORCE,           CLOSING,   act_force),
	EDGE(OPENED,    EXIT_EXPECTED,   FAILED,    act_failed),
	EDGE(OPENED,    EXIT_UNEXPECTED, RECOVERING, act_recover),
	EDGE(OPENED,    REFUSED,         FAILED,    act_failed),
	EDGE(OPENED,    PAUSE,           PAUSING,   act_pause),

	EDGE(CLOSING,   CLOSE,           CLOSING,   NULL),
	EDGE(CLOSING,   FORCE,           CLOSING,   act_force),
	EDGE(CLOSING,   EXIT_EXPECTED,   CLOSED,    act_closed),
	EDGE(CLOSING,   EXIT_UNEXPECTED, RECOVERING, act_recover),
	EDGE(CLOSING,   REFUSED,         FAILED,    act_failed),
	EDGE(CLOSING,   TENDED,          CLOSED,    act_closed),

	EDGE(FAILED,    OPEN,            OPENING,   job_process_start),
	EDGE(FAILED,    FORCE,           CLOSED,    act_closed),

	EDGE(DELETING,  DELETE,          DELETING,  NULL),
	EDGE(DELETING,  DELETE_FAILED,   CLOSED,    NULL),
	EDGE(DELETING,  TENDED,          DELETING,  act_delete),

	EDGE(RESETTING, RESET,           RESETTING, NULL),
	EDGE(RESETTING, RESET_DONE,      CLOSED,    NULL),
	EDGE(RESETTING, RESET_FAILED,    CLOSED,    NULL),
	EDGE(RESETTING, DELETE,          RESETTING, act_delete_later),
	EDGE(RESETTING, TENDED,          RESETTING, act_reset),

	EDGE(TENDING,   TENDED,          CLOSED,    NULL),
	EDGE(TENDING,   OPEN,            OPENING,   act_end_tending),
	EDGE(TENDING,   DELETE,          DELETING,  act_end_tending),
	EDGE(TENDING,   RESET,           RESETTING, act_end_tending),

	EDGE(PAUSING,   EXIT_EXPECTED,   PAUSED,    act_paused),
	EDGE(PAUSING,   EXIT_UNEXPECTED, RECOVERING, act_recover),
	EDGE(PAUSING,   REFUSED,         FAILED,    act_failed),
	EDGE(PAUSING,   CLOSE,           CLOSING,   note_close),
	EDGE(PAUSING,   FORCE,           CLOSING,   act_force),

	EDGE(RECOVERING, READY,           OPENED,     act_recovered),
	EDGE(RECOVERING, CLOSE,           RECOVERING, act_close_later),
	EDGE(RECOVERING, FORCE,           CLOSING,    act_force),
	EDGE(RECOVERING, EXIT_UNEXPECTED, RECOVERING, act_recover),
	EDGE(RECOVERING, EXIT_EXPECTED,   FAILED,     act_failed),
	EDGE(RECOVERING, REFUSED,         FAILED,     act_failed),

	EDGE(PAUSED,    RESUME,          OPENING,   job_process_start),
	EDGE(PAUSED,    CLOSE,           CLOSED,    act_closed),
	EDGE(PAUSED,    FORCE,           CLOSED,    act_closed),
};
/* clang-format on */

static const char *const internal_names[JOB_NSTATES] = {
	[JOB_CREATING] = "CREATING",
	[JOB_CLOSED] = "CLOSED",
	[JOB_OPENING] = "OPENING",
	[JOB_OPENED] = "OPENED",
	[JOB_CLOSING] = "CLOSING",
	[JOB_FAILED] = "FAILED",
	[JOB_DELETING] = "DELETING",
	[JOB_RESETTING] = "RESETTING",
	[JOB_TENDING] = "TENDING",
	[JOB_PAUSING] = "PAUSING",
	[JOB_PAUSED] = "PAUSED",
	[JOB_RECOVERING] = "RECOVERING",
};

static const struct edge *
edge_find(enum job_state from, enum job_event event)
{
	for (size_t i = 0; i < NELEM(edges); i++)
		if (edges[i].from == from && edges[i].event == event)
			return &edges[i];
	return NULL;
}

enum job_state
job_edge(enum job_state from, enum job_event event)
{
	const struct edge *e = edge_find(from, event);

	return e == NULL ? JOB_NSTATES : e->to;
}

const char *
job_edge_action(enum job_state from, enum job_event event)
{
	const struct edge *e = edge_find(from, event);

	return e == NULL || e->act == NULL ? NULL : e->action;
}

/* Part of why may be a child's: neither log nor answers take it raw. */
static void
state_change(struct job *job, const struct edge *e, const char *why)
{
	const char *from = internal_names[e->from];

	log_escape(job->cause, sizeof(job->cause), why, strlen(why));
	if (e->to == JOB_FAILED)
		log_warnx(
		    "job %s: %s -> FAILED: %s", job->id, from, job->cause);
	else if (e->event == EV_LOADED)
		log_debug("job %s: loaded", job->id);
	else
		log_info("job %s: %s -> %s: %s", job->id, from,
		    internal_names[e->to], job->cause);
	if (e->to == JOB_RECOVERING)
		job->resumes = e->from == JOB_PAUSING ? JOB_OPENED : e->from;
	job->state = e->to;
	job->since_ms = clock_wall_ms();
}

int
job_event(struct job *job, enum job_event event, const char *why)
{
	const struct edge *e = edge_find(job->state, event);

	if (e == NULL)
		return -1;
	if (e->to != e->from)
		state_change(job, e, why);
	if (e->act != NULL)
		e->act(job);
	chores_pump(job);
	return 0;
}

static void
act_created(struct job *job)
{
	job_wake(job, WAIT_CREATED, NULL);
}

static void
act_opened(struct job *job)
{
	job->opened_ms = clock_wall_ms();
	job->wanted_open = true;
	if (job->resumes != JOB_CLOSING)
		job->close_asked = false;
	job->finished_time_ms = TIME_UNSET;
	job_store_opened(job);
	line_resume(job);
	/* It was on its way when the mode was set. */
	if (job->srv->upgrade_mode)
		job_event(job, EV_PAUSE, UPGRADE_WHY);
}

static void
not_open_error(const struct job *job, struct apierr *e)
{
	apierr_set(e, 409, E_STATUS,
	    "Cannot perform requested action because job [%s] is not open",
	    job->id);
}

/* What the daemon closes at its end is opened again by the next one. */
static void
note_close(struct job *job)
{
	if (!job->srv->stopping)
		job->close_asked = true;
}

static void
act_close(struct job *job)
{
	struct apierr e;

	note_close(job);
	not_open_error(job, &e);
	arriving_fail(job, &e);
	job_process_close(job);
}

/* What it replayed is in the journal still: nothing needs keeping. */
static void
act_abort(struct job *job)
{
	struct apierr e;

	note_close(job);
	apierr_set(&e, 409, E_STATUS,
	    "The job has been closed while waiting to be opened");
	job_wake(job, WAIT_OPENED, &e);
	job_process_kill(job, true, "closed before it was open");
}

/* The client is not at fault, and may well come again. */
static void
line_fail_stopped(struct job *job)
{
	struct apierr e;

	not_open_error(job, &e);
	arriving_fail(job, &e);
	apierr_set(&e, 503, E_STATUS,
	    "anomd ends before job [%s] could answer; an upload may have been "
	    "kept all the same: send it again with the same Idempotency-Key",
	    job->id);
	e.retry_after_s = 1;
	line_fail(job, &e);
}

static void
act_force(struct job *job)
{
	struct apierr e;

	note_close(job);
	if (job->srv->stopping)
		line_fail_stopped(job);
	apierr_set(&e, 409, E_STATUS,
	    "[%s] Could not submit operation to process as it has been "
	    "killed",
	    job->id);
	line_fail(job, &e);
	job_process_kill(job, true, "closed by force");
}

/* One that was killed already has told them. */
void
job_interrupt_close(struct job *job)
{
	struct apierr e;

	if (job->state != JOB_CLOSING || job->killed)
		return;
	apierr_set(&e, 409, E_STATUS, "Close job interrupted by kill request");
	job_wake(job, WAIT_CLOSED, &e);
}

/* A worker answers all that waits before it ends; this one may not have. */
static void
line_fail_closed(struct job *job)
{
	struct apierr e;

	if (job->srv->stopping)
		line_fail_stopped(job);
	not_open_error(job, &e);
	line_fail(job, &e);
}

static void
act_closed(struct job *job)
{
	recovery_cancel(job);
	line_fail_closed(job);
	if (job->wanted_open && (job->close_asked || !job->srv->stopping)) {
		job->wanted_open = false;
		job->finished_time_ms = clock_wall_ms();
	}
	job_store_closed(job);
	job_wake(job, WAIT_PAUSED, NULL);
	if (job->delete_when_closed) {
		job->delete_when_closed = false;
		job_event(job, EV_DELETE, "deleted by force");
	}
}

static void
act_failed(struct job *job)
{
	struct apierr e;

	recovery_cancel(job);
	apierr_set(&e, 500, E_EXCEPTION,
	    "[%s] Unexpected death of autodetect: %s", job->id, job->cause);
	line_fail(job, &e);
	job_wake(job, WAIT_CLOSED, &e);
	apierr_set(&e, 500, E_EXCEPTION,
	    "Unexpected job state [failed] with reason [%s] while waiting for "
	    "job to be opened",
	    job->cause);
	job_wake(job, WAIT_OPENED, &e);
	job_wake(job, WAIT_PAUSED, NULL);
	if (job->delete_when_closed)
		job_event(job, EV_FORCE, "failed, and is to be deleted");
}

/* ---- the death of a worker ---- */

/* Nobody is told: the answers come later, from another worker. */
static void
act_recover(struct job *job)
{
	line_interrupt(job);
	recovery_begin(job);
}

static void
act_recovered(struct job *job)
{
	enum job_state resumes = job->resumes;
	int64_t opened_ms = job->opened_ms;

	act_opened(job);
	/* To its clients it has been open all the while. */
	if (resumes != JOB_OPENING)
		job->opened_ms = opened_ms;
	if (resumes == JOB_CLOSING)
		job_event(job, EV_CLOSE, "closed when it was recovered");
}

/* What waits in its line comes first. */
static void
act_close_later(struct job *job)
{
	struct apierr e;

	note_close(job);
	if (job->resumes == JOB_OPENING) {
		apierr_set(&e, 409, E_STATUS,
		    "The job has been closed while waiting to be opened");
		job_wake(job, WAIT_OPENED, &e);
	}
	job->resumes = JOB_CLOSING;
	not_open_error(job, &e);
	arriving_fail(job, &e);
}

/* ---- upgrade mode ---- */

static void
act_pause(struct job *job)
{
	struct apierr e;

	not_open_error(job, &e);
	arriving_fail(job, &e);
	job_process_close(job);
}

/* It is still wanted open. The mode may have ended meanwhile. */
static void
act_paused(struct job *job)
{
	recovery_cancel(job);
	line_fail_closed(job);
	job_store_paused(job);
	job_wake(job, WAIT_PAUSED, NULL);
	if (!job->srv->upgrade_mode && !job->srv->stopping)
		job_event(job, EV_RESUME, "upgrade mode has ended");
}

/* ---- deletion and reset ---- */

/*
 * The worker that tends is in the way; its end does what is to be done. What it
 * does at a client's request is over soon, and an opening can wait for it.
 */
static void
act_end_tending(struct job *job)
{
	if (job->tend_op == NULL || job->state != JOB_OPENING)
		job_process_kill(job, true, "tending gives way");
}

static void
act_delete_later(struct job *job)
{
	job->delete_when_closed = true;
}

/*
 * A keeper that does not know the job had deleted it before it died with the
 * answer, or an earlier one had: the job is gone, as was asked.
 */
static void
deleted_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	struct job *job = arg;

	(void)unused;
	if (e != NULL && e->status != 404 && !job->gone) {
		job->task = 0;
		job_event(job, EV_DELETE_FAILED, e->link[0].reason);
		job_wake(job, WAIT_DELETED, e);
		return;
	}
	log_info("job %s: deleted", job->id);
	job_wake(job, WAIT_DELETED, NULL);
	job_forget(job);
}

static void
act_delete(struct job *job)
{
	struct msg_keep_delete m = { .job_id = span_of(job->id),
		.incarnation = job->incarnation };

	catalogue_delete(job->srv->catalogue, &m, deleted_cb, job);
}

void
job_begin_anew(struct job *job, uint64_t incarnation)
{
	job->incarnation = incarnation;
	job->finished_time_ms = TIME_UNSET;
	free(job->model_snapshot_id);
	job->model_snapshot_id = NULL;
	quarantined_clear(job);
	recovery_forget_damage(job);
	job->wanted_open = false;
	job->unstored = false;
	job->store_delay_s = 0;
	job_totals_init(&job->totals);
	memset(&job->forecasts, 0, sizeof(job->forecasts));
}

static void
reset_cb(void *arg, const struct apierr *e, uint64_t incarnation)
{
	struct job *job = arg;

	job->task = 0;
	/* A keeper that died had done it: jobs_load has seen it. */
	if (job->incarnation != job->reset_from) {
		incarnation = job->incarnation;
		e = NULL;
	}
	if (e == NULL) {
		job_begin_anew(job, incarnation);
		job_event(job, EV_RESET_DONE, "reset");
	} else {
		job_event(job, EV_RESET_FAILED, e->link[0].reason);
	}
	job_wake(job, WAIT_RESET, e);
	if (job->delete_when_closed) {
		job->delete_when_closed = false;
		(void)job_task_begin(job, EV_DELETE, "deleted by request");
	}
}

static void
act_reset(struct job *job)
{
	struct msg_keep_reset m = { .job_id = span_of(job->id),
		.incarnation = job->incarnation };

	job->reset_from = job->incarnation;
	catalogue_reset(job->srv->catalogue, &m, reset_cb, job);
}
