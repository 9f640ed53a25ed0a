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
	return name[0] != '\0' && strchr(name, '/') == NULL &&
	    strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* What overall buckets need. 0, or -1 with errno. */
static int
take_overall(struct request *r, const struct msg_query *m)
{
	if (r->top_n == 0 || r->span_ms == 0 || r->bucket_span_ms == 0) {
		errno = EBADMSG;
		return -1;
	}
	r->jobs = joblist_parse(m->jobs.p, m->jobs.len, &r->njobs);
	return r->jobs == NULL ? -1 : 0;
}

static int
take_directory(struct request *r, const struct msg_query *m)
{
	copy(r->directory, m->directory);
	if (is_plain_name(r->directory))
		return 0;
	errno = EBADMSG;
	return -1;
}

static const char *const default_sort[] = {
	[QUERY_BUCKETS] = "timestamp",
	[QUERY_RECORDS] = "record_score",
	[QUERY_QUARANTINE] = "entry",
	[QUERY_SNAPSHOTS] = "timestamp",
	[QUERY_INFLUENCERS] = "influencer_score",
	[QUERY_OVERALL] = "timestamp",
	[QUERY_MODEL_PLOT] = "timestamp",
	[QUERY_ANNOTATIONS] = "timestamp",
	[QUERY_FORECAST] = "timestamp",
};

static int
take_text(char **dst, bool given, struct span s)
{
	if (!given)
		return 0;
	*dst = span_dup(s);
	return *dst == NULL ? -1 : 0;
}

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
		.top_n = m->top_n,
		.span_ms = m->span_ms,
		.bucket_span_ms = m->bucket_span_ms,
		.detector = m->detector,
	};
	copy(r->job_id, m->job_id);
	copy(r->ids, m->ids);
	if ((r->kind == QUERY_OVERALL ? take_overall(r, m)
				      : take_directory(r, m)) == -1)
		return -1;
	if (m->sort.len > 0)
		copy(r->sort, m->sort);
	else
		strlcpy(r->sort, default_sort[r->kind], sizeof(r->sort));
	if (take_text(
		&r->filter_path, m->filter_path.len > 0, m->filter_path) == 0 &&
	    take_text(&r->by_value, m->by_given, m->by_value) == 0 &&
	    take_text(&r->partition_value, m->partition_given,
		m->partition_value) == 0)
		return 0;
	request_clear(r);
	return -1;
}

void
request_clear(struct request *r)
{
	free(r->filter_path);
	r->filter_path = NULL;
	free(r->by_value);
	r->by_value = NULL;
	free(r->partition_value);
	r->partition_value = NULL;
	free(r->jobs);
	r->jobs = NULL;
}
