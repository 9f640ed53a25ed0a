/* Owns _open, _close, _flush and _reset. */
#include "common/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/jobexpr.h"
#include "supervisor/options.h"
#include "supervisor/server.h"

/* ---- open ---- */

#define LIFE_TIMEOUT_MS (30 * 60 * 1000) /* as the API says */

struct open_options {
	int64_t timeout_ms;
};

static const struct option open_options[] = {
	{ "timeout", OPTION_DURATION, offsetof(struct open_options, timeout_ms),
	    0 },
};

static const struct option_table open_table = { "xpack/ml/job", open_options,
	NELEM(open_options), true };

/* One that closes counts as opened until it is closed. */
static void
open_refused(struct call *c, const struct job *job)
{
	const char *blocked = job_blocked(job);

	if (blocked != NULL)
		call_fail(c, 409, E_STATUS,
		    "Cannot open job [%s] because it is executing [%s]",
		    job->id, blocked);
	else if (job_edge(job->state, EV_OPEN) != JOB_NSTATES)
		call_fail(c, 503, E_STATUS,
		    "Cannot open job [%s] because anomd ends", job->id);
	else
		call_fail(c, 409, E_STATUS,
		    "Cannot open job [%s] because it has already been opened",
		    job->id);
}

void
api_job_open(struct call *c)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct open_options opts = { .timeout_ms = LIFE_TIMEOUT_MS };
	struct options os;
	struct apierr e;
	int rc = options_read(&os, &open_table, c, &opts, &e);

	options_clear(&os);
	if (rc == -1) {
		call_error(c, &e);
	} else if (job == NULL) {
		call_no_such_job(c, c->job_id);
	} else if (job->srv->stopping || job_blocked(job) != NULL ||
	    job_edge(job->state, EV_OPEN) == JOB_NSTATES) {
		open_refused(c, job);
	} else if (job->srv->upgrade_mode) {
		call_fail(c, 429, E_STATUS,
		    "Cannot open jobs when upgrade mode is enabled");
	} else if (job_wait_opened(job, c, opts.timeout_ms) == 0) {
		job_event(job, EV_OPEN, "opened by request");
	}
}

/* ---- close ---- */

struct close_options {
	int64_t timeout_ms;
	bool force;
	bool allow_no_match;
	bool allow_no_jobs;
};

#define AT(member) offsetof(struct close_options, member)
static const struct option close_options[] = {
	{ "timeout", OPTION_DURATION, AT(timeout_ms), 0 },
	{ "force", OPTION_BOOL, AT(force), 0 },
	{ "allow_no_match", OPTION_BOOL, AT(allow_no_match), 0 },
	{ "allow_no_jobs", OPTION_BOOL, AT(allow_no_jobs), 0 },
};
#undef AT

static const struct option_table close_table = {
	"cluster:admin/xpack/ml/job/close", close_options, NELEM(close_options),
	false
};

static bool
is_running(const struct job *job)
{
	return strcmp(job_state_name(job), "closed") != 0;
}

/* A failed job among several keeps all of them as they are. */
static int
close_check(struct job *const *list, long n, bool force, struct apierr *e)
{
	for (long i = 0; i < n && !force; i++) {
		if (list[i]->state != JOB_FAILED)
			continue;
		if (n > 1)
			return apierr_set(e, 409, E_STATUS,
			    "one or more jobs have state failed, use force "
			    "close");
		return apierr_set(e, 409, E_STATUS,
		    "cannot close job [%s] because it failed, use force "
		    "close",
		    list[i]->id);
	}
	return 0;
}

/* It is closed, but for a crash: that must be known to the next start, too. */
static void
wait_stored(struct gather *g, struct job *job)
{
	if ((!job->unstored && job->storing == 0) || job_blocked(job) != NULL)
		return;
	if (gather_add(g, job, WAIT_CLOSED) == 0 && job->storing == 0)
		job_store_closed(job);
}

static void
close_all(struct call *c, struct job *const *list, long n,
    const struct close_options *opts)
{
	bool force = opts->force;
	struct gather *g;
	char what[256];

	snprintf(what, sizeof(what), "Closing job [%.200s]", c->job_id);
	g = gather_new(c->srv->jobs, c, "closed", what, opts->timeout_ms, NULL);
	for (long i = 0; g != NULL && i < n; i++) {
		if (!is_running(list[i])) {
			wait_stored(g, list[i]);
			continue;
		}
		if (force)
			job_interrupt_close(list[i]);
		if (gather_add(g, list[i], WAIT_CLOSED) == -1)
			continue;
		job_event(list[i], force ? EV_FORCE : EV_CLOSE,
		    force ? "closed by force" : "closed by request");
	}
	if (g != NULL)
		gather_end(g);
}

void
api_job_close(struct call *c)
{
	struct close_options opts = { .timeout_ms = LIFE_TIMEOUT_MS,
		.allow_no_match = true,
		.allow_no_jobs = true };
	struct job **list = NULL;
	struct options os;
	struct apierr e;
	long n = 0;
	int rc = options_read(&os, &close_table, c, &opts, &e);

	options_clear(&os);
	if (rc == 0)
		n = jobexpr_expand_lasting(c->srv->jobs, c, c->job_id,
		    opts.allow_no_match && opts.allow_no_jobs, &list, &e);
	if (rc == 0 && n >= 0)
		rc = close_check(list, n, opts.force, &e);
	if (rc == -1 || n == -1)
		call_error(c, &e);
	else
		close_all(c, list, n, &opts);
	free(list);
}

