/* Options of requests, from the query and from a body. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "tests/supervisor_fixture.h"

#define BUCKETS "/_ml/anomaly_detectors/j/results/buckets"
#define RECORDS "/_ml/anomaly_detectors/j/results/records"
#define FLUSH "/_ml/anomaly_detectors/j/_flush"
#define CLOSE "/_ml/anomaly_detectors/j/_close"
#define OPEN "/_ml/anomaly_detectors/j/_open"

/* path, body or NULL, and what the answer of 400 says */
struct refusal {
	const char *path;
	const char *body;
	const char *says;
};

static void
expect_refused(const struct refusal *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sv_expect(
		    sv_talk("POST", r[i].path, r[i].body), 400, r[i].says);
}

/* The query that a request became. */
static void
expect_query(const char *path, const char *body, struct msg_query *m)
{
	int fd = sv_ask("POST", path, body);
	struct child *c = fake_last(SV_QUERY);
	struct msg_query_end end = { .bytes = 2 };
	uint32_t request;

	cr_assert_not_null(c, "%s was not asked: %s", path, fx_hear(fd));
	if (sv.queries != NULL && fake_next(c) == MSG_HELLO) {
		struct msg_ready ready = { .version = MSG_VERSION };

		fake_say(c, MSG_READY, 0, &ready);
		cr_assert_eq(fake_next(c), MSG_QUERY);
	}
	cr_assert_eq(c->head.type, MSG_QUERY);
	fake_decode(c, m);
	request = c->head.request;
	fake_say_raw(c, MSG_QUERY_PART, request, "{}", 2);
	fake_say(c, MSG_QUERY_END, request, &end);
	sv_expect(fx_hear(fd), 200, "{}");
	close(fd);
}

Test(options, unknown_fields_are_named_with_their_place_and_the_near_miss)
{
	static const struct refusal cases[] = {
		{ BUCKETS, "{\n  \"expnad\":true}",
		    "[2:3] [cluster:monitor/xpack/ml/job/results/buckets/get] "
		    "unknown field [expnad] did you mean [expand]?" },
		{ BUCKETS, "{\"size\":3}", "unknown field [size]\"" },
		{ BUCKETS, "{\"page\":{\"sise\":1}}",
		    "[1:10] [page] unknown field [sise] did you mean [size]?" },
		{ RECORDS, "{\"expand\":true}",
		    "[1:2] [cluster:monitor/xpack/ml/job/results/records/get] "
		    "unknown field [expand]" },
		{ FLUSH, "{\"calc_interm\":true}",
		    "[1:2] [cluster:admin/xpack/ml/job/flush] unknown field "
		    "[calc_interm] did you mean [calc_interim]?" },
		{ CLOSE, "{ \"forc\":true}",
		    "[1:3] [cluster:admin/xpack/ml/job/close] unknown field "
		    "[forc] did you mean [force]?" },
	};

	sv_start();
	sv_job("j", NULL);
	expect_refused(cases, NELEM(cases));
	sv_end();
}

Test(options, wrong_types_are_named_with_their_place_and_token)
{
	static const struct refusal cases[] = {
		{ BUCKETS, "{\"expand\":1}",
		    "[1:11] [cluster:monitor/xpack/ml/job/results/buckets/get] "
		    "expand doesn't support values of type: VALUE_NUMBER" },
		{ BUCKETS, "{\"start\":[1]}",
		    "start doesn't support values of type: START_ARRAY" },
		{ BUCKETS, "{\"timestamp\":null}",
		    "timestamp doesn't support values of type: VALUE_NULL" },
		{ BUCKETS, "{\"page\":3}",
		    "page doesn't support values of type: VALUE_NUMBER" },
		{ BUCKETS, "{\"page\":{\"size\":{}}}",
		    "[page] size doesn't support values of type: "
		    "START_OBJECT" },
		{ RECORDS, "{\"sort\":7}",
		    "sort doesn't support values of type: VALUE_NUMBER" },
		{ FLUSH, "{\"advance_time\":true}",
		    "advance_time doesn't support values of type: "
		    "VALUE_BOOLEAN" },
		{ CLOSE, "{\"timeout\":30}",
		    "timeout doesn't support values of type: VALUE_NUMBER" },
		{ BUCKETS, "[]", "Expected START_OBJECT but was: START_ARRAY" },
	};

	sv_start();
	sv_job("j", NULL);
	expect_refused(cases, NELEM(cases));
	sv_end();
}

