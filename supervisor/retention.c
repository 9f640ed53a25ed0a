/* Owns the runs that remove old results and snapshots, and whose turn it is. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/jsonmake.h"
#include "common/log.h"
#include "supervisor/call.h"
#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/jobexpr.h"
#include "supervisor/retention.h"
#include "supervisor/server.h"

#define PARALLEL 2	 /* jobs that remove at a time */
#define PIECE_ROWS 10000 /* asked for at once: some 100 ms */
#define DAILY_MINUTE 30	 /* of the day, local time: 00:30 */
#define DAILY_TIMEOUT_MS (INT64_C(8) * 3600 * 1000)

enum item_state {
	ITEM_WAITS,  /* for its turn, or for its job to settle */
	ITEM_ACTIVE, /* between two pieces */
	ITEM_ASKED,  /* a piece is under way */
	ITEM_DONE
};

struct run;

struct retention_item {
	struct run *run;
	char *id; /* owned: the job may be gone when it is looked for */
	enum item_state state;
	bool whole; /* nothing is left to remove */
};

struct run {
	TAILQ_ENTRY(run) entry;
	struct call *call; /* NULL: by the daemon, or the client left */
	struct retention_item *item;
	size_t n;
	size_t first;	  /* those before are done */
	int64_t until_us; /* monotonic; INT64_MAX: any time */
	double rows_per_s;
	int64_t pause_us; /* nothing is asked for before this */
	bool daily;
	bool failed;
	struct apierr error; /* the first one */
};

struct retention {
	struct server *srv;
	TAILQ_HEAD(, run) runs; /* the first one is at work */
	bool pumping;
	bool pump_again;
	int last_day; /* of the year: of the last daily run */
};

/* The local day, if its time has come: else the one before. */
static int
due_day(void)
{
	time_t then = (time_t)(clock_wall_ms() / 1000) - DAILY_MINUTE * 60;
	struct tm tm;

	localtime_r(&then, &tm);
	return tm.tm_yday;
}

struct retention *
retention_new(struct server *srv)
{
	struct retention *ret = calloc(1, sizeof(*ret));

	if (ret == NULL)
		return NULL;
	ret->srv = srv;
	TAILQ_INIT(&ret->runs);
	/* Reads the rules of the zone now, while files may be opened. */
	tzset();
	ret->last_day = due_day();
	return ret;
}

/* Jobs do not know it any more. */
static void
run_free(struct retention *ret, struct run *run)
{
	TAILQ_REMOVE(&ret->runs, run, entry);
	for (size_t i = 0; i < run->n; i++) {
		struct job *job = jobs_find(ret->srv->jobs, run->item[i].id);

		if (job != NULL && job->retention == &run->item[i])
			job->retention = NULL;
		free(run->item[i].id);
	}
	free(run->item);
	free(run);
}

void
retention_free(struct retention *ret)
{
	struct run *run;

	if (ret == NULL)
		return;
	while ((run = TAILQ_FIRST(&ret->runs)) != NULL)
		run_free(ret, run);
	free(ret);
}

static void
run_end(struct retention *ret, struct run *run, bool whole)
{
	struct json_object *o;

	if (run->call == NULL && !whole)
		log_warnx("old results were not all removed in time");
	if (run->call != NULL && run->failed) {
		call_error(run->call, &run->error);
	} else if (run->call != NULL) {
		o = json_object_new_object();
		jsonmake_bool(&o, "deleted", whole);
		call_reply(run->call, 200, o);
	}
	run_free(ret, run);
}

/* ---- the turns ---- */

/* A number of days in the job's configuration; false: there is none. */
static bool
job_days(const struct job *job, const char *key, uint32_t *days)
{
	struct json_object *v;
	int64_t n;

	if (!json_object_object_get_ex(job->conf->json, key, &v) || v == NULL)
		return false;
	n = json_object_get_int64(v);
	*days = n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
	return true;
}

/* What its worker is to remove; false: nothing. */
static bool
job_retention(const struct job *job, struct msg_expire *m)
{
	*m = (struct msg_expire){ .max_rows = PIECE_ROWS,
		.retention_days =
		    (uint32_t)job->srv->conf->default_results_retention_days };
	m->results_stay =
	    !job_days(job, "results_retention_days", &m->retention_days) &&
	    m->retention_days == 0;
	m->forecasts = job->forecasts.total > 0;
	m->snapshots = job->model_snapshot_id != NULL &&
	    job_days(job, "model_snapshot_retention_days", &m->snapshot_days);
	if (!job_days(job, "daily_model_snapshot_retention_after_days",
		&m->daily_days))
		m->daily_days = m->snapshot_days;
	return m->snapshots || m->forecasts || !m->results_stay;
}

