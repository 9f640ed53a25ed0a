/* Owns what a worker says, and what comes of it. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonmake.h"
#include "common/log.h"
#include "supervisor/call.h"
#include "supervisor/chan.h"
#include "supervisor/chores.h"
#include "supervisor/forecasting.h"
#include "supervisor/job.h"
#include "supervisor/retention.h"
#include "supervisor/server.h"

/*
 * A worker that broke the rules is wrong, not unlucky: the next one would be,
 * too, so the job has failed.
 */
static void
worker_bad(struct job *job, const char *what, const char *detail)
{
	char text[sizeof(job->death)];

	job->refused = true;
	snprintf(text, sizeof(text), "worker %.60s%.130s", what, detail);
	job_process_kill(job, false, text);
}

static void
on_ready(struct job *job, uint32_t request, const void *msg)
{
	const struct msg_ready *m = msg;

	(void)request;
	if (m->version != MSG_VERSION) {
		worker_bad(job, "is of another version", "");
		return;
	}
	chan_set_state(job->chan, IN_OPEN);
	job_start_over(job);
	recovery_ready(job);
	quarantined_end(job);
	job_event(job, EV_READY, "worker is ready");
	jobs_start_next(job->srv->jobs);
}

static void
on_pong(struct job *job, uint32_t request, const void *msg)
{
	(void)request;
	watchdog_pong(job, msg);
}

static void
on_totals(struct job *job, uint32_t request, const void *msg)
{
	const struct msg_totals *m = msg;
	struct job_totals totals;
	struct rbuf rb;

	(void)request;
	rbuf_init(&rb, m->totals.p, m->totals.len);
	if (job_totals_decode(&rb, &totals) == -1 || rb.left != 0)
		worker_bad(job, "sent totals that cannot be read", "");
	else
		job->totals = totals;
}

/* The sealed operation that an answer is for, or the worker is at fault. */
static struct op *
answered_op(struct job *job, uint32_t request, enum op_kind kind)
{
	struct op *op = op_find(job, request);

	if (op != NULL && op->in_line && op->kind == kind) {
		recovery_step(job);
		return op;
	}
	worker_bad(job, "answered what was not asked", "");
	return NULL;
}

/* The client may know that its upload was answered so before. */
static void
tell_repeat(struct call *call)
{
	/* Without memory for it the answer is the same, but for the hint. */
	if (call != NULL &&
	    http_reply_header(call->req, "Idempotent-Replayed", "true") == -1)
		log_warn("Idempotent-Replayed");
}

static void
upload_counted(
    struct job *job, uint32_t request, struct span text, bool repeated)
{
	struct op *op = answered_op(job, request, OP_UPLOAD);
	struct data_counts counts;
	struct call *call;
	struct rbuf rb;

	if (op == NULL)
		return;
	rbuf_init(&rb, text.p, text.len);
	if (schema_decode(&data_counts_schema, &rb, &counts, NULL) == -1 ||
	    rb.left != 0) {
		worker_bad(job, "sent counts that cannot be read", "");
		return;
	}
	call = op_finish(op);
	if (repeated)
		tell_repeat(call);
	if (call != NULL)
		call_reply(
		    call, 202, data_counts_json(&counts, job->id, TIME_UNSET));
}

static void
on_kept(struct job *job, uint32_t request, const void *msg)
{
	const struct msg_kept *m = msg;
	struct op *op = op_find(job, request);

	/* By force it may have been failed here meanwhile. */
	if (op != NULL && op->in_line)
		op_kept(op, m->seq);
}

static void
on_progress(struct job *job, uint32_t request, const void *msg)
{
	(void)request;
	job->recovery.progress = *(const struct msg_progress *)msg;
	job->recovery.replays = true;
}

static void
on_salvaged(struct job *job, uint32_t request, const void *msg)
{
	(void)request;
	recovery_salvaged(job, msg);
}

static void
on_quarantined(struct job *job, uint32_t request, const void *msg)
{
	const struct msg_quarantined *m = msg;
	int rc = quarantined_add(job, m);

	(void)request;
	if (rc == 0)
		return;
	recovery_step(job);
	if (rc == 1)
		log_warnx("job %s: entry %" PRIu64 " is in quarantine", job->id,
		    m->entry);
	else if (errno != ENOBUFS) /* which a worker could repeat */
		log_warn("job %s: entry %" PRIu64 " is in quarantine", job->id,
		    m->entry);
}

