/*
 * Owns a connection's life: what it reads and when, one request after the
 * other, and the close that lets the client read its answer.
 */
#include "common/compat.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "supervisor/conn.h"
#include "supervisor/http_conn.h"
#include "supervisor/http_hosts.h"

/*
 * Bytes of one read. libevent adds its own header and rounds a block up to a
 * power of two: without room for it a block would be twice as large.
 */
#define READ_HEAD_BYTES ((16u << 10) - 64) /* while requests are awaited */
#define READ_BODY_BYTES ((64u << 10) - 64) /* while a body comes */
#define AHEAD_MAX (64u << 10) /* read ahead of the present request */
#define ROUNDS_A_TURN 8

static void run(struct http_conn *);

/* ---- beginning ---- */

static void read_cb(evutil_socket_t, short, void *);
static void write_cb(evutil_socket_t, short, void *);
static void kick_cb(evutil_socket_t, short, void *);
static void update_events(struct http_conn *);

struct http_conn *
http_conn_new(struct http *http, int fd, const struct listen_peer *peer)
{
	struct http_conn *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->conn = conn_new_plain(fd)) == NULL) {
		close(fd);
		free(c);
		return NULL;
	}
	c->in = evbuffer_new();
	c->out = evbuffer_new();
	if (c->in == NULL || c->out == NULL) {
		http_conn_free(c);
		return NULL;
	}
	c->http = http;
	c->peer = *peer;
	c->idle_us = clock_mono_us();
	event_assign(&c->rd, http->base, fd, EV_READ | EV_PERSIST, read_cb, c);
	event_assign(
	    &c->wr, http->base, fd, EV_WRITE | EV_PERSIST, write_cb, c);
	evtimer_assign(&c->kick, http->base, kick_cb, c);
	TAILQ_INSERT_TAIL(&http->conns, c, entry);
	http->nconns++;
	update_events(c);
	return c;
}

void
http_conn_free(struct http_conn *c)
{
	if (c->in != NULL)
		evbuffer_free(c->in);
	if (c->out != NULL)
		evbuffer_free(c->out);
	conn_free(c->conn);
	free(c);
}

/* ---- ending ---- */

/* The request leaves the connection first: its callback may look at both. */
static void
drop_request(struct http_conn *c)
{
	struct http_req *req = c->req;

	c->req = NULL;
	if (req != NULL)
		http_req_drop(req);
}

void
http_conn_close(struct http_conn *c)
{
	if (c->state == HC_DEAD)
		return;
	c->state = HC_DEAD;
	event_del(&c->rd);
	event_del(&c->wr);
	event_del(&c->kick);
	conn_free(c->conn);
	c->conn = NULL;
	TAILQ_REMOVE(&c->http->conns, c, entry);
	c->http->nconns--;
	drop_request(c);
	http_bury(c->http, c);
}

/* From here on only the output matters. */
static void
begin_close(struct http_conn *c, bool linger)
{
	c->state = HC_CLOSING;
	c->linger = linger;
	c->close_us = c->quiet_us = clock_mono_us();
}

static void
answer_fault(struct http_conn *c, enum http_fault fault, const char *detail)
{
	struct apierr err = { 0 };

	c->http->refused[fault]++;
	log_debug("http: %s: %s", c->peer.name, http_fault_name(fault));
	http_fault_error(fault, detail, &err);
	c->req->given = true;
	http_reply_error(c->req, &err);
}

/*
 * The answer is made before the handler hears of it: behind its callback there
 * is no request any more.
 */
void
http_conn_refuse(struct http_conn *c, enum http_fault fault, const char *detail)
{
	struct http_req *req = c->req;
	bool given = req->given;

	c->keep = false;
	if (req->answer == ANSWER_NONE) {
		answer_fault(c, fault, detail);
		/* Told to the client, not yet to the handler. */
		req->answer = ANSWER_NONE;
		req->given = given;
	} else {
		c->http->refused[fault]++;
		c->cut = req->answer == ANSWER_PARTS;
	}
	drop_request(c);
	begin_close(c, true);
}

/* ---- a request ---- */