static void
item_done(struct retention_item *item, struct job *job)
{
	item->state = ITEM_DONE;
	if (job != NULL && job->retention == item)
		job->retention = NULL;
}

/* Ask its worker for the next piece, unless it is to rest. */
static void
item_ask(struct retention_item *item, struct job *job, struct msg_expire *m)
{
	const struct run *run = item->run;
	double rows = run->rows_per_s;

	/* A second's worth, for pauses end with the seconds. */
	if (rows > 0.0 && rows < PIECE_ROWS)
		m->max_rows = rows < 1.0 ? 1 : (uint32_t)rows;
	if (clock_mono_us() < run->pause_us)
		return;
	item->state = ITEM_ASKED;
	job->retention = item;
	if (job_process_expire(job, m) == -1)
		item->state = ITEM_ACTIVE; /* the line is full: later */
}

static void
item_turn(struct retention_item *item, struct server *srv)
{
	struct job *job = jobs_find(srv->jobs, item->id);
	struct msg_expire m;

	if (job == NULL || !job_retention(job, &m)) {
		item_done(item, job);
		return;
	}
	switch (job->state) {
	case JOB_CLOSED:
		job->retention = item;
		item->state = ITEM_ACTIVE;
		job_event(job, EV_TEND, "what is old is to be removed");
		if (job->state == JOB_TENDING)
			item_ask(item, job, &m);
		break;
	case JOB_OPENED:
	case JOB_TENDING:
		item_ask(item, job, &m);
		break;
	case JOB_OPENING:
	case JOB_CLOSING:
	case JOB_PAUSING:
	case JOB_RECOVERING:
	case JOB_CREATING:
		break; /* soon */
	case JOB_FAILED:
	case JOB_DELETING:
	case JOB_RESETTING:
	case JOB_PAUSED:
	case JOB_NSTATES:
		item_done(item, job);
		break;
	}
}

static void
run_turn(struct run *run, struct server *srv)
{
	unsigned active = 0;

	for (size_t i = run->first; i < run->n; i++)
		active += run->item[i].state == ITEM_ACTIVE ||
		    run->item[i].state == ITEM_ASKED;
	for (size_t i = run->first; i < run->n; i++) {
		struct retention_item *item = &run->item[i];
		bool waits = item->state == ITEM_WAITS;

		if (item->state == ITEM_ACTIVE || (waits && active < PARALLEL))
			item_turn(item, srv);
		if (waits && item->state != ITEM_WAITS &&
		    item->state != ITEM_DONE)
			active++;
	}
	while (run->first < run->n && run->item[run->first].state == ITEM_DONE)
		run->first++;
}

/* What happens while it runs is seen to by another turn, not within. */
static void
pump(struct retention *ret)
{
	struct run *run;

	ret->pump_again = true;
	if (ret->pumping)
		return;
	ret->pumping = true;
	while (ret->pump_again && (run = TAILQ_FIRST(&ret->runs)) != NULL) {
		ret->pump_again = false;
		run_turn(run, ret->srv);
		if (run->first < run->n)
			continue;
		run_end(ret, run, true);
		ret->pump_again = true;
	}
	ret->pumping = false;
}

/* ---- what becomes of requests ---- */

static void
item_fail(struct retention_item *item, struct job *job, const struct apierr *e)
{
	struct run *run = item->run;

	log_warnx("job %s: old results were not removed: %s", job->id,
	    e->link[0].reason);
	if (!run->failed)
		run->error = *e;
	run->failed = true;
	item_done(item, job);
}

void
retention_answered(struct job *job, const struct msg_expired *m)
{
	struct retention_item *item = job->retention;
	int64_t now_us = clock_mono_us();
	struct run *run;

	if (m->rows > 0)
		log_debug("job %s: %ju old results removed", job->id,
		    (uintmax_t)m->rows);
	if (item == NULL)
		return;
	run = item->run;
	item->state = ITEM_ACTIVE;
	item->whole = !m->more;
	if (run->rows_per_s > 0.0) {
		double us = (double)m->rows / run->rows_per_s * 1e6;

		if (run->pause_us < now_us)
			run->pause_us = now_us;
		run->pause_us += us < 1e15 ? (int64_t)us : INT64_C(1) << 50;
	}
	/* One that trims ends now; the job is closed when it has. */
	if (item->whole && job->tends)
		item->state = ITEM_ASKED;
	else if (item->whole)
		item_done(item, job);
	pump(job->srv->retention);
}

