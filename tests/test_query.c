/* Answers to queries, in this process and from the real one. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/jsonout.h"
#include "common/log.h"
#include "common/resultsdb.h"
#include "query/answer.h"
#include "query/reserved.h"
#include "tests/childproc.h"
#include "tests/someresults.h"

static char jobs[TMPDIR_BYTES];
static char program[4096];

static void
setup(void)
{
	log_init("test", LOG_LEVEL_ERROR);
	cr_assert_not_null(realpath("anomd-query", program));
	job_enter(jobs);
}

static void
teardown(void)
{
	job_leave(jobs);
}

TestSuite(query, .init = setup, .fini = teardown);

static struct request
request_of(enum query_kind kind)
{
	struct request r = {
		.kind = kind,
		.job_id = "j",
		.directory = "j.1",
		.timestamp_ms = TIME_UNSET,
		.start_ms = INT64_MIN,
		.end_ms = INT64_MAX,
		.score = -INFINITY,
		.desc = kind == QUERY_RECORDS,
		.size = 100,
	};

	strlcpy(r.sort, kind == QUERY_RECORDS ? "record_score" : "timestamp",
	    sizeof(r.sort));
	return r;
}

static int
collect(void *arg, const void *data, size_t len)
{
	cr_assert_gt(len, 0);
	cr_assert_leq(len, MSG_DATA_MAX);
	return wire_put_bytes(arg, data, len);
}

/* The text of an answer, owned; NULL with *e. */
static char *
ask_with(const struct request *r, size_t hold_max, struct apierr *e)
{
	struct wbuf wb;
	struct out o;
	int rc;

	wbuf_init(&wb, 0);
	out_init(&o, hold_max, collect, &wb);
	rc = answer_make(r, jobs, NULL, NULL, &o, e);
	if (rc == 0)
		cr_expect_eq(o.bytes, wb.len);
	out_clear(&o);
	if (rc == -1) {
		wbuf_clear(&wb);
		return NULL;
	}
	cr_assert_eq(wire_put_u8(&wb, 0), 0);
	return (char *)wb.data;
}

static char *
ask(const struct request *r)
{
	struct apierr e;
	char *text = ask_with(r, OUT_HOLD_MAX, &e);

	cr_assert_not_null(text, "%d %s", e.status, e.link[0].reason);
	return text;
}

static struct json_object *
ask_json(const struct request *r)
{
	char *text = ask(r);
	struct json_object *o = json_tokener_parse(text);

	cr_assert_not_null(o, "%s", text);
	free(text);
	return o;
}

static struct json_object *
member(struct json_object *o, const char *name)
{
	struct json_object *v;

	cr_assert(json_object_object_get_ex(o, name, &v), "no %s in %s", name,
	    json_object_to_json_string(o));
	return v;
}

static int64_t
count_of(struct json_object *o)
{
	return json_object_get_int64(member(o, "count"));
}

static void
expect_text(const struct request *r, const char *want)
{
	char *text = ask(r);

	cr_expect_str_eq(text, want);
	free(text);
}

static void
expect_error(
    const struct request *r, int status, const char *type, const char *reason)
{
	struct apierr e;
	char *text = ask_with(r, OUT_HOLD_MAX, &e);

	cr_assert_null(text, "%s", text);
	cr_expect_eq(e.status, status);
	cr_expect_str_eq(e.link[0].type, type);
	cr_expect_str_eq(e.link[0].reason, reason);
}

/* ---- shape ---- */

static void
write_example(void)
{
	struct record_result r = some_record(T0, 94.98554565630553, 1e-10);
	struct bucket_result b = some_bucket(T0, 80.5);
	struct writer w;

	r.by_field_name = "air.line";
	r.by_field_value = text("AAL\"\n\x01");
	r.partition_field_name = "region";
	r.partition_field_value = text("");
	r.ninfluencers = 3;
	r.influencer[0] = (struct record_influencer){ "air.line", 2,
		{ text("AAL\"\n\x01"), text("KLM") } };
	r.influencer[1] =
	    (struct record_influencer){ "timestamp", 1, { text("x") } };
	r.influencer[2] =
	    (struct record_influencer){ "actual.y", 1, { text("z") } };
	writer_open(&w);
	writer_record(&w, &r);
	writer_bucket(&w, &b);
	b = some_bucket(T0 + SPAN_MS, 0);
	b.ninfluencers = 0;
	b.is_interim = true;
	writer_bucket(&w, &b);
	writer_commit(&w);
	writer_close(&w);
}