static void
on_quarantine_gone(struct job *job, uint32_t request, const void *msg)
{
	const struct msg_quarantine_gone *m = msg;
	struct op *op = NULL;

	if (request != 0 && (op = answered_op(job, request, OP_DROP)) == NULL)
		return;
	quarantined_remove(job, m->entry);
	if (op != NULL)
		quarantine_dropped(op);
}

static void
on_counts(struct job *job, uint32_t request, const void *msg)
{
	const struct msg_counts *m = msg;

	upload_counted(job, request, m->counts, false);
}

static void
on_repeated(struct job *job, uint32_t request, const void *msg)
{
	const struct msg_repeated *m = msg;
	struct call *call;
	struct apierr e;
	struct rbuf rb;
	struct op *op;

	if (m->error.len == 0) {
		upload_counted(job, request, m->counts, true);
		return;
	}
	op = answered_op(job, request, OP_UPLOAD);
	if (op == NULL)
		return;
	rbuf_init(&rb, m->error.p, m->error.len);
	if (apierr_decode(&rb, &e) == -1) {
		worker_bad(job, "sent an error that cannot be read", "");
		return;
	}
	call = op_finish(op);
	tell_repeat(call);
	if (call != NULL)
		call_error(call, &e);
}

static void
on_flushed(struct job *job, uint32_t request, const void *msg)
{
	const struct msg_flushed *m = msg;
	struct op *op = answered_op(job, request, OP_FLUSH);
	int64_t end_ms = m->last_finalized_bucket_end_ms;
	struct json_object *o;
	struct call *call;

	if (op == NULL)
		return;
	call = op_finish(op);
	if (call == NULL)
		return;
	o = json_object_new_object();
	jsonmake_bool(&o, "flushed", true);
	if (end_ms == TIME_UNSET && call->old_path)
		end_ms = 0;
	if (end_ms != TIME_UNSET)
		jsonmake_int(&o, "last_finalized_bucket_end", end_ms);
	call_reply(call, 200, o);
}

static void
on_forecasted(struct job *job, uint32_t request, const void *msg)
{
	struct op *op = answered_op(job, request, OP_FORECAST);

	(void)msg; /* the id is the one that it was given here */
	if (op != NULL)
		forecasting_done(op);
}

static void
on_forecasts(struct job *job, uint32_t request, const void *msg)
{
	if (request != 0)
		worker_bad(job, "answered what was not asked: ", "FORECASTS");
	else if (forecasting_totals(job, msg) == -1)
		worker_bad(job, "sent totals that cannot be read", "");
}

/* A trimmer that has nothing more to do ends by itself. */
static void
tender_answered(struct job *job, bool more)
{
	job->tend_request = 0;
	if (more)
		return;
	job->expect_exit = true;
	if (job->death[0] == '\0')
		strlcpy(job->death, "tended", sizeof(job->death));
}

static void
on_expired(struct job *job, uint32_t request, const void *msg)
{
	const struct msg_expired *m = msg;
	struct op *op;

	if (job->tends && request == job->tend_request && request != 0) {
		tender_answered(job, m->more);
	} else {
		op = answered_op(job, request, OP_EXPIRE);
		if (op == NULL)
			return;
		(void)op_finish(op);
	}
	retention_answered(job, m);
}

static void
on_chore_done(struct job *job, uint32_t request, const void *msg)
{
	if (job->tends && request == job->tend_request)
		tender_answered(job, false);
	if (!chore_done(job, request, msg))
		worker_bad(job, "answered what was not asked", "");
}

/*
 * A worker that fails of itself while it starts would fail again, unless what
 * it lacked (503) may be there then; but who asked for the opening is told at
 * once. That of an open job may fail of what another one does not.
 */
static bool
may_be_tried_again(const struct job *job, const struct apierr *e)
{
	if (chan_state(job->chan) != IN_START)
		return true;
	return e->status == 503 &&
	    (job->state != JOB_OPENING || job->wanted_open);
}

static void
on_failed(struct job *job, uint32_t request, const void *msg)
{
	const struct msg_failed *m = msg;
	struct op *op = op_find(job, request);
	struct call *call;
	struct apierr e;
	struct rbuf rb;

	rbuf_init(&rb, m->error.p, m->error.len);
	if (apierr_decode(&rb, &e) == -1) {
		worker_bad(job, "sent an error that cannot be read", "");
		return;
	}
	if (request == 0) {
		bool again = may_be_tried_again(job, &e);

		worker_bad(job, "failed: ", e.link[0].reason);
		job->refused = !again;
		return;
	}
	if (chore_failed(job, request, &e)) {
		if (job->tends)
			tender_answered(job, false);
		return;
	}
	if (request == job->tend_request || (op && op->kind == OP_EXPIRE)) {
		if (op == NULL)
			tender_answered(job, false);
		else {
			recovery_step(job);
			(void)op_finish(op);
		}
		retention_failed(job, &e);
		return;
	}
	/* An upload that was dropped here may fail there: nobody asks. */
	if (op == NULL)
		return;
	if (op->in_line)
		recovery_step(job);
	/* The one before has died with the answer, not with the deed. */
	if (op->kind == OP_DROP && op->repeated && e.status == 404) {
		quarantine_dropped(op);
		return;
	}
	call = op_finish(op);
	if (call != NULL)
		call_error(call, &e);
}

