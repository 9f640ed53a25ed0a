/* Owns the chores of jobs: whose turn it is, and what is answered. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonmake.h"
#include "common/log.h"
#include "common/snaplist.h"
#include "supervisor/call.h"
#include "supervisor/chan.h"
#include "supervisor/chores.h"
#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

struct chore {
	enum chore_answer answer;
	struct msg_chore m; /* spans point into the copies */
	char *id;	    /* owned */
	char *description;  /* owned */
	bool old_path;
	bool again; /* a process has died of it, or with it */
};

void
chore_free(struct chore *c)
{
	if (c == NULL)
		return;
	free(c->id);
	free(c->description);
	free(c);
}

static struct chore *
chore_new(const struct call *call, enum chore_answer answer,
    const struct msg_chore *m)
{
	struct chore *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->answer = answer;
	c->m = *m;
	c->old_path = call->old_path;
	c->id = span_dup(m->snapshot_id);
	c->description = span_dup(m->description);
	if (c->id == NULL || c->description == NULL) {
		chore_free(c);
		return NULL;
	}
	c->m.snapshot_id = span_of(c->id);
	c->m.description = span_of(c->description);
	return c;
}

static void
chore_gone(struct call *call, void *arg)
{
	struct op *op = arg;

	(void)call;
	op->call = NULL; /* it is done all the same */
}

void
chore_ask(struct job *job, struct call *call, enum chore_answer answer,
    const struct msg_chore *m)
{
	struct op *op = op_new(job, call, OP_CHORE);

	if (op == NULL)
		return;
	op->chore = chore_new(call, answer, m);
	if (op->chore == NULL) {
		op_free(op);
		call_fail(call, 503, E_STATUS, "out of memory");
		return;
	}
	if (job->nchores >= JOB_LINE_MAX) {
		struct apierr e;

		op_free(op);
		apierr_set(&e, 429, E_REJECTED,
		    "%d requests about the model snapshots and forecasts of "
		    "job [%s] wait already",
		    JOB_LINE_MAX, job->id);
		e.retry_after_s = 1;
		call_error(call, &e);
		return;
	}
	TAILQ_INSERT_TAIL(&job->chores, op, entry);
	job->nchores++;
	call_wait(call, chore_gone, op);
	chores_pump(job);
}

/* Those that wait are in a list of their own, which op_finish knows not of. */
static struct op *
chores_take(struct job *job)
{
	struct op *op = TAILQ_FIRST(&job->chores);

	if (op != NULL) {
		TAILQ_REMOVE(&job->chores, op, entry);
		job->nchores--;
	}
	return op;
}

/* It is over, and in no list. */
static void
op_fail(struct op *op, const struct apierr *e)
{
	struct call *call = op->call;

	op_free(op);
	if (call != NULL)
		call_error(call, e);
}

void
chores_fail(struct job *job, const struct apierr *e)
{
	struct op *op;

	while ((op = chores_take(job)) != NULL)
		op_fail(op, e);
}

int
chore_send(struct op *op)
{
	struct job *job = op->job;
	struct msg_chore m = op->chore->m;
	char *config = NULL;
	struct wbuf wb;
	int rc = 0;

	wbuf_init(&wb, 0);
	if (m.kind == CHORE_REVERT) {
		config = jobconf_print(job->conf);
		if (config == NULL ||
		    job_totals_encode(&job->totals, &wb) == -1)
			rc = -1;
		m.config = span_of(config);
		m.totals = (struct span){ (const char *)wb.data, wb.len };
	}
	if (rc == 0)
		rc = chan_send(job->chan, MSG_CHORE, op->request, &m);
	free(config);
	wbuf_clear(&wb);
	return rc;
}

/* A closed job is given a worker for the first that waits. */
static void
begin_closed(struct job *job)
{
	struct op *op = chores_take(job);

	job->tend_op = op;
	job_event(job, EV_TEND, "something is to be done with its files");
	if (job->tend_op != op) /* it could not be started */
		return;
	job->tend_request = op->request;
	if (job->killed || job->chan == NULL || chore_send(op) == -1)
		job_process_kill(job, false, "no memory for its channel");
}

static void
unknown_error(const struct op *op, struct apierr *e)
{
	bool forecasts = op->chore->m.kind == CHORE_FORECASTS;

	apierr_set(e, 500, E_EXCEPTION,
	    "[%s] it is not known whether %s [%s] %s: %s; ask again",
	    op->job->id, forecasts ? "forecast(s)" : "model snapshot",
	    op->chore->id, forecasts ? "were deleted" : "was changed",
	    op->job->death);
}

/* Of one that came behind an opening. */
static void
revert_error(const struct op *op, struct apierr *e)
{
	if (op->chore->again)
		unknown_error(op, e);
	else
		apierr_set(e, 409, E_STATUS,
		    "Can only revert to a model snapshot when the job is "
		    "closed.");
}

/* In an open one they go where everything waits. */
static void
begin_open(struct job *job)
{
	struct op *op;

	while ((op = chores_take(job)) != NULL) {
		struct apierr e;

		if (op->chore->m.kind == CHORE_REVERT) {
			revert_error(op, &e);
			op_fail(op, &e);
			continue;
		}
		if (line_admit(job, op->chore->old_path, &e) == -1) {
			op_fail(op, &e);
			continue;
		}
		op_enter_line(op);
		if (op_send(op) == 0)
			continue;
		apierr_set(&e, 503, E_STATUS, "out of memory");
		if (op->call == NULL)
			(void)op_finish(op);
		else
			call_error(op_finish(op), &e);
	}
}