#define RECORD_TEXT                                                            \
	"{\"job_id\":\"j\",\"result_type\":\"record\","                        \
	"\"probability\":1e-10,\"multi_bucket_impact\":-5.0,"                  \
	"\"record_score\":94.98554565630553,"                                  \
	"\"initial_record_score\":94.98554565630553,\"bucket_span\":300,"      \
	"\"detector_index\":0,\"is_interim\":false,"                           \
	"\"timestamp\":1700000100000,\"by_field_name\":\"air.line\","          \
	"\"by_field_value\":\"AAL\\\"\\n\\u0001\","                            \
	"\"partition_field_name\":\"region\","                                 \
	"\"partition_field_value\":\"\",\"function\":\"mean\","                \
	"\"function_description\":\"mean\",\"typical\":[100.5],"               \
	"\"actual\":[200.0],\"field_name\":\"responsetime\","                  \
	"\"influencers\":[{\"influencer_field_name\":\"air.line\","            \
	"\"influencer_field_values\":[\"AAL\\\"\\n\\u0001\",\"KLM\"]},"        \
	"{\"influencer_field_name\":\"timestamp\","                            \
	"\"influencer_field_values\":[\"x\"]},"                                \
	"{\"influencer_field_name\":\"actual.y\","                             \
	"\"influencer_field_values\":[\"z\"]}],"                               \
	"\"air.line\":[\"AAL\\\"\\n\\u0001\",\"KLM\"],\"region\":[\"\"]}"

#define BUCKET_HEAD                                                            \
	"{\"job_id\":\"j\",\"timestamp\":1700000100000,"                       \
	"\"anomaly_score\":80.5,\"bucket_span\":300,"                          \
	"\"initial_anomaly_score\":80.5,"
#define BUCKET_TAIL                                                            \
	"\"event_count\":10,\"is_interim\":false,\"bucket_influencers\":["     \
	"{\"job_id\":\"j\",\"result_type\":\"bucket_influencer\","             \
	"\"influencer_field_name\":\"bucket_time\","                           \
	"\"initial_anomaly_score\":80.5,\"anomaly_score\":80.5,"               \
	"\"raw_anomaly_score\":1.5,\"probability\":0.25,"                      \
	"\"timestamp\":1700000100000,\"bucket_span\":300,"                     \
	"\"is_interim\":false}],\"processing_time_ms\":1,"                     \
	"\"result_type\":\"bucket\"}"
#define EMPTY_BUCKET                                                           \
	"{\"job_id\":\"j\",\"timestamp\":1700000400000,"                       \
	"\"anomaly_score\":0.0,\"bucket_span\":300,"                           \
	"\"initial_anomaly_score\":0.0,\"event_count\":10,"                    \
	"\"is_interim\":true,\"bucket_influencers\":[],"                       \
	"\"processing_time_ms\":1,\"result_type\":\"bucket\"}"

Test(query, records_have_the_fields_of_the_api_in_its_order)
{
	struct request r = request_of(QUERY_RECORDS);

	write_example();
	expect_text(&r, "{\"count\":1,\"records\":[" RECORD_TEXT "]}");
}

Test(query, buckets_have_the_fields_of_the_api_in_its_order)
{
	struct request r = request_of(QUERY_BUCKETS);

	write_example();
	expect_text(&r,
	    "{\"count\":2,\"buckets\":[" BUCKET_HEAD BUCKET_TAIL
	    "," EMPTY_BUCKET "]}");
	r.exclude_interim = true;
	expect_text(
	    &r, "{\"count\":1,\"buckets\":[" BUCKET_HEAD BUCKET_TAIL "]}");
}

Test(query, expand_puts_records_into_buckets_that_have_some)
{
	struct request r = request_of(QUERY_BUCKETS);

	write_example();
	r.expand = true;
	expect_text(&r,
	    "{\"count\":2,\"buckets\":[" BUCKET_HEAD "\"records\":[" RECORD_TEXT
	    "]," BUCKET_TAIL "," EMPTY_BUCKET "]}");
}

Test(query, one_bucket_is_found_by_its_exact_time)
{
	struct request r = request_of(QUERY_BUCKETS);

	write_example();
	r.timestamp_ms = T0 + SPAN_MS;
	/* The lookup filters neither on score nor on interim. */
	r.exclude_interim = true;
	r.score = 99;
	expect_text(&r, "{\"count\":1,\"buckets\":[" EMPTY_BUCKET "]}");
	r.timestamp_ms = T0 + 1;
	expect_error(&r, 404, E_NOT_FOUND, "Could not find requested buckets");
	r.filter_path = strdup("count");
	expect_error(&r, 404, E_NOT_FOUND, "Could not find requested buckets");
	request_clear(&r);
}

