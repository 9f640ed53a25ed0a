/* Owns the worker process of a job: its start, its frames, its end. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/log.h"
#include "supervisor/chan.h"
#include "supervisor/child.h"
#include "supervisor/chores.h"
#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/oomkills.h"
#include "supervisor/retention.h"
#include "supervisor/server.h"

void
job_start_over(struct job *job)
{
	if (job->starting)
		job->srv->jobs->nstarting--;
	job->starting = false;
}

/* Whether it is over or was cut off: the job goes on. */
static void
tender_ended(struct job *job)
{
	bool expected = job->expect_exit;
	struct apierr e;

	apierr_set(&e, 500, E_EXCEPTION,
	    "[%s] old results were not removed: %s", job->id, job->death);
	chore_tender_ended(job);
	job->tends = false;
	job->tend_request = 0;
	job_event(job, EV_TENDED, job->death);
	retention_tender_ended(job, expected ? NULL : &e);
}

/*
 * At the end of the daemon nobody is started again: the journal has what was
 * answered, and the next daemon replays it.
 */
static enum job_event
death_event(const struct job *job)
{
	if (job->refused || recovery_is_hopeless(job))
		return EV_REFUSED;
	if (job->srv->stopping && job->state == JOB_CLOSING)
		return EV_EXIT_EXPECTED;
	return EV_EXIT_UNEXPECTED;
}

/* Both have been seen: the process is reaped and its channel is at its end. */
static void
process_ended(struct job *job)
{
	enum job_event event =
	    job->expect_exit ? EV_EXIT_EXPECTED : EV_EXIT_UNEXPECTED;
	struct jobs *jobs = job->srv->jobs;

	if (job->child != NULL || job->chan != NULL)
		return;
	if (job->tends) {
		tender_ended(job);
		return;
	}
	job_start_over(job);
	if (event == EV_EXIT_UNEXPECTED)
		event = death_event(job);
	if (job_event(job, event, job->death) == -1)
		log_warnx(
		    "job %s: %s in an unexpected state", job->id, job->death);
	jobs_start_next(jobs);
}

/* By the kernel, and not by anybody's hand. */
static bool
is_memory_kill(const struct job *job, int status)
{
	return !job->killed &&
	    oomkills_explain(job->srv->oom, status, clock_mono_us());
}

static void
worker_exited(void *arg, int status)
{
	struct job *job = arg;
	bool memory_kill = is_memory_kill(job, status);

	job->child = NULL;
	if (!job->tends)
		recovery_died(job, status, memory_kill);
	/* One that gives up by itself, in a job that was not open before. */
	if (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0 &&
	    job->state == JOB_OPENING && !job->wanted_open)
		job->refused = true;
	if (job->death[0] == '\0') {
		char text[96];

		snprintf(job->death, sizeof(job->death), "worker %s%s",
		    child_status_text(status, text, sizeof(text)),
		    memory_kill ? OOMKILLS_CAUSE : "");
	}
	process_ended(job);
}

static void
worker_closed(void *arg, const char *why)
{
	struct job *job = arg;

	chan_free(job->chan);
	job->chan = NULL;
	if (why != NULL && job->death[0] == '\0')
		snprintf(job->death, sizeof(job->death),
		    "worker broke the protocol: %s", why);
	if (job->child != NULL)
		child_kill(job->child);
	process_ended(job);
}

static void
worker_drained(void *arg)
{
	uploads_resume(arg);
}

static const struct chan_handlers worker_handlers = { job_frame, worker_drained,
	worker_closed };

/* ---- start and end ---- */

static int
send_hello(struct job *job)
{
	const struct conf *conf = job->srv->conf;
	struct msg_hello hello = { .version = MSG_VERSION,
		.log_level = (uint8_t)conf->log_level,
		.job_id = span_of(job->id),
		.max_expanded_bytes = conf->max_body_bytes,
		.sync_policy = (uint8_t)conf->journal_sync,
		.epoch = job->srv->epoch,
		.journal_quota_bytes = conf->journal_quota_bytes,
		.interim_interval_s = (uint32_t)conf->interim_interval_s,
		.crash = (uint8_t)(job->tends ? 0 : job->recovery.crash),
		.results_damaged = recovery_tell_damage(job) };
	char path[MSG_PATH_MAX];

	snprintf(path, sizeof(path), "%s/jobs/%s.%" PRIu64, conf->state_dir,
	    job->id, job->incarnation);
	hello.path = span_of(path);
	return chan_send(job->chan, MSG_HELLO, 0, &hello);
}

static int
send_config(struct job *job, enum msg_type type)
{
	char *text = jobconf_print(job->conf);
	int rc = -1;

	if (text != NULL)
		rc = chan_send_raw(
		    job->chan, (uint16_t)type, 0, text, strlen(text));
	free(text);
	return rc;
}

/* Before its start there is none to tell; a tender has no use for it. */
void
job_process_update(struct job *job)
{
	if (job->chan == NULL || job->killed || job->tends)
		return;
	if (send_config(job, MSG_JOB_UPDATED) == -1)
		job_process_kill(job, false, "no memory for its channel");
}

