/*
 * Owns the operations that wait in a job: one line for all kinds, answered in
 * its order, and beside it the uploads that have not all arrived.
 */
#include "common/compat.h"

#include <stdlib.h>

#include "common/log.h"
#include "supervisor/call.h"
#include "supervisor/chan.h"
#include "supervisor/chores.h"
#include "supervisor/forecasting.h"
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
	chore_free(op->chore);
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
	if (!job_has_line(job))
		return apierr_set(e, 409, E_STATUS,
		    "Cannot perform requested action because job [%s] is not "
		    "open",
		    job->id);
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

int
op_send(struct op *op)
{
	struct msg_quarantine_post post = { op->aside_entry, op->receipt_ms };
	struct msg_quarantine_drop drop = { op->aside_entry };
	struct chan *chan = op->job->chan;
	int rc = -1;

	if (!job_takes_work(op->job))
		return 0;
	/*
	 * Sent again under the same number: replay has not found it, so no
	 * entry has its token, and a worker that dies of it is known to have
	 * been there before.
	 */
	op->repeated = op->sent;
	switch (op->kind) {
	case OP_UPLOAD:
		rc = op->aside_entry == 0
		    ? upload_send_whole(op)
		    : chan_send(chan, MSG_QUARANTINE_POST, op->request, &post);
		break;
	case OP_FLUSH:
		rc = chan_send(chan, MSG_FLUSH, op->request, &op->flush);
		break;
	case OP_EXPIRE:
		rc = chan_send(chan, MSG_EXPIRE, op->request, &op->expire);
		break;
	case OP_DROP:
		rc = chan_send(chan, MSG_QUARANTINE_DROP, op->request, &drop);
		break;
	case OP_CHORE:
		rc = chore_send(op);
		break;
	case OP_FORECAST:
		rc = forecasting_send(op);
		break;
	}
	op->sent = rc == 0;
	return rc;
}

void
op_kept(struct op *op, uint64_t seq)
{
	op->kept_seq = seq;
	upload_free(op->upload);
	op->upload = NULL;
}

/* Gives the call of an operation that is over its error. */
static void
op_fail(struct op *op, const struct apierr *e)
{
	enum op_kind kind = op->kind;
	struct job *job = op->job;
	struct call *call = op_finish(op);

	if (kind == OP_EXPIRE)
		retention_failed(job, e);
	else if (call != NULL)
		call_error(call, e);
}

static void
ops_fail(struct op_list *list, const struct apierr *e)
{
	struct op *op;

	while ((op = TAILQ_FIRST(list)) != NULL)
		op_fail(op, e);
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

static void
not_kept(struct apierr *e)
{
	apierr_set(e, 503, E_STATUS,
	    "the job's process has died, and nothing of this upload was kept: "
	    "send it again");
	e->retry_after_s = 1;
}

void
line_interrupt(struct job *job)
{
	struct op *op, *next;
	struct apierr e;

	not_kept(&e);
	TAILQ_FOREACH_SAFE (op, &job->arriving, entry, next)
		if (upload_is_begun(op->upload))
			op_fail(op, &e);
}

int
line_await(struct job *job)
{
	struct op *op;

	TAILQ_FOREACH (op, &job->line, entry) {
		struct msg_await m = { .seq = op->kept_seq };

		if (op->sent && op->kind != OP_DROP && op->kind != OP_CHORE &&
		    chan_send(job->chan, MSG_AWAIT, op->request, &m) == -1)
			return -1;
	}
	return 0;
}

void
line_resume(struct job *job)
{
	struct op *op, *next;
	struct apierr e, memory;

	not_kept(&e);
	apierr_set(&memory, 503, E_STATUS, "out of memory");
	TAILQ_FOREACH_SAFE (op, &job->line, entry, next) {
		if (op->kind == OP_UPLOAD && op->aside_entry == 0 &&
		    (op->upload == NULL || !upload_is_whole(op->upload)))
			op_fail(op, &e);
		else if (op_send(op) == -1)
			op_fail(op, &memory);
	}
	uploads_resume(job);
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
	op->expire = *m;
	op_enter_line(op);
	if (op_send(op) == 0)
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
	op->flush = *m;
	op_enter_line(op);
	if (op_send(op) == -1) {
		call_fail(op_finish(op), 503, E_STATUS, "out of memory");
		return;
	}
	call_wait(call, flush_gone, op);
}
