/* Owns _open, _close and _flush. */
#include "common/compat.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/units.h"
#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/jobexpr.h"
#include "supervisor/options.h"
#include "supervisor/server.h"

/* ---- open ---- */

struct open_options {
	int64_t timeout_ms;
	const char *job_id;
};

static const struct option open_table[] = {
	{ "timeout", OPTION_DURATION, offsetof(struct open_options, timeout_ms),
	    false, false, NULL },
	{ "job_id", OPTION_STRING, offsetof(struct open_options, job_id), true,
	    false, NULL },
};

static void
open_refused(struct call *c, const struct job *job)
{
	if (job->state == JOB_DELETING)
		call_fail(c, 409, E_STATUS,
		    "Cannot open job [%s] because it is executing [delete]",
		    job->id);
	else if (job->state == JOB_CLOSING)
		call_fail(c, 409, E_STATUS,
		    "Cannot open job [%s] because it is closing", job->id);
	else
		call_fail(c, 409, E_STATUS,
		    "Cannot open job [%s] because it has already been opened",
		    job->id);
}

void
api_job_open(struct call *c)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct open_options opts = { 0 };
	struct options os;
	struct apierr e;
	int rc = options_read(
	    &os, open_table, NELEM(open_table), c, "open_job", &opts, &e);

	options_clear(&os);
	if (rc == -1) {
		call_error(c, &e);
	} else if (job == NULL) {
		call_no_such_job(c, c->job_id);
	} else if (job->srv->stopping ||
	    job_edge(job->state, EV_OPEN) == JOB_NSTATES) {
		open_refused(c, job);
	} else if (job_wait(job, c, WAIT_OPENED) == 0) {
		job_event(job, EV_OPEN, "opened by request");
	}
}

/* ---- close ---- */

struct close_options {
	int64_t timeout_ms;
	bool force;
	bool allow_no_match;
	bool allow_no_jobs;
	const char *job_id;
};

static const struct option close_table[] = {
	{ "timeout", OPTION_DURATION,
	    offsetof(struct close_options, timeout_ms), false, false, NULL },
	{ "force", OPTION_BOOL, offsetof(struct close_options, force), false,
	    false, NULL },
	{ "allow_no_match", OPTION_BOOL,
	    offsetof(struct close_options, allow_no_match), false, false,
	    NULL },
	{ "allow_no_jobs", OPTION_BOOL,
	    offsetof(struct close_options, allow_no_jobs), false, false, NULL },
	{ "job_id", OPTION_STRING, offsetof(struct close_options, job_id), true,
	    false, NULL },
};

static bool
is_running(const struct job *job)
{
	return job->state == JOB_OPENING || job->state == JOB_OPENED ||
	    job->state == JOB_CLOSING || job->state == JOB_FAILED;
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

static void
close_all(struct call *c, struct job *const *list, long n, bool force)
{
	struct gather *g = gather_new(c);

	for (long i = 0; g != NULL && i < n; i++) {
		if (!is_running(list[i]) ||
		    gather_add(g, list[i], WAIT_CLOSED) == -1)
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
	struct close_options opts = { .allow_no_match = true,
		.allow_no_jobs = true };
	struct job **list = NULL;
	struct options os;
	struct apierr e;
	long n = 0;
	int rc = options_read(
	    &os, close_table, NELEM(close_table), c, "close_job", &opts, &e);

	options_clear(&os);
	if (rc == 0)
		n = jobexpr_expand(c->srv->jobs, c->job_id,
		    opts.allow_no_match && opts.allow_no_jobs, &list, &e);
	if (rc == 0 && n >= 0)
		rc = close_check(list, n, opts.force, &e);
	if (rc == -1 || n == -1)
		call_error(c, &e);
	else
		close_all(c, list, n, opts.force);
	free(list);
}

/* ---- flush ---- */

struct flush_options {
	bool calc_interim;
	int64_t start_ms;
	int64_t end_ms;
	int64_t advance_time_ms;
	int64_t skip_time_ms;
	const char *job_id;
	const char *start_text;
	const char *end_text;
};

static const struct option flush_table[] = {
	{ "calc_interim", OPTION_BOOL,
	    offsetof(struct flush_options, calc_interim), false, false, NULL },
	{ "start", OPTION_STRING, offsetof(struct flush_options, start_text),
	    false, false, NULL },
	{ "end", OPTION_STRING, offsetof(struct flush_options, end_text), false,
	    false, NULL },
	{ "advance_time", OPTION_DATE_MS,
	    offsetof(struct flush_options, advance_time_ms), false, false,
	    NULL },
	{ "skip_time", OPTION_DATE_MS,
	    offsetof(struct flush_options, skip_time_ms), false, false, NULL },
	{ "job_id", OPTION_STRING, offsetof(struct flush_options, job_id), true,
	    false, NULL },
};

static int64_t
whole_seconds(int64_t ms)
{
	return ms == TIME_UNSET ? TIME_UNSET : ms / 1000;
}

static int
flush_range(struct flush_options *f, struct apierr *e)
{
	const char *start = f->start_text, *end = f->end_text;
	bool has_start = start != NULL && *start != '\0';
	bool has_end = end != NULL && *end != '\0';
	int64_t now_ms = clock_wall_ms();

	if ((has_start &&
		units_date("start", start, now_ms, &f->start_ms, e) == -1) ||
	    (has_end && units_date("end", end, now_ms, &f->end_ms, e) == -1))
		return -1;
	if (has_start && (!has_end || f->end_ms == f->start_ms))
		f->end_ms = f->start_ms + 1000;
	if (has_start && has_end && f->end_ms < f->start_ms)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Invalid time range: end time '%s' is earlier than start "
		    "time '%s'.",
		    end, start);
	if (!f->calc_interim && (has_start || has_end))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Invalid flush parameters: unexpected '%s'.",
		    has_start ? "start" : "end");
	if (f->calc_interim && has_end && !has_start)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Invalid flush parameters: 'start' has not been "
		    "specified.");
	return 0;
}

static int
flush_check(struct flush_options *f, struct msg_flush *m, struct apierr *e)
{
	if (flush_range(f, e) == -1)
		return -1;
	m->calc_interim = f->calc_interim;
	m->start_s = whole_seconds(f->start_ms);
	m->end_s = whole_seconds(f->end_ms);
	m->advance_time_s = whole_seconds(f->advance_time_ms);
	m->skip_time_s = whole_seconds(f->skip_time_ms);
	m->receipt_ms = clock_wall_ms();
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
	struct flush_options f = { .start_ms = TIME_UNSET,
		.end_ms = TIME_UNSET,
		.advance_time_ms = TIME_UNSET,
		.skip_time_ms = TIME_UNSET };
	struct msg_flush m;
	struct options os;
	struct apierr e;
	int rc = options_read(
	    &os, flush_table, NELEM(flush_table), c, "flush_job", &f, &e);

	if (rc == 0)
		rc = flush_check(&f, &m, &e);
	options_clear(&os);
	if (rc == -1)
		call_error(c, &e);
	else if (job == NULL || job->state != JOB_OPENED)
		call_fail(c, 409, E_STATUS,
		    "Cannot perform requested action because job [%s] is not "
		    "open",
		    c->job_id);
	else
		line_flush(job, c, &m);
}