/* 0: it has a process now, which may be killed already; -1: it has none. */
static int
process_spawn(struct job *job, char *why, size_t whylen)
{
	char path[MSG_PATH_MAX];
	int fd;

	job->expect_exit = false;
	job->killed = false;
	job->refused = false;
	job->death[0] = '\0';
	snprintf(
	    path, sizeof(path), "%s/anomd-worker", job->srv->conf->libexec_dir);
	job->child = child_spawn(path, job->id, &fd, worker_exited, job);
	if (job->child == NULL) {
		snprintf(why, whylen, "worker cannot be started: %.130s: %s",
		    path, strerror(errno));
		return -1;
	}
	job->chan =
	    chan_new(job->srv->base, fd, FROM_WRK, &worker_handlers, job);
	if (job->chan == NULL || send_hello(job) == -1)
		job_process_kill(job, false, "no memory for its channel");
	else
		watchdog_start(job);
	return 0;
}

static void
worker_spawn(struct job *job)
{
	char why[sizeof(job->death)];

	if (process_spawn(job, why, sizeof(why)) == -1) {
		strlcpy(job->death, why, sizeof(job->death));
		job_event(job,
		    job->state == JOB_OPENING || recovery_is_hopeless(job)
			? EV_REFUSED
			: EV_EXIT_UNEXPECTED,
		    why);
		return;
	}
	quarantined_begin(job);
	job->starting = true;
	job->srv->jobs->nstarting++;
	if (!job->killed &&
	    (line_await(job) == -1 || send_config(job, MSG_JOB_CONFIG) == -1))
		job_process_kill(job, false, "no memory for its channel");
}

void
job_process_tend(struct job *job)
{
	job->tends = true;
	job->tend_request = 0;
	if (process_spawn(job, job->death, sizeof(job->death)) == -1)
		tender_ended(job);
}

int
job_process_expire(struct job *job, const struct msg_expire *m)
{
	uint32_t request;

	if (!job->tends)
		return line_expire(job, m);
	if (job->chan == NULL || job->killed || job->tend_request != 0)
		return -1;
	request = job_next_request(job);
	if (chan_send(job->chan, MSG_EXPIRE, request, m) == -1)
		return -1;
	job->tend_request = request;
	return 0;
}

/* Of a replay the processor is what takes time, so more gain nothing. */
static uint64_t
max_starting(const struct server *srv)
{
	if (srv->conf->max_opening > 0)
		return srv->conf->max_opening;
	return srv->processors > 0 ? srv->processors : 1;
}

void
jobs_start_next(struct jobs *jobs)
{
	uint64_t most = max_starting(jobs->srv);
	struct job *job;

	while (jobs->nstarting < most &&
	    (job = TAILQ_FIRST(&jobs->starting)) != NULL) {
		TAILQ_REMOVE(&jobs->starting, job, start_entry);
		job->queued = false;
		worker_spawn(job);
	}
}

void
job_process_start(struct job *job)
{
	job->queued = true;
	TAILQ_INSERT_TAIL(&job->srv->jobs->starting, job, start_entry);
	jobs_start_next(job->srv->jobs);
}

void
job_process_close(struct job *job)
{
	struct msg_close m = { .keep = true };

	if (job->chan == NULL) /* it died; the rest will be seen in a moment */
		return;
	if (chan_send(job->chan, MSG_CLOSE, 0, &m) == -1)
		job_process_kill(job, false, "cannot be told to close");
	else
		chan_set_state(job->chan, IN_CLOSING);
}

void
job_process_kill(struct job *job, bool expected, const char *why)
{
	if (job->queued) {
		job->queued = false;
		TAILQ_REMOVE(&job->srv->jobs->starting, job, start_entry);
		job_event(job, EV_EXIT_EXPECTED, why);
		return;
	}
	if (job->child == NULL && job->chan == NULL) {
		job->recovery.waits = false;
		job_event(job, EV_EXIT_EXPECTED, why);
		return;
	}
	/* Answers to what was failed with the kill are no fault of it. */
	if (job->killed && !expected)
		return;
	job->killed = true;
	/* What it said of a good end does not hold once it is ended. */
	if (job->death[0] == '\0' || expected || job->expect_exit)
		strlcpy(job->death, why, sizeof(job->death));
	job->expect_exit = expected;
	/* Once it is reaped only what is left in its channel is missing. */
	if (job->child != NULL)
		child_kill(job->child);
}

bool
job_takes_work(const struct job *job)
{
	return job->state == JOB_OPENED && job->chan != NULL &&
	    job->child != NULL;
}

bool
job_has_line(const struct job *job)
{
	if (job->state == JOB_RECOVERING)
		return job->resumes == JOB_OPENED ||
		    (job->resumes == JOB_OPENING && job->wanted_open);
	/* One that was open when the daemon ended is so to its clients. */
	return job->state == JOB_OPENED ||
	    (job->state == JOB_OPENING && job->wanted_open);
}
