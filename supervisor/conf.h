/*
 * The daemon's configuration: one table of keys serves the file, the command
 * line, the checks and the printing back. anomd.conf(5) describes each key.
 */
#ifndef SUPERVISOR_CONF_H
#define SUPERVISOR_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/compat.h"

struct conf_list {
	char **item; /* owned; NULL-terminated, NULL when empty */
	size_t n;
	bool is_default;
};

struct conf {
	struct conf_list listen;
	char *state_dir; /* owned, absolute */
	char *libexec_dir;
	uint64_t max_body_bytes;
	uint64_t max_head_bytes;
	uint64_t max_inflight_bytes;
	uint64_t min_free_bytes; /* on the disk of state_dir: keeper/room.h */
	uint64_t reserve_bytes;
	uint64_t max_model_memory_bytes; /* of one job; 0: no limit */
	uint64_t max_connections;
	uint64_t max_query_processes;
	uint64_t max_opening; /* 0: as many as there are processors */
	uint64_t head_timeout_s;
	uint64_t body_timeout_s;
	uint64_t idle_timeout_s;
	uint64_t watchdog_timeout_s;
	uint64_t max_restart_delay_s;
	uint64_t stop_timeout_s;
	uint64_t interim_interval_s; /* 0: none by themselves */
	struct conf_list allowed_hosts;
	struct conf_list allowed_origins;
	uint64_t default_results_retention_days; /* of results; 0: for ever */
	uint64_t journal_quota_bytes;		 /* of one job; 0: no limit */
	int journal_sync;			 /* enum sync_policy */
	int log_level;				 /* enum log_level */
	char *reported_version;
	char *cluster_name;
	bool deprecation_warnings;
	bool security; /* who asks must be known, and allowed to */
	bool insecure;
};

/* Defaults. NULL with ENOMEM. */
struct conf *conf_new(void);
void conf_free(struct conf *);

/*
 * Read a file. Each fault is logged as file:line: text. Returns 0, or -1 when
 * there was any; a file that is not there is a fault unless optional.
 */
int conf_read(struct conf *, const char *path, bool optional) MUST_CHECK;

/* One key=value of the command line. Returns 0, or -1 (logged). */
int conf_set_option(struct conf *, const char *option) MUST_CHECK;

/* What no single key can show. Returns 0, or -1 (logged). */
int conf_check(const struct conf *) MUST_CHECK;

/* Is the version that clients are told at least this one? */
bool conf_reports(const struct conf *, long major, long minor);

/* Print in a form that conf_read takes. */
void conf_print(const struct conf *, FILE *);

#endif
