/*
 * Owns those who wait for a job to come into a state: single requests, and
 * requests that wait for several jobs at once.
 */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>

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

struct gather {
	struct call *call; /* NULL: the client left */
	size_t left;	   /* jobs, and one for gather_end */
	bool failed;
	struct apierr error; /* the first one */
};

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
	/* Durations saturate: the largest is no time that ever comes. */
	if (timeout_ms >= 0 && timeout_ms < INT64_MAX / 2000)
		w->until_us = clock_mono_us() + timeout_ms * 1000;
	return 0;
}

/* Only openings have a time limit; the job itself goes on to open. */
void
job_waiters_tick(struct job *job, int64_t now_us)
{
	struct waiter *w, *next;

	TAILQ_FOREACH_SAFE (w, &job->waiters, entry, next) {
		char limit[UNITS_DURATION_BYTES];

		if (now_us < w->until_us)
			continue;
		units_show_duration(limit, w->timeout_ms * 1000000);
		TAILQ_REMOVE(&job->waiters, w, entry);
		call_fail(w->call, 408, E_STATUS,
		    "Opening job [%s] timed out after [%s]", job->id, limit);
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
gather_new(struct call *call)
{
	struct gather *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		call_fail(call, 503, E_STATUS, "out of memory");
		return NULL;
	}
	g->call = call;
	g->left = 1;
	call_wait(call, gather_gone, g);
	return g;
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
	if (g->call != NULL && g->failed)
		call_error(g->call, &g->error);
	else if (g->call != NULL)
		call_reply_true(g->call, "closed");
	free(g);
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
reply_deleted(struct job *job, struct call *call)
{
	(void)job;
	call_reply_true(call, "acknowledged");
}

static void (*const replies[])(struct job *, struct call *) = {
	[WAIT_CREATED] = reply_created,
	[WAIT_OPENED] = reply_opened,
	[WAIT_CLOSED] = reply_closed,
	[WAIT_DELETED] = reply_deleted,
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
