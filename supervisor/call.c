/* Owns an API request from its route to its answer. */
#include "common/compat.h"

#include <event2/buffer.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonmake.h"
#include "supervisor/accounts.h"
#include "supervisor/audit.h"
#include "supervisor/auth.h"
#include "supervisor/call.h"
#include "supervisor/rights.h"
#include "supervisor/server.h"

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
call_unserved(struct http_req *req)
{
	struct apierr e;

	apierr_set(&e, 503, E_STATUS, "out of memory");
	http_reply_error(req, &e);
}

void
call_free(struct call *c)
{
	if (c == NULL)
		return;
	principal_clear(&c->who);
	params_clear(&c->params);
	free(c->job_id);
	free(c->item);
	/* There may be a password in it. */
	if (c->body != NULL)
		explicit_bzero(c->body, c->body_len);
	free(c->body);
	free(c);
}

static void
call_gone_cb(struct http_req *req, void *arg)
{
	struct call *c = arg;

	(void)req;
	audit_call(c, 0);
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

	audit_call(c, text == NULL ? 503 : status);
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

bool
call_may(const struct call *c, const char *job_id)
{
	return principal_may(&c->who, c->route->privilege, job_id);
}

int
call_forbidden_for(const struct call *c, enum privilege priv, struct apierr *e)
{
	const struct principal *p = &c->who;
	const struct user *u;
	const char *roles = "";

	if (c->old_path)
		return apierr_set(e, 403, E_SECURITY,
		    "action [%s] is unauthorized for user [%s]",
		    c->route->action, p->user);
	if (p->key_id[0] != '\0')
		return apierr_set(e, 403, E_SECURITY,
		    "action [%s] is unauthorized for API key id [%s] of user "
		    "[%s], this action is granted by the cluster privileges "
		    "[%s]",
		    c->route->action, p->key_id, p->user,
		    rights_granting(priv));
	if (p->realm == REALM_UNIX)
		roles = "superuser";
	else if (c->srv->auth != NULL &&
	    (u = accounts_user(auth_accounts(c->srv->auth), p->user)) != NULL)
		roles = u->roles;
	return apierr_set(e, 403, E_SECURITY,
	    "action [%s] is unauthorized for user [%s] with effective roles "
	    "[%s], this action is granted by the cluster privileges [%s]",
	    c->route->action, p->user, roles, rights_granting(priv));
}

int
call_forbidden(const struct call *c, struct apierr *e)
{
	return call_forbidden_for(c, c->route->privilege, e);
}
