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
struct oomkills;
struct querypool;
struct retention;
struct zones;

struct server {
	struct event_base *base;
	const struct conf *conf;
	struct http *http;
	struct auth *auth; /* NULL: security is off */
	struct catalogue *catalogue;
	struct jobs *jobs;
	struct querypool *queries;
	struct zones *zones; /* NULL: there is no zone data */
	struct retention *retention;
	struct oomkills *oom; /* NULL: kills for memory are not known */
	int64_t start_ms;
	uint32_t epoch;	       /* drawn at the start: see HELLO */
	bool stopping;	       /* SIGTERM was seen */
	bool upgrade_mode;     /* jobs rest, and none is opened */
	bool upgrade_stored;   /* what the keeper has of it */
	bool upgrade_changes;  /* a request to change that is under way */
	uint64_t tasks;	       /* the number of the last one */
	size_t inflight_bytes; /* bodies held here, of all uploads */
	bool disk_low;	       /* no data is taken in: diskroom.h */
	uint64_t disk_free_bytes;
	char node_id[23]; /* 22 characters, stable for a state directory */
	char node_name[65];
	char ephemeral_id[23];	/* the same, of this start */
	uint64_t memory_bytes;	/* of the machine */
	uint64_t max_open_jobs; /* as far as descriptors go */
	unsigned processors;	/* that this process may use */
	char cluster_uuid[23];
	char address[128]; /* of the first listener */
};

#endif
