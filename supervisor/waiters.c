/*
 * Owns those who wait for a job to come into a state: single requests, and
 * requests that wait for several jobs at once.
 */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/jsonmake.h"
#include "common/units.h"
#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

struct waiter {
	TAILQ_ENTRY(waiter) entry;
	struct job *job;
	enum wait_kind kind;
	struct call *call;     /* this, */
	struct gather *gather; /* or that */
	int64_t timeout_ms;
	int64_t until_us; /* monotonic; INT64_MAX: as long as it takes */
};

#define WHAT_BYTES 300

struct gather {
	TAILQ_ENTRY(gather) entry;
	struct jobs *jobs;
	struct call *call; /* NULL: answered, or the client left */
	size_t left;	   /* jobs, and one for gather_end */
	bool failed;
	struct apierr error; /* the first one */
	const char *key;
	char what[WHAT_BYTES];
	int64_t timeout_ms;
	int64_t until_us; /* monotonic; INT64_MAX: as long as it takes */
	void (*ended)(struct server *);
};

/* Durations saturate: the largest is no time that ever comes. */
static int64_t
time_limit(int64_t timeout_ms)
{
	if (timeout_ms < 0 || timeout_ms >= INT64_MAX / 2000)
		return INT64_MAX;
	return clock_mono_us() + timeout_ms * 1000;
}

static void
call_is_late(struct call *call, const char *what, int64_t timeout_ms)
{
	char limit[UNITS_DURATION_BYTES];

	units_show_duration(limit, timeout_ms * 1000000);
	call_fail(call, 408, E_STATUS, "%s timed out after [%s]", what, limit);
}

static void
waiter_gone(struct call *call, void *arg)
{
	struct waiter *w = arg;

	(void)call;
	w->call = NULL;
	TAILQ_REMOVE(&w->job->waiters, w, entry);
	free(w);
}

static struct waiter *
waiter_new(struct job *job, enum wait_kind kind)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->job = job;
	w->kind = kind;
	w->until_us = INT64_MAX;
	TAILQ_INSERT_TAIL(&job->waiters, w, entry);
	return w;
}

static struct waiter *
call_waiter_new(struct job *job, struct call *call, enum wait_kind kind)
{
	struct waiter *w = waiter_new(job, kind);

	if (w == NULL) {
		call_fail(call, 503, E_STATUS, "out of memory");
		return NULL;
	}
	w->call = call;
	call_wait(call, waiter_gone, w);
	return w;
}

int
job_wait(struct job *job, struct call *call, enum wait_kind kind)
{
	return call_waiter_new(job, call, kind) == NULL ? -1 : 0;
}

int
job_wait_opened(struct job *job, struct call *call, int64_t timeout_ms)
{
	struct waiter *w = call_waiter_new(job, call, WAIT_OPENED);

	if (w == NULL)
		return -1;
	w->timeout_ms = timeout_ms;
	w->until_us = time_limit(timeout_ms);
	return 0;
}

/* Only openings have a limit of their own; the job itself goes on to open. */
void
job_waiters_tick(struct job *job, int64_t now_us)
{
	struct waiter *w, *next;

	TAILQ_FOREACH_SAFE (w, &job->waiters, entry, next) {
		char what[WHAT_BYTES];

		if (now_us < w->until_us)
			continue;
		snprintf(what, sizeof(what), "Opening job [%s]", job->id);
		TAILQ_REMOVE(&job->waiters, w, entry);
		call_is_late(w->call, what, w->timeout_ms);
		free(w);
	}
}

/* ---- several jobs ---- */

static void
gather_gone(struct call *call, void *arg)
{
	struct gather *g = arg;

	(void)call;
	g->call = NULL;
}

