/* A query as it was asked, with memory of its own. */
#ifndef QUERY_REQUEST_H
#define QUERY_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/joblist.h"
#include "common/msg.h"

struct request {
	enum query_kind kind;
	char job_id[MSG_ID_MAX + 1];
	char directory[256 + 1]; /* one name below "jobs" */
	char sort[256 + 1];	 /* never empty */
	char ids[1024 + 1];	 /* of snapshots; empty: all */
	char *filter_path;	 /* owned; NULL: everything */
	uint32_t detector;	 /* index and 1; 0: any */
	char *by_value;		 /* owned; NULL: any */
	char *partition_value;	 /* owned; NULL: any */
	int64_t timestamp_ms;	 /* one bucket; TIME_UNSET: a list */
	int64_t start_ms;	 /* included; INT64_MIN: from the first */
	int64_t end_ms;		 /* excluded; INT64_MAX: to the last */
	double score;		 /* least; -INFINITY: all */
	bool exclude_interim;
	bool expand;
	bool desc;
	bool pretty;
	bool human;
	bool yaml;
	uint32_t from;
	uint32_t size;
	/* Of overall buckets, which name no job and directory: */
	uint32_t top_n;		/* at least 1 */
	int64_t span_ms;	/* of the windows, more than 0 */
	int64_t bucket_span_ms; /* of the overall buckets */
	size_t njobs;
	struct joblist_entry *jobs; /* owned */
};

/*
 * 0, or -1 with EBADMSG (directory is not a plain name, or overall buckets lack
 * what they need) or ENOMEM.
 */
int request_init(struct request *, const struct msg_query *) MUST_CHECK;
void request_clear(struct request *);

#endif
