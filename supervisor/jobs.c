/* Owns the set of jobs: look-up, creation, loading, the end of all. */
#include "common/compat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "supervisor/call.h"
#include "supervisor/catalogue.h"
#include "supervisor/chan.h"
#include "supervisor/child.h"
#include "supervisor/chores.h"
#include "supervisor/job.h"
#include "supervisor/jobexpr.h"
#include "supervisor/retention.h"
#include "supervisor/server.h"

#define STALL_US 5000000 /* between two ticks, which come every second */

static const char *const state_names[JOB_NSTATES] = {
	[JOB_CREATING] = "closed",
	[JOB_CLOSED] = "closed",
	[JOB_OPENING] = "opening",
	[JOB_OPENED] = "opened",
	[JOB_CLOSING] = "closing",
	[JOB_FAILED] = "failed",
	[JOB_DELETING] = "closed",
	[JOB_RESETTING] = "closed",
	[JOB_TENDING] = "closed",
	[JOB_PAUSING] = "opened",
	[JOB_PAUSED] = "opened",
	[JOB_RECOVERING] = "opened", /* or what it resumes */
};

static int
job_compare(struct job *a, struct job *b)
{
	return strcmp(a->id, b->id);
}

RB_GENERATE(job_tree, job, entry, job_compare)

struct jobs *
jobs_new(struct server *srv)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));

	if (jobs == NULL)
		return NULL;
	jobs->srv = srv;
	RB_INIT(&jobs->tree);
	TAILQ_INIT(&jobs->starting);
	TAILQ_INIT(&jobs->gathers);
	return jobs;
}

void
job_forget(struct job *job)
{
	struct apierr e;

	apierr_set(&e, 503, E_STATUS, "job [%s] is gone", job->id);
	line_fail(job, &e);
	chore_tender_ended(job);
	chores_fail(job, &e);
	updates_fail(job, &e);
	retention_forget(job);
	for (int kind = 0; kind < WAIT_NKINDS; kind++)
		job_wake(job, (enum wait_kind)kind, &e);
	chan_free(job->chan);
	child_forget(job->child); /* it ends with its channel */
	RB_REMOVE(job_tree, &job->srv->jobs->tree, job);
	jobconf_free(job->conf);
	jobconf_free(job->next_conf);
	quarantined_clear(job);
	free(job->model_snapshot_id);
	free(job->id);
	free(job);
}

void
jobs_free(struct jobs *jobs)
{
	struct job *job, *next;

	if (jobs == NULL)
		return;
	RB_FOREACH_SAFE (job, job_tree, &jobs->tree, next)
		job_forget(job);
	gathers_free(jobs);
	free(jobs);
}

static struct job *
job_new(struct jobs *jobs, const char *id, struct jobconf *conf)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->id = strdup(id);
	if (job->id == NULL) {
		free(job);
		return NULL;
	}
	job->srv = jobs->srv;
	job->conf = conf;
	job->create_time_ms = clock_wall_ms();
	job->since_ms = job->create_time_ms;
	job->finished_time_ms = TIME_UNSET;
	job_totals_init(&job->totals);
	TAILQ_INIT(&job->line);
	TAILQ_INIT(&job->arriving);
	TAILQ_INIT(&job->chores);
	TAILQ_INIT(&job->waiters);
	TAILQ_INIT(&job->updates);
	quarantined_init(job);
	RB_INSERT(job_tree, &jobs->tree, job);
	return job;
}

struct job *
jobs_find_any(struct jobs *jobs, const char *id)
{
	struct job key;

	memset(&key, 0, sizeof(key));
	key.id = (char *)(uintptr_t)id; /* only compared */
	return RB_FIND(job_tree, &jobs->tree, &key);
}

struct job *
jobs_find(struct jobs *jobs, const char *id)
{
	struct job *job = jobs_find_any(jobs, id);

	return job == NULL || job->state == JOB_CREATING ? NULL : job;
}

struct job *
jobs_first(struct jobs *jobs, const char *from)
{
	struct job key, *job;

	memset(&key, 0, sizeof(key));
	key.id = (char *)(uintptr_t)from; /* only compared */
	job = RB_NFIND(job_tree, &jobs->tree, &key);
	while (job != NULL && job->state == JOB_CREATING)
		job = RB_NEXT(job_tree, &jobs->tree, job);
	return job;
}

struct job *
job_next(struct job *job)
{
	do
		job = RB_NEXT(job_tree, &job->srv->jobs->tree, job);
	while (job != NULL && job->state == JOB_CREATING);
	return job;
}

const char *
job_state_name(const struct job *job)
{
	return state_names[job->state == JOB_RECOVERING ? job->resumes
							: job->state];
}

/* A deletion that waits for a reset has not begun. */
const char *
job_blocked(const struct job *job)
{
	if (job->state == JOB_RESETTING)
		return "reset";
	if (job->state == JOB_DELETING || job->delete_when_closed)
		return "delete";
	return chores_revert(job) ? "revert" : NULL;
}

bool
job_is_assigned(const struct job *job)
{
	return job->state == JOB_OPENING || job->state == JOB_OPENED ||
	    job->state == JOB_CLOSING || job->state == JOB_RECOVERING;
}

