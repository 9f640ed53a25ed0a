/* Owns the worker process of a job: its start, its frames, its end. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/jsonmake.h"
#include "common/log.h"
#include "supervisor/call.h"
#include "supervisor/chan.h"
#include "supervisor/child.h"
#include "supervisor/chores.h"
#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/oomkills.h"
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

/* Ready or dead: others may start. */
static void
start_over(struct job *job)
{
	if (job->starting)
		job->srv->jobs->nstarting--;
	job->starting = false;
}

/* Whether it is over or was cut off: the job goes on. */
static void
tender_ended(struct job *job)
{
	bool expected = job->expect_exit;
	struct apierr e;

	apierr_set(&e, 500, E_EXCEPTION,
	    "[%s] old results were not removed: %s", job->id, job->death);
	chore_tender_ended(job);
	job->tends = false;
	job->tend_request = 0;
	job_event(job, EV_TENDED, job->death);
	retention_tender_ended(job, expected ? NULL : &e);
}

/*
 * At the end of the daemon nobody is started again: the journal has what was
 * answered, and the next daemon replays it.
 */
static enum job_event
death_event(const struct job *job)
{
	if (job->refused || recovery_is_hopeless(job))
		return EV_REFUSED;
	if (job->srv->stopping && job->state == JOB_CLOSING)
		return EV_EXIT_EXPECTED;
	return EV_EXIT_UNEXPECTED;
}

/* Both have been seen: the process is reaped and its channel is at its end. */
static void
process_ended(struct job *job)
{
	enum job_event event =
	    job->expect_exit ? EV_EXIT_EXPECTED : EV_EXIT_UNEXPECTED;
	struct jobs *jobs = job->srv->jobs;

	if (job->child != NULL || job->chan != NULL)
		return;
	if (job->tends) {
		tender_ended(job);
		return;
	}
	start_over(job);
	if (event == EV_EXIT_UNEXPECTED)
		event = death_event(job);
	if (job_event(job, event, job->death) == -1)
		log_warnx(
		    "job %s: %s in an unexpected state", job->id, job->death);
	jobs_start_next(jobs);
}

/* By the kernel, and not by anybody's hand. */
static bool
is_memory_kill(const struct job *job, int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
	    !job->killed && job->srv->oom != NULL &&
	    oomkills_take(job->srv->oom, clock_mono_us());
}

static void
worker_exited(void *arg, int status)
{
	struct job *job = arg;
	bool memory_kill = is_memory_kill(job, status);

	job->child = NULL;
	if (!job->tends)
		recovery_died(job, status, memory_kill);
	/* One that gives up by itself, in a job that was not open before. */
	if (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0 &&
	    job->state == JOB_OPENING && !job->wanted_open)
		job->refused = true;
	if (job->death[0] == '\0') {
		char text[96];

		snprintf(job->death, sizeof(job->death), "worker %s%s",
		    child_status_text(status, text, sizeof(text)),
		    memory_kill ? " by the kernel: memory is out" : "");
	}
	process_ended(job);
}

static void
worker_closed(void *arg, const char *why)
{
	struct job *job = arg;

	chan_free(job->chan);
	job->chan = NULL;
	if (why != NULL && job->death[0] == '\0')
		snprintf(job->death, sizeof(job->death),
		    "worker broke the protocol: %s", why);
	if (job->child != NULL)
		child_kill(job->child);
	process_ended(job);
}

/* ---- frames of the worker ---- */

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
	start_over(job);
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
		bool opening = chan_state(job->chan) == IN_START;

		worker_bad(job, "failed: ", e.link[0].reason);
		/* An open job's worker may fail of what another one does not,
		 * and so may one that lacked memory (503). */
		if (e.status == 503 &&
		    (job->state != JOB_OPENING || job->wanted_open))
			opening = false;
		job->refused = opening;
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
	{ MSG_EXPIRED, on_expired },
	{ MSG_CHORE_DONE, on_chore_done },
	{ MSG_FAILED, on_failed },
	{ MSG_SNAPSHOTTED, on_snapshotted },
	{ MSG_CLOSED, on_closed },
};

