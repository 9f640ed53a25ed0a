/* What the parts of the supervisor share: one of each, for its whole life. */
#ifndef SUPERVISOR_SERVER_H
#define SUPERVISOR_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

struct auth;
struct catalogue;
struct conf;
struct event_base;
struct http;
struct jobs;
struct querypool;

struct server {
	struct event_base *base;
	const struct conf *conf;
	struct http *http;
	struct auth *auth; /* NULL: security is off */
	struct catalogue *catalogue;
	struct jobs *jobs;
	struct querypool *queries;
	int64_t start_ms;
	bool stopping;	       /* SIGTERM was seen */
	size_t inflight_bytes; /* bodies held here, of all uploads */
	char node_id[23];      /* 22 characters, stable for a state directory */
	char node_name[65];
	char machine_memory[24]; /* bytes, in decimal digits */
	char cluster_uuid[23];
	char address[128]; /* of the first listener */
};

#endif
