/* Answers: numbers, layout, filter_path and human twins. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonout.h"

static void
expect(const char *json, struct jsonout_style style, const char *want)
{
	struct json_object *o = json_tokener_parse(json);
	size_t len;
	char *text;

	cr_assert(o != NULL || strcmp(json, "null") == 0, "%s", json);
	text = jsonout_print(o, &style, &len);
	cr_assert_not_null(text);
	cr_expect_str_eq(text, want, "%s", json);
	cr_expect_eq(len, strlen(text));
	free(text);
	json_object_put(o);
}

static void
filter(const char *json, const char *path, const char *want)
{
	expect(json, (struct jsonout_style){ .filter_path = path }, want);
}

Test(jsonout, compact_is_without_blanks)
{
	struct jsonout_style plain = { .pretty = false };

	expect("{\"a\": [1, 2.5, \"x/y\", null, true, {}], \"b\": []}", plain,
	    "{\"a\":[1,2.5,\"x/y\",null,true,{}],\"b\":[]}");
	expect("null", plain, "null");
}

Test(jsonout, pretty_is_two_spaces_and_a_newline_at_the_end)
{
	struct jsonout_style pretty = { .pretty = true };

	expect("{\"a\":[1,{\"b\":\"x\"}],\"c\":[],\"d\":{}}", pretty,
	    "{\n  \"a\" : [\n    1,\n    {\n      \"b\" : \"x\"\n    }\n  ],\n"
	    "  \"c\" : [ ],\n  \"d\" : { }\n}\n");
	expect("{}", pretty, "{ }\n");
}

Test(jsonout, strings_are_escaped_as_json_asks)
{
	struct json_object *o =
	    json_object_new_string("\"\\/\b\f\n\r\t\x01\x1f\xc3\xa9\x7f");
	struct jsonout_style plain = { .pretty = false };
	size_t len;
	char *text = jsonout_print(o, &plain, &len);

	cr_expect_str_eq(
	    text, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\xc3\xa9\x7f\"");
	free(text);
	json_object_put(o);
}

Test(jsonout, doubles_are_short_and_come_back)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{ 0.0, "0.0" },
		{ -0.0, "-0.0" },
		{ 1.0, "1.0" },
		{ 0.1, "0.1" },
		{ 0.1 + 0.2, "0.30000000000000004" },
		{ 1e15, "1e+15" },
		{ 123456789.0, "123456789.0" },
		{ 1e300, "1e+300" },
		{ 4.94065645841247e-324, "5e-324" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ 99.99, "99.99" },
	};
	char text[32];

	for (size_t i = 0; i < NELEM(cases); i++) {
		jsonout_double(text, cases[i].v);
		cr_expect_str_eq(text, cases[i].text);
		cr_expect_eq(strtod(text, NULL), cases[i].v);
	}
	jsonout_double(text, (double)NAN);
	cr_expect_str_eq(text, "null");
	jsonout_double(text, -(double)INFINITY);
	cr_expect_str_eq(text, "null");
}

Test(jsonout, integers_print_whole_up_to_64_bits)
{
	struct jsonout_style plain = { .pretty = false };
	struct json_object *o = json_object_new_uint64(UINT64_MAX);
	size_t len;
	char *text = jsonout_print(o, &plain, &len);

	cr_expect_str_eq(text, "18446744073709551615");
	free(text);
	json_object_put(o);
	expect("[9223372036854775807,-9223372036854775808]", plain,
	    "[9223372036854775807,-9223372036854775808]");
}

#define JOBS                                                                   \
	"{\"count\":2,\"jobs\":[{\"job_id\":\"a\",\"counts\":{\"n\":1,"        \
	"\"bytes\":2},\"tags\":[\"x\",\"y\"]},{\"job_id\":\"b\",\"counts\":{"  \
	"\"n\":3,\"bytes\":4},\"empty\":{}}]}"

Test(jsonout, filter_keeps_paths_through_arrays)
{
	filter(JOBS, "count", "{\"count\":2}");
	filter(JOBS, "jobs.job_id",
	    "{\"jobs\":[{\"job_id\":\"a\"},{\"job_id\":\"b\"}]}");
	filter(JOBS, "jobs.counts.n,count",
	    "{\"count\":2,\"jobs\":[{\"counts\":{\"n\":1}},{\"counts\":{"
	    "\"n\":3}}]}");
	filter(JOBS, " count , jobs.tags ",
	    "{\"count\":2,\"jobs\":[{\"tags\":[\"x\",\"y\"]}]}");
	filter(JOBS, "jobs.empty", "{\"jobs\":[{\"empty\":{}}]}");
}

Test(jsonout, filter_that_matches_nothing_leaves_an_empty_object)
{
	struct json_object *o = json_tokener_parse(JOBS);

	cr_expect_not(jsonout_filter(o, "nothing"));
	cr_expect_eq(json_object_object_length(o), 0);
	json_object_put(o);
	filter(JOBS, "count.x", "{}");
	filter(JOBS, "jobs.tags.x", "{}");
	filter(JOBS, "", JOBS);
	filter(JOBS, ",", JOBS);
}

Test(jsonout, filter_wildcards_stay_in_their_level)
{
	filter(JOBS, "c*", "{\"count\":2}");
	filter(JOBS, "*.job*",
	    "{\"jobs\":[{\"job_id\":\"a\"},{\"job_id\":\"b\"}]}");
	filter(JOBS, "jobs.c*s.b*s",
	    "{\"jobs\":[{\"counts\":{\"bytes\":2}},{\"counts\":{\"bytes\":4}}]"
	    "}");
	filter(JOBS, "*.n", "{}");
	filter(JOBS, "*", JOBS);
}

Test(jsonout, filter_double_wildcard_is_any_depth)
{
	filter(JOBS, "**.n",
	    "{\"jobs\":[{\"counts\":{\"n\":1}},{\"counts\":{\"n\":3}}]}");
	filter(JOBS, "**.count", "{\"count\":2}");
	filter(JOBS, "jobs.**.bytes",
	    "{\"jobs\":[{\"counts\":{\"bytes\":2}},{\"counts\":{\"bytes\":4}}]"
	    "}");
	filter(JOBS, "jobs.**.job_id",
	    "{\"jobs\":[{\"job_id\":\"a\"},{\"job_id\":\"b\"}]}");
	filter(JOBS, "**", JOBS);
}

Test(jsonout, filter_double_wildcards_in_a_row_are_one)
{
	filter(JOBS, "**.**.n",
	    "{\"jobs\":[{\"counts\":{\"n\":1}},{\"counts\":{\"n\":3}}]}");
	filter(JOBS, "**.**", JOBS);
	filter(JOBS, "jobs.**.**.job_id",
	    "{\"jobs\":[{\"job_id\":\"a\"},{\"job_id\":\"b\"}]}");
}

/* A client must not hold up all others for seconds with one line. */
Test(jsonout, filter_of_wildcards_takes_no_time, .timeout = 10)
{
	struct json_object *o = json_object_new_object();
	char path[4000] = "";

	for (int i = 0; i < 20000; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%d", i);
		json_object_object_add(o, key, json_object_new_int(i));
	}
	for (int i = 0; i < 500; i++)
		strlcat(path, "**.", sizeof(path));
	strlcat(path, "k19999", sizeof(path));
	cr_expect(jsonout_filter(o, path));
	cr_expect_eq(json_object_object_length(o), 1);
	json_object_put(o);
}

