/* Owns an API request from its route to its answer. */
#include "common/compat.h"

#include <event2/buffer.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonmake.h"
#include "supervisor/call.h"

struct call *
call_new(struct server *srv, struct http_req *req)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->srv = srv;
	c->req = req;
	return c;
}

void
call_free(struct call *c)
{
	if (c == NULL)
		return;
	params_clear(&c->params);
	free(c->job_id);
	free(c->item);
	free(c->body);
	free(c);
}

static void
call_gone_cb(struct http_req *req, void *arg)
{
	struct call *c = arg;

	(void)req;
	c->req = NULL;
	if (c->gone != NULL)
		c->gone(c, c->gone_arg);
	call_free(c);
}

void
call_wait(struct call *c, void (*gone)(struct call *, void *), void *arg)
{
	c->gone = gone;
	c->gone_arg = arg;
	http_req_on_gone(c->req, call_gone_cb, c);
}

void
call_reply(struct call *c, int status, struct json_object *o)
{
	size_t len;
	char *text = o == NULL ? NULL : jsonout_print(o, &c->style, &len);

	if (text != NULL) {
		http_reply_bytes(c->req, status, c->media, text, len);
	} else {
		struct apierr e;

		apierr_set(&e, 503, E_STATUS, "out of memory");
		http_reply_error(c->req, &e);
	}
	free(text);
	json_object_put(o);
	call_free(c);
}

void
call_reply_text(struct call *c, char *text)
{
	if (text == NULL) {
		call_reply(c, 503, NULL);
		return;
	}
	http_reply_bytes(
	    c->req, 200, "text/plain; charset=UTF-8", text, strlen(text));
	free(text);
	call_free(c);
}

void
call_error(struct call *c, const struct apierr *e)
{
	http_reply_retry_after(c->req, e->retry_after_s);
	call_reply(c, e->status,
	    c->error_trace ? apierr_json_traced(e) : apierr_json(e));
}

void
call_fail(struct call *c, int status, const char *type, const char *fmt, ...)
{
	char reason[APIERR_REASON_MAX];
	struct apierr e;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	apierr_set(&e, status, type, "%s", reason);
	call_error(c, &e);
}

void
call_reply_true(struct call *c, const char *key)
{
	struct json_object *o = json_object_new_object();

	jsonmake_bool(&o, key, true);
	call_reply(c, 200, o);
}

void
call_no_such_job(struct call *c, const char *job_id)
{
	call_fail(c, 404, E_NOT_FOUND, "No known job with id '%s'", job_id);
}
