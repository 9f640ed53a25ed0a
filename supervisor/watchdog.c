/*
 * Owns the judgement whether a worker still gets on. It watches progress, not
 * silence: a worker answers a ping between two slices of work, and while it
 * has work its count of units done must grow.
 */
#include "common/compat.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/msg.h"
#include "supervisor/chan.h"
#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

#define PING_EVERY_US 5000000 /* 1,000 idle jobs: 200 small frames a second */

void
watchdog_start(struct job *job)
{
	job->watch = (struct watch){ .progress_us = clock_mono_us() };
}

static void
watchdog_bark(struct job *job, const char *what, int64_t us)
{
	char why[160];

	snprintf(why, sizeof(why),
	    "worker %s for %lld s and was killed (watchdog_timeout)", what,
	    (long long)(us / 1000000));
	job_process_kill(job, false, why);
}

static int64_t
limit_us(const struct job *job)
{
	return (int64_t)job->srv->conf->watchdog_timeout_s * 1000000;
}

void
watchdog_tick(struct job *job, int64_t now_us)
{
	int64_t every_us = limit_us(job) / 4 < PING_EVERY_US ? limit_us(job) / 4
							     : PING_EVERY_US;
	struct watch *w = &job->watch;
	struct msg_ping ping;

	if (job->child == NULL)
		return;
	if (w->pinged_us != 0 && now_us - w->pinged_us > limit_us(job)) {
		watchdog_bark(job, "did not answer", now_us - w->pinged_us);
		return;
	}
	if (w->pinged_us != 0 || now_us < w->progress_us + every_us)
		return;
	ping.token = ++w->token;
	if (chan_send(job->chan, MSG_PING, 0, &ping) == 0)
		w->pinged_us = now_us;
}

/* A worker may say that it is idle, and be wrong. */
static bool
job_owes_work(const struct job *job)
{
	if (job->tends)
		return job->tend_request != 0 || job->expect_exit;
	return job->state != JOB_OPENED || job->nline > 0;
}

/*
 * Progress is judged with a fresh answer in hand only: when the supervisor
 * itself has been held up, its workers are not at fault.
 */
void
watchdog_pong(struct job *job, const struct msg_pong *m)
{
	struct watch *w = &job->watch;
	int64_t now_us = clock_mono_us();

	if (w->pinged_us == 0 || m->token != w->token) {
		job_process_kill(
		    job, false, "worker answered a ping that was not sent");
		return;
	}
	w->pinged_us = 0;
	if (m->progress != w->progress || !(m->busy || job_owes_work(job)))
		w->progress_us = now_us;
	w->progress = m->progress;
	if (now_us - w->progress_us > limit_us(job))
		watchdog_bark(job, "made no progress", now_us - w->progress_us);
}

void
watchdog_excuse(struct job *job, int64_t us)
{
	job->watch.progress_us += us;
	if (job->watch.pinged_us != 0)
		job->watch.pinged_us += us;
}