const char *
job_explanation(const struct job *job)
{
	if (job->state == JOB_FAILED)
		return job->cause;
	if (job->state == JOB_PAUSING || job->state == JOB_PAUSED)
		return "persistent task cannot be assigned while upgrade mode "
		       "is enabled.";
	return job_is_assigned(job) ? "" : NULL;
}

int64_t
job_open_ms(const struct job *job)
{
	int64_t ms = clock_wall_ms() - job->opened_ms;

	if (strcmp(job_state_name(job), "opened") != 0 || !job_is_assigned(job))
		return TIME_UNSET;
	return ms > 0 ? ms : 0; /* the clock may have been set back */
}

int
job_task_begin(struct job *job, enum job_event event, const char *why)
{
	if (job->task == 0)
		job->task = ++job->srv->tasks;
	return job_event(job, event, why);
}

void
job_task(const struct job *job, char dst[JOB_TASK_BYTES])
{
	snprintf(
	    dst, JOB_TASK_BYTES, "%s:%" PRIu64, job->srv->node_id, job->task);
}

static void
created_cb(void *arg, const struct apierr *e, uint64_t incarnation)
{
	struct job *job = arg;
	struct apierr none;

	/* jobs_load has found what an earlier keeper had done. */
	if (job->state != JOB_CREATING)
		return;
	if (e == NULL && incarnation == 0) {
		apierr_set(&none, 500, E_EXCEPTION,
		    "the keeper of the catalogue gave job [%s] no number",
		    job->id);
		e = &none;
	}
	if (e != NULL) {
		job_wake(job, WAIT_CREATED, e);
		job_forget(job);
		return;
	}
	job->incarnation = incarnation;
	job_event(job, EV_CREATED, "created");
}

static void
id_is_used(struct apierr *e, const char *id)
{
	apierr_set(e, 400, E_EXISTS,
	    "The job cannot be created with the Id '%s'. The Id is already "
	    "used.",
	    id);
}

void
job_create(struct jobs *jobs, struct call *call, struct jobconf *conf)
{
	const char *id = conf->job_id;
	struct msg_keep_create m;
	struct apierr e;
	struct job *job;
	char *text;

	if (jobs_find_any(jobs, id) != NULL) {
		id_is_used(&e, id);
		call_error(call, &e);
		jobconf_free(conf);
		return;
	}
	if (jobexpr_check_names(jobs, conf, &e) == -1) {
		call_error(call, &e);
		jobconf_free(conf);
		return;
	}
	text = jobconf_print(conf);
	job = text == NULL ? NULL : job_new(jobs, id, conf);
	if (job == NULL) {
		call_fail(call, 503, E_STATUS, "out of memory");
		jobconf_free(conf);
		free(text);
		return;
	}
	m.job_id = span_of(id);
	m.config = span_of(text);
	m.create_time_ms = job->create_time_ms;
	if (job_wait(job, call, WAIT_CREATED) == -1) {
		job_forget(job);
		free(text);
		return;
	}
	catalogue_create(jobs->srv->catalogue, &m, created_cb, job);
	free(text);
}

static int
load_totals(struct job *job, struct span totals)
{
	struct rbuf rb;

	if (totals.len == 0)
		return 0;
	rbuf_init(&rb, totals.p, totals.len);
	if (job_totals_decode(&rb, &job->totals) == -1)
		return -1;
	/* earlier versions stored nothing behind that */
	return rb.left == 0 ? 0
			    : schema_decode(&forecast_totals_schema, &rb,
				  &job->forecasts, NULL);
}

static void
take_stored(struct job *job, const struct msg_keep_job *m)
{
	job->incarnation = m->incarnation;
	job->create_time_ms = m->create_time_ms;
	job->finished_time_ms = m->finished_time_ms;
	job->wanted_open = m->wanted_open;
	if (m->model_snapshot_id.len > 0 &&
	    (job->model_snapshot_id = span_dup(m->model_snapshot_id)) == NULL)
		log_warn(
		    "job %s: the id of its snapshot is not shown", job->id);
	if (load_totals(job, m->totals) == -1)
		log_warnx("job %s: its stored counts are not valid", job->id);
}

/* Is what is stored what is being created, or an earlier job of that id? */
static bool
is_same_creation(const struct job *job, const struct msg_keep_job *m)
{
	char *text = jobconf_print(job->conf);
	bool same = text != NULL && m->create_time_ms == job->create_time_ms &&
	    span_eq(m->config, text);

	free(text);
	return same;
}

/*
 * The keeper that stored it died before it could say so. The request, which
 * is still to be sent again, will hear that the id is used. Takes conf.
 */
static void
adopt_job(struct job *job, struct jobconf *conf, const struct msg_keep_job *m)
{
	bool same = is_same_creation(job, m);
	struct apierr e;

	jobconf_free(job->conf);
	job->conf = conf;
	take_stored(job, m);
	if (same) {
		job_event(job, EV_CREATED, "created before the keeper ended");
		return;
	}
	id_is_used(&e, job->id);
	job_event(job, EV_LOADED, "loaded");
	job_wake(job, WAIT_CREATED, &e);
}

