/* Owns the way from a request's head to its handler. */
#include "common/compat.h"

#include <event2/buffer.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonmake.h"
#include "common/log.h"
#include "supervisor/auth.h"
#include "supervisor/call.h"
#include "supervisor/media.h"
#include "supervisor/route.h"
#include "supervisor/server.h"

/*
 * A configuration is some kilobytes. At worst, all small numbers, this many
 * take 30 ms to read and 20 MB to keep.
 */
#define JSON_BODY_MAX (256 * 1024)

static const struct {
	unsigned method;
	const char *name;
} method_names[] = { { HTTP_GET, "GET" }, { HTTP_HEAD, "HEAD" },
	{ HTTP_POST, "POST" }, { HTTP_PUT, "PUT" }, { HTTP_DELETE, "DELETE" } };

/* ---- refusals of the router, whose "error" is a plain string ---- */

static void
reply_text_error(
    struct http_req *req, int status, const char *text, bool with_status)
{
	struct json_object *o = json_object_new_object();
	struct jsonout_style plain = { 0 };
	size_t len = 0;
	char *json;

	jsonmake_string(&o, "error", text);
	if (with_status)
		jsonmake_int(&o, "status", status);
	json = o == NULL ? NULL : jsonout_print(o, &plain, &len);
	if (json == NULL) /* no memory for the text: the status must do */
		http_reply(req, status, NULL, NULL);
	else
		http_reply_bytes(req, status, "application/json", json, len);
	free(json);
	json_object_put(o);
}

static void
allow_text(unsigned allowed, const char *separator, char *dst, size_t dstlen)
{
	dst[0] = '\0';
	for (size_t i = 0; i < NELEM(method_names); i++) {
		if ((allowed & method_names[i].method) == 0)
			continue;
		if (dst[0] != '\0')
			strlcat(dst, separator, dstlen);
		strlcat(dst, method_names[i].name, dstlen);
	}
}

static void
refuse_path(struct http_req *req)
{
	char text[2048];

	snprintf(text, sizeof(text),
	    "no handler found for uri [%s] and method [%s]", http_req_uri(req),
	    http_req_method_name(req));
	reply_text_error(req, 400, text, false);
}

static void
refuse_method(struct http_req *req, unsigned allowed)
{
	char text[2048], list[64];

	allow_text(allowed, ",", list, sizeof(list));
	if (http_reply_header(req, "Allow", list) == -1)
		log_debug("http: no Allow");
	if (http_req_method(req) == HTTP_OPTIONS) {
		http_reply_bytes(req, 200, "text/plain; charset=UTF-8", "", 0);
		return;
	}
	allow_text(allowed, ", ", list, sizeof(list));
	snprintf(text, sizeof(text),
	    "Incorrect HTTP method for uri [%s] and method [%s], allowed: "
	    "[%s]",
	    http_req_uri(req), http_req_method_name(req), list);
	reply_text_error(req, 405, text, true);
}

/* ---- from the head to the handler ---- */

/* The API reports a media type that it does not take as a plain string. */
static bool
body_type_ok(struct call *c)
{
	enum media_body kind =
	    c->route->body == ROUTE_DATA ? MEDIA_DATA : MEDIA_JSON;
	struct apierr e;

	if (!http_req_has_body(c->req) || c->route->body == ROUTE_NO_BODY ||
	    media_check_body(
		kind, http_req_header(c->req, "Content-Type"), &e) == 0)
		return true;
	reply_text_error(c->req, e.status, e.link[0].reason, true);
	call_free(c);
	return false;
}

static void
body_collected(struct http_req *req, struct evbuffer *body, void *arg)
{
	struct call *c = arg;
	size_t len = evbuffer_get_length(body);

	http_req_on_gone(req, NULL, NULL);
	if (len > 0 && c->route->body != ROUTE_NO_BODY) {
		c->body = malloc(len + 1);
		if (c->body == NULL) {
			call_fail(c, 503, E_STATUS, "out of memory");
			return;
		}
		evbuffer_remove(body, c->body, len);
		c->body[len] = '\0';
		c->body_len = len;
	}
	c->route->handle(c);
}

