/*
 * How a request is answered whose credentials do not hold: with the challenges
 * of the API, and with a line in the log, of which strangers can cause as many
 * as they like.
 */
#ifndef SUPERVISOR_REFUSAL_H
#define SUPERVISOR_REFUSAL_H

#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"

struct http_req;
struct server;

struct refusals {
	struct server *srv; /* borrowed */
	int64_t logged_us;  /* see log_is_due */
	uint64_t unlogged;
};

void refusals_init(struct refusals *, struct server *);

/* Each answers the request. user: who it says it is; "": nobody. */

/* 401, with this reason. */
void refusal(struct refusals *, struct http_req *, const char *user,
    const char *fmt, ...) PRINTF_LIKE(4, 5);
/* 401: it has no credentials. */
void refusal_missing(struct refusals *, struct http_req *);
/* 401: the password is not that user's. */
void refusal_user(struct refusals *, struct http_req *, const char *user);
/* 429: the next attempt may be made in wait_s. */
void refusal_often(
    struct refusals *, struct http_req *, const char *user, unsigned wait_s);
/* Any other error, which is no failure of the client: nothing is logged. */
void refusal_error(struct refusals *, struct http_req *, const struct apierr *);

#endif