Test(options, broken_json_is_refused_with_its_place)
{
	static const struct refusal cases[] = {
		{ BUCKETS, "{\"expand\":tru}", "[1:11] Unexpected character" },
		{ FLUSH, "{", "[1:2] Unexpected end of input" },
		{ CLOSE, "{} {}", "[1:4] Unexpected character" },
	};

	sv_start();
	sv_job("j", NULL);
	expect_refused(cases, NELEM(cases));
	sv_end();
}

Test(options, values_out_of_range_are_refused)
{
	static const struct refusal cases[] = {
		{ BUCKETS "?from=-1", NULL, "Parameter [from] cannot be < 0" },
		{ BUCKETS, "{\"page\":{\"from\":-1}}",
		    "Parameter [from] cannot be < 0" },
		{ RECORDS, "{\"page\":{\"size\":-1}}",
		    "Parameter [size] cannot be < 0" },
		{ BUCKETS "?from=9901", NULL,
		    "Result window is too large, from + size must be less than "
		    "or equal to: [10000] but was [10001]" },
		{ RECORDS, "{\"page\":{\"from\":1,\"size\":10000}}",
		    "or equal to: [10000] but was [10001]" },
		{ BUCKETS "?from=2147483647&size=2147483647", NULL,
		    "but was [4294967294]" },
		{ BUCKETS "?size=x", NULL,
		    "Failed to parse int parameter [size] with value [x]" },
		{ BUCKETS, "{\"expand\":\"yes\"}",
		    "failed to parse field [expand]" },
		{ BUCKETS, "{\"start\":\"soon\"}",
		    "\"reason\":\"Query param [start] with value [soon] cannot "
		    "be parsed as a date or converted to a number (epoch).\"" },
		{ BUCKETS "?anomaly_score=nan", NULL,
		    "Failed to parse double parameter [anomaly_score]" },
	};

	sv_start();
	sv_job("j", NULL);
	expect_refused(cases, NELEM(cases));
	sv_end();
}

Test(options, one_bucket_stands_alone)
{
	static const struct refusal cases[] = {
		{ BUCKETS "/1403481600000?start=1", NULL,
		    "Param [start] is incompatible with [timestamp]." },
		{ BUCKETS "/1403481600000?end=1", NULL,
		    "Param [end] is incompatible with [timestamp]." },
		{ BUCKETS "/1403481600000?size=1", NULL,
		    "Param [from, size] is incompatible with [timestamp]." },
		{ BUCKETS "?timestamp=1403481600000&anomaly_score=1", NULL,
		    "Param [anomaly_score] is incompatible with "
		    "[timestamp]." },
		{ BUCKETS, "{\"timestamp\":\"1\",\"page\":{\"from\":0}}",
		    "Param [from, size] is incompatible with [timestamp]." },
		{ BUCKETS "/1403481600000", "{\"start\":\"1\"}",
		    "Param [timestamp] is incompatible with "
		    "[from,size,start,end,anomaly_score]" },
	};
	struct msg_query m;

	sv_start();
	sv_job("j", NULL);
	expect_refused(cases, NELEM(cases));
	expect_query(
	    BUCKETS "/1403481600000?expand&exclude_interim=true", NULL, &m);
	cr_expect_eq(m.timestamp_ms, 1403481600000);
	cr_expect(m.expand);
	cr_expect(m.exclude_interim);
	sv_end();
}

Test(options, a_body_wins_as_a_whole)
{
	static const struct refusal cases[] = {
		{ BUCKETS "?size=5", "{\"desc\":true}",
		    "request [/_ml/anomaly_detectors/j/results/buckets] "
		    "contains unrecognized parameter: [size]\"" },
		{ CLOSE "?force=true&timeout=1m", "{\"force\":true}",
		    "contains unrecognized parameters: [force], [timeout]\"" },
		{ FLUSH "?calc_interim=true", "{\"skip_time\":\"1\"}",
		    "contains unrecognized parameter: [calc_interim]\"" },
	};
	struct msg_query m;

	sv_start();
	sv_job("j", NULL);
	expect_refused(cases, NELEM(cases));
	expect_query(BUCKETS "?pretty&human=true", "{\"desc\":true}", &m);
	cr_expect(m.desc);
	cr_expect(m.pretty);
	cr_expect_eq(m.size, 100);
	/* One without members says nothing. */
	expect_query(BUCKETS "?size=5", "{}", &m);
	cr_expect_eq(m.size, 5);
	sv_end();
}