Test(query, a_job_without_results_has_empty_lists)
{
	struct request r = request_of(QUERY_RECORDS);

	expect_text(&r, "{\"count\":0,\"records\":[]}");
	r.pretty = true;
	expect_text(&r, "{\n  \"count\" : 0,\n  \"records\" : [ ]\n}\n");
	r.yaml = true;
	expect_text(&r, "---\ncount: 0\nrecords: []\n");
	r = request_of(QUERY_BUCKETS);
	expect_text(&r, "{\"count\":0,\"buckets\":[]}");
	r.timestamp_ms = T0;
	expect_error(&r, 404, E_NOT_FOUND, "Could not find requested buckets");
}

Test(query, the_names_that_are_not_echoed_are_sorted)
{
	for (size_t i = 1; i < reserved_count; i++)
		cr_expect_lt(strcmp(reserved_names[i - 1], reserved_names[i]),
		    0, "%s", reserved_names[i]);
	for (size_t i = 0; i < reserved_count; i++)
		cr_expect(reserved_is(reserved_names[i]));
	cr_expect(reserved_is("timestamp.of.something"));
	cr_expect(reserved_is("_id"));
	cr_expect_not(reserved_is("timestamps"));
	cr_expect_not(reserved_is("airline"));
	cr_expect_not(reserved_is("time"));
	cr_expect_not(reserved_is(""));
}

/* ---- dress ---- */

/* What the plain answer becomes when it is dressed as a whole. */
static char *
dress_whole(struct request *r)
{
	struct jsonout_style style = { .pretty = r->pretty,
		.yaml = r->yaml,
		.human = r->human,
		.filter_path = r->filter_path };
	struct request plain = *r;
	struct json_object *o;
	size_t len;
	char *text;

	plain.pretty = plain.human = plain.yaml = false;
	plain.filter_path = NULL;
	o = ask_json(&plain);
	text = jsonout_print(o, &style, &len);
	cr_assert_not_null(text);
	json_object_put(o);
	text = realloc(text, len + 1);
	text[len] = '\0';
	return text;
}

static const char *const filters[] = {
	NULL,
	"count",
	"-count",
	"records",
	"records.probability",
	"buckets.timestamp",
	"count,records.by_*",
	"**.influencer_field_name",
	"-records.influencers,-buckets.records",
	"buckets.records.record_score,buckets.anomaly_score",
	"*.timestamp_string",
	"nothing",
	"records.nothing",
	"count,records.nothing",
	"-records,-buckets",
	"-count,-records,-buckets",
	"buckets.bucket_influencers.*score",
	"records.air*",
};

static void
expect_dressed_alike(struct request *r)
{
	for (size_t i = 0; i < NELEM(filters); i++) {
		char *want, *got;

		r->filter_path = filters[i] == NULL ? NULL : strdup(filters[i]);
		want = dress_whole(r);
		got = ask(r);
		cr_expect_str_eq(got, want, "filter_path=%s",
		    filters[i] == NULL ? "" : filters[i]);
		free(want);
		free(got);
		request_clear(r);
	}
}

Test(query, dressed_by_rows_is_as_dressed_as_a_whole)
{
	write_example();
	for (int bits = 0; bits < 32; bits++) {
		struct request r =
		    request_of(bits & 1 ? QUERY_BUCKETS : QUERY_RECORDS);

		r.pretty = bits & 2;
		r.human = bits & 4;
		r.size = bits & 8 ? 0 : 100;
		r.yaml = bits & 16;
		r.expand = true;
		expect_dressed_alike(&r);
	}
}

/* ---- order, filters, pages: against a list sorted here ---- */

#define NRECORDS 9500 /* two runs and a tail */

/* What is compared, of each record written. id: its actual value. */
static struct {
	struct record_result r;
	char by[16], over[16], inf[2][16];
} all[NRECORDS];
static size_t nall;

static uint32_t
lcg(void)
{
	static uint32_t x = 12345;

	x = x * 1664525u + 1013904223u;
	return x >> 8;
}

static const char *
maybe(char *dst, const char *prefix, uint32_t variants)
{
	snprintf(dst, 16, "%s%u", prefix, lcg() % variants);
	return dst;
}

static void
fill_names(size_t i)
{
	struct record_result *r = &all[i].r;

	r->detector_index = (int)(lcg() % 3);
	r->function = r->detector_index == 1 ? "high_mean" : "mean";
	r->field_name = r->detector_index == 2 ? NULL : "responsetime";
	if (r->detector_index != 0) {
		r->by_field_name = "host";
		r->by_field_value = text(maybe(all[i].by, "h", 4));
	}
	if (lcg() % 2 == 0) {
		r->over_field_name = "user";
		r->over_field_value = text(maybe(all[i].over, "u", 3));
	}
	if (lcg() % 4 == 0) {
		r->ninfluencers = 1;
		r->influencer[0] = (struct record_influencer){ "status", 2,
			{ text(maybe(all[i].inf[0], "s", 5)),
			    text(maybe(all[i].inf[1], "s", 5)) } };
	}
	if (lcg() % 10 == 0)
		r->nvalues = 0;
}

