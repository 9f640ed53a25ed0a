/*
 * Owns the body of a request: its framing, where its bytes go, its limits of
 * size and time. Blocks move from the input to the handler without a copy.
 */
#include "common/compat.h"

#include <errno.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "supervisor/http_conn.h"
#include "supervisor/http_decode.h"

void
http_body_begin(struct http_req *req)
{
	struct http_body *b = &req->body;

	b->whole = req->head.length == 0;
	if (req->head.length > 0)
		b->left = (uint64_t)req->head.length;
	http_chunk_init(&b->chunk, req->http->config.limits.max_head_bytes);
	b->start_us = b->progress_us = clock_mono_us();
}

void
http_body_clear(struct http_req *req)
{
	struct http_body *b = &req->body;

	req->http->held -= b->held;
	b->held = 0;
	if (b->collected != NULL)
		evbuffer_free(b->collected);
	b->collected = NULL;
	http_decoder_free(b->decoder);
	b->decoder = NULL;
}

/* ---- what the handler decides ---- */

static void
decide(struct http_req *req, enum http_body_mode mode, void *arg)
{
	struct http_body *b = &req->body;

	b->mode = mode;
	b->arg = arg;
	b->start_us = b->progress_us = clock_mono_us();
	if (req->conn != NULL)
		http_conn_kick(req->conn);
}

void
http_body_collect(struct http_req *req, size_t max,
    void (*done)(struct http_req *, struct evbuffer *, void *), void *arg)
{
	req->body.collect_max = max;
	req->body.collect_done = done;
	decide(req, BODY_COLLECT, arg);
}

void
http_body_stream(struct http_req *req, const struct http_sink *sink, void *arg)
{
	req->body.sink = *sink;
	decide(req, BODY_STREAM, arg);
}

void
http_body_ignore(
    struct http_req *req, void (*done)(struct http_req *, void *), void *arg)
{
	req->body.ignore_done = done;
	decide(req, BODY_IGNORE, arg);
}

void
http_body_pause(struct http_req *req)
{
	struct http_body *b = &req->body;

	if (b->paused)
		return;
	b->paused = true;
	b->pause_us = clock_mono_us();
	if (req->conn != NULL)
		http_conn_kick(req->conn);
}

/* Time at rest is not the client's: it is taken out of what is judged. */
void
http_body_resume(struct http_req *req)
{
	struct http_body *b = &req->body;

	if (!b->paused)
		return;
	b->paused = false;
	b->progress_us = clock_mono_us();
	b->rested_us += b->progress_us - b->pause_us;
	if (req->conn != NULL)
		http_conn_kick(req->conn);
}

/* ---- framing ---- */

const unsigned char *
http_front(struct evbuffer *buf, size_t *len)
{
	struct evbuffer_iovec v[1];

	if (evbuffer_get_contiguous_space(buf) == 0)
		evbuffer_pullup(buf, 1);
	if (evbuffer_peek(buf, -1, NULL, v, 1) < 1) {
		*len = 0;
		return NULL;
	}
	*len = v[0].iov_len;
	return v[0].iov_base;
}

/* Whole blocks change hands when all of src is wanted. */
static uint64_t
move(struct evbuffer *src, struct evbuffer *dst, uint64_t max)
{
	size_t len = evbuffer_get_length(src);

	if (len > max) {
		len = (size_t)max;
		return evbuffer_remove_buffer(src, dst, len) == (int)len ? len
									 : 0;
	}
	return evbuffer_add_buffer(dst, src) == 0 ? len : 0;
}

static enum http_fault
take_plain(struct http_body *b, struct evbuffer *in, struct evbuffer *piece)
{
	b->left -= move(in, piece, b->left);
	b->whole = b->left == 0;
	return HTTP_FAULT_NONE;
}

