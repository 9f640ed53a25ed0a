/*
 * The snapshots of a job as the API shows them: what their files say of
 * themselves, and what users say of them. The files are the truth; there is no
 * other list. Only heads are read, so a list is made in no time.
 */
#ifndef COMMON_SNAPLIST_H
#define COMMON_SNAPLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/snaphead.h"
#include "common/snapmeta.h"

struct json_object;

struct snapinfo {
	uint64_t seq; /* of its file */
	int64_t created_ms;
	char id[SNAPHEAD_ID_BYTES];
	char min_version[32 + 1];
	char *description; /* owned */
	uint64_t doc_count;
	int64_t latest_record_ms; /* TIME_UNSET: none */
	int64_t latest_result_ms; /* the same */
	struct model_size size;
	bool retain;
	bool described; /* by a user */
};

struct snaplist {
	struct snapinfo *item; /* owned; oldest first */
	size_t n;
};

/*
 * What a snapshot is shown as. meta may be NULL. 0, or -1 with ENOMEM;
 * snapinfo_clear after success.
 */
int snapinfo_init(struct snapinfo *, const struct snapshot_head *,
    const struct model_size *, const struct snapmeta *) MUST_CHECK;
void snapinfo_clear(struct snapinfo *);

/*
 * Read the heads of all snapshots of the job in job_dir; NULL: the current
 * directory. What cannot be read or is of another job is left out and logged.
 * Returns 0, or -1 with errno (logged). snaplist_clear in both cases.
 */
int snaplist_read(
    struct snaplist *, const char *job_dir, const char *job_id) MUST_CHECK;
void snaplist_clear(struct snaplist *);
/* NULL: there is none. */
struct snapinfo *snaplist_find(struct snaplist *, const char *id);

/* The API's document of one; the caller's. NULL: memory is out. */
struct json_object *snapinfo_json(const struct snapinfo *, const char *job_id);

#endif