/* Few different values, so that there are ties; a third of scores is 0. */
static void
fill_one(size_t i, int64_t ms, bool interim)
{
	uint32_t u = lcg() % 60;
	struct record_result *r = &all[i].r;

	*r = some_record(ms, u < 20 ? 0 : u / 0.6, (lcg() % 500 + 1) / 1e5);
	r->initial_record_score = lcg() % 7;
	r->is_interim = interim;
	r->nvalues = 1;
	fill_names(i);
	r->actual[0] = (double)i;
	r->typical[0] = (double)(lcg() % 50);
	/* The identity of a record, whatever else it has. */
	r->multi_bucket_impact = (double)i / NRECORDS;
}

static void
write_many(void)
{
	struct writer w;
	int64_t ms = T0;

	writer_open(&w);
	for (nall = 0; nall < NRECORDS; ms += SPAN_MS) {
		size_t n = lcg() % 12;
		struct bucket_result b = some_bucket(ms, lcg() % 100);

		b.is_interim = nall > NRECORDS - 200;
		for (size_t i = 0; i < n && nall < NRECORDS; i++, nall++) {
			fill_one(nall, ms, b.is_interim);
			writer_record(&w, &all[nall].r);
		}
		writer_bucket(&w, &b);
		if (lcg() % 50 == 0)
			writer_commit(&w);
	}
	writer_commit(&w);
	writer_close(&w);
}

static int
cmp_f64(double a, double b)
{
	return (a > b) - (a < b);
}

/* Missing ones are last in both directions: 2 says so. */
static int
cmp_text(struct span a, struct span b, bool desc)
{
	int c;

	if (a.p == NULL || b.p == NULL)
		return (a.p == NULL) - (b.p == NULL);
	c = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);
	if (c == 0)
		c = (a.len > b.len) - (a.len < b.len);
	return desc ? -c : c;
}

/* The least or greatest status of a record. */
static struct span
status_of(const struct record_result *r, bool desc)
{
	struct span a, b;

	if (r->ninfluencers == 0)
		return (struct span){ NULL, 0 };
	a = r->influencer[0].value[0];
	b = r->influencer[0].value[1];
	return cmp_text(a, b, desc) <= 0 ? a : b;
}

static const char *oracle_sort;
static bool oracle_desc;

static int
cmp_first(const struct record_result *a, const struct record_result *b)
{
	int sign = oracle_desc ? -1 : 1;

	if (strcmp(oracle_sort, "record_score") == 0)
		return sign * cmp_f64(a->record_score, b->record_score);
	if (strcmp(oracle_sort, "probability") == 0)
		return sign * cmp_f64(a->probability, b->probability);
	if (strcmp(oracle_sort, "timestamp") == 0)
		return sign *
		    cmp_f64((double)a->timestamp_ms, (double)b->timestamp_ms);
	if (strcmp(oracle_sort, "by_field_value") == 0 ||
	    strcmp(oracle_sort, "host") == 0)
		return cmp_text(
		    a->by_field_value, b->by_field_value, oracle_desc);
	if (strcmp(oracle_sort, "status") == 0)
		return cmp_text(status_of(a, oracle_desc),
		    status_of(b, oracle_desc), oracle_desc);
	if (strcmp(oracle_sort, "typical") == 0) {
		if (a->nvalues == 0 || b->nvalues == 0)
			return (a->nvalues == 0) - (b->nvalues == 0);
		return sign * cmp_f64(a->typical[0], b->typical[0]);
	}
	cr_assert_str_eq(oracle_sort, "anomaly_score", "not in the oracle");
	return 0;
}

static int
cmp_records(const void *pa, const void *pb)
{
	const struct record_result *a = *(struct record_result *const *)pa;
	const struct record_result *b = *(struct record_result *const *)pb;
	struct span none = { NULL, 0 };
	int c = cmp_first(a, b);

	if (c == 0)
		c = (oracle_desc ? -1 : 1) *
		    cmp_f64(a->record_score, b->record_score);
	if (c == 0)
		c = cmp_text(
		    a->over_field_value, b->over_field_value, oracle_desc);
	if (c == 0)
		c = cmp_text(a->by_field_value, b->by_field_value, oracle_desc);
	if (c == 0)
		c = cmp_text(a->field_name ? text(a->field_name) : none,
		    b->field_name ? text(b->field_name) : none, oracle_desc);
	if (c == 0)
		c = cmp_text(text(a->function), text(b->function), oracle_desc);
	/* Then as they were written. */
	return c != 0 ? c
		      : cmp_f64(a->multi_bucket_impact, b->multi_bucket_impact);
}

