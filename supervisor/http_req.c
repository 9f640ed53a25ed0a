/* Owns the life of a request and what a handler may ask of it. */
#include "common/compat.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/http_conn.h"
#include "supervisor/http_encode.h"

struct http_req *
http_req_new(struct http_conn *c)
{
	struct http_req *req = calloc(1, sizeof(*req));

	if (req == NULL)
		return NULL;
	req->http = c->http;
	req->conn = c;
	http_head_init(&req->head, c->http->config.limits.max_head_bytes);
	strlcpy(req->peer, c->peer.name, sizeof(req->peer));
	req->peer_uid = c->peer.is_unix ? c->peer.uid : -1;
	return req;
}

void
http_req_free(struct http_req *req)
{
	if (req == NULL)
		return;
	http_head_clear(&req->head);
	http_body_clear(req);
	if (req->headers != NULL)
		evbuffer_free(req->headers);
	if (req->slices != NULL)
		evbuffer_free(req->slices);
	http_encoder_free(req->encoder);
	free(req);
}

bool
http_req_is_answered(const struct http_req *req)
{
	return req->answer == ANSWER_SLICES || req->answer == ANSWER_DONE;
}

/* One that waits to give more of its answer may give it: to nobody. */
static void
keep_orphan(struct http_req *req)
{
	void (*drained)(struct http_req *, void *) = req->drained;

	TAILQ_INSERT_TAIL(&req->http->orphans, req, entry);
	req->drained = NULL;
	if (drained != NULL)
		drained(req, req->drained_arg);
}

/*
 * Without a gone callback two cases remain: the handler still waits for the
 * body, then it holds nothing and the request may vanish; or it owes the
 * answer and will touch the request once more, then it is kept until then.
 */
void
http_req_drop(struct http_req *req)
{
	struct http_body *b = &req->body;

	req->conn = NULL;
	if (!req->given || http_req_is_answered(req)) {
		http_req_free(req);
		return;
	}
	req->dying = true;
	if (b->mode == BODY_STREAM && !b->ended) {
		b->sink.broken(req, b->arg);
	} else if (req->gone != NULL) {
		req->gone(req, req->gone_arg);
	} else if (b->ended) {
		req->dying = false;
		keep_orphan(req);
		return;
	}
	http_req_free(req);
}

enum http_method
http_req_method(const struct http_req *req)
{
	return req->head.method;
}

const char *
http_req_method_name(const struct http_req *req)
{
	return http_head_method(&req->head);
}

const char *
http_req_uri(const struct http_req *req)
{
	return http_head_uri(&req->head);
}

const char *
http_req_path(const struct http_req *req)
{
	return http_head_path(&req->head);
}

const char *
http_req_query(const struct http_req *req)
{
	return http_head_query(&req->head);
}

const char *
http_req_header(const struct http_req *req, const char *name)
{
	return http_head_field(&req->head, name);
}

const char *
http_req_header_next(const struct http_req *req, const char *name, unsigned *at)
{
	return http_head_field_next(&req->head, name, at);
}

bool
http_req_has_body(const struct http_req *req)
{
	return req->head.length != 0;
}

enum http_encoding
http_req_encoding(const struct http_req *req)
{
	return req->head.encoding;
}

int64_t
http_req_length(const struct http_req *req)
{
	return req->head.length;
}

const char *
http_req_peer(const struct http_req *req)
{
	return req->peer;
}

int
http_req_peer_uid(const struct http_req *req)
{
	return req->peer_uid;
}

void
http_req_set_data(struct http_req *req, void *data)
{
	req->data = data;
}

void *
http_req_data(const struct http_req *req)
{
	return req->data;
}

void
http_req_on_gone(
    struct http_req *req, void (*gone)(struct http_req *, void *), void *arg)
{
	req->gone = gone;
	req->gone_arg = arg;
}