static enum http_fault
take_chunks(struct http_body *b, struct evbuffer *in, struct evbuffer *piece)
{
	struct http_chunk *ck = &b->chunk;

	while (!b->whole && evbuffer_get_length(in) > 0) {
		size_t len, used;
		const unsigned char *p = http_front(in, &len);

		switch (http_chunk_read(ck, p, len, &used)) {
		case HTTP_CHUNK_BAD:
			return ck->fault;
		case HTTP_CHUNK_DONE:
			b->whole = true;
			break;
		case HTTP_CHUNK_DATA:
		case HTTP_CHUNK_MORE:
			break;
		}
		evbuffer_drain(in, used);
		if (ck->state == CHUNK_DATA)
			http_chunk_take(ck, move(in, piece, ck->left));
	}
	return HTTP_FAULT_NONE;
}

/* ---- where the bytes go ---- */

static enum http_fault
collect_piece(struct http_req *req, struct evbuffer *piece)
{
	struct http_body *b = &req->body;

	if (b->collected == NULL && (b->collected = evbuffer_new()) == NULL)
		return HTTP_FAULT_NO_MEMORY;
	if (req->head.encoding == HTTP_IDENTITY) {
		if (evbuffer_add_buffer(b->collected, piece) == -1)
			return HTTP_FAULT_NO_MEMORY;
		return evbuffer_get_length(b->collected) > b->collect_max
		    ? HTTP_FAULT_BODY_LARGE
		    : HTTP_FAULT_NONE;
	}
	if (b->decoder == NULL &&
	    (b->decoder = http_decoder_new(req->head.encoding)) == NULL)
		return HTTP_FAULT_NO_MEMORY;
	if (http_decode(b->decoder, piece, b->collected, b->collect_max) == 0)
		return HTTP_FAULT_NONE;
	return errno == EMSGSIZE ? HTTP_FAULT_BODY_LARGE
	    : errno == EBADMSG	 ? HTTP_FAULT_BODY_ENCODING
				 : HTTP_FAULT_NO_MEMORY;
}

/* Each is small; of all connections together they are not. */
static enum http_fault
collect(struct http_req *req, struct evbuffer *piece)
{
	uint64_t max = req->http->config.limits.max_held_bytes;
	enum http_fault fault = collect_piece(req, piece);
	struct http_body *b = &req->body;
	size_t n;

	if (b->collected == NULL)
		return fault;
	n = evbuffer_get_length(b->collected);
	req->http->held += n - b->held;
	b->held = n;
	if (fault == HTTP_FAULT_NONE && max > 0 && req->http->held > max &&
	    n > HTTP_HELD_SMALL)
		return HTTP_FAULT_CROWDED;
	return fault;
}

static enum http_fault
deliver(struct http_req *req, struct evbuffer *piece)
{
	struct http_body *b = &req->body;

	if (http_req_is_answered(req)) {
		b->unwanted += evbuffer_get_length(piece);
		return HTTP_FAULT_NONE;
	}
	if (b->mode == BODY_COLLECT)
		return collect(req, piece);
	if (b->mode == BODY_STREAM)
		b->sink.data(req, piece, b->arg);
	return HTTP_FAULT_NONE;
}

static void
deliver_end(struct http_req *req)
{
	struct http_body *b = &req->body;

	b->ended = true;
	if (b->mode == BODY_STREAM)
		b->sink.end(req, b->arg);
	else if (b->mode == BODY_COLLECT)
		b->collect_done(req, b->collected, b->arg);
	else if (b->ignore_done != NULL)
		b->ignore_done(req, b->arg);
}

/* The end of what is collected: the encoding must be over too. */
static enum http_fault
finish(struct http_req *req)
{
	struct http_body *b = &req->body;

	if (b->mode == BODY_COLLECT && b->collected == NULL &&
	    (b->collected = evbuffer_new()) == NULL)
		return HTTP_FAULT_NO_MEMORY;
	if (b->decoder != NULL && http_decode_end(b->decoder) == -1)
		return HTTP_FAULT_BODY_ENCODING;
	deliver_end(req);
	return HTTP_FAULT_NONE;
}

/* ---- limits ---- */

/* Known too large before the first byte: the client is told at once. */
static bool
is_too_large(const struct http_req *req)
{
	const struct http_body *b = &req->body;
	uint64_t max = req->http->config.limits.max_body_bytes;
	uint64_t n = b->received + b->left;

	if (n > max)
		return true;
	return b->mode == BODY_COLLECT && req->head.encoding == HTTP_IDENTITY &&
	    n > b->collect_max;
}

