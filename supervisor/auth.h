/*
 * Who is it? Before a request has a route and before a byte of its body is
 * read, its credentials are checked: a key and a password that was right just
 * now at once, any other password by the keeper, within what authlimit.h
 * allows. Who is refused is answered here.
 */
#ifndef SUPERVISOR_AUTH_H
#define SUPERVISOR_AUTH_H

#include "common/compat.h"

struct accounts;
struct auth;
struct http_req;
struct principal;
struct server;

/* NULL with ENOMEM. */
struct auth *auth_new(struct server *);
/* After the HTTP side and the catalogue are gone. NULL is fine. */
void auth_free(struct auth *);

/* borrowed */
struct accounts *auth_accounts(struct auth *);

/*
 * Find out who sent the request, and call done with it, at once or later; or
 * answer it. With srv->auth NULL everybody is let in. who is borrowed.
 */
void auth_request(struct server *srv, struct http_req *,
    void (*done)(
	struct server *, struct http_req *, const struct principal *who));

/* The users are loaded: tell the log what an administrator has to know. */
void auth_ready(struct auth *);

#endif
