/* Owns the answers to requests whose credentials do not hold. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/jsonmake.h"
#include "common/log.h"
#include "supervisor/audit.h"
#include "supervisor/call.h"
#include "supervisor/refusal.h"
#include "supervisor/wish.h"

static const char *const challenges[] = {
	"Basic realm=\"security\" charset=\"UTF-8\"",
	"Bearer realm=\"security\"",
	"ApiKey",
};

static struct json_object *
header_json(void)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < NELEM(challenges); i++)
		jsonmake_append(&list, json_object_new_string(challenges[i]));
	jsonmake_add(&o, "WWW-Authenticate", list);
	return o;
}

/* The error, with the challenges where the API has them. */
static struct json_object *
challenge_json(const struct apierr *e)
{
	struct json_object *o = apierr_json(e), *error, *causes, *cause;

	if (o == NULL || !json_object_object_get_ex(o, "error", &error) ||
	    !json_object_object_get_ex(error, "root_cause", &causes))
		return o;
	cause = json_object_array_get_idx(causes, 0);
	/* Borrowed members: a failure would put them, so they are held. */
	json_object_get(error);
	json_object_get(cause);
	jsonmake_add(&cause, "header", header_json());
	jsonmake_add(&error, "header", header_json());
	if (cause == NULL || error == NULL) {
		json_object_put(o);
		o = NULL;
	}
	json_object_put(cause);
	json_object_put(error);
	return o;
}

static bool
is_old_path(const struct http_req *req)
{
	return strncmp(http_req_path(req), "/_xpack/", 8) == 0;
}

void
refusals_init(struct refusals *r, struct server *srv)
{
	memset(r, 0, sizeof(*r));
	r->srv = srv;
}

/* In the form that was asked for, as far as that can be read. */
void
refusal_error(struct refusals *r, struct http_req *req, const struct apierr *e)
{
	struct call *c = call_new(r->srv, req);
	struct apierr ignored;

	for (size_t i = 0; e->status == 401 && i < NELEM(challenges); i++)
		if (http_reply_header(req, "WWW-Authenticate", challenges[i]) ==
		    -1)
			log_debug("http: no WWW-Authenticate");
	if (c == NULL) {
		http_reply_error(req, e);
		return;
	}
	c->old_path = is_old_path(req);
	if (wish_read(c, &ignored) == -1)
		log_debug("http: a refusal has the form that can be read");
	http_reply_retry_after(req, e->retry_after_s);
	call_reply(c, e->status,
	    e->status == 401 ? challenge_json(e) : apierr_json(e));
}

/* Strangers can cause as many of these lines as they like. */
static void
log_failure(struct refusals *r, const struct http_req *req, const char *user,
    int status)
{
	char shown[160], from[128];

	if (!log_is_due(&r->logged_us)) {
		r->unlogged++;
		return;
	}
	audit_from(from, sizeof(from), req);
	log_info("audit: user=%s action=authenticate from=%s status=%d "
		 "unlogged=%llu",
	    *user == '\0'
		? "-"
		: log_escape(shown, sizeof(shown), user, strlen(user)),
	    from, status, (unsigned long long)r->unlogged);
	r->unlogged = 0;
}

void
refusal(struct refusals *r, struct http_req *req, const char *user,
    const char *fmt, ...)
{
	char text[APIERR_REASON_MAX];
	struct apierr e;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	apierr_set(&e, 401, E_SECURITY, "%s", text);
	log_failure(r, req, user, 401);
	refusal_error(r, req, &e);
}

void
refusal_missing(struct refusals *r, struct http_req *req)
{
	refusal(r, req, "", "missing authentication %s for REST request [%s]",
	    is_old_path(req) ? "token" : "credentials", http_req_uri(req));
}

void
refusal_user(struct refusals *r, struct http_req *req, const char *user)
{
	if (is_old_path(req))
		refusal(r, req, user, "failed to authenticate user [%s]", user);
	else
		refusal(r, req, user,
		    "unable to authenticate user [%s] for REST request [%s]",
		    user, http_req_uri(req));
}

void
refusal_often(
    struct refusals *r, struct http_req *req, const char *user, unsigned wait_s)
{
	struct apierr e;

	apierr_set(&e, 429, E_STATUS,
	    "too many attempts to authenticate user [%s] have failed; try "
	    "again in [%us]",
	    user, wait_s);
	e.retry_after_s = wait_s;
	log_failure(r, req, user, 429);
	refusal_error(r, req, &e);
}
