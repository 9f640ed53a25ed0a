/*
 * Owns the way of a posted body from the HTTP connection to the worker: small
 * ones are collected and leave whole, larger ones flow, and the seal gives the
 * upload its place in the line.
 */
#include "common/compat.h"

#include <event2/buffer.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "supervisor/call.h"
#include "supervisor/chan.h"
#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/retrykey.h"
#include "supervisor/server.h"

struct upload {
	struct server *srv;
	struct evbuffer *held; /* not yet given to the channel */
	struct msg_upload_begin begin;
	bool begun;  /* it flows: UPLOAD_BEGIN was sent before the seal */
	bool paused; /* the channel is full: the body is not read */
	uint64_t wire_bytes;
	uint32_t wire_crc;
	struct retrykey *retry;	     /* owned; NULL: it cannot be repeated */
	struct msg_upload_seal seal; /* once it is sealed */
};

void
upload_free(struct upload *up)
{
	if (up == NULL)
		return;
	if (up->held != NULL) {
		up->srv->inflight_bytes -= evbuffer_get_length(up->held);
		evbuffer_free(up->held);
	}
	retrykey_free(up->retry);
	free(up);
}

/* The upload ends here: drop what the worker has of it, take it apart. */
static struct call *
upload_abandon(struct op *op)
{
	struct job *job = op->job;
	struct msg_upload_drop drop = { 0 };

	if (op->upload->begun && job->chan != NULL &&
	    chan_state(job->chan) == IN_OPEN &&
	    chan_send(job->chan, MSG_UPLOAD_DROP, op->request, &drop) == -1)
		job_process_kill(job, false, "cannot be told of a drop");
	return op_finish(op);
}

static int
upload_begin(struct op *op)
{
	struct upload *up = op->upload;

	if (up->begun)
		return 0;
	if (chan_send(
		op->job->chan, MSG_UPLOAD_BEGIN, op->request, &up->begin) == -1)
		return -1;
	up->begun = true;
	return 0;
}

/* Give the channel what is held, all of it or as much as it should take. */
static int
upload_send(struct op *op, bool all)
{
	struct upload *up = op->upload;
	struct chan *chan = op->job->chan;
	size_t len;

	if (upload_begin(op) == -1)
		return -1;
	while ((len = evbuffer_get_length(up->held)) > 0 &&
	    (all || !chan_is_full(chan))) {
		if (len > MSG_DATA_MAX)
			len = MSG_DATA_MAX;
		if (chan_send_buffer(chan, MSG_UPLOAD_DATA, op->request,
			up->held, len) == -1)
			return -1;
		up->srv->inflight_bytes -= len;
	}
	return 0;
}

static void
add_to_sums(struct upload *up, const void *data, size_t len)
{
	up->wire_crc = crc32c(up->wire_crc, data, len);
	retrykey_add(up->retry, data, len);
}

/* What cannot be read is left out: the worker then refuses the upload. */
static void
add_all_to_sums(struct upload *up, struct evbuffer *buf)
{
	struct evbuffer_iovec v[16];
	struct evbuffer_ptr at;
	size_t left = evbuffer_get_length(buf);

	evbuffer_ptr_set(buf, &at, 0, EVBUFFER_PTR_SET);
	while (left > 0) {
		int n = evbuffer_peek(buf, -1, &at, v, NELEM(v));
		size_t step = 0;

		if (n > (int)NELEM(v))
			n = NELEM(v);
		for (int i = 0; i < n; i++) {
			add_to_sums(up, v[i].iov_base, v[i].iov_len);
			step += v[i].iov_len;
		}
		if (step == 0)
			break;
		left -= step;
		if (left > 0 &&
		    evbuffer_ptr_set(buf, &at, step, EVBUFFER_PTR_ADD) == -1)
			break;
	}
}

static void
upload_no_memory(struct op *op)
{
	call_fail(upload_abandon(op), 503, E_STATUS, "out of memory");
}

bool
upload_is_whole(const struct upload *up)
{
	return !up->begun;
}

bool
upload_is_begun(const struct upload *up)
{
	return up->begun;
}

static int
upload_seal(struct op *op)
{
	return chan_send(
	    op->job->chan, MSG_UPLOAD_SEAL, op->request, &op->upload->seal);
}

/* What is held stays held: it may have to be sent again. */
int
upload_send_whole(struct op *op)
{
	const struct upload *up = op->upload;
	struct chan *chan = op->job->chan;
	size_t len = evbuffer_get_length(up->held);

	if (chan_send(chan, MSG_UPLOAD_BEGIN, op->request, &up->begin) == -1)
		return -1;
	for (size_t at = 0, n; at < len; at += n) {
		n = len - at < MSG_DATA_MAX ? len - at : MSG_DATA_MAX;
		if (chan_send_copy(chan, MSG_UPLOAD_DATA, op->request, up->held,
			at, n) == -1)
			return -1;
	}
	return upload_seal(op);
}

