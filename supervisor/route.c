/* Owns the way from a request's head to its handler. */
#include "common/compat.h"

#include <event2/buffer.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/jsonmake.h"
#include "common/log.h"
#include "supervisor/accounts.h"
#include "supervisor/auth.h"
#include "supervisor/call.h"
#include "supervisor/media.h"
#include "supervisor/route.h"
#include "supervisor/server.h"
#include "supervisor/warnings.h"
#include "supervisor/wish.h"

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

/* fmt with its arguments is the text. Answers the call. */
static void PRINTF_LIKE(4, 5) reply_text_error(
    struct call *c, int status, bool with_status, const char *fmt, ...)
{
	struct json_object *o = json_object_new_object();
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		text = NULL;
	va_end(ap);
	jsonmake_string(
	    &o, "error", text == NULL ? http_status_text(status) : text);
	if (with_status)
		jsonmake_int(&o, "status", status);
	free(text);
	call_reply(c, status, o);
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
refuse_path(struct call *c)
{
	reply_text_error(c, 400, false,
	    "no handler found for uri [%s] and method [%s]",
	    http_req_uri(c->req), http_req_method_name(c->req));
}

static void
refuse_method(struct call *c, unsigned allowed)
{
	struct http_req *req = c->req;
	char list[64];

	allow_text(allowed, ",", list, sizeof(list));
	if (http_reply_header(req, "Allow", list) == -1)
		log_debug("http: no Allow");
	if (http_req_method(req) == HTTP_OPTIONS) {
		http_reply_bytes(req, 200, "text/plain; charset=UTF-8", "", 0);
		call_free(c);
		return;
	}
	allow_text(allowed, ", ", list, sizeof(list));
	reply_text_error(c, 405, true,
	    "Incorrect HTTP method for uri [%s] and method [%s], allowed: "
	    "[%s]",
	    http_req_uri(req), http_req_method_name(req), list);
}

/* ---- from the head to the handler ---- */

static enum media_body
body_kind(const struct call *c)
{
	return c->route->body == ROUTE_DATA ? MEDIA_DATA : MEDIA_JSON;
}

/* The API reports a media type that it does not take as a plain string. */
static bool
body_type_ok(struct call *c)
{
	struct apierr e;

	if (!http_req_has_body(c->req) ||
	    media_check_body(body_kind(c),
		http_req_header(c->req, "Content-Type"), c->old_path, &e) == 0)
		return true;
	reply_text_error(c, e.status, true, "%s", e.link[0].reason);
	return false;
}

/*
 * Who sends the body slowly must not have until its end what was taken away
 * meanwhile. Otherwise answers the call.
 */
static bool
call_holds(struct call *c)
{
	struct auth *auth = c->srv->auth;

	if (auth == NULL ||
	    principal_holds(&c->who, auth_accounts(auth), clock_wall_ms()))
		return true;
	call_fail(c, 403, E_SECURITY,
	    "what user [%s] may do has changed while the request came in; try "
	    "again",
	    c->who.user);
	return false;
}

static void
body_collected(struct http_req *req, struct evbuffer *body, void *arg)
{
	struct call *c = arg;
	size_t len = evbuffer_get_length(body);

	http_req_on_gone(req, NULL, NULL);
	if (!call_holds(c))
		return;
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
	if (m->job_id != NULL)
		c->job_id = decoded(m->job_id, m->job_id_len);
	if (m->item != NULL)
		c->item = decoded(m->item, m->item_len);
	if ((m->job_id != NULL && c->job_id == NULL) ||
	    (m->item != NULL && c->item == NULL))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "the path is not percent-encoded UTF-8");
	if (params_check(
		&c->params, c->route->params, http_req_path(c->req), e) == -1)
		return -1;
	return c->route->body == ROUTE_NO_BODY
	    ? 0
	    : wish_source(c, body_kind(c), e);
}

/* What comes as a body is read first, also where there is none. */
static void
call_begin(struct call *c)
{
	if (c->route->body == ROUTE_DATA) {
		c->route->handle(c);
		return;
	}
	http_req_on_gone(c->req, collect_gone, c);
	http_body_collect(c->req, JSON_BODY_MAX, body_collected, c);
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

	if (c->srv->auth == NULL && c->route->privilege >= PRIV_AUTHENTICATED)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "security is off: users and keys are kept with \"security "
		    "yes\" in the configuration");
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
	struct call *c = call_new(srv, req);
	struct route_match m;
	struct apierr e;

	if (c == NULL) {
		call_unserved(req);
		return;
	}
	principal_copy(&c->who, who);
	route_find(http_req_path(req), http_req_method(req), &m);
	c->route = m.route;
	c->old_path = m.old_path;
	if (wish_read(c, &e) == -1) {
		call_error(c, &e);
	} else if (m.allowed == 0) {
		refuse_path(c);
	} else if (m.route == NULL) {
		refuse_method(c, m.allowed);
	} else if (body_type_ok(c)) {
		warnings_add(c);
		if (call_setup(c, &m, &e) == -1 || call_authorize(c, &e) == -1)
			call_error(c, &e);
		else
			call_begin(c);
	}
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
