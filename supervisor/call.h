/*
 * One API request on its way through the supervisor: what was asked, in which
 * form the answer is wanted, and the answer itself, given exactly once.
 */
#ifndef SUPERVISOR_CALL_H
#define SUPERVISOR_CALL_H

#include <stdbool.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/jsonout.h"
#include "supervisor/http.h"
#include "supervisor/media.h"
#include "supervisor/params.h"
#include "supervisor/principal.h"

struct call;
struct evbuffer;
struct json_object;
struct route;
struct server;

struct call {
	struct server *srv;
	struct principal who;	   /* owned */
	struct http_req *req;	   /* owns the answer; NULL: client left */
	const struct route *route; /* borrowed, static */
	bool old_path;		   /* /_xpack/ml: answer as 6.x does */
	char *job_id;		   /* owned, decoded; NULL: not in the path */
	char *item;		   /* second variable of the path, or NULL */
	struct params params;
	struct jsonout_style style; /* borrows from params */
	struct media_wish wish;	    /* of the client, for its form */
	bool error_trace;	    /* errors tell how they came about */
	char media[96];		    /* Content-Type of the answer */
	char subject[128];	    /* what was changed, for the audit; or "" */
	char *body;		    /* owned; NULL: none or streamed */
	size_t body_len;
	/* Who waits with this call; told when the client left. */
	void (*gone)(struct call *, void *arg);
	void *gone_arg;
};

/* For req. NULL with ENOMEM. */
struct call *call_new(struct server *, struct http_req *);
/* There is no memory for a call: answers the request so. */
void call_unserved(struct http_req *);
/* Without an answer: after the client has gone. */
void call_free(struct call *);

/*
 * From here on somebody keeps the call. When the client leaves, gone is called
 * and the call is freed behind it.
 */
void call_wait(struct call *, void (*gone)(struct call *, void *), void *arg);

/* Answer and free the call. o is put. */
void call_reply(struct call *, int status, struct json_object *o);
/* The same with a plain text, which is freed; NULL: memory was out. */
void call_reply_text(struct call *, char *text);
void call_error(struct call *, const struct apierr *);
void call_fail(struct call *, int status, const char *type, const char *fmt,
    ...) PRINTF_LIKE(4, 5);
/* {"<key>":true} */
void call_reply_true(struct call *, const char *key);

/* May the caller do to this job what the route does? */
bool call_may(const struct call *, const char *job_id);
/* That the caller may not do this: sets *e (403), returns -1. */
int call_forbidden(const struct call *, struct apierr *e);
/* The same for another privilege than the route's own. */
int call_forbidden_for(const struct call *, enum privilege, struct apierr *e);

/* "No known job with id '<id>'", 404. */
void call_no_such_job(struct call *, const char *job_id);

#endif
