/*
 * Owns the operations that wait in a job: one line for all kinds, answered in
 * its order, and beside it the uploads that have not all arrived.
 */
#include "common/compat.h"

#include <stdlib.h>

#include "common/log.h"
#include "supervisor/call.h"
#include "supervisor/chan.h"
#include "supervisor/job.h"
#include "supervisor/retention.h"

uint32_t
job_next_request(struct job *job)
{
	if (++job->next_request == 0) /* 0 stands for the job itself */
		job->next_request = 1;
	return job->next_request;
}

struct op *
op_new(struct job *job, struct call *call, enum op_kind kind)
{
	struct op *op = calloc(1, sizeof(*op));

	if (op == NULL) {
		if (call != NULL)
			call_fail(call, 503, E_STATUS, "out of memory");
		return NULL;
	}
	op->job = job;
	op->call = call;
	op->kind = kind;
	op->request = job_next_request(job);
	return op;
}

void
op_free(struct op *op)
{
	if (op == NULL)
		return;
	upload_free(op->upload);
	free(op);
}

struct op *
op_find(struct job *job, uint32_t request)
{
	struct op *op;

	TAILQ_FOREACH (op, &job->line, entry)
		if (op->request == request)
			return op;
	TAILQ_FOREACH (op, &job->arriving, entry)
		if (op->request == request)
			return op;
	return NULL;
}

int
line_admit(const struct job *job, bool old_path, struct apierr *e)
{
	if (!job_takes_work(job))
		return apierr_set(e, 500, E_EXCEPTION,
		    "[%s] Unexpected death of autodetect: %s", job->id,
		    job->death);
	if (job->nline < JOB_LINE_MAX)
		return 0;
	if (old_path)
		apierr_set(e, 429, E_STATUS, "Unable to submit operation");
	else
		apierr_set(e, 429, E_REJECTED,
		    "autodetect queue is full. Unable to execute command");
	e->retry_after_s = 1;
	return -1;
}

void
op_enter_line(struct op *op)
{
	TAILQ_INSERT_TAIL(&op->job->line, op, entry);
	op->job->nline++;
	op->in_line = true;
}

struct call *
op_finish(struct op *op)
{
	struct call *call = op->call;
	struct job *job = op->job;

	if (op->in_line) {
		TAILQ_REMOVE(&job->line, op, entry);
		job->nline--;
	} else {
		TAILQ_REMOVE(&job->arriving, op, entry);
	}
	if (call == NULL && op->kind != OP_EXPIRE)
		log_debug("job %s: the client of request %u left before its "
			  "answer",
		    job->id, op->request);
	op_free(op);
	return call;
}

static void
ops_fail(struct op_list *list, const struct apierr *e)
{
	struct op *op;

	while ((op = TAILQ_FIRST(list)) != NULL) {
		enum op_kind kind = op->kind;
		struct job *job = op->job;
		struct call *call = op_finish(op);

		if (kind == OP_EXPIRE)
			retention_failed(job, e);
		else if (call != NULL)
			call_error(call, e);
	}
}

void
line_fail(struct job *job, const struct apierr *e)
{
	ops_fail(&job->line, e);
	ops_fail(&job->arriving, e);
}

void
arriving_fail(struct job *job, const struct apierr *e)
{
	ops_fail(&job->arriving, e);
}

int
line_expire(struct job *job, const struct msg_expire *m)
{
	struct apierr e;
	struct op *op;

	if (line_admit(job, false, &e) == -1)
		return -1;
	op = op_new(job, NULL, OP_EXPIRE);
	if (op == NULL)
		return -1;
	op_enter_line(op);
	if (chan_send(job->chan, MSG_EXPIRE, op->request, m) == 0)
		return 0;
	(void)op_finish(op);
	return -1;
}

static void
flush_gone(struct call *call, void *arg)
{
	struct op *op = arg;

	(void)call;
	op->call = NULL;
}

void
line_flush(struct job *job, struct call *call, const struct msg_flush *m)
{
	struct apierr e;
	struct op *op;

	if (line_admit(job, call->old_path, &e) == -1) {
		call_error(call, &e);
		return;
	}
	op = op_new(job, call, OP_FLUSH);
	if (op == NULL)
		return;
	op_enter_line(op);
	if (chan_send(job->chan, MSG_FLUSH, op->request, m) == -1) {
		call_fail(op_finish(op), 503, E_STATUS, "out of memory");
		return;
	}
	call_wait(call, flush_gone, op);
}