/* What the answer to r must be: pointers into all, sorted. */
static size_t
oracle(const struct request *r, struct record_result **list)
{
	size_t n = 0;

	for (size_t i = 0; i < nall; i++) {
		struct record_result *x = &all[i].r;

		if (x->timestamp_ms >= r->start_ms &&
		    x->timestamp_ms < r->end_ms &&
		    !(r->exclude_interim && x->is_interim) &&
		    x->record_score >= r->score)
			list[n++] = x;
	}
	oracle_sort = r->sort;
	oracle_desc = r->desc;
	qsort(list, n, sizeof(*list), cmp_records);
	return n;
}

static void
expect_as_oracle(const struct request *r)
{
	static struct record_result *list[NRECORDS];
	size_t n = oracle(r, list), want;
	struct json_object *o = ask_json(r), *rows = member(o, "records");

	cr_assert_eq(count_of(o), (int64_t)n, "sort %s", r->sort);
	want = n > r->from ? n - r->from : 0;
	if (want > r->size)
		want = r->size;
	cr_assert_eq(json_object_array_length(rows), want);
	for (size_t i = 0; i < want; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		cr_assert_eq(
		    json_object_get_double(member(row, "multi_bucket_impact")),
		    list[r->from + i]->multi_bucket_impact,
		    "sort %s%s from %u score %g: row %zu", r->sort,
		    r->desc ? " desc" : "", r->from, r->score, i);
	}
	json_object_put(o);
}

static const char *const sorts[] = { "record_score", "probability", "timestamp",
	"by_field_value", "typical", "host", "status", "anomaly_score" };

Test(query, records_are_sorted_with_ties_and_missing_fields, .timeout = 120)
{
	write_many();
	for (size_t i = 0; i < NELEM(sorts); i++) {
		struct request r = request_of(QUERY_RECORDS);

		strlcpy(r.sort, sorts[i], sizeof(r.sort));
		for (int desc = 0; desc < 2; desc++) {
			r.desc = desc == 1;
			r.from = 0;
			r.size = 25;
			expect_as_oracle(&r);
			r.from = 3000;
			expect_as_oracle(&r);
			r.size = 7000;
			expect_as_oracle(&r);
		}
	}
}

static void
vary_filters(struct request *r)
{
	static const double scores[] = { -INFINITY, 1, 60, 99.9, 100 };
	int64_t last = all[nall - 1].r.timestamp_ms;

	for (size_t s = 0; s < NELEM(scores); s++) {
		r->score = scores[s];
		for (int range = 0; range < 6; range++) {
			int64_t part = (last - T0) / 8;

			r->start_ms = range % 3 == 1 ? T0 + part + 1
			    : range % 3 == 2	     ? T0 + 6 * part
						     : INT64_MIN;
			r->end_ms = range >= 3 ? r->start_ms == INT64_MIN
				? T0 + 5 * part
				: r->start_ms + part
					       : INT64_MAX;
			r->exclude_interim = (range + (int)s) % 2 == 0;
			expect_as_oracle(r);
		}
	}
}

Test(query, records_are_filtered_by_score_time_and_interim, .timeout = 120)
{
	write_many();
	for (size_t i = 0; i < 4; i++) {
		struct request r = request_of(QUERY_RECORDS);

		strlcpy(r.sort, sorts[i], sizeof(r.sort));
		r.desc = i != 1;
		r.size = 40;
		vary_filters(&r);
		r.from = 120;
		r.desc = !r.desc;
		vary_filters(&r);
	}
}

Test(query, a_range_includes_its_start_and_excludes_its_end)
{
	struct request r = request_of(QUERY_RECORDS);

	write_many();
	r.start_ms = all[100].r.timestamp_ms;
	r.end_ms = all[5000].r.timestamp_ms;
	expect_as_oracle(&r);
	r.end_ms = r.start_ms;
	expect_text(&r, "{\"count\":0,\"records\":[]}");
}

/* Timestamps of the buckets of an answer must be these. */
static void
expect_buckets(
    const struct request *r, int64_t count, size_t n, const int64_t *minutes)
{
	struct json_object *o = ask_json(r), *rows = member(o, "buckets");

	cr_expect_eq(count_of(o), count);
	cr_assert_eq(json_object_array_length(rows), n);
	for (size_t i = 0; i < n; i++)
		cr_expect_eq(
		    json_object_get_int64(member(
			json_object_array_get_idx(rows, i), "timestamp")),
		    T0 + minutes[i] * SPAN_MS, "sort %s row %zu", r->sort, i);
	json_object_put(o);
}