Test(options, query_and_body_say_the_same)
{
	struct msg_query m;

	sv_start();
	sv_job("j", NULL);
	expect_query(RECORDS "?from=3&size=7&start=1403481600&end="
			     "2014-06-23T02:00:00Z&sort=probability&desc=false"
			     "&record_score=12.5&exclude_interim",
	    NULL, &m);
	cr_expect_eq(m.kind, QUERY_RECORDS);
	cr_expect_eq(m.from, 3);
	cr_expect_eq(m.size, 7);
	cr_expect_eq(m.start_ms, 1403481600000);
	cr_expect_eq(m.end_ms, 1403488800000);
	cr_expect(span_eq(m.sort, "probability"));
	cr_expect_not(m.desc);
	cr_expect_eq(m.score, 12.5);
	cr_expect(m.exclude_interim);
	expect_query(RECORDS,
	    "{\"job_id\":\"j\",\"page\":{\"from\":3,\"size\":\"7\"},"
	    "\"start\":1403481600,\"end\":\"2014-06-23T02:00:00Z\","
	    "\"sort\":\"probability\",\"desc\":false,\"record_score\":12.5,"
	    "\"exclude_interim\":\"true\"}",
	    &m);
	cr_expect_eq(m.from, 3);
	cr_expect_eq(m.size, 7);
	cr_expect_eq(m.start_ms, 1403481600000);
	cr_expect_eq(m.end_ms, 1403488800000);
	cr_expect(span_eq(m.sort, "probability"));
	cr_expect_not(m.desc);
	cr_expect_eq(m.score, 12.5);
	cr_expect(m.exclude_interim);
	sv_end();
}

#define OVERALL "/_ml/anomaly_detectors/_all/results/overall_buckets"

static void
expect_overall(const struct msg_query *m, uint32_t top_n, int64_t span_ms,
    int64_t bucket_span_ms)
{
	static const uint8_t jobs[] = "\001j\0\0\0\0\0\0\0\1"
				      "\001k\0\0\0\0\0\0\0\1";

	cr_expect_eq(m->kind, QUERY_OVERALL);
	cr_expect_eq(m->job_id.len, 0);
	cr_expect_eq(m->top_n, top_n);
	cr_expect_eq(m->span_ms, span_ms);
	cr_expect_eq(m->bucket_span_ms, bucket_span_ms);
	cr_assert_eq(m->jobs.len, sizeof(jobs) - 1);
	cr_expect_arr_eq(m->jobs.p, jobs, sizeof(jobs) - 1);
}

/* Windows are as long as the buckets for one job or score. */
Test(options, overall_buckets_are_asked_of_all_jobs_in_one_query)
{
	struct msg_query m;

	sv_start();
	sv_job("j", NULL)->incarnation = 1;
	sv_job("k", NULL)->incarnation = 1;
	expect_query(OVERALL, NULL, &m);
	expect_overall(&m, 1, 300000, 300000);
	cr_expect_eq(m.start_ms, TIME_UNSET);
	cr_expect_eq(m.end_ms, TIME_UNSET);
	cr_expect_eq(m.score, 0);
	cr_expect_not(m.exclude_interim);
	expect_query(OVERALL "?bucket_span=1h&start=1403481600&end="
			     "2014-06-23T02:00:00Z&overall_score=12.5"
			     "&exclude_interim",
	    NULL, &m);
	expect_overall(&m, 1, 3600000, 3600000);
	cr_expect_eq(m.start_ms, 1403481600000);
	cr_expect_eq(m.end_ms, 1403488800000);
	cr_expect_eq(m.score, 12.5);
	cr_expect(m.exclude_interim);
	expect_query(OVERALL,
	    "{\"job_id\":\"_all\",\"top_n\":2,\"bucket_span\":\"1h\","
	    "\"start\":1403481600,\"end\":\"2014-06-23T02:00:00Z\","
	    "\"overall_score\":12.5,\"exclude_interim\":true}",
	    &m);
	expect_overall(&m, 2, 300000, 3600000);
	cr_expect_eq(m.start_ms, 1403481600000);
	cr_expect_eq(m.end_ms, 1403488800000);
	cr_expect_eq(m.score, 12.5);
	cr_expect(m.exclude_interim);
	sv_end();
}

