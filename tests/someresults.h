/* Results for tests: buckets and records that differ where it matters. */
#ifndef TESTS_SOMERESULTS_H
#define TESTS_SOMERESULTS_H

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/results.h"
#include "tests/tmpdir.h"
#include "worker/results.h"

#define SPAN_MS INT64_C(300000)
#define T0 INT64_C(1700000100000) /* a bucket start */

static inline struct span
text(const char *s)
{
	return (struct span){ s, strlen(s) };
}

static inline struct bucket_result
some_bucket(int64_t timestamp_ms, double score)
{
	return (struct bucket_result){
		.timestamp_ms = timestamp_ms,
		.bucket_span_s = SPAN_MS / 1000,
		.anomaly_score = score,
		.initial_anomaly_score = score,
		.event_count = 10,
		.processing_time_ms = 1,
		.ninfluencers = 1,
		.influencer = { { "bucket_time", score, score, 1.5, 0.25 } },
	};
}

static inline struct record_result
some_record(int64_t timestamp_ms, double score, double probability)
{
	return (struct record_result){
		.timestamp_ms = timestamp_ms,
		.bucket_span_s = SPAN_MS / 1000,
		.probability = probability,
		.multi_bucket_impact = -5,
		.record_score = score,
		.initial_record_score = score,
		.function = "mean",
		.function_description = "mean",
		.field_name = "responsetime",
		.nvalues = 1,
		.typical = { 100.5 },
		.actual = { 200 },
	};
}

static inline struct influencer_result
some_influencer(int64_t timestamp_ms, double score, const char *value)
{
	return (struct influencer_result){
		.timestamp_ms = timestamp_ms,
		.bucket_span_s = SPAN_MS / 1000,
		.probability = 0.001,
		.influencer_score = score,
		.initial_influencer_score = score,
		.field_name = "host",
		.field_value = text(value),
	};
}

/* A writer in the directory "j.1" of the current one, made when needed. */
struct writer {
	struct results *results;
	struct result_sink sink;
	uint64_t seq;
};

static inline void
writer_open(struct writer *w)
{
	memset(w, 0, sizeof(*w));
	w->results = results_new();
	cr_assert_not_null(w->results);
	results_sink(w->results, &w->sink);
}

static inline void
writer_record(struct writer *w, const struct record_result *r)
{
	cr_assert_eq(w->sink.record(w->sink.arg, r), 0);
}

static inline void
writer_influencer(struct writer *w, const struct influencer_result *r)
{
	cr_assert_eq(w->sink.influencer(w->sink.arg, r), 0);
}

static inline void
writer_bucket(struct writer *w, const struct bucket_result *b)
{
	cr_assert_eq(w->sink.bucket(w->sink.arg, b), 0);
}

/* With one record. */
static inline void
write_bucket(struct writer *w, int64_t ms, double score, bool interim)
{
	struct record_result r = some_record(ms, score, 0.01);
	struct bucket_result b = some_bucket(ms, score);

	r.is_interim = b.is_interim = interim;
	writer_record(w, &r);
	writer_bucket(w, &b);
}

static inline void
drop_interim(struct writer *w, int64_t from_ms)
{
	int more;

	while ((more = w->sink.drop_interim(w->sink.arg, from_ms)) == 1)
		;
	cr_assert_eq(more, 0);
}

static inline void
writer_commit(struct writer *w)
{
	cr_assert_eq(results_commit(w->results, ++w->seq, false), 0);
}

static inline void
writer_close(struct writer *w)
{
	results_free(w->results);
}

/* The directory of all jobs, entered one level down: that of job "j". */
static inline void
job_enter(char *jobs_dir)
{
	tmpdir_enter(jobs_dir);
	cr_assert_eq(mkdir("j.1", 0700), 0);
	cr_assert_eq(mkdir("j.1/results", 0700), 0);
	cr_assert_eq(chdir("j.1"), 0);
}

static inline void
job_leave(const char *jobs_dir)
{
	cr_assert_eq(chdir("/"), 0);
	tmpdir_purge(jobs_dir);
}

#endif