static void
collect_gone(struct http_req *req, void *arg)
{
	(void)req;
	call_free(arg);
}

/* A small body may come as the parameter "source". */
static int
body_from_source(struct call *c)
{
	const char *source = params_get(&c->params, "source");

	if (source == NULL || c->route->body == ROUTE_NO_BODY)
		return 0;
	c->body = strdup(source);
	if (c->body == NULL)
		return -1;
	c->body_len = strlen(source);
	return 0;
}

static int
call_style(struct call *c, struct apierr *e)
{
	c->style.filter_path = params_get(&c->params, "filter_path");
	if (params_bool(&c->params, "pretty", false, &c->style.pretty, e) == -1)
		return -1;
	return params_bool(&c->params, "human", false, &c->style.human, e);
}

static char *
decoded(const char *text, size_t len)
{
	char *copy = strndup(text, len);

	if (copy != NULL && params_decode(copy, false) == -1) {
		free(copy);
		return NULL;
	}
	return copy;
}

static int
call_setup(struct call *c, const struct route_match *m, struct apierr *e)
{
	media_answer(http_req_header(c->req, "Accept"), c->old_path, c->media,
	    sizeof(c->media));
	if (m->job_id != NULL)
		c->job_id = decoded(m->job_id, m->job_id_len);
	if (m->item != NULL)
		c->item = decoded(m->item, m->item_len);
	if ((m->job_id != NULL && c->job_id == NULL) ||
	    (m->item != NULL && c->item == NULL))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "the path is not percent-encoded UTF-8");
	if (params_parse(&c->params, http_req_query(c->req), e) == -1 ||
	    call_style(c, e) == -1)
		return -1;
	return params_check(
	    &c->params, c->route->params, http_req_path(c->req), e);
}

/*
 * Is the caller allowed this? A list is looked through by its handler; of any
 * other route the name in the path is one job's, and no list in disguise.
 */
static int
call_authorize(const struct call *c, struct apierr *e)
{
	const struct principal *who = &c->who;
	const char *job_id = c->job_id;
	bool may;

	if (job_id != NULL && strpbrk(job_id, ",*") != NULL)
		job_id = NULL;
	if (route_takes_list(c->route))
		may = principal_may_some(who, c->route->privilege);
	else
		may = principal_may(who, c->route->privilege, job_id);
	return may ? 0 : call_forbidden(c, e);
}

/* Who asks is known. */
static void
route_call(
    struct server *srv, struct http_req *req, const struct principal *who)
{
	struct route_match m;
	struct apierr e;
	struct call *c;

	route_find(http_req_path(req), http_req_method(req), &m);
	if (m.allowed == 0) {
		refuse_path(req);
		return;
	}
	if (m.route == NULL) {
		refuse_method(req, m.allowed);
		return;
	}
	c = call_new(srv, req);
	if (c == NULL) {
		call_unserved(req);
		return;
	}
	principal_copy(&c->who, who);
	c->route = m.route;
	c->old_path = m.old_path;
	if (call_setup(c, &m, &e) == -1 || call_authorize(c, &e) == -1) {
		call_error(c, &e);
		return;
	}
	if (!body_type_ok(c))
		return;
	if (c->route->body == ROUTE_DATA) {
		c->route->handle(c);
		return;
	}
	if (!http_req_has_body(req) && body_from_source(c) == -1) {
		call_fail(c, 503, E_STATUS, "out of memory");
		return;
	}
	if (c->body != NULL) {
		c->route->handle(c);
		return;
	}
	http_req_on_gone(req, collect_gone, c);
	http_body_collect(req, JSON_BODY_MAX, body_collected, c);
}

void
route_request(struct http_req *req, void *arg)
{
	static const struct principal nobody;

	/* A browser asks, without credentials, what it may send. */
	if (http_req_method(req) == HTTP_OPTIONS)
		route_call(arg, req, &nobody);
	else
		auth_request(arg, req, route_call);
}