Test(options, overall_buckets_have_limits)
{
	static const struct refusal cases[] = {
		{ OVERALL "?top_n=0", NULL,
		    "[topN] parameter must be positive, found [0]" },
		{ OVERALL, "{\"top_n\":-2147483648}",
		    "[topN] parameter must be positive, found [-2147483648]" },
		{ OVERALL "?top_n=2147483648", NULL,
		    "Failed to parse int parameter [top_n] with value "
		    "[2147483648]" },
		{ OVERALL "?bucket_span=299999ms", NULL,
		    "Param [bucket_span] must be greater or equal to the max "
		    "bucket_span [5m]" },
		{ OVERALL "?bucket_span=-1", NULL, "max bucket_span [5m]" },
		{ OVERALL "?bucket_span=300001ms", NULL,
		    "bucket_span has to be a multiple of 1s; actual was "
		    "'300001ms'" },
		{ OVERALL "?bucket_span=x", NULL, "[x]" },
		{ OVERALL "?bucket_span=999999999d", NULL,
		    "[bucket_span] cannot be longer than [9223372036s]" },
		{ OVERALL "?start=x", NULL, "parse_exception" },
	};
	struct msg_query m;

	sv_start();
	sv_expect(sv_talk("GET", OVERALL "?bucket_span=1s", NULL), 200,
	    "{\"count\":0,\"overall_buckets\":[]}");
	sv_job("j", NULL)->incarnation = 1;
	sv_job("k", NULL)->incarnation = 1;
	expect_refused(cases, NELEM(cases));
	/* As long as a duration can be. */
	expect_query(OVERALL "?bucket_span=100000d&top_n=2147483647", NULL, &m);
	expect_overall(&m, INT32_MAX, 300000, INT64_C(8640000000000));
	sv_end();
}

Test(options, null_dates_are_unset_and_of_duplicates_the_last_stands)
{
	struct msg_query m;

	sv_start();
	sv_job("j", NULL);
	expect_query(BUCKETS,
	    "{\"start\":null,\"end\":null,\"page\":{\"size\":1},"
	    "\"page\":{\"size\":2,\"size\":0}}",
	    &m);
	cr_expect_eq(m.start_ms, TIME_UNSET);
	cr_expect_eq(m.end_ms, TIME_UNSET);
	cr_expect_eq(m.from, 0);
	cr_expect_eq(m.size, 0);
	cr_expect(m.desc == false);
	expect_query(RECORDS, "{\"end\":null}", &m);
	cr_expect(m.desc);
	cr_expect_eq(m.size, 100);
	sv_end();
}

Test(options, flush_checks_its_dates_in_order)
{
	static const struct refusal cases[] = {
		{ FLUSH "?start=x&advance_time=y", NULL,
		    "Query param [start] with value [x]" },
		{ FLUSH "?calc_interim=true&start=20&end=10", NULL,
		    "Invalid time range: end time '10' is earlier than start "
		    "time '20'." },
		{ FLUSH "?start=10&advance_time=y", NULL,
		    "Invalid flush parameters: unexpected 'start'." },
		{ FLUSH, "{\"end\":\"10\"}",
		    "Invalid flush parameters: unexpected 'end'." },
		{ FLUSH, "{\"calc_interim\":true,\"end\":\"10\"}",
		    "Invalid flush parameters: 'start' has not been "
		    "specified." },
		{ FLUSH "?advance_time=y&skip_time=z", NULL,
		    "Query param [advance_time] with value [y]" },
		{ FLUSH "?advance_time=7&skip_time=7", NULL,
		    "advance_time [7] must be later than skip_time [7]" },
	};
	struct msg_flush m;
	int fd;

	sv_start();
	sv_open_job("j");
	expect_refused(cases, NELEM(cases));
	/* Both in the same second: one second is meant. */
	fd = sv_ask("POST", FLUSH,
	    "{\"calc_interim\":true,\"start\":\"1403481600200\","
	    "\"end\":1403481600700,\"skip_time\":\"1\",\"advance_time\":9}");
	fake_expect(fake_last(SV_WORKER), MSG_FLUSH, &m);
	cr_expect(m.calc_interim);
	cr_expect_eq(m.start_s, 1403481600);
	cr_expect_eq(m.end_s, 1403481601);
	cr_expect_eq(m.skip_time_s, 1);
	cr_expect_eq(m.advance_time_s, 9);
	close(fd);
	sv_end();
}

Test(options, open_passes_over_what_it_does_not_know)
{
	static const struct refusal cases[] = {
		{ OPEN, "{\"timeout\":\"5 lightyears\"}",
		    "failed to parse field [timeout]" },
		{ OPEN, "{\"job_id\":[]}",
		    "[1:11] [xpack/ml/job] job_id doesn't support values of "
		    "type: START_ARRAY" },
	};
	int fd;

	sv_start();
	sv_job("j", NULL);
	expect_refused(cases, NELEM(cases));
	fd = sv_ask("POST", OPEN,
	    "{\"job_id\":\"j\",\"timeout\":\"1m\",\"ignored\":{\"a\":1}}");
	fake_ready(fake_last(SV_WORKER));
	sv_store(MSG_KEEP_STATE);
	sv_expect(fx_hear(fd), 200, "\"opened\":true");
	close(fd);
	sv_end();
}