/* Head is read and stands for itself; its sender may not be welcome. */
static void
judge_head(struct http_conn *c)
{
	const struct http_config *conf = &c->http->config;
	const struct http_head *h = &c->req->head;
	const char *host = http_head_host(h), *origin;
	unsigned at = 0;

	/* Whoever can open the Unix socket is local under any name. */
	if (!c->peer.is_unix && host != NULL &&
	    !http_host_is_allowed(host, conf->allowed_hosts)) {
		answer_fault(c, HTTP_FAULT_HOST_FORBIDDEN, host);
		return;
	}
	while ((origin = http_head_field_next(h, "origin", &at)) != NULL) {
		if (http_origin_is_allowed(origin, conf->allowed_origins))
			continue;
		answer_fault(c, HTTP_FAULT_ORIGIN_FORBIDDEN, origin);
		return;
	}
	if (h->refusal == HTTP_FAULT_EXPECTATION)
		answer_fault(c, h->refusal, http_head_field(h, "expect"));
	else if (h->refusal != HTTP_FAULT_NONE)
		answer_fault(
		    c, h->refusal, http_head_field(h, "content-encoding"));
}

static void
begin_request(struct http_conn *c)
{
	struct http_req *req = c->req;

	c->keep = req->head.keep_alive;
	http_body_begin(req);
	judge_head(c);
	if (http_req_is_answered(req))
		return;
	req->given = true;
	c->http->config.on_head(req, c->http->config.arg);
	if (req->answer == ANSWER_NONE && req->body.mode == BODY_UNDECIDED &&
	    !req->body.paused)
		answer_fault(c, HTTP_FAULT_UNANSWERED, NULL);
}

static bool
read_head(struct http_conn *c)
{
	struct http_req *req = c->req;
	size_t len, used;
	const unsigned char *p;

	if (evbuffer_get_length(c->in) == 0)
		return false;
	p = http_front(c->in, &len);
	switch (http_head_read(&req->head, p, len, &used)) {
	case HTTP_HEAD_BAD:
		http_conn_refuse(c, req->head.fault, NULL);
		return true;
	case HTTP_HEAD_DONE:
		evbuffer_drain(c->in, used);
		begin_request(c);
		return true;
	case HTTP_HEAD_MORE:
		evbuffer_drain(c->in, used);
		return true;
	}
	return false;
}

static bool
next_request(struct http_conn *c)
{
	if (evbuffer_get_length(c->in) == 0 ||
	    evbuffer_get_length(c->out) > HTTP_OUT_HIGH)
		return false;
	c->head_us = clock_mono_us();
	c->req = http_req_new(c);
	if (c->req == NULL)
		c->cut = true;
	return true;
}

/* The answer is given and the body is read: ready for the next one. */
static void
end_request(struct http_conn *c)
{
	http_req_free(c->req);
	c->req = NULL;
	c->work++;
	c->idle_us = clock_mono_us();
	/* Bytes that lie there unread would turn the close into a reset. */
	if (!c->keep)
		begin_close(c, evbuffer_get_length(c->in) > 0);
}

/*
 * A client that still sends has not read the answer yet; what is left of a
 * body is read away if it is little, else the connection ends behind it.
 */
static bool
end_early(struct http_conn *c)
{
	const struct http_body *b = &c->req->body;

	if (b->whole || c->req->answer != ANSWER_DONE)
		return false;
	if (c->keep && b->unwanted <= HTTP_DRAIN_MAX)
		return false;
	drop_request(c);
	begin_close(c, true);
	return true;
}

/* One step of the connection's work; false when it waits for something. */
static bool
step(struct http_conn *c)
{
	struct http_req *req = c->req;

	if (c->cut)
		return false;
	if (req == NULL)
		return next_request(c);
	if (!http_head_is_done(&req->head))
		return read_head(c);
	if (http_reply_run(c) || end_early(c) || http_body_run(c))
		return true;
	if (req->answer != ANSWER_DONE || !req->body.whole)
		return false;
	end_request(c);
	return true;
}

/* ---- reading and writing ---- */

static void
throw_away(struct http_conn *c)
{
	size_t n = evbuffer_get_length(c->in);

	if (n == 0)
		return;
	c->thrown_away += n;
	c->quiet_us = clock_mono_us();
	evbuffer_drain(c->in, n);
	if (c->thrown_away > HTTP_LINGER_BYTES)
		c->cut = true;
}

static bool
wants_input(const struct http_conn *c)
{
	if (c->eof || c->state == HC_DEAD || c->cut)
		return false;
	if (c->state == HC_CLOSING)
		return true;
	if (c->req != NULL && http_head_is_done(&c->req->head) &&
	    !c->req->body.whole)
		return http_body_wants_input(c->req);
	return evbuffer_get_length(c->in) < AHEAD_MAX;
}