/* A job that is closed meanwhile has its turn again. */
void
retention_failed(struct job *job, const struct apierr *e)
{
	struct retention_item *item = job->retention;

	if (item == NULL)
		return;
	if (e->status == 409) {
		item->state = ITEM_WAITS;
		job->retention = NULL;
	} else {
		item_fail(item, job, e);
	}
	pump(job->srv->retention);
}

void
retention_tender_ended(struct job *job, const struct apierr *e)
{
	struct retention_item *item = job->retention;

	if (item == NULL)
		return;
	if (item->whole)
		item_done(item, job);
	else if (e != NULL)
		item_fail(item, job, e);
	else
		item->state = ITEM_WAITS; /* it gave way to something */
	job->retention = NULL;
	pump(job->srv->retention);
}

void
retention_forget(struct job *job)
{
	if (job->retention != NULL)
		item_done(job->retention, job);
}

/* ---- runs ---- */

static void
run_gone(struct call *call, void *arg)
{
	struct run *run = arg;

	(void)call;
	run->call = NULL; /* it goes on */
}

static int
run_fill(struct run *run, struct job *const *list, size_t n)
{
	struct msg_expire m;

	run->item = calloc(n + 1, sizeof(*run->item));
	for (size_t i = 0; run->item != NULL && i < n; i++) {
		struct retention_item *item = &run->item[run->n];

		if (!job_retention(list[i], &m))
			continue;
		item->run = run;
		item->id = strdup(list[i]->id);
		if (item->id == NULL)
			return -1;
		run->n++;
	}
	return run->item == NULL ? -1 : 0;
}

/* Those of its jobs that trim are let go; the others finish their piece. */
static void
run_cut(struct retention *ret, struct run *run)
{
	for (size_t i = run->first; i < run->n; i++) {
		struct job *job = jobs_find(ret->srv->jobs, run->item[i].id);

		if (job == NULL || job->retention != &run->item[i])
			continue;
		job->retention = NULL;
		if (job->state == JOB_TENDING)
			job_process_kill(job, true, "its time is over");
	}
	run_end(ret, run, false);
}

void
retention_ask(struct retention *ret, struct call *call, struct job *const *list,
    size_t n, int64_t timeout_ms, double rows_per_s)
{
	struct run *run = calloc(1, sizeof(*run));

	if (run != NULL) {
		TAILQ_INSERT_TAIL(&ret->runs, run, entry);
		run->daily = call == NULL;
		run->rows_per_s = rows_per_s;
		run->until_us = INT64_MAX;
		if (timeout_ms >= 0 && timeout_ms < INT64_MAX / 2000)
			run->until_us = clock_mono_us() + timeout_ms * 1000;
		if (run_fill(run, list, n) == -1) {
			run_free(ret, run);
			run = NULL;
		}
	}
	if (run == NULL && call != NULL)
		call_fail(call, 503, E_STATUS, "out of memory");
	else if (run == NULL)
		log_warn("old results are not removed");
	if (run == NULL)
		return;
	run->call = call;
	if (call != NULL)
		call_wait(call, run_gone, run);
	if (run->n == 0) /* it need not wait for those before it */
		run_end(ret, run, true);
	else if (ret->srv->stopping)
		run_cut(ret, run);
	else
		pump(ret);
}

static void
daily_run(struct retention *ret)
{
	struct job **list = NULL;
	int day = due_day();
	struct run *run;
	struct apierr e;
	long n;

	if (day == ret->last_day)
		return;
	ret->last_day = day;
	TAILQ_FOREACH (run, &ret->runs, entry)
		if (run->daily)
			return;
	if (ret->srv->upgrade_mode || ret->srv->stopping)
		return;
	n = jobexpr_expand(ret->srv->jobs, NULL, NULL, true, &list, &e);
	if (n > 0)
		retention_ask(
		    ret, NULL, list, (size_t)n, DAILY_TIMEOUT_MS, 0.0);
	free(list);
}

void
retention_tick(struct retention *ret)
{
	int64_t now_us = clock_mono_us();
	struct run *run, *next;

	TAILQ_FOREACH_SAFE (run, &ret->runs, entry, next)
		if (now_us >= run->until_us)
			run_cut(ret, run);
	daily_run(ret);
	pump(ret);
}

void
retention_stop(struct retention *ret)
{
	struct run *run;

	while ((run = TAILQ_FIRST(&ret->runs)) != NULL)
		run_cut(ret, run);
}