struct gather *
gather_new(struct jobs *jobs, struct call *call, const char *key,
    const char *what, int64_t timeout_ms, void (*ended)(struct server *))
{
	struct gather *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		call_fail(call, 503, E_STATUS, "out of memory");
		return NULL;
	}
	g->jobs = jobs;
	g->call = call;
	g->left = 1;
	g->key = key;
	strlcpy(g->what, what, sizeof(g->what));
	g->timeout_ms = timeout_ms;
	g->until_us = time_limit(timeout_ms);
	g->ended = ended;
	TAILQ_INSERT_TAIL(&jobs->gathers, g, entry);
	call_wait(call, gather_gone, g);
	return g;
}

void
gathers_tick(struct jobs *jobs, int64_t now_us)
{
	struct gather *g;

	TAILQ_FOREACH (g, &jobs->gathers, entry) {
		struct call *call = g->call;

		if (call == NULL || now_us < g->until_us)
			continue;
		g->call = NULL;
		call_is_late(call, g->what, g->timeout_ms);
	}
}

void
gathers_free(struct jobs *jobs)
{
	struct gather *g;

	while ((g = TAILQ_FIRST(&jobs->gathers)) != NULL) {
		TAILQ_REMOVE(&jobs->gathers, g, entry);
		free(g);
	}
}

static void
gather_note(struct gather *g, const struct apierr *e)
{
	if (g->failed)
		return;
	g->failed = true;
	g->error = *e;
}

int
gather_add(struct gather *g, struct job *job, enum wait_kind kind)
{
	struct waiter *w = waiter_new(job, kind);
	struct apierr e;

	if (w == NULL) {
		apierr_set(&e, 503, E_STATUS, "out of memory");
		gather_note(g, &e);
		return -1;
	}
	w->gather = g;
	g->left++;
	return 0;
}

static void
gather_done(struct gather *g, const struct apierr *e)
{
	if (e != NULL)
		gather_note(g, e);
	if (--g->left > 0)
		return;
	TAILQ_REMOVE(&g->jobs->gathers, g, entry);
	if (g->call != NULL && g->failed)
		call_error(g->call, &g->error);
	else if (g->call != NULL)
		call_reply_true(g->call, g->key);
	if (g->ended != NULL)
		g->ended(g->jobs->srv);
	free(g);
}

struct server *
gather_server(const struct gather *g)
{
	return g->jobs->srv;
}

void
gather_fail(struct gather *g, const struct apierr *e)
{
	gather_note(g, e);
}

void
gather_end(struct gather *g)
{
	gather_done(g, NULL);
}

static void
reply_created(struct job *job, struct call *call)
{
	call_reply(call, 200, job_answer(job));
}

static void
reply_opened(struct job *job, struct call *call)
{
	struct json_object *o = json_object_new_object();

	jsonmake_bool(&o, "opened", true);
	if (!call->old_path)
		jsonmake_string(&o, "node", job->srv->node_id);
	call_reply(call, 200, o);
}

static void
reply_closed(struct job *job, struct call *call)
{
	(void)job;
	call_reply_true(call, "closed");
}

static void
reply_acknowledged(struct job *job, struct call *call)
{
	(void)job;
	call_reply_true(call, "acknowledged");
}

static void (*const replies[])(struct job *, struct call *) = {
	[WAIT_CREATED] = reply_created,
	[WAIT_OPENED] = reply_opened,
	[WAIT_CLOSED] = reply_closed,
	[WAIT_DELETED] = reply_acknowledged,
	[WAIT_RESET] = reply_acknowledged,
	[WAIT_PAUSED] = reply_acknowledged,
};

void
job_wake(struct job *job, enum wait_kind kind, const struct apierr *e)
{
	struct waiter *w, *next;

	TAILQ_FOREACH_SAFE (w, &job->waiters, entry, next) {
		if (w->kind != kind)
			continue;
		TAILQ_REMOVE(&job->waiters, w, entry);
		if (w->gather != NULL)
			gather_done(w->gather, e);
		else if (e != NULL)
			call_error(w->call, e);
		else
			replies[kind](job, w->call);
		free(w);
	}
}
