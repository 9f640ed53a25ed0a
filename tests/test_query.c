/* Answers to queries: their fields, and how they are dressed. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>

#include "common/jsonout.h"
#include "query/reserved.h"
#include "tests/query_fixture.h"

TestSuite(query, .init = query_begin, .fini = query_finish);

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

Test(query, an_explanation_is_shown_as_far_as_there_is_one)
{
	struct request r = request_of(QUERY_RECORDS);
	struct record_result rec = some_record(T0, 50, 1e-10);
	struct bucket_result b = some_bucket(T0, 50);
	struct json_object *o, *why;
	struct writer w;

	rec.why = (struct explanation){ .has = EXPLAINED_ALL,
		.anomaly_length = 2,
		.single_bucket_impact = 10,
		.multi_bucket_impact = 3,
		.lower_confidence_bound = 90,
		.typical_value = 100.5,
		.upper_confidence_bound = 110,
		.relative_rarity = 8,
		.leader = text("db-2") };
	writer_open(&w);
	writer_record(&w, &rec);
	rec.why.has = EXPLAINED_LEADER;
	rec.record_score = 40;
	writer_record(&w, &rec);
	writer_bucket(&w, &b);
	writer_commit(&w);
	writer_close(&w);
	o = ask_json(&r);
	why = member(json_object_array_get_idx(member(o, "records"), 0),
	    "anomaly_score_explanation");
	cr_expect_str_eq(
	    json_object_to_json_string_ext(why, JSON_C_TO_STRING_PLAIN),
	    "{\"anomaly_type\":\"spike\",\"anomaly_length\":2,"
	    "\"single_bucket_impact\":10,\"multi_bucket_impact\":3,"
	    "\"lower_confidence_bound\":90.0,\"typical_value\":100.5,"
	    "\"upper_confidence_bound\":110.0,"
	    "\"by_field_first_occurrence\":true,"
	    "\"by_field_relative_rarity\":8.0}");
	for (size_t i = 0; i < 2; i++)
		cr_expect_str_eq(
		    json_object_get_string(member(
			json_object_array_get_idx(member(o, "records"), i),
			"correlated_by_field_value")),
		    "db-2");
	cr_expect_not(json_object_object_get_ex(
	    json_object_array_get_idx(member(o, "records"), 1),
	    "anomaly_score_explanation", &why));
	json_object_put(o);
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