static void
write_buckets(void)
{
	static const double score[] = { 10, 50, 0, 50, 90, 0 };
	struct writer w;

	writer_open(&w);
	for (int i = 0; i < 6; i++) {
		struct bucket_result b =
		    some_bucket(T0 + i * SPAN_MS, score[i]);

		b.is_interim = i == 5;
		b.event_count = (uint64_t)(100 - 10 * i);
		writer_bucket(&w, &b);
	}
	writer_commit(&w);
	writer_close(&w);
}

Test(query, buckets_are_sorted_filtered_and_paged)
{
	struct request r = request_of(QUERY_BUCKETS);

	write_buckets();
	expect_buckets(&r, 6, 6, (int64_t[]){ 0, 1, 2, 3, 4, 5 });
	r.desc = true;
	r.from = 1;
	r.size = 2;
	expect_buckets(&r, 6, 2, (int64_t[]){ 4, 3 });
	strlcpy(r.sort, "anomaly_score", sizeof(r.sort));
	r.from = 0;
	r.size = 6;
	/* Ties by time, in the same direction. */
	expect_buckets(&r, 6, 6, (int64_t[]){ 4, 3, 1, 0, 5, 2 });
	r.desc = false;
	expect_buckets(&r, 6, 6, (int64_t[]){ 2, 5, 0, 1, 3, 4 });
	r.score = 50;
	expect_buckets(&r, 3, 3, (int64_t[]){ 1, 3, 4 });
	strlcpy(r.sort, "timestamp", sizeof(r.sort));
	expect_buckets(&r, 3, 3, (int64_t[]){ 1, 3, 4 });
	r.start_ms = T0 + SPAN_MS + 1;
	r.end_ms = T0 + 4 * SPAN_MS;
	expect_buckets(&r, 1, 1, (int64_t[]){ 3 });
	r = request_of(QUERY_BUCKETS);
	strlcpy(r.sort, "event_count", sizeof(r.sort));
	r.exclude_interim = true;
	expect_buckets(&r, 5, 5, (int64_t[]){ 4, 3, 2, 1, 0 });
	/* A field of records only: no bucket has it, time decides. */
	strlcpy(r.sort, "probability", sizeof(r.sort));
	r.desc = true;
	expect_buckets(&r, 5, 5, (int64_t[]){ 4, 3, 2, 1, 0 });
	r.size = 0;
	expect_text(&r, "{\"count\":5,\"buckets\":[]}");
}

Test(query, expand_sorts_records_by_probability)
{
	static const double p[] = { 0.02, 0.001, 0.02, 0.03 };
	static const double score[] = { 9, 1, 5, 7 };
	static const double want[] = { 1, 5, 9 };
	struct request r = request_of(QUERY_BUCKETS);
	struct bucket_result b = some_bucket(T0, 9);
	struct json_object *o, *rows;
	struct writer w;

	writer_open(&w);
	for (size_t i = 0; i < NELEM(p); i++) {
		struct record_result rec = some_record(T0, score[i], p[i]);

		rec.is_interim = i == 3;
		writer_record(&w, &rec);
	}
	writer_bucket(&w, &b);
	writer_commit(&w);
	writer_close(&w);
	r.expand = r.exclude_interim = true;
	o = ask_json(&r);
	rows = member(
	    json_object_array_get_idx(member(o, "buckets"), 0), "records");
	cr_assert_eq(json_object_array_length(rows), NELEM(want));
	for (size_t i = 0; i < NELEM(want); i++)
		cr_expect_eq(
		    json_object_get_double(member(
			json_object_array_get_idx(rows, i), "record_score")),
		    want[i]);
	json_object_put(o);
}

/* ---- errors ---- */

Test(query, an_unknown_sort_field_is_refused)
{
	struct request r = request_of(QUERY_RECORDS);

	strlcpy(r.sort, "nonsense", sizeof(r.sort));
	expect_error(&r, 400, E_ILLEGAL_ARGUMENT,
	    "No mapping found for [nonsense] in order to sort on");
	write_example();
	expect_error(&r, 400, E_ILLEGAL_ARGUMENT,
	    "No mapping found for [nonsense] in order to sort on");
	strlcpy(r.sort, "influencers", sizeof(r.sort));
	expect_error(&r, 400, E_ILLEGAL_ARGUMENT,
	    "No mapping found for [influencers] in order to sort on");
	r.kind = QUERY_BUCKETS;
	strlcpy(r.sort, "x' OR 1", sizeof(r.sort));
	expect_error(&r, 400, E_ILLEGAL_ARGUMENT,
	    "No mapping found for [x' OR 1] in order to sort on");
}

static void
tamper(const char *sql)
{
	sqlite3 *db = resultsdb_open_writer("results", false);

	cr_assert_not_null(db);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	resultsdb_close(db);
}