static size_t
read_size(const struct http_conn *c)
{
	bool head = c->state == HC_OPEN &&
	    (c->req == NULL || !http_head_is_done(&c->req->head) ||
		c->req->body.whole);

	return head ? READ_HEAD_BYTES : READ_BODY_BYTES;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Returns false when there is nothing more to read for now. */
static bool
read_some(struct http_conn *c, size_t *budget)
{
	size_t want = least(read_size(c), *budget);
	ssize_t n = conn_read(c->conn, c->in, want);

	if (n > 0) {
		*budget -= (size_t)n;
		return (size_t)n == want || conn_pending(c->conn);
	}
	if (n == 0)
		c->eof = true;
	else if (errno != EAGAIN && errno != EWOULDBLOCK)
		c->cut = true;
	return false;
}

/* Others wait for the end of the turn, and all may have much to say. */
static size_t
turn_budget(const struct http_conn *c)
{
	size_t share = HTTP_TURNS_BYTES / c->http->nconns;

	if (share > HTTP_TURN_BYTES)
		return HTTP_TURN_BYTES;
	return share > READ_HEAD_BYTES ? share : READ_HEAD_BYTES;
}

static void
read_turn(struct http_conn *c)
{
	size_t budget = turn_budget(c);
	bool more = true;

	while (more && budget > 0 && !c->again && wants_input(c)) {
		more = read_some(c, &budget);
		run(c);
	}
}

static void
write_out(struct http_conn *c)
{
	ssize_t n;

	while (evbuffer_get_length(c->out) > 0) {
		n = conn_write(c->conn, c->out);
		if (n > 0) {
			c->write_us = clock_mono_us();
			continue;
		}
		if (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK)
			c->cut = true;
		return;
	}
}

static void
update_events(struct http_conn *c)
{
	bool rd = wants_input(c);
	bool wr = evbuffer_get_length(c->out) > 0;

	if (rd != c->rd_on)
		(rd ? event_add(&c->rd, NULL) : event_del(&c->rd));
	if (wr != c->wr_on)
		(wr ? event_add(&c->wr, NULL) : event_del(&c->wr));
	/* The deadline of a write begins when there is something to write. */
	if (wr && !c->wr_on)
		c->write_us = clock_mono_us();
	c->rd_on = rd;
	c->wr_on = wr;
}

/* ---- the run ---- */

/* The client has closed its side: what can still come of this? */
static void
judge_eof(struct http_conn *c)
{
	const struct http_req *req = c->req;

	if (!c->eof || c->state != HC_OPEN)
		return;
	if (req == NULL) {
		if (evbuffer_get_length(c->in) == 0)
			begin_close(c, false);
		return;
	}
	/* It may well wait for an answer with its own half closed. */
	if (http_head_is_done(&req->head) &&
	    (req->body.whole ||
		(req->body.paused && evbuffer_get_length(c->in) > 0)))
		return;
	drop_request(c);
	begin_close(c, false);
}

static void
advance_close(struct http_conn *c)
{
	throw_away(c);
	if (evbuffer_get_length(c->out) > 0)
		return;
	if (!c->linger || c->eof) {
		c->cut = true;
	} else if (!c->finished) {
		c->finished = true;
		c->close_us = c->quiet_us = clock_mono_us();
		if (conn_finish(c->conn) == -1)
			c->cut = true;
	}
}

static bool
turn_is_over(const struct http_conn *c)
{
	return c->work >= HTTP_WORK_TURN;
}

static void
round_of(struct http_conn *c)
{
	while (c->state == HC_OPEN && !turn_is_over(c) && step(c))
		;
	if (turn_is_over(c))
		c->again = true;
	else
		judge_eof(c);
	write_out(c);
	http_reply_drained(c);
	if (c->state == HC_CLOSING)
		advance_close(c);
}

/*
 * Not event_active(): the loop would serve this connection again before it
 * looked at any other socket.
 */
static void
run_next_turn(struct http_conn *c)
{
	static const struct timeval now = { 0, 0 };

	event_add(&c->kick, &now);
}

static void
run(struct http_conn *c)
{
	int rounds = 0;

	if (c->state == HC_DEAD)
		return;
	c->running = true;
	do {
		c->again = false;
		round_of(c);
	} while (c->again && !c->cut && !turn_is_over(c) &&
	    ++rounds < ROUNDS_A_TURN);
	c->running = false;
	c->work = 0;
	if (c->cut) {
		http_conn_close(c);
		return;
	}
	if (c->again)
		run_next_turn(c);
	update_events(c);
}

void
http_conn_kick(struct http_conn *c)
{
	if (c->running)
		c->again = true;
	else if (c->state != HC_DEAD)
		event_active(&c->kick, EV_TIMEOUT, 0);
}

static void
read_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	read_turn(arg);
}

static void
write_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run(arg);
}

/* What a transport holds back shows no event: ask it. */
static void
kick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;

	(void)fd;
	(void)what;
	run(c);
	if (c->state != HC_DEAD && conn_pending(c->conn))
		read_turn(c);
}