/* Takes conf. */
static void
load_job(struct jobs *jobs, const char *id, struct jobconf *conf,
    const struct msg_keep_job *m)
{
	struct job *job = job_new(jobs, id, conf);

	if (job == NULL) {
		log_warn("job %s is left alone", id);
		jobconf_free(conf);
		return;
	}
	take_stored(job, m);
	job_event(job, EV_LOADED, "loaded");
}

static struct jobconf *
restore_conf(const char *id, const struct msg_keep_job *m)
{
	struct apierr e;
	struct jobconf *conf =
	    jobconf_restore(id, m->config.p, m->config.len, &e);

	if (conf == NULL)
		log_warnx("job %s: its stored configuration is not valid and "
			  "the job is left alone: %s",
		    id, e.link[0].reason);
	return conf;
}

/*
 * A keeper that died may have stored an update or a reset without saying so.
 * What is on disk is what the job will be after the next start, so it is that
 * now, whatever the next keeper says when it is asked for the same again.
 */
static void
reload_job(struct job *job, const struct msg_keep_job *m)
{
	struct jobconf *conf;
	char *text;
	bool same;

	job->load = job->srv->jobs->load;
	if (job->state == JOB_RESETTING && m->incarnation > job->incarnation)
		job_begin_anew(job, m->incarnation);
	if (job->incarnation != m->incarnation)
		return;
	text = jobconf_print(job->conf);
	same = text == NULL || span_eq(m->config, text);
	free(text);
	if (same || (conf = restore_conf(job->id, m)) == NULL)
		return;
	log_info("job %s: an update that was stored is found", job->id);
	jobconf_free(job->conf);
	job->conf = conf;
}

void
jobs_load(struct jobs *jobs, const struct msg_keep_job *m)
{
	char *id = span_dup(m->job_id);
	struct jobconf *conf;
	struct job *job;

	if (id == NULL) {
		log_warn("a stored job is left alone");
		return;
	}
	job = jobs_find_any(jobs, id);
	if (job != NULL && job->state != JOB_CREATING)
		reload_job(job, m);
	else if ((conf = restore_conf(id, m)) != NULL && job == NULL)
		load_job(jobs, id, conf, m);
	else if (conf != NULL)
		adopt_job(job, conf, m);
	free(id);
}

/* A deletion that a keeper has done is not undone by what the next one says. */
void
jobs_loaded(struct jobs *jobs)
{
	struct job *job;

	RB_FOREACH (job, job_tree, &jobs->tree)
		if (job->state == JOB_DELETING && job->load != jobs->load)
			job->gone = true;
	jobs->load++;
}

void
jobs_reopen(struct jobs *jobs)
{
	struct job *job;

	RB_FOREACH (job, job_tree, &jobs->tree)
		if (job->wanted_open && job->state == JOB_CLOSED)
			job_event(job,
			    jobs->srv->upgrade_mode ? EV_PAUSE : EV_OPEN,
			    "was open when anomd ended");
}

/* A daemon that was stopped, as its machine may be, must not take that for
   the silence of all its workers. */
void
jobs_tick(struct jobs *jobs)
{
	int64_t now_us = clock_mono_us();
	int64_t gap_us = jobs->tick_us == 0 ? 0 : now_us - jobs->tick_us;
	struct job *job;

	RB_FOREACH (job, job_tree, &jobs->tree) {
		job_waiters_tick(job, now_us);
		job_store_tick(job, now_us);
		recovery_tick(job, now_us);
		if (job->chan == NULL)
			continue;
		if (gap_us > STALL_US)
			watchdog_excuse(job, gap_us);
		watchdog_tick(job, now_us);
	}
	gathers_tick(jobs, now_us);
	jobs->tick_us = now_us;
}

void
jobs_stop(struct jobs *jobs)
{
	struct job *job;

	RB_FOREACH (job, job_tree, &jobs->tree)
		if (job->state == JOB_OPENING || job->state == JOB_OPENED)
			job_event(job, EV_CLOSE, "anomd ends");
		else if (job->state == JOB_RECOVERING)
			job_event(job, EV_FORCE, "anomd ends");
}

void
jobs_count(struct jobs *jobs, struct jobs_count *n)
{
	struct job *job;

	memset(n, 0, sizeof(*n));
	RB_FOREACH (job, job_tree, &jobs->tree) {
		n->all++;
		n->opened += strcmp(job_state_name(job), "opened") == 0 &&
		    job_is_assigned(job);
		n->failed += job->state == JOB_FAILED;
		n->quarantined += job->nquarantined > 0;
		if (!job->recovery.replays)
			continue;
		n->replaying++;
		n->done_bytes += job->recovery.progress.done_bytes;
		n->all_bytes += job->recovery.progress.all_bytes;
	}
}

size_t
jobs_running(struct jobs *jobs)
{
	struct job *job;
	size_t n = 0;

	RB_FOREACH (job, job_tree, &jobs->tree)
		if (job->child != NULL || job->chan != NULL || job->queued)
			n++;
	return n;
}
