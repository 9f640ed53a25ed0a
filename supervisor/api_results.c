/* Owns the requests for results: their options, checked, made a query. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/units.h"
#include "supervisor/api.h"
#include "supervisor/ask.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/options.h"
#include "supervisor/serieswish.h"
#include "supervisor/server.h"

#define PAGE_DEFAULT 100

struct result_options {
	int64_t timestamp_ms;
	int64_t start_ms;
	int64_t end_ms;
	double score;
	bool exclude_interim;
	bool expand;
	bool desc;
	int64_t from;
	int64_t size;
	const char *sort;
	struct serieswish series;
};

#define AT(member) offsetof(struct result_options, member)

/* clang-format off */
#define COMMON_OPTIONS(f)                                                 \
	{ "start", OPTION_DATE_MS, AT(start_ms), OPTION_NULL | (f) },     \
	{ "end", OPTION_DATE_MS, AT(end_ms), OPTION_NULL | (f) },         \
	{ "exclude_interim", OPTION_BOOL, AT(exclude_interim), (f) },     \
	{ "desc", OPTION_BOOL, AT(desc), (f) },                           \
	{ "sort", OPTION_STRING, AT(sort), (f) },                         \
	{ "from", OPTION_INT, AT(from), OPTION_PAGED | (f) },             \
	{ "size", OPTION_INT, AT(size), OPTION_PAGED | (f) }
/* clang-format on */

static const struct option bucket_options[] = {
	{ "timestamp", OPTION_DATE_MS, AT(timestamp_ms), 0 },
	{ "anomaly_score", OPTION_DOUBLE, AT(score), 0 },
	{ "expand", OPTION_BOOL, AT(expand), 0 },
	COMMON_OPTIONS(0),
};

static const struct option record_options[] = {
	{ "record_score", OPTION_DOUBLE, AT(score), 0 },
	COMMON_OPTIONS(0),
};

/* Clients of version 8 and 9 send the page in a body and the rest beside it. */
static const struct option influencer_options[] = {
	{ "influencer_score", OPTION_DOUBLE, AT(score), OPTION_BESIDE },
	COMMON_OPTIONS(OPTION_BESIDE),
};

/* Of the model plot and of annotations: which series. */
static const struct option series_options[] = {
	{ "start", OPTION_DATE_MS, AT(start_ms), OPTION_NULL },
	{ "end", OPTION_DATE_MS, AT(end_ms), OPTION_NULL },
	{ "desc", OPTION_BOOL, AT(desc), 0 },
	{ "sort", OPTION_STRING, AT(sort), 0 },
	{ "from", OPTION_INT, AT(from), OPTION_PAGED },
	{ "size", OPTION_INT, AT(size), OPTION_PAGED },
	SERIESWISH_OPTIONS(AT(series)),
};

static const struct option_table tables[] = {
	[QUERY_BUCKETS] = { "cluster:monitor/xpack/ml/job/results/buckets/get",
	    bucket_options, NELEM(bucket_options), false },
	[QUERY_RECORDS] = { "cluster:monitor/xpack/ml/job/results/records/get",
	    record_options, NELEM(record_options), false },
	[QUERY_INFLUENCERS] = { "cluster:monitor/xpack/ml/job/results/"
				"influencers/get",
	    influencer_options, NELEM(influencer_options), false },
	[QUERY_MODEL_PLOT] = { "cluster:monitor/xpack/ml/job/results/"
			       "model_plot/get",
	    series_options, NELEM(series_options), false },
	[QUERY_ANNOTATIONS] = { "cluster:monitor/xpack/ml/job/results/"
				"annotations/get",
	    series_options, NELEM(series_options), false },
};

