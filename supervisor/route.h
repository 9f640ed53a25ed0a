/*
 * The route table: path and method to handler, with the parameters, body and
 * privilege of each route.
 */
#ifndef SUPERVISOR_ROUTE_H
#define SUPERVISOR_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/compat.h"

struct call;
struct http_req;

/* What a caller must be allowed to, when security is on. */
enum privilege {
	PRIV_MONITOR,
	PRIV_MONITOR_ML,
	PRIV_MANAGE_ML,
	PRIV_AUTHENTICATED, /* to be known is enough */
	PRIV_OWN_KEYS,
	PRIV_SECURITY, /* users, and the keys of all */
};

enum route_body {
	ROUTE_NO_BODY, /* one that comes is read and ignored */
	ROUTE_JSON,    /* may have one; call->body */
	ROUTE_JSON_NEEDED,
	ROUTE_DATA, /* the handler streams it */
};

struct route {
	const char *name; /* as clients call it: "ml.put_job" */
	unsigned methods; /* enum http_method bits */
	/* {job_id} and {item} are variables; {ml} at its start: any base. */
	const char *path;
	const char *params; /* comma list */
	enum privilege privilege;
	const char *action; /* as the peer names it, for refusals and logs */
	enum route_body body;
	void (*handle)(struct call *);
};

struct route_match {
	const struct route *route; /* NULL: no route takes the method */
	unsigned allowed;	   /* methods of the path; 0: unknown path */
	bool old_path;
	const char *job_id; /* in the path, still encoded */
	size_t job_id_len;
	const char *item;
	size_t item_len;
};

/* Find the route of a raw path. Never fails; see the fields of the match. */
void route_find(const char *path, unsigned method, struct route_match *);

/* To walk the table: the i-th route, NULL past the last one. */
const struct route *route_at(size_t i);
/*
 * Does its path take a list of jobs? It is answered for those that the caller
 * may see. On any other route a name in the path is one job's.
 */
bool route_takes_list(const struct route *);
/* The table, for people and tests: a line for each method, tabs between. */
void route_print(FILE *);

/* The on_head of the HTTP side; arg is the server. */
void route_request(struct http_req *, void *arg);

#endif