static void
worker_frame(
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

static void
worker_drained(void *arg)
{
	uploads_resume(arg);
}

static const struct chan_handlers worker_handlers = { worker_frame,
	worker_drained, worker_closed };

/* ---- start and end ---- */

static int
send_hello(struct job *job)
{
	const struct conf *conf = job->srv->conf;
	struct msg_hello hello = { .version = MSG_VERSION,
		.log_level = (uint8_t)conf->log_level,
		.job_id = span_of(job->id),
		.max_expanded_bytes = conf->max_body_bytes,
		.sync_policy = (uint8_t)conf->journal_sync,
		.epoch = job->srv->epoch,
		.journal_quota_bytes = conf->journal_quota_bytes,
		.crash = (uint8_t)(job->tends ? 0 : job->recovery.crash) };
	char path[MSG_PATH_MAX];

	snprintf(path, sizeof(path), "%s/jobs/%s.%" PRIu64, conf->state_dir,
	    job->id, job->incarnation);
	hello.path = span_of(path);
	return chan_send(job->chan, MSG_HELLO, 0, &hello);
}

static int
send_config(struct job *job)
{
	char *text = jobconf_print(job->conf);
	int rc = -1;

	if (text != NULL)
		rc = chan_send_raw(
		    job->chan, MSG_JOB_CONFIG, 0, text, strlen(text));
	free(text);
	return rc;
}

/* 0: it has a process now, which may be killed already; -1: it has none. */
static int
process_spawn(struct job *job, char *why, size_t whylen)
{
	char path[MSG_PATH_MAX];
	int fd;

	job->expect_exit = false;
	job->killed = false;
	job->refused = false;
	job->death[0] = '\0';
	snprintf(
	    path, sizeof(path), "%s/anomd-worker", job->srv->conf->libexec_dir);
	job->child = child_spawn(path, job->id, &fd, worker_exited, job);
	if (job->child == NULL) {
		snprintf(why, whylen, "worker cannot be started: %.130s: %s",
		    path, strerror(errno));
		return -1;
	}
	job->chan =
	    chan_new(job->srv->base, fd, FROM_WRK, &worker_handlers, job);
	if (job->chan == NULL || send_hello(job) == -1)
		job_process_kill(job, false, "no memory for its channel");
	else
		watchdog_start(job);
	return 0;
}

static void
worker_spawn(struct job *job)
{
	char why[sizeof(job->death)];

	if (process_spawn(job, why, sizeof(why)) == -1) {
		strlcpy(job->death, why, sizeof(job->death));
		job_event(job,
		    job->state == JOB_OPENING || recovery_is_hopeless(job)
			? EV_REFUSED
			: EV_EXIT_UNEXPECTED,
		    why);
		return;
	}
	quarantined_begin(job);
	job->starting = true;
	job->srv->jobs->nstarting++;
	if (!job->killed && (line_await(job) == -1 || send_config(job) == -1))
		job_process_kill(job, false, "no memory for its channel");
}

void
job_process_tend(struct job *job)
{
	job->tends = true;
	job->tend_request = 0;
	if (process_spawn(job, job->death, sizeof(job->death)) == -1)
		tender_ended(job);
}

int
job_process_expire(struct job *job, const struct msg_expire *m)
{
	uint32_t request;

	if (!job->tends)
		return line_expire(job, m);
	if (job->chan == NULL || job->killed || job->tend_request != 0)
		return -1;
	request = job_next_request(job);
	if (chan_send(job->chan, MSG_EXPIRE, request, m) == -1)
		return -1;
	job->tend_request = request;
	return 0;
}

/* Of a replay the processor is what takes time, so more gain nothing. */
static uint64_t
max_starting(const struct server *srv)
{
	if (srv->conf->max_opening > 0)
		return srv->conf->max_opening;
	return srv->processors > 0 ? srv->processors : 1;
}

void
jobs_start_next(struct jobs *jobs)
{
	uint64_t most = max_starting(jobs->srv);
	struct job *job;

	while (jobs->nstarting < most &&
	    (job = TAILQ_FIRST(&jobs->starting)) != NULL) {
		TAILQ_REMOVE(&jobs->starting, job, start_entry);
		job->queued = false;
		worker_spawn(job);
	}
}

void
job_process_start(struct job *job)
{
	job->queued = true;
	TAILQ_INSERT_TAIL(&job->srv->jobs->starting, job, start_entry);
	jobs_start_next(job->srv->jobs);
}

void
job_process_close(struct job *job)
{
	struct msg_close m = { .keep = true };

	if (job->chan == NULL) /* it died; the rest will be seen in a moment */
		return;
	if (chan_send(job->chan, MSG_CLOSE, 0, &m) == -1)
		job_process_kill(job, false, "cannot be told to close");
	else
		chan_set_state(job->chan, IN_CLOSING);
}

void
job_process_kill(struct job *job, bool expected, const char *why)
{
	if (job->queued) {
		job->queued = false;
		TAILQ_REMOVE(&job->srv->jobs->starting, job, start_entry);
		job_event(job, EV_EXIT_EXPECTED, why);
		return;
	}
	if (job->child == NULL && job->chan == NULL) {
		job->recovery.waits = false;
		job_event(job, EV_EXIT_EXPECTED, why);
		return;
	}
	/* Answers to what was failed with the kill are no fault of it. */
	if (job->killed && !expected)
		return;
	job->killed = true;
	/* What it said of a good end does not hold once it is ended. */
	if (job->death[0] == '\0' || expected || job->expect_exit)
		strlcpy(job->death, why, sizeof(job->death));
	job->expect_exit = expected;
	/* Once it is reaped only what is left in its channel is missing. */
	if (job->child != NULL)
		child_kill(job->child);
}

bool
job_takes_work(const struct job *job)
{
	return job->state == JOB_OPENED && job->chan != NULL &&
	    job->child != NULL;
}

bool
job_has_line(const struct job *job)
{
	if (job->state == JOB_RECOVERING)
		return job->resumes == JOB_OPENED ||
		    (job->resumes == JOB_OPENING && job->wanted_open);
	/* One that was open when the daemon ended is so to its clients. */
	return job->state == JOB_OPENED ||
	    (job->state == JOB_OPENING && job->wanted_open);
}