/* ---- flush ---- */

struct flush_options {
	bool calc_interim;
	/* Dates as they were sent: the order of their checks is fixed. */
	const char *start;
	const char *end;
	const char *advance_time;
	const char *skip_time;
};

#define AT(member) offsetof(struct flush_options, member)
static const struct option flush_options[] = {
	{ "calc_interim", OPTION_BOOL, AT(calc_interim), 0 },
	{ "start", OPTION_DATE_TEXT, AT(start), 0 },
	{ "end", OPTION_DATE_TEXT, AT(end), 0 },
	{ "advance_time", OPTION_DATE_TEXT, AT(advance_time), 0 },
	{ "skip_time", OPTION_DATE_TEXT, AT(skip_time), 0 },
};
#undef AT

static const struct option_table flush_table = {
	"cluster:admin/xpack/ml/job/flush", flush_options, NELEM(flush_options),
	false
};

static int
flush_range(
    const struct flush_options *f, struct msg_flush *m, struct apierr *e)
{
	if (options_time_range(f->start, f->end, &m->start_s, &m->end_s, e) ==
	    -1)
		return -1;
	if (!f->calc_interim &&
	    (m->start_s != TIME_UNSET || m->end_s != TIME_UNSET))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Invalid flush parameters: unexpected '%s'.",
		    m->start_s != TIME_UNSET ? "start" : "end");
	if (m->end_s != TIME_UNSET && m->start_s == TIME_UNSET)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Invalid flush parameters: 'start' has not been "
		    "specified.");
	return 0;
}

static int
flush_check(
    const struct flush_options *f, struct msg_flush *m, struct apierr *e)
{
	*m = (struct msg_flush){ .calc_interim = f->calc_interim,
		.receipt_ms = clock_wall_ms() };
	if (flush_range(f, m, e) == -1 ||
	    options_seconds(
		"advance_time", f->advance_time, &m->advance_time_s, e) == -1 ||
	    options_seconds("skip_time", f->skip_time, &m->skip_time_s, e) ==
		-1)
		return -1;
	if (m->advance_time_s != TIME_UNSET && m->skip_time_s != TIME_UNSET &&
	    m->advance_time_s <= m->skip_time_s)
		return apierr_set(e, 400, E_STATUS,
		    "advance_time [%lld] must be later than skip_time [%lld]",
		    (long long)m->advance_time_s, (long long)m->skip_time_s);
	return 0;
}

void
api_job_flush(struct call *c)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct flush_options f = { 0 };
	struct msg_flush m;
	struct options os;
	struct apierr e;
	int rc = options_read(&os, &flush_table, c, &f, &e);

	if (rc == 0)
		rc = flush_check(&f, &m, &e);
	options_clear(&os);
	if (rc == -1)
		call_error(c, &e);
	else if (job == NULL || !job_has_line(job))
		call_fail(c, 409, E_STATUS,
		    "Cannot perform requested action because job [%s] is not "
		    "open",
		    c->job_id);
	else
		line_flush(job, c, &m);
}

/* ---- reset ---- */

struct reset_options {
	bool wait_for_completion;
	bool delete_user_annotations; /* there are none */
};

#define AT(member) offsetof(struct reset_options, member)
static const struct option reset_options[] = {
	{ "wait_for_completion", OPTION_BOOL, AT(wait_for_completion), 0 },
	{ "delete_user_annotations", OPTION_BOOL, AT(delete_user_annotations),
	    0 },
};
#undef AT

static const struct option_table reset_table = {
	"cluster:admin/xpack/ml/job/reset", reset_options, NELEM(reset_options),
	false
};

static int
reset_check(const struct job *job, struct apierr *e)
{
	const char *blocked = job_blocked(job);

	if (strcmp(job_state_name(job), "closed") != 0)
		return apierr_set(e, 409, E_STATUS,
		    "Can only reset a job when it is closed.");
	if (blocked != NULL && strcmp(blocked, "reset") != 0)
		return apierr_set(e, 409, E_STATUS,
		    "cannot reset job while it is blocked with [%s]", blocked);
	if (job->srv->upgrade_mode)
		return apierr_set(e, 409, E_STATUS,
		    "cannot reset job while indices are being upgraded");
	return 0;
}

/* A second one waits for the first. */
void
api_job_reset(struct call *c)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct reset_options opts = { .wait_for_completion = true };
	struct options os;
	struct apierr e;
	int rc = options_read(&os, &reset_table, c, &opts, &e);

	options_clear(&os);
	if (rc == -1) {
		call_error(c, &e);
		return;
	}
	if (job == NULL) {
		call_no_such_job(c, c->job_id);
		return;
	}
	if (reset_check(job, &e) == -1) {
		call_error(c, &e);
		return;
	}
	if (opts.wait_for_completion && job_wait(job, c, WAIT_RESET) == -1)
		return;
	(void)job_task_begin(job, EV_RESET, "reset by request");
	if (!opts.wait_for_completion)
		api_reply_task(c, job);
}