/* One bucket is asked for: nothing that chooses among many may stand by it. */
static int
check_single(const struct options *os, const struct call *c, struct apierr *e)
{
	static const struct {
		const char *option, *shown;
	} rivals[] = { { "start", "start" }, { "end", "end" },
		{ "from", "from, size" }, { "size", "from, size" },
		{ "anomaly_score", "anomaly_score" } };

	for (size_t i = 0; i < NELEM(rivals); i++) {
		if (!options_given(os, rivals[i].option))
			continue;
		/* The path's timestamp is looked at behind the body. */
		if (c->item != NULL && c->body != NULL)
			return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
			    "Param [timestamp] is incompatible with "
			    "[from,size,start,end,anomaly_score]");
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Param [%s] is incompatible with [timestamp].",
		    rivals[i].shown);
	}
	return 0;
}

static void
free_texts(struct result_options *r)
{
	const char **text[] = { &r->sort, &r->series.by, &r->series.partition };

	for (size_t i = 0; i < NELEM(text); i++) {
		free((void *)(uintptr_t)*text[i]);
		*text[i] = NULL;
	}
}

/* Copies of them; free_texts. 0, or -1 with *e set, and there are none. */
static int
keep_texts(struct result_options *r, struct apierr *e)
{
	const char **text[] = { &r->sort, &r->series.by, &r->series.partition };
	bool failed = false;

	for (size_t i = 0; i < NELEM(text); i++) {
		if (*text[i] == NULL)
			continue;
		*text[i] = failed ? NULL : strdup(*text[i]);
		failed |= *text[i] == NULL;
	}
	if (!failed)
		return 0;
	free_texts(r);
	return apierr_set(e, 503, E_STATUS, "out of memory");
}

static int
results_read(struct call *c, enum query_kind kind, struct result_options *r,
    struct apierr *e)
{
	struct options os;
	int rc = options_read(&os, &tables[kind], c, r, e);

	if (rc == 0 && c->item != NULL)
		rc = units_date(
		    "timestamp", c->item, clock_wall_ms(), &r->timestamp_ms, e);
	if (rc == 0 && r->timestamp_ms != TIME_UNSET)
		rc = check_single(&os, c, e);
	if (rc == 0)
		rc = options_page(r->from, r->size, e);
	if (rc == 0)
		rc = serieswish_check(&os, &r->series, e);
	/* The body, which texts may point into, goes now. */
	if (rc == 0)
		rc = keep_texts(r, e);
	options_clear(&os);
	return rc;
}

static void
results_ask(struct call *c, enum query_kind kind, bool desc)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct result_options r = { .timestamp_ms = TIME_UNSET,
		.start_ms = TIME_UNSET,
		.end_ms = TIME_UNSET,
		.desc = desc,
		.size = PAGE_DEFAULT,
		.series = SERIESWISH_ANY };
	struct msg_query m = { .kind = (uint8_t)kind };
	struct apierr e;

	if (job == NULL) {
		call_no_such_job(c, c->job_id);
		return;
	}
	if (results_read(c, kind, &r, &e) == -1) {
		call_error(c, &e);
		return;
	}
	m.timestamp_ms = r.timestamp_ms;
	m.start_ms = r.start_ms;
	m.end_ms = r.end_ms;
	m.score = r.score;
	m.exclude_interim = r.exclude_interim;
	m.expand = r.expand;
	m.desc = r.desc;
	m.from = (uint32_t)r.from;
	m.size = (uint32_t)r.size;
	m.sort = span_of(r.sort);
	serieswish_put(&r.series, &m);
	ask_query(c, job, &m);
	free_texts(&r);
}

void
api_buckets(struct call *c)
{
	results_ask(c, QUERY_BUCKETS, false);
}

void
api_records(struct call *c)
{
	results_ask(c, QUERY_RECORDS, true);
}

void
api_influencers(struct call *c)
{
	results_ask(c, QUERY_INFLUENCERS, true);
}

void
api_model_plot(struct call *c)
{
	results_ask(c, QUERY_MODEL_PLOT, false);
}

void
api_annotations(struct call *c)
{
	results_ask(c, QUERY_ANNOTATIONS, false);
}
