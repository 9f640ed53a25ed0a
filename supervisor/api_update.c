/*
 * Owns _update. Updates of a job are done one after the other, each on what
 * the one before has left, so that none is lost. There are never more than
 * connections: each waits with the call of its client, and goes with it unless
 * it is being stored already.
 */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/catalogue.h"
#include "supervisor/job.h"
#include "supervisor/jobexpr.h"
#include "supervisor/server.h"

struct update {
	TAILQ_ENTRY(update) entry;
	struct job *job;
	struct call *call; /* NULL: the client left while it was stored */
	struct json_object *wanted; /* owned */
	struct jobconf_rules rules;
};

/* Take it out. Returns its call, which may be NULL. */
static struct call *
update_finish(struct update *u)
{
	struct call *call = u->call;

	TAILQ_REMOVE(&u->job->updates, u, entry);
	json_object_put(u->wanted);
	free(u);
	return call;
}

static void
update_gone(struct call *call, void *arg)
{
	struct update *u = arg;

	(void)call;
	u->call = NULL;
	if (u != TAILQ_FIRST(&u->job->updates) || u->job->next_conf == NULL)
		(void)update_finish(u);
}

static void
update_fail(struct update *u, const struct apierr *e)
{
	struct call *call = update_finish(u);

	if (call != NULL)
		call_error(call, e);
}

void
updates_fail(struct job *job, const struct apierr *e)
{
	struct update *u;

	while ((u = TAILQ_FIRST(&job->updates)) != NULL)
		update_fail(u, e);
}

/* What the job is doing may forbid it. */
static int
check_state(const struct job *job, struct json_object *wanted, struct apierr *e)
{
	const char *blocked = job_blocked(job);

	if (blocked != NULL)
		return apierr_set(e, 409, E_STATUS,
		    "Cannot update job [%s] because it is executing [%s]",
		    job->id, blocked);
	if (strcmp(job_state_name(job), "closed") != 0 &&
	    jobconf_updates(wanted, "analysis_limits"))
		return apierr_set(e, 400, E_STATUS,
		    "Cannot update analysis_limits while the job is open");
	return 0;
}

/* The models that there are need what they have. */
static int
check_usage(const struct job *job, const struct jobconf *next, struct apierr *e)
{
	uint64_t used = job->totals.size.model_bytes;
	uint64_t limit_mb = next->model_memory_limit_mb;

	if (limit_mb >= job->conf->model_memory_limit_mb ||
	    limit_mb << 20 >= used)
		return 0;
	return apierr_set(e, 400, E_STATUS,
	    "Invalid update value for analysis_limits: model_memory_limit "
	    "cannot be decreased below current usage; current usage [%llumb], "
	    "update had [%llumb]",
	    (unsigned long long)((used + (1 << 20) - 1) >> 20),
	    (unsigned long long)limit_mb);
}

/* NULL with *e set. */
static struct jobconf *
next_conf(const struct update *u, struct apierr *e)
{
	const struct job *job = u->job;
	struct jobconf *next;

	if (check_state(job, u->wanted, e) == -1)
		return NULL;
	next = jobconf_update(job->conf, u->wanted, &u->rules, e);
	if (next == NULL)
		return NULL;
	if (check_usage(job, next, e) == 0 &&
	    jobexpr_check_names(job->srv->jobs, next, e) == 0)
		return next;
	jobconf_free(next);
	return NULL;
}

static void updates_start(struct job *);

static void
stored_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	struct job *job = arg;
	struct update *u = TAILQ_FIRST(&job->updates);
	struct jobconf *old = e == NULL ? job->conf : job->next_conf;
	bool plots = jobconf_updates(u->wanted, "model_plot_config");
	struct call *call = update_finish(u);

	(void)unused;
	if (e == NULL)
		job->conf = job->next_conf;
	job->next_conf = NULL;
	jobconf_free(old);
	if (e == NULL && plots)
		job_process_update(job);
	if (call != NULL && e != NULL)
		call_error(call, e);
	else if (call != NULL)
		call_reply(call, 200, job_answer(job));
	updates_start(job);
}

static void
update_store(struct job *job)
{
	struct msg_keep_update m = { .job_id = span_of(job->id),
		.incarnation = job->incarnation };
	char *text = jobconf_print(job->next_conf);
	struct apierr e;

	if (text == NULL) {
		apierr_set(&e, 503, E_STATUS, "out of memory");
		stored_cb(job, &e, 0);
		return;
	}
	m.config = span_of(text);
	catalogue_update(job->srv->catalogue, &m, stored_cb, job);
	free(text);
}

/*
 * Begin the first, and as many as are over at once. What is stored behind a
 * deletion would be answered to a job that is gone, and behind a reset to its
 * last incarnation, so check_state refuses it.
 */
static void
updates_start(struct job *job)
{
	struct update *u;
	struct apierr e;

	if (job->updating)
		return;
	job->updating = true;
	while (job->next_conf == NULL &&
	    (u = TAILQ_FIRST(&job->updates)) != NULL) {
		job->next_conf = next_conf(u, &e);
		if (job->next_conf == NULL)
			update_fail(u, &e);
		else
			update_store(job);
	}
	job->updating = false;
}

/* Takes wanted. */
static void
update_new(struct job *job, struct call *c, struct json_object *wanted)
{
	struct update *u = calloc(1, sizeof(*u));

	if (u == NULL) {
		json_object_put(wanted);
		call_fail(c, 503, E_STATUS, "out of memory");
		return;
	}
	u->job = job;
	u->call = c;
	u->wanted = wanted;
	u->rules = api_rules(c);
	TAILQ_INSERT_TAIL(&job->updates, u, entry);
	call_wait(c, update_gone, u);
	updates_start(job);
}

void
api_job_update(struct call *c)
{
	struct jobconf_rules rules = api_rules(c);
	struct json_object *wanted;
	struct apierr e;
	struct job *job;

	wanted =
	    jobconf_parse_update(c->job_id, c->body, c->body_len, &rules, &e);
	if (wanted == NULL) {
		call_error(c, &e);
		return;
	}
	job = jobs_find(c->srv->jobs, c->job_id);
	if (job != NULL) {
		update_new(job, c, wanted);
		return;
	}
	json_object_put(wanted);
	if (strcmp(c->job_id, "_all") == 0)
		call_fail(c, 400, E_STATUS,
		    "Cannot update more than 1 job at a time");
	else
		call_no_such_job(c, c->job_id);
}
