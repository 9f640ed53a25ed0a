/* Owns the copy of a query that outlives the message it came in. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "query/request.h"

static void
copy(char *dst, struct span s)
{
	memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
}

static bool
is_plain_name(const char *name)
{
	return strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
	    strcmp(name, "..") != 0;
}

static const char *const default_sort[] = {
	[QUERY_BUCKETS] = "timestamp",
	[QUERY_RECORDS] = "record_score",
	[QUERY_QUARANTINE] = "entry",
	[QUERY_SNAPSHOTS] = "timestamp",
	[QUERY_INFLUENCERS] = "influencer_score",
};

int
request_init(struct request *r, const struct msg_query *m)
{
	*r = (struct request){
		.kind = (enum query_kind)m->kind,
		.timestamp_ms = m->timestamp_ms,
		.start_ms = m->start_ms,
		.end_ms = m->end_ms == TIME_UNSET ? INT64_MAX : m->end_ms,
		.score = m->score > 0.0 ? m->score : -INFINITY,
		.exclude_interim = m->exclude_interim,
		.expand = m->expand,
		.desc = m->desc,
		.pretty = m->pretty,
		.human = m->human,
		.yaml = m->yaml,
		.from = m->from,
		.size = m->size,
	};
	copy(r->job_id, m->job_id);
	copy(r->directory, m->directory);
	copy(r->ids, m->ids);
	if (!is_plain_name(r->directory)) {
		errno = EBADMSG;
		return -1;
	}
	if (m->sort.len > 0)
		copy(r->sort, m->sort);
	else
		strlcpy(r->sort, default_sort[r->kind], sizeof(r->sort));
	if (m->filter_path.len == 0)
		return 0;
	r->filter_path = span_dup(m->filter_path);
	return r->filter_path == NULL ? -1 : 0;
}

void
request_clear(struct request *r)
{
	free(r->filter_path);
	r->filter_path = NULL;
}