static void
take_snapshot_id(struct job *job, struct span text)
{
	char *id = text.len == 0 ? NULL : span_dup(text);

	if (id == NULL && text.len > 0) {
		log_warn(
		    "job %s: the id of its snapshot is not shown", job->id);
		return;
	}
	free(job->model_snapshot_id);
	job->model_snapshot_id = id;
}

static void
on_snapshotted(struct job *job, uint32_t request, const void *msg)
{
	const struct msg_snapshotted *m = msg;

	if (request != 0) {
		worker_bad(job, "answered what was not asked: ", "SNAPSHOTTED");
		return;
	}
	/* Known already: nothing to store at every start of a worker. */
	if (span_eq(m->model_snapshot_id,
		job->model_snapshot_id == NULL ? "" : job->model_snapshot_id))
		return;
	take_snapshot_id(job, m->model_snapshot_id);
	job_store_snapshot(job);
}

static void
on_closed(struct job *job, uint32_t request, const void *msg)
{
	const struct msg_closed *m = msg;

	(void)request;
	/* It closes behind all else: whoever waits now would wait for ever. */
	if (job->nline > 0 || (job->expect_exit && !job->killed)) {
		worker_bad(job, "closed with answers outstanding", "");
		return;
	}
	job->expect_exit = true;
	strlcpy(job->death, "closed", sizeof(job->death));
	if (m->model_snapshot_id.len > 0)
		take_snapshot_id(job, m->model_snapshot_id);
}

static const struct {
	enum msg_type type;
	void (*handle)(struct job *, uint32_t, const void *);
} handlers[] = {
	{ MSG_READY, on_ready },
	{ MSG_PONG, on_pong },
	{ MSG_TOTALS, on_totals },
	{ MSG_COUNTS, on_counts },
	{ MSG_KEPT, on_kept },
	{ MSG_PROGRESS, on_progress },
	{ MSG_SALVAGED, on_salvaged },
	{ MSG_QUARANTINED, on_quarantined },
	{ MSG_QUARANTINE_GONE, on_quarantine_gone },
	{ MSG_REPEATED, on_repeated },
	{ MSG_FLUSHED, on_flushed },
	{ MSG_FORECASTED, on_forecasted },
	{ MSG_FORECASTS, on_forecasts },
	{ MSG_EXPIRED, on_expired },
	{ MSG_CHORE_DONE, on_chore_done },
	{ MSG_FAILED, on_failed },
	{ MSG_SNAPSHOTTED, on_snapshotted },
	{ MSG_CLOSED, on_closed },
};

void
job_frame(
    void *arg, uint16_t type, uint32_t request, const uint8_t *data, size_t len)
{
	struct job *job = arg;
	union {
		struct msg_ready ready;
		struct msg_pong pong;
		struct msg_totals totals;
		struct msg_counts counts;
		struct msg_kept kept;
		struct msg_progress progress;
		struct msg_salvaged salvaged;
		struct msg_quarantined quarantined;
		struct msg_quarantine_gone quarantine_gone;
		struct msg_repeated repeated;
		struct msg_flushed flushed;
		struct msg_forecasted forecasted;
		struct msg_forecasts forecasts;
		struct msg_expired expired;
		struct msg_chore_done chore_done;
		struct msg_failed failed;
		struct msg_snapshotted snapshotted;
		struct msg_closed closed;
	} m;
	const char *field;

	for (size_t i = 0; i < NELEM(handlers); i++) {
		if (handlers[i].type != type)
			continue;
		if (msg_decode(type, data, len, &m, &field) == -1) {
			log_warnx("job %s: %s has a bad %s", job->id,
			    msg_name(type), field);
			worker_bad(job, "sent a bad ", msg_name(type));
			return;
		}
		handlers[i].handle(job, request, &m);
		return;
	}
	worker_bad(job, "sent ", msg_name(type));
}