Test(jsonout, filter_excludes_alone_keep_the_rest)
{
	filter(JOBS, "-jobs", "{\"count\":2}");
	filter(JOBS, "-jobs.counts,-**.tags",
	    "{\"count\":2,\"jobs\":[{\"job_id\":\"a\"},{\"job_id\":\"b\","
	    "\"empty\":{}}]}");
	filter(JOBS, "-jobs.counts.*,-jobs.job_id,-jobs.tags,-jobs.empty",
	    "{\"count\":2}");
	filter(JOBS, "-*", "{}");
}

Test(jsonout, filter_excludes_cut_from_what_is_included)
{
	filter(JOBS, "jobs,-jobs.counts,-jobs.t*,-jobs.e*",
	    "{\"jobs\":[{\"job_id\":\"a\"},{\"job_id\":\"b\"}]}");
	filter(JOBS, "jobs.counts,-**.n",
	    "{\"jobs\":[{\"counts\":{\"bytes\":2}},{\"counts\":{\"bytes\":4}}]"
	    "}");
	filter(JOBS, "count,-count", "{}");
}

Test(jsonout, filter_backslash_makes_a_dot_part_of_the_name)
{
	filter("{\"a.b\":1,\"a\":{\"b\":2}}", "a\\.b", "{\"a.b\":1}");
	filter("{\"a.b\":1,\"a\":{\"b\":2}}", "a.b", "{\"a\":{\"b\":2}}");
}