Test(query, a_damaged_row_is_an_error_that_names_it)
{
	struct request r = request_of(QUERY_RECORDS);

	write_many();
	tamper("UPDATE record SET actual = actual + 1 WHERE id = 4711");
	expect_as_oracle(&r); /* it is not on this page */
	r.size = 10000;
	expect_error(&r, 500, E_EXCEPTION,
	    "the results of job [j] are damaged: row [4711] of [record] in "
	    "[j.1/results/results.db] does not match its checksum");
	tamper("UPDATE bucket SET event_count = 1 WHERE timestamp = "
	       "1700000100000");
	r = request_of(QUERY_BUCKETS);
	expect_error(&r, 500, E_EXCEPTION,
	    "the results of job [j] are damaged: row [1700000100000] of "
	    "[bucket] in [j.1/results/results.db] does not match its "
	    "checksum");
}

/* Found in the first pass, before a byte has left. */
Test(query, a_damaged_row_late_in_a_long_answer_is_an_error_too)
{
	struct request r = request_of(QUERY_RECORDS);
	struct apierr e;

	write_many();
	strlcpy(r.sort, "timestamp", sizeof(r.sort));
	r.desc = false;
	r.size = NRECORDS;
	tamper("UPDATE record SET actual = 1 WHERE id = 9399");
	cr_expect_null(ask_with(&r, 1000, &e));
	cr_expect_eq(e.status, 500);
}

Test(query, a_file_that_is_no_database_is_an_error)
{
	struct request r = request_of(QUERY_RECORDS);
	FILE *f = fopen("results/results.db", "w");

	cr_assert_not_null(f);
	for (int i = 0; i < 1000; i++)
		cr_assert_geq(fputs("no database", f), 0);
	fclose(f);
	expect_error(&r, 500, E_EXCEPTION,
	    "the results of job [j] are damaged: j.1/results.db, byte 0");
}

static bool
give_up(void *arg)
{
	(*(int *)arg)++;
	return true;
}

Test(query, work_is_given_up_when_nobody_waits_for_it)
{
	struct request r = request_of(QUERY_RECORDS);
	struct apierr e;
	struct wbuf wb;
	struct out o;
	int ticks = 0;

	write_many();
	strlcpy(r.sort, "typical", sizeof(r.sort));
	wbuf_init(&wb, 0);
	out_init(&o, OUT_HOLD_MAX, collect, &wb);
	cr_expect_eq(answer_make(&r, jobs, give_up, &ticks, &o, &e), -1);
	cr_expect_eq(e.status, 0);
	cr_expect_eq(ticks, 1);
	cr_expect_eq(wb.len, 0);
	out_clear(&o);
	wbuf_clear(&wb);
}

static int64_t
racing_clock(void)
{
	static int64_t us;

	return us += 40 * INT64_C(1000000);
}

Test(query, a_query_that_takes_too_long_is_503)
{
	struct request r = request_of(QUERY_RECORDS);

	write_many();
	strlcpy(r.sort, "typical", sizeof(r.sort));
	clock_fake(NULL, racing_clock);
	expect_error(&r, 503, E_STATUS,
	    "the results of job [j] took longer than [30s] to read; ask for "
	    "less with [start], [end] or a score");
	clock_fake(NULL, NULL);
}

Test(query, an_answer_too_long_to_hold_is_the_same)
{
	struct request r = request_of(QUERY_BUCKETS);
	struct apierr e;
	char *held, *streamed;

	write_many();
	r.expand = true;
	r.size = 10000;
	held = ask(&r);
	streamed = ask_with(&r, 1000, &e);
	cr_assert_not_null(streamed);
	cr_assert_gt(strlen(held), 2 * (size_t)MSG_DATA_MAX);
	cr_expect_str_eq(streamed, held);
	free(held);
	free(streamed);
}

/* ---- the real process ---- */

static struct msg_query
query_of(enum query_kind kind)
{
	return (struct msg_query){
		.kind = (uint8_t)kind,
		.job_id = text("j"),
		.directory = text("j.1"),
		.timestamp_ms = TIME_UNSET,
		.start_ms = TIME_UNSET,
		.end_ms = TIME_UNSET,
		.desc = kind == QUERY_RECORDS,
		.size = 100,
	};
}

/* Read an answer; its text is owned. */
static char *
read_answer(struct childproc *c, uint32_t request)
{
	struct msg_query_end end;
	struct wbuf wb;
	uint16_t type;

	wbuf_init(&wb, 0);
	while ((type = childproc_next(c)) == MSG_QUERY_PART) {
		cr_assert_eq(c->head.request, request);
		cr_assert_eq(wire_put_bytes(&wb, c->data, c->head.len), 0);
	}
	cr_assert_eq(type, MSG_QUERY_END);
	cr_assert_eq(c->head.request, request);
	childproc_decode(c, &end);
	cr_expect_eq(end.bytes, wb.len);
	cr_assert_eq(wire_put_u8(&wb, 0), 0);
	return (char *)wb.data;
}