bool
http_body_is_drainable(const struct http_req *req)
{
	const struct http_body *b = &req->body;

	if (b->whole)
		return true;
	/* Nobody knows whether a client that was not told to go on does. */
	return !req->head.expect_continue && b->left <= HTTP_DRAIN_MAX;
}

bool
http_body_is_slow(const struct http_req *req, int64_t now_us)
{
	const struct http_limits *lim = &req->http->config.limits;
	const struct http_body *b = &req->body;
	int64_t grace_us = (int64_t)lim->body_timeout_s * 1000000;
	int64_t spent_us = now_us - b->start_us - b->rested_us;

	if (b->whole || b->paused)
		return false;
	if (now_us - b->progress_us >= grace_us)
		return true;
	return lim->min_body_rate > 0 && spent_us >= grace_us &&
	    b->received < lim->min_body_rate * (uint64_t)spent_us / 1000000;
}

bool
http_body_wants_input(const struct http_req *req)
{
	const struct http_body *b = &req->body;

	if (b->whole)
		return false;
	return http_req_is_answered(req) ||
	    (b->mode != BODY_UNDECIDED && !b->paused);
}

/* ---- the run ---- */

static void
say_continue(struct http_conn *c)
{
	static const char answer[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct http_req *req = c->req;

	if (!req->head.expect_continue || req->answer != ANSWER_NONE)
		return;
	req->head.expect_continue = false;
	/* One that has sent on already waits for nothing. */
	if (evbuffer_get_length(c->in) == 0 &&
	    evbuffer_add(c->out, answer, sizeof(answer) - 1) == -1)
		c->cut = true;
}

static enum http_fault
read_on(struct http_conn *c, bool *progress)
{
	struct http_req *req = c->req;
	struct http_body *b = &req->body;
	struct evbuffer *piece = c->http->piece;
	enum http_fault broken, fault = HTTP_FAULT_NONE;
	size_t n, before = evbuffer_get_length(c->in);

	if (!http_req_is_answered(req)) {
		if (is_too_large(req))
			return HTTP_FAULT_BODY_LARGE;
		say_continue(c);
	}
	if (before == 0)
		return HTTP_FAULT_NONE;
	broken = req->head.length == -1 ? take_chunks(b, c->in, piece)
					: take_plain(b, c->in, piece);
	n = evbuffer_get_length(piece);
	b->received += n;
	*progress = b->whole || evbuffer_get_length(c->in) < before;
	if (*progress)
		b->progress_us = clock_mono_us();
	if (!http_req_is_answered(req) && is_too_large(req))
		fault = HTTP_FAULT_BODY_LARGE;
	else if (n > 0)
		fault = deliver(req, piece);
	evbuffer_drain(piece, evbuffer_get_length(piece));
	/* What came before the break comes first, however it was cut. */
	return fault != HTTP_FAULT_NONE ? fault : broken;
}

/* How much would have been taken, and what decides it. */
static const char *
limit_text(const struct http_req *req, char *dst, size_t dstlen)
{
	uint64_t max = req->http->config.limits.max_body_bytes;
	const struct http_body *b = &req->body;

	if (b->mode == BODY_COLLECT && b->collect_max < max)
		snprintf(dst, dstlen, "at most %zu bytes", b->collect_max);
	else
		snprintf(dst, dstlen,
		    "at most %" PRIu64 " bytes, the configuration key "
		    "max_body_size",
		    max);
	return dst;
}

bool
http_body_run(struct http_conn *c)
{
	struct http_req *req = c->req;
	enum http_fault fault = HTTP_FAULT_NONE;
	char limit[96];
	bool progress = false;

	if (http_body_wants_input(req))
		fault = read_on(c, &progress);
	else if (req->body.whole && !req->body.ended && !req->body.paused &&
	    req->body.mode != BODY_UNDECIDED && !http_req_is_answered(req)) {
		progress = true;
		fault = finish(req);
	}
	if (fault == HTTP_FAULT_NONE)
		return progress;
	http_conn_refuse(c, fault,
	    fault == HTTP_FAULT_BODY_LARGE
		? limit_text(req, limit, sizeof(limit))
		: NULL);
	return true;
}