static void
fail_now(struct job *job)
{
	const char *what = "The model snapshots and forecasts of job";
	const char *blocked = job_blocked(job);
	struct apierr e;

	if (blocked != NULL)
		apierr_set(&e, 409, E_STATUS,
		    "%s [%s] cannot be changed because it is executing [%s]",
		    what, job->id, blocked);
	else if (job->state == JOB_FAILED)
		apierr_set(&e, 409, E_STATUS,
		    "%s [%s] cannot be changed because it failed, use force "
		    "close",
		    what, job->id);
	else
		apierr_set(&e, 409, E_STATUS,
		    "%s [%s] cannot be changed when upgrade mode is enabled",
		    what, job->id);
	chores_fail(job, &e);
}

void
chores_pump(struct job *job)
{
	if (TAILQ_EMPTY(&job->chores))
		return;
	switch (job->state) {
	case JOB_CLOSED:
		begin_closed(job);
		break;
	case JOB_OPENED:
		begin_open(job);
		break;
	case JOB_TENDING:
		/* What removes old results gives way, and goes on later. */
		if (job->tend_op == NULL)
			job_process_kill(job, true, "tending gives way");
		break;
	case JOB_CREATING:
	case JOB_RECOVERING:
	case JOB_OPENING:
	case JOB_CLOSING:
		break; /* soon */
	case JOB_FAILED:
	case JOB_DELETING:
	case JOB_RESETTING:
	case JOB_PAUSING:
	case JOB_PAUSED:
	case JOB_NSTATES:
		fail_now(job);
		break;
	}
}

bool
chores_revert(const struct job *job)
{
	return job->tend_op != NULL &&
	    job->tend_op->chore->m.kind == CHORE_REVERT;
}

/* ---- answers ---- */

/* The operation that an answer is for, out of all lists; NULL: none. */
static struct op *
take_answered(struct job *job, uint32_t request)
{
	struct op *op = job->tend_op;

	if (job->tends && op != NULL && op->request == request) {
		job->tend_op = NULL;
		return op;
	}
	op = op_find(job, request);
	if (op == NULL || !op->in_line || op->kind != OP_CHORE)
		return NULL;
	TAILQ_REMOVE(&job->line, op, entry);
	job->nline--;
	return op;
}

static struct json_object *
model_json(const struct job *job, const struct chore *c,
    const struct msg_chore_done *m)
{
	struct snapmeta meta = { .retain = m->retain,
		.described = true,
		.description = m->description };
	struct snapshot_head head;
	struct snapinfo info;
	struct model_size size;
	struct json_object *o;
	uint32_t format;
	size_t body_at;

	if (snaphead_get(m->head.p, m->head.len, &head, &size, &format,
		&body_at) == -1 ||
	    snapinfo_init(&info, &head, &size, &meta) == -1)
		return NULL;
	if (c->answer == CHORE_ANSWER_REVERT)
		strlcpy(info.id, c->id, sizeof(info.id));
	o = snapinfo_json(&info, job->id);
	snapinfo_clear(&info);
	return o;
}

static void
reply(struct job *job, struct op *op, const struct msg_chore_done *m)
{
	enum chore_answer answer = op->chore->answer;
	struct json_object *o;

	if (answer == CHORE_ANSWER_UPGRADE) {
		call_fail(op->call, 409, E_STATUS,
		    "Cannot upgrade job [%s] snapshot [%s] as it is already "
		    "compatible with current version %s",
		    job->id, op->chore->id, job->srv->conf->reported_version);
		return;
	}
	o = json_object_new_object();
	if (answer != CHORE_ANSWER_REVERT || op->chore->old_path)
		jsonmake_bool(&o, "acknowledged", true);
	if (answer != CHORE_ANSWER_DELETE && answer != CHORE_ANSWER_FORECASTS)
		jsonmake_add(&o, "model", model_json(job, op->chore, m));
	call_reply(op->call, 200, o);
}

/* Its models are others now. */
static void
note_reverted(struct job *job, const struct chore *c)
{
	char *id = NULL;

	if (strcmp(c->id, "empty") != 0 && (id = strdup(c->id)) == NULL)
		log_warn(
		    "job %s: the id of its snapshot is not shown", job->id);
	free(job->model_snapshot_id);
	job->model_snapshot_id = id;
	job_store_snapshot(job);
	log_info("job %s: reverted to model snapshot %s", job->id, c->id);
}

bool
chore_done(struct job *job, uint32_t request, const struct msg_chore_done *m)
{
	struct op *op = take_answered(job, request);

	if (op == NULL)
		return false;
	if (op->chore->answer == CHORE_ANSWER_REVERT)
		note_reverted(job, op->chore);
	if (op->call != NULL)
		reply(job, op, m);
	op_free(op);
	return true;
}

bool
chore_failed(struct job *job, uint32_t request, const struct apierr *e)
{
	struct op *op = take_answered(job, request);

	if (op == NULL)
		return false;
	op_fail(op, e);
	return true;
}

/* What may be done twice is: then it is known what has become of it. */
static bool
is_tried_again(const struct job *job, struct chore *c)
{
	bool again = !c->again && c->m.kind != CHORE_DELETE &&
	    c->m.kind != CHORE_FORECASTS && job->tend_request != 0 &&
	    !job->expect_exit && !job->srv->stopping;

	c->again = true;
	return again;
}

void
chore_tender_ended(struct job *job)
{
	struct op *op = job->tend_op;
	struct apierr e;

	if (op == NULL)
		return;
	job->tend_op = NULL;
	if (is_tried_again(job, op->chore)) {
		log_warnx(
		    "job %s: %s; its task is begun again", job->id, job->death);
		TAILQ_INSERT_HEAD(&job->chores, op, entry);
		job->nchores++;
		return;
	}
	unknown_error(op, &e);
	op_fail(op, &e);
}
