/* Owns the requests for overall buckets: their jobs and options, a query. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "common/joblist.h"
#include "common/jsonmake.h"
#include "common/units.h"
#include "supervisor/api.h"
#include "supervisor/ask.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/jobexpr.h"
#include "supervisor/options.h"
#include "supervisor/server.h"

#define NS_PER_MS INT64_C(1000000)

struct overall_options {
	int64_t top_n;
	int64_t bucket_span_ms; /* TIME_UNSET: the longest of the jobs */
	double score;
	bool exclude_interim;
	int64_t start_ms;
	int64_t end_ms;
	bool allow_no_match;
	bool allow_no_jobs;
};

#define AT(member) offsetof(struct overall_options, member)
static const struct option overall_options[] = {
	{ "top_n", OPTION_INT, AT(top_n), 0 },
	{ "bucket_span", OPTION_DURATION, AT(bucket_span_ms), 0 },
	{ "overall_score", OPTION_DOUBLE, AT(score), 0 },
	{ "exclude_interim", OPTION_BOOL, AT(exclude_interim), 0 },
	{ "start", OPTION_DATE_MS, AT(start_ms), 0 },
	{ "end", OPTION_DATE_MS, AT(end_ms), 0 },
	{ "allow_no_match", OPTION_BOOL, AT(allow_no_match), 0 },
	{ "allow_no_jobs", OPTION_BOOL, AT(allow_no_jobs), 0 },
};
#undef AT

static const struct option_table overall_table = {
	"cluster:monitor/xpack/ml/job/results/overall_buckets/get",
	overall_options, NELEM(overall_options), false
};

static int
options_of(struct call *c, struct overall_options *opts, struct apierr *e)
{
	struct options os;
	int rc = options_read(&os, &overall_table, c, opts, e);

	options_clear(&os);
	if (rc == -1)
		return -1;
	if (opts->top_n <= 0)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[topN] parameter must be positive, found [%jd]",
		    (intmax_t)opts->top_n);
	return 0;
}

/* Which of n jobs, at least one, has the longest buckets. */
static const struct jobconf *
longest_span(struct job *const *list, long n)
{
	const struct jobconf *max = list[0]->conf;

	for (long i = 1; i < n; i++)
		if (list[i]->conf->bucket_span_s > max->bucket_span_s)
			max = list[i]->conf;
	return max;
}

/* The bucket span as it was configured. */
static const char *
span_text(const struct jobconf *conf)
{
	struct json_object *analysis = NULL, *span = NULL;

	json_object_object_get_ex(conf->json, "analysis_config", &analysis);
	json_object_object_get_ex(analysis, "bucket_span", &span);
	return json_object_get_string(span);
}

static int
check_span(const struct overall_options *opts, const struct jobconf *max,
    struct apierr *e)
{
	char text[UNITS_DURATION_BYTES];

	if (opts->bucket_span_ms < max->bucket_span_s * 1000)
		return apierr_set(e, 400, E_STATUS,
		    "Param [bucket_span] must be greater or equal to the max "
		    "bucket_span [%s]",
		    span_text(max));
	/* What is longer has been cut to this. */
	if (opts->bucket_span_ms >= MSG_SPAN_MS_MAX)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[bucket_span] cannot be longer than [%jds]",
		    (intmax_t)(MSG_SPAN_MS_MAX / 1000));
	if (opts->bucket_span_ms % 1000 == 0)
		return 0;
	units_print_duration(text, opts->bucket_span_ms * NS_PER_MS);
	return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
	    "bucket_span has to be a multiple of 1s; actual was '%s'", text);
}

/*
 * The length of the windows in which scores meet, and of the buckets that
 * windows are put together to. With the greatest score alone, or one job, the
 * API has them the same, which saves the second step.
 */
static int
spans_choose(const struct overall_options *opts, struct job *const *list,
    long n, struct msg_query *m, struct apierr *e)
{
	const struct jobconf *max = longest_span(list, n);

	m->span_ms = m->bucket_span_ms = max->bucket_span_s * 1000;
	if (opts->bucket_span_ms == TIME_UNSET)
		return 0;
	if (check_span(opts, max, e) == -1)
		return -1;
	m->bucket_span_ms = opts->bucket_span_ms;
	if (opts->top_n == 1 || n == 1)
		m->span_ms = opts->bucket_span_ms;
	return 0;
}

static int
jobs_put(struct wbuf *wb, struct job *const *list, long n, struct apierr *e)
{
	wbuf_init(wb, MSG_JOBS_MAX);
	for (long i = 0; i < n; i++) {
		if (joblist_put(wb, list[i]->id, list[i]->incarnation) == 0)
			continue;
		if (wb->len + JOBLIST_DIRECTORY_BYTES <= MSG_JOBS_MAX)
			return apierr_set(e, 503, E_STATUS, "out of memory");
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[%ld] jobs are too many for one request: the first [%ld] "
		    "would fit; name fewer in [job_id]",
		    n, i);
	}
	return 0;
}

static void
overall_ask(struct call *c, const struct overall_options *opts,
    struct job *const *list, long n)
{
	struct msg_query m = { .kind = QUERY_OVERALL,
		.timestamp_ms = TIME_UNSET };
	struct apierr e;
	struct wbuf wb;

	wbuf_init(&wb, 0);
	if (spans_choose(opts, list, n, &m, &e) == -1 ||
	    jobs_put(&wb, list, n, &e) == -1) {
		wbuf_clear(&wb);
		call_error(c, &e);
		return;
	}
	m.jobs = (struct span){ (const char *)wb.data, wb.len };
	m.start_ms = opts->start_ms;
	m.end_ms = opts->end_ms;
	m.score = opts->score;
	m.exclude_interim = opts->exclude_interim;
	m.top_n = (uint32_t)opts->top_n;
	ask_query(c, NULL, &m);
	wbuf_clear(&wb);
}

/* No job is meant. */
static void
reply_nothing(struct call *c)
{
	struct json_object *o = json_object_new_object();

	jsonmake_int(&o, "count", 0);
	jsonmake_add(&o, "overall_buckets", json_object_new_array());
	call_reply(c, 200, o);
}

void
api_overall_buckets(struct call *c)
{
	struct overall_options opts = { .top_n = 1,
		.bucket_span_ms = TIME_UNSET,
		.start_ms = TIME_UNSET,
		.end_ms = TIME_UNSET,
		.allow_no_match = true,
		.allow_no_jobs = true };
	struct job **list = NULL;
	struct apierr e;
	long n = -1;

	if (options_of(c, &opts, &e) == 0)
		n = jobexpr_expand(c->srv->jobs, c, c->job_id,
		    opts.allow_no_match && opts.allow_no_jobs, &list, &e);
	if (n == -1)
		call_error(c, &e);
	else if (n == 0)
		reply_nothing(c);
	else
		overall_ask(c, &opts, list, n);
	free(list);
}