static void
upload_data_cb(struct http_req *req, struct evbuffer *body, void *arg)
{
	struct op *op = arg;
	struct upload *up = op->upload;
	size_t len = evbuffer_get_length(body);

	add_all_to_sums(up, body);
	up->wire_bytes += len;
	if (evbuffer_add_buffer(up->held, body) == -1) {
		upload_no_memory(op);
		return;
	}
	up->srv->inflight_bytes += len;
	/* Held back only while it may turn out small and memory allows. */
	if (!up->begun && evbuffer_get_length(up->held) <= MSG_DATA_MAX &&
	    up->srv->inflight_bytes <= up->srv->conf->max_inflight_bytes)
		return;
	if (!job_takes_work(op->job)) { /* there will be another worker */
		up->paused = true;
		http_body_pause(req);
		return;
	}
	if (upload_send(op, false) == -1) {
		upload_no_memory(op);
		return;
	}
	if (chan_is_full(op->job->chan)) {
		up->paused = true;
		http_body_pause(req);
	}
}

static void
upload_gone(struct call *call, void *arg)
{
	struct op *op = arg;

	(void)call;
	op->call = NULL; /* sealed: it is counted all the same */
}

static void
upload_end_cb(struct http_req *req, void *arg)
{
	struct op *op = arg;
	struct job *job = op->job;
	struct upload *up = op->upload;
	struct call *call = op->call;
	struct apierr e;
	int rc;

	(void)req;
	if (line_admit(job, call->old_path, &e) == -1) {
		call_error(upload_abandon(op), &e);
		return;
	}
	/* Its worker is gone with what it had: that will be seen at once. */
	if (up->begun && !job_takes_work(job)) {
		apierr_set(&e, 503, E_STATUS,
		    "the job's process has died, and nothing of this upload "
		    "was kept: send it again");
		e.retry_after_s = 1;
		call_error(op_finish(op), &e);
		return;
	}
	up->seal.wire_bytes = up->wire_bytes;
	up->seal.wire_crc = up->wire_crc;
	up->seal.receipt_ms = clock_wall_ms();
	retrykey_seal(up->retry, &up->seal);
	rc = up->begun ? upload_send(op, true) : op_send(op);
	if (rc == 0 && up->begun)
		rc = upload_seal(op);
	if (rc == -1) {
		upload_no_memory(op);
		return;
	}
	op->sent = op->sent || up->begun;
	TAILQ_REMOVE(&job->arriving, op, entry);
	op_enter_line(op);
	call_wait(call, upload_gone, op);
}

static void
upload_broken_cb(struct http_req *req, void *arg)
{
	(void)req;
	call_free(upload_abandon(arg));
}

static const struct http_sink sink = { upload_data_cb, upload_end_cb,
	upload_broken_cb };

static const enum upload_encoding encodings[] = {
	[HTTP_IDENTITY] = ENCODING_IDENTITY,
	[HTTP_GZIP] = ENCODING_GZIP,
	[HTTP_ZSTD] = ENCODING_ZSTD,
};

/* Data that came as a parameter: what was read instead of a body. */
static int
upload_take_source(struct upload *up, const struct call *call)
{
	if (evbuffer_add(up->held, call->body, call->body_len) == -1)
		return -1;
	add_to_sums(up, call->body, call->body_len);
	up->wire_bytes = call->body_len;
	up->srv->inflight_bytes += call->body_len;
	return 0;
}

void
upload_start(struct job *job, struct call *call, int64_t reset_start_s,
    int64_t reset_end_s)
{
	struct retrykey *retry;
	struct upload *up;
	struct apierr e;
	struct op *op;

	if (retrykey_new(call, &retry, &e) == -1) {
		call_error(call, &e);
		return;
	}
	op = op_new(job, call, OP_UPLOAD);
	if (op == NULL) {
		retrykey_free(retry);
		return;
	}
	up = op->upload = calloc(1, sizeof(*up));
	if (up != NULL) {
		up->srv = job->srv;
		up->retry = retry;
		up->held = evbuffer_new();
	}
	if (up == NULL || up->held == NULL ||
	    (call->body != NULL && upload_take_source(up, call) == -1)) {
		if (up == NULL)
			retrykey_free(retry);
		op_free(op);
		call_fail(call, 503, E_STATUS, "out of memory");
		return;
	}
	up->begin.encoding = (uint8_t)(call->body != NULL
		? ENCODING_IDENTITY
		: encodings[http_req_encoding(call->req)]);
	up->begin.reset_start_s = reset_start_s;
	up->begin.reset_end_s = reset_end_s;
	TAILQ_INSERT_TAIL(&job->arriving, op, entry);
	http_body_stream(call->req, &sink, op);
}

void
uploads_resume(struct job *job)
{
	struct op *op, *next;

	TAILQ_FOREACH_SAFE (op, &job->arriving, entry, next) {
		if (!op->upload->paused || !job_takes_work(job))
			continue;
		if (upload_send(op, false) == -1) {
			upload_no_memory(op);
			continue;
		}
		if (chan_is_full(job->chan))
			return;
		op->upload->paused = false;
		http_body_resume(op->call->req);
	}
}