Test(jsonout, filter_of_any_length_is_survived)
{
	char path[8192];
	struct json_object *o = json_tokener_parse(JOBS);

	memset(path, '.', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	cr_expect_not(jsonout_filter(o, path));
	json_object_put(o);
	for (size_t i = 0; i + 3 < sizeof(path); i += 3)
		memcpy(path + i, "**.", 4);
	o = json_tokener_parse(JOBS);
	(void)jsonout_filter(o, path);
	json_object_put(o);
}

Test(jsonout, human_puts_a_twin_before_each_date)
{
	struct jsonout_style human = { .human = true };

	expect("{\"create_time\":1700000000000,\"x\":1}", human,
	    "{\"create_time_string\":\"2023-11-14T22:13:20.000Z\","
	    "\"create_time\":1700000000000,\"x\":1}");
	expect("{\"b\":[{\"n\":1,\"timestamp\":0}]}", human,
	    "{\"b\":[{\"n\":1,\"timestamp_string\":"
	    "\"1970-01-01T00:00:00.000Z\",\"timestamp\":0}]}");
	expect("{\"latest_record_timestamp\":1,\"latest_record_time_stamp\":2}",
	    human,
	    "{\"latest_record_timestamp_string\":\"1970-01-01T00:00:00.001Z\","
	    "\"latest_record_timestamp\":1,\"latest_record_time_stamp_string\""
	    ":\"1970-01-01T00:00:00.002Z\",\"latest_record_time_stamp\":2}");
}

Test(jsonout, human_leaves_alone_what_is_no_date)
{
	struct jsonout_style human = { .human = true };

	expect("{\"open_time\":\"13s\",\"timestamp\":\"x\",\"time\":1}", human,
	    "{\"open_time\":\"13s\",\"timestamp\":\"x\",\"time\":1}");
	expect("{\"custom_settings\":{\"timestamp\":1}}", human,
	    "{\"custom_settings\":{\"timestamp\":1}}");
}

Test(jsonout, human_twins_can_be_filtered)
{
	expect("{\"create_time\":0,\"x\":1}",
	    (struct jsonout_style){
		.human = true, .filter_path = "create_time_string" },
	    "{\"create_time_string\":\"1970-01-01T00:00:00.000Z\"}");
}

static void
yaml(const char *json, const char *want)
{
	expect(json, (struct jsonout_style){ .yaml = true }, want);
}

Test(jsonout, yaml_is_a_document_in_block_style)
{
	yaml("{\"a\":{\"b\":1,\"c\":{\"d\":\"x\"}},\"e\":true,\"f\":null}",
	    "---\na:\n  b: 1\n  c:\n    d: \"x\"\ne: true\nf: null\n");
	yaml("{\"l\":[1,\"x\",{\"a\":1,\"b\":[2]},[3,[4]]],\"z\":0}",
	    "---\nl:\n- 1\n- \"x\"\n- a: 1\n  b:\n  - 2\n- - 3\n  - - 4\n"
	    "z: 0\n");
	yaml("[{\"a\":[],\"b\":{}},{}]", "---\n- a: []\n  b: {}\n- {}\n");
}

Test(jsonout, yaml_of_no_block_stands_behind_the_mark)
{
	yaml("{}", "--- {}\n");
	yaml("[]", "--- []\n");
	yaml("null", "--- null\n");
	yaml("\"x\"", "--- \"x\"\n");
}

Test(jsonout, yaml_strings_are_quoted_and_escape_what_yaml_does_not_print)
{
	yaml("[\"true\",\"1\",\"a: b\",\"\"]",
	    "---\n- \"true\"\n- \"1\"\n- \"a: b\"\n- \"\"\n");
	yaml("[\"\\n\\t\\\"\\\\\\u0001\\u007f/\"]",
	    "---\n- \"\\n\\t\\\"\\\\\\u0001\\u007f/\"\n");
	yaml("[\"\\u0085\\u009f\\u2028\\u2029\\ufeff\\uffff\"]",
	    "---\n- \"\\u0085\\u009f\\u2028\\u2029\\ufeff\\uffff\"\n");
	yaml("[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc2\xa0\"]",
	    "---\n- \"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc2\xa0\"\n");
}

Test(jsonout, yaml_keys_are_bare_unless_they_could_be_something_else)
{
	yaml("{\"a_b.c-d\":1,\"\":2,\"7\":3,\"No\":4,\"a b\":5,\"-x\":6,"
	     "\"\xc3\xa9\":7}",
	    "---\na_b.c-d: 1\n\"\": 2\n\"7\": 3\n\"No\": 4\n\"a b\": 5\n"
	    "\"-x\": 6\n\"\xc3\xa9\": 7\n");
}

/* A key that its reader would give up to look for the end of. */
Test(jsonout, yaml_long_keys_have_a_mark_and_a_colon_of_their_own)
{
	char key[130], json[400], want[800];

	memset(key, 'k', sizeof(key));
	key[128] = '\0';
	snprintf(json, sizeof(json), "{\"%s\":1}", key);
	snprintf(want, sizeof(want), "---\n%s: 1\n", key);
	yaml(json, want);
	key[128] = 'k';
	key[129] = '\0';
	snprintf(json, sizeof(json), "[{\"%s\":[1],\"a\":{\"%s\":{\"b\":2}}}]",
	    key, key);
	snprintf(want, sizeof(want),
	    "---\n- ? %s\n  :\n  - 1\n  a:\n    ? %s\n    :\n      b: 2\n", key,
	    key);
	yaml(json, want);
}

Test(jsonout, yaml_numbers_are_numbers_of_every_version_of_yaml)
{
	yaml("[1e-7,-2.5e300,0.5,3.0,1e22,18446744073709551615]",
	    "---\n- 1.0e-07\n- -2.5e+300\n- 0.5\n- 3.0\n- 1.0e+22\n"
	    "- 18446744073709551615\n");
}

Test(jsonout, yaml_is_filtered_and_has_human_twins)
{
	struct jsonout_style style = { .yaml = true,
		.pretty = true,
		.human = true,
		.filter_path = "a.create_*" };

	expect("{\"a\":{\"create_time\":0,\"x\":1},\"b\":2}", style,
	    "---\na:\n  create_time_string: \"1970-01-01T00:00:00.000Z\"\n"
	    "  create_time: 0\n");
	style.filter_path = "nothing";
	expect("{\"a\":1}", style, "--- {}\n");
}