static void
expect_exit(struct childproc *c, int code)
{
	int status = childproc_end(c);

	cr_assert(WIFEXITED(status), "signal %d", WTERMSIG(status));
	cr_expect_eq(WEXITSTATUS(status), code);
}

Test(query, the_process_answers_while_the_worker_writes)
{
	struct msg_query q = query_of(QUERY_RECORDS);
	struct request r = request_of(QUERY_RECORDS);
	struct bucket_result b = some_bucket(T0 + 9 * SPAN_MS, 1);
	struct record_result rec = some_record(b.timestamp_ms, 1, 0.1);
	struct childproc c;
	struct writer w;
	char *text_got, *want;

	write_example();
	want = ask(&r);
	writer_open(&w);
	writer_record(&w, &rec); /* a transaction is open */
	childproc_start(&c, program, FROM_QRY, jobs);
	for (uint32_t i = 1; i <= 3; i++) {
		childproc_send(&c, MSG_QUERY, i, &q);
		text_got = read_answer(&c, i);
		cr_expect_str_eq(text_got, want);
		free(text_got);
	}
	writer_bucket(&w, &b);
	writer_commit(&w);
	childproc_send(&c, MSG_QUERY, 9, &q);
	text_got = read_answer(&c, 9);
	cr_expect_eq(strncmp(text_got, "{\"count\":2,", 11), 0);
	free(text_got);
	free(want);
	writer_close(&w);
	expect_exit(&c, 0);
}

Test(query, the_process_sends_a_page_of_10000_in_parts)
{
	struct msg_query q = query_of(QUERY_RECORDS);
	struct request r = request_of(QUERY_RECORDS);
	struct childproc c;
	char *got, *want;

	write_many();
	r.size = q.size = 10000;
	want = ask(&r);
	cr_assert_gt(strlen(want), (size_t)MSG_DATA_MAX);
	childproc_start(&c, program, FROM_QRY, jobs);
	childproc_send(&c, MSG_QUERY, 1, &q);
	got = read_answer(&c, 1);
	cr_expect_str_eq(got, want);
	free(got);
	free(want);
	expect_exit(&c, 0);
}

Test(query, the_process_refuses_with_an_error)
{
	struct msg_query q = query_of(QUERY_BUCKETS);
	struct msg_failed failed;
	struct childproc c;
	struct apierr e;
	struct rbuf rb;

	q.timestamp_ms = T0;
	childproc_start(&c, program, FROM_QRY, jobs);
	childproc_send(&c, MSG_QUERY, 5, &q);
	cr_assert_eq(childproc_next(&c), MSG_FAILED);
	cr_expect_eq(c.head.request, 5);
	childproc_decode(&c, &failed);
	rbuf_init(&rb, failed.error.p, failed.error.len);
	cr_assert_eq(apierr_decode(&rb, &e), 0);
	cr_expect_eq(e.status, 404);
	cr_expect_str_eq(e.link[0].reason, "Could not find requested buckets");
	/* And is there for the next one. */
	q.timestamp_ms = TIME_UNSET;
	childproc_send(&c, MSG_QUERY, 6, &q);
	free(read_answer(&c, 6));
	expect_exit(&c, 0);
}

Test(query, the_process_answers_ping)
{
	struct msg_ping ping = { 77 };
	struct msg_pong pong;
	struct childproc c;

	childproc_start(&c, program, FROM_QRY, jobs);
	childproc_send(&c, MSG_PING, 0, &ping);
	cr_assert_eq(childproc_next(&c), MSG_PONG);
	childproc_decode(&c, &pong);
	cr_expect_eq(pong.token, 77);
	cr_expect_not(pong.busy);
	expect_exit(&c, 0);
}

Test(query, the_process_ends_at_what_is_not_for_it)
{
	struct msg_keep_load load = { 0 };
	struct msg_query q = query_of(QUERY_RECORDS);
	struct childproc c;

	childproc_start(&c, program, FROM_QRY, jobs);
	childproc_send(&c, MSG_KEEP_LOAD, 1, &load);
	cr_expect_eq(childproc_next(&c), 0);
	expect_exit(&c, 1);
	childproc_start(&c, program, FROM_QRY, jobs);
	q.directory = text("../secret");
	childproc_send(&c, MSG_QUERY, 1, &q);
	cr_expect_eq(childproc_next(&c), 0);
	expect_exit(&c, 1);
	childproc_spawn(&c, program, FROM_QRY);
	childproc_send(&c, MSG_QUERY, 1, &q); /* before HELLO */
	cr_expect_eq(childproc_next(&c), 0);
	expect_exit(&c, 1);
}
