/*
 * Job configurations: the whole body, its parser, and what a job is beside its
 * analysis. Every documented error with its text.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonout.h"
#include "tests/jobconf_fixture.h"

/* Ids */

Test(jobconf, ids_have_a_pattern_and_a_length)
{
	static const char *const good[] = { "a", "0", "it_ops_new_kpi", "a.b-c",
		"a1" };
	static const char *const bad[] = { "_", "", "_all", "A", "a b", "-a",
		"a-", "a_", ".", "\xc3\xa9", "a/b", "*" };
	char id[80];
	struct apierr e;

	for (size_t i = 0; i < NELEM(good); i++)
		cr_expect_eq(jobconf_check_id(good[i], &e), 0, "%s", good[i]);
	for (size_t i = 0; i < NELEM(bad); i++)
		cr_expect_eq(jobconf_check_id(bad[i], &e), -1, "%s", bad[i]);
	cr_expect_eq(jobconf_check_id("_", &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "Invalid job_id; '_' can contain lowercase alphanumeric (a-z and "
	    "0-9), hyphens or underscores; must start and end with "
	    "alphanumeric");
	memset(id, 'a', sizeof(id));
	id[64] = '\0';
	cr_expect_eq(jobconf_check_id(id, &e), 0);
	id[64] = 'a';
	id[65] = '\0';
	cr_expect_eq(jobconf_check_id(id, &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "The job id cannot contain more than 64 characters.");
	cr_expect_str_eq(e.link[0].type, E_ILLEGAL_ARGUMENT);
}

/* The answer */

Test(jobconf, minimal_answer_is_the_documented_one)
{
	static const struct jsonout_style plain = { .pretty = false };
	struct jobconf *c = accept(TOP(""));
	struct json_object *o =
	    jobconf_answer(c, "12.0.0", 1700000000000, TIME_UNSET, NULL);
	char *want = quoted(
	    "{'job_id':'j1','job_type':'anomaly_detector','job_version':"
	    "'12.0.0','create_time':1700000000000,'analysis_config':{"
	    "'bucket_span':'5m','detectors':[{'detector_description':'count',"
	    "'function':'count','detector_index':0}],'influencers':[],"
	    "'model_prune_window':'30d'},'analysis_limits':{"
	    "'model_memory_limit':'1024mb','categorization_examples_limit':4},"
	    "'data_description':{'time_field':'time','time_format':"
	    "'epoch_ms'},'model_snapshot_retention_days':10,"
	    "'daily_model_snapshot_retention_after_days':1,"
	    "'results_index_name':'shared','allow_lazy_open':false}");
	size_t len;
	char *text = jsonout_print(o, &plain, &len);

	cr_expect_str_eq(text, want);
	free(text);
	free(want);
	json_object_put(o);
	jobconf_free(c);
}

Test(jobconf, answer_has_times_and_snapshot_where_known)
{
	struct jobconf *c = accept(TOP(",'description':'d','groups':['g']"));
	struct json_object *o = jobconf_answer(c, NULL, 1, 2, "1700000000");
	static const char *const keys[] = { "job_id", "job_type", "create_time",
		"finished_time", "model_snapshot_id", "groups", "description",
		"analysis_config" };
	size_t i = 0;

	json_object_object_foreach(o, key, v)
	{
		(void)v;
		if (i < NELEM(keys))
			cr_expect_str_eq(key, keys[i]);
		i++;
	}
	/* What is done to the answer must not reach the configuration. */
	(void)jsonout_filter(o, "job_id");
	json_object_put(o);
	cr_expect_not_null(json_object_object_get(c->json, "analysis_config"));
	cr_expect_eq(json_object_object_length(
			 json_object_object_get(c->json, "analysis_config")),
	    4);
	jobconf_free(c);
}

Test(jobconf, old_path_writes_the_defaults_of_its_time)
{
	struct apierr e;
	struct jobconf *c = parse(TOP(""), true, &e), *back;
	char *text;

	cr_assert_not_null(c);
	text = jobconf_print(c);
	cr_expect_null(strstr(text, "model_prune_window"));
	cr_expect_not_null(
	    strstr(text, "\"model_snapshot_retention_days\":1,"));
	cr_expect_null(strstr(text, "daily_model"));
	back = jobconf_restore("j1", text, strlen(text), &e);
	cr_assert_not_null(back);
	jobconf_free(c);
	c = back;
	free(text);
	text = jobconf_print(c);
	cr_expect_null(strstr(text, "model_prune_window"));
	free(text);
	jobconf_free(c);
}

Test(jobconf, struct_holds_what_the_worker_needs)
{
	struct jobconf *c = accept(
	    "{'analysis_config':{'bucket_span':'10m','latency':'2m',"
	    "'detectors':[{'function':'mean','field_name':'v',"
	    "'by_field_name':'b','partition_field_name':'p','use_null':true},"
	    "{'function':'high_count','over_field_name':'o'}],"
	    "'influencers':['p','i',''],'summary_count_field_name':'n'},"
	    "'data_description':{'format':'delimited','time_field':'ts',"
	    "'time_format':'epoch','field_delimiter':';'},"
	    "'analysis_limits':{'model_memory_limit':'2g'}}");
	static const char *const fields[] = { "b", "i", "n", "o", "p", "v" };

	cr_expect_str_eq(c->job_id, "j1");
	cr_expect_eq(c->bucket_span_s, 600);
	cr_expect_eq(c->latency_s, 120);
	cr_assert_eq(c->ndetectors, 2);
	cr_expect_eq(c->detector[0].function->kind, FN_MEAN);
	cr_expect_str_eq(c->detector[0].description,
	    "mean(v) by b usenull=true partitionfield=p");
	cr_expect_str_eq(c->detector[0].by_field_name, "b");
	cr_expect(c->detector[0].use_null);
	cr_expect_eq(c->detector[1].function->side, SIDE_HIGH);
	cr_expect_null(c->detector[1].field_name);
	cr_expect_str_eq(c->detector[1].over_field_name, "o");
	cr_assert_eq(c->ninfluencers, 2);
	cr_expect_str_eq(c->influencer[1], "i");
	cr_expect_str_eq(c->summary_count_field_name, "n");
	cr_expect_eq(c->model_memory_limit_mb, 2048);
	cr_expect_eq(c->format, FORMAT_DELIMITED);
	cr_expect_str_eq(c->time_field, "ts");
	cr_expect_str_eq(c->time_format, "epoch");
	cr_expect_eq(c->field_delimiter, ';');
	cr_expect_eq(c->quote_character, '"');
	cr_assert_eq(c->nfields, NELEM(fields));
	for (size_t i = 0; i < NELEM(fields); i++)
		cr_expect_str_eq(c->field[i], fields[i]);
	jobconf_free(c);
}

Test(jobconf, mlcategory_is_no_field_of_records)
{
	struct jobconf *c =
	    accept(BODY("'categorization_field_name':'msg','detectors':[{"
			"'function':'count','by_field_name':'mlcategory'}]",
		""));

	cr_assert_eq(c->nfields, 1);
	cr_expect_str_eq(c->field[0], "msg");
	cr_expect_str_eq(c->categorization_field_name, "msg");
	jobconf_free(c);
}

/* Parser errors */

Test(jobconf, body_has_to_be_one_object)
{
	refuse("", E_PARSE, "request body is required");
	refuse("[]", E_XCONTENT_PARSE,
	    "[1:1] [job_details] Expected START_OBJECT but was: START_ARRAY");
	refuse("{'job_id':'j1'", E_XCONTENT_PARSE,
	    "[1:15] Unexpected end of input: expected ',' or '}'");
}

Test(jobconf, unknown_fields_are_named_with_their_place)
{
	refuse("{\n 'foo':1}", E_XCONTENT_PARSE,
	    "[2:2] [job_details] unknown field [foo]");
	refuse("{'descripton':'x'}", E_XCONTENT_PARSE,
	    "[1:2] [job_details] unknown field [descripton] did you mean any "
	    "of [description, data_description]?");
	refuse("{'job':1}", E_XCONTENT_PARSE,
	    "[1:2] [job_details] unknown field [job]");
	refuse("{'allow_lazy_opn':1}", E_XCONTENT_PARSE,
	    "[1:2] [job_details] unknown field [allow_lazy_opn] did you mean "
	    "[allow_lazy_open]?");
	refuse(DETECTOR("'function':'count',\n'x':1"), E_XCONTENT_PARSE,
	    "[2:1] [detector] unknown field [x]");
	refuse(BODY("'overlapping_buckets':true", ""), E_XCONTENT_PARSE,
	    "[1:21] [analysis_config] unknown field [overlapping_buckets]");
	refuse_old("{'foo':1}", E_XCONTENT_PARSE,
	    "[1:2] [job_details] unknown field [foo], parser not found");
}

Test(jobconf, wrong_types_name_the_token)
{
	refuse("{'description':1}", E_XCONTENT_PARSE,
	    "[1:16] [job_details] description doesn't support values of type: "
	    "VALUE_NUMBER");
	refuse("{'analysis_config':[]}", E_XCONTENT_PARSE,
	    "[1:20] [job_details] analysis_config doesn't support values of "
	    "type: START_ARRAY");
	refuse(BODY("'bucket_span':300", ""), E_XCONTENT_PARSE,
	    "[1:35] [analysis_config] bucket_span doesn't support values of "
	    "type: VALUE_NUMBER");
	refuse("{'custom_settings':null}", E_XCONTENT_PARSE,
	    "[1:20] [job_details] custom_settings doesn't support values of "
	    "type: VALUE_NULL");
}

Test(jobconf, causes_are_wrapped_once_for_each_parser)
{
	static const char *const of_detector[] = {
		"[1:72] [job_details] failed to parse field [analysis_config]",
		"[1:72] [analysis_config] failed to parse field [detectors]",
		"field_name must be set when the 'mean' function is used",
	};
	static const char *const of_function[] = {
		"[1:46] [job_details] failed to parse field [analysis_config]",
		"[1:46] [analysis_config] failed to parse field [detectors]",
		"[1:46] [detector] failed to parse field [function]",
		"Unknown function 'x'",
	};
	static const char *const of_analysis[] = {
		"[1:35] [job_details] failed to parse field [analysis_config]",
		"No detectors configured",
	};

	chain(DETECTOR("'function':'mean','by_field_name':'a'"), of_detector,
	    NELEM(of_detector));
	chain(DETECTOR("'function':'x'"), of_function, NELEM(of_function));
	chain(BODY("'detectors':[]", ""), of_analysis, NELEM(of_analysis));
}

Test(jobconf, last_of_equal_keys_wins)
{
	prints(
	    TOP(",'description':'a','description':'b'"), "'description':'b'");
}

Test(jobconf, scalars_may_come_as_text)
{
	prints(TOP(",'results_retention_days':'7','allow_lazy_open':'true'"),
	    "'results_retention_days':7");
	prints(TOP(",'groups':'g'"), "'groups':['g']");
	prints(TOP(",'model_snapshot_retention_days':2.9"),
	    "'model_snapshot_retention_days':2,");
	prints(BODY("'detectors':{'function':'count'},'influencers':'i'", ""),
	    "'influencers':['i']");
	refuse(TOP(",'results_retention_days':'x'"), E_ILLEGAL_ARGUMENT,
	    "For input string: \"x\"");
	refuse(TOP(",'allow_lazy_open':'yes'"), E_ILLEGAL_ARGUMENT,
	    "Failed to parse value [yes] as only [true] or [false] are "
	    "allowed.");
}

/* What is kept as it is must be able to be printed again. */
Test(jobconf, custom_settings_have_no_number_beyond_a_double)
{
	static const char *const reasons[] = {
		"[1:110] [job_details] failed to parse field [custom_settings]",
		"Value [1e400] is out of range for a double",
	};

	prints(TOP(",'custom_settings':{'a':[-1.5e308,18446744073709551615]}"),
	    "'custom_settings':{'a':[-1.5e+308,18446744073709551615]}");
	chain(TOP(",'custom_settings':{'a':[1,{'b':1e400}]}"), reasons,
	    NELEM(reasons));
}

Test(jobconf, deepest_chain_of_causes_is_told_whole)
{
	static const char *const reasons[] = {
		"[1:121] [job_details] failed to parse field [analysis_config]",
		"[1:121] [analysis_config] failed to parse field [detectors]",
		"[1:121] [detector] failed to parse field [custom_rules]",
		"[1:121] [detection_rule] failed to parse field [params]",
		"[1:121] [params] failed to parse field [force_time_shift]",
		("[1:121] [force_time_shift] failed to parse field "
		 "[time_shift_amount]"),
		"For input string: \"x\"",
	};

	chain(DETECTOR("'function':'count','custom_rules':[{'params':{"
		       "'force_time_shift':{'time_shift_amount':'x'}}}]"),
	    reasons, NELEM(reasons));
}

/* The job as a whole */

Test(jobconf, id_in_the_body_has_to_be_the_one_of_the_url)
{
	jobconf_free(accept(TOP(",'job_id':'j1'")));
	refuse(TOP(",'job_id':'other'"), E_ILLEGAL_ARGUMENT,
	    "Inconsistent job_id; 'other' specified in the body differs from "
	    "'j1' specified as a URL argument");
}

Test(jobconf, parts_have_to_be_there)
{
	refuse("{'data_description':{}}", E_ILLEGAL_ARGUMENT,
	    "An analysis_config must be set");
	refuse("{'analysis_config':{'detectors':[{'function':'count'}]}}",
	    E_ILLEGAL_ARGUMENT, "A data_description must be set");
}

Test(jobconf, time_field_is_not_analysed)
{
	refuse(DETECTOR("'function':'mean','field_name':'time'"),
	    E_ILLEGAL_ARGUMENT,
	    "data_description.time_field may not be used in the "
	    "analysis_config");
}

Test(jobconf, numbers_have_least_values)
{
	prints(TOP(",'background_persist_interval':'2h'"),
	    "'background_persist_interval':'2h'");
	refuse(TOP(",'background_persist_interval':'1m'"), E_ILLEGAL_ARGUMENT,
	    "background_persist_interval cannot be less than 3,600. Value = "
	    "60");
	refuse(TOP(",'background_persist_interval':'7200500ms'"),
	    E_ILLEGAL_ARGUMENT,
	    "background_persist_interval has to be a multiple of 1s; actual "
	    "was '2h'");
	refuse(TOP(",'renormalization_window_days':-1"), E_ILLEGAL_ARGUMENT,
	    "renormalization_window_days cannot be less than 0. Value = -1");
	refuse(TOP(",'results_retention_days':-1234567"), E_ILLEGAL_ARGUMENT,
	    "results_retention_days cannot be less than 0. Value = "
	    "-1,234,567");
	refuse(TOP(",'model_snapshot_retention_days':-1"), E_ILLEGAL_ARGUMENT,
	    "model_snapshot_retention_days cannot be less than 0. Value = "
	    "-1");
	refuse(TOP(",'daily_model_snapshot_retention_after_days':11"),
	    E_ILLEGAL_ARGUMENT,
	    "The value of daily_model_snapshot_retention_after_days [11] "
	    "cannot be greater than model_snapshot_retention_days [10]");
	prints_not(TOP(",'model_snapshot_retention_days':1"), "daily_model");
	prints(TOP(",'model_snapshot_retention_days':3"),
	    "'daily_model_snapshot_retention_after_days':1");
}

Test(jobconf, groups_obey_the_rules_of_ids)
{
	prints(TOP(",'groups':['ones','foo-group']"),
	    "'groups':['ones','foo-group']");
	prints_not(TOP(",'groups':[]"), "groups");
	refuse(TOP(",'groups':['___']"), E_ILLEGAL_ARGUMENT,
	    "Invalid group id '___'; must be non-empty string and may contain "
	    "lowercase alphanumeric (a-z and 0-9), hyphens or underscores; "
	    "must start and end with alphanumeric");
	refuse(TOP(",'groups':['']"), E_ILLEGAL_ARGUMENT,
	    "Invalid group id ''; must be non-empty string and may contain "
	    "lowercase alphanumeric (a-z and 0-9), hyphens or underscores; "
	    "must start and end with alphanumeric");
	refuse(TOP(",'groups':['j1']"), E_EXISTS,
	    "job and group names must be unique but job [j1] and group [j1] "
	    "have the same name");
}

Test(jobconf, index_name_gets_its_prefix_once)
{
	prints(TOP(",'results_index_name':'foo'"),
	    "'results_index_name':'custom-foo'");
	prints(TOP(",'results_index_name':'custom-foo'"),
	    "'results_index_name':'custom-foo'");
	prints(TOP(",'results_index_name':'shared'"),
	    "'results_index_name':'shared'");
	refuse(TOP(",'results_index_name':'_x'"), E_ILLEGAL_ARGUMENT,
	    "Invalid results_index_name; '_x' can contain lowercase "
	    "alphanumeric (a-z and 0-9), hyphens or underscores; must start "
	    "and end with alphanumeric");
}

Test(jobconf, broken_json_has_the_type_that_its_base_knows)
{
	refuse("{'job_id' 1}", E_XCONTENT_PARSE,
	    "[1:11] Unexpected character (code 49): expected a colon");
	refuse_old("{'job_id' 1}", E_JSON_PARSE,
	    "[1:11] Unexpected character (code 49): expected a colon");
	refuse_old("", E_PARSE, "request body is required");
}

Test(jobconf, what_a_server_sets_is_refused)
{
	prints_not(TOP(",'job_type':'anomaly_detector','job_version':'1'"),
	    "job_version");
	refuse(TOP(",'create_time':1"), E_XCONTENT_PARSE,
	    "[1:79] [job_details] unknown field [create_time]");
	refuse_old(TOP(",'create_time':1,'job_version':'6.8.0',"
		       "'model_snapshot_id':'x'"),
	    E_ILLEGAL_ARGUMENT,
	    "The job is configured with fields "
	    "[model_snapshot_id,create_time] that are illegal to set at job "
	    "creation");
}

Test(jobconf, datafeeds_are_refused_with_a_reason)
{
	refuse(TOP(",'datafeed_config':{'indices':['x']}"), E_STATUS,
	    "[datafeed_config] is not supported: anomd has no datafeeds, "
	    "records are sent to the job with _data");
}

Test(jobconf, free_form_settings_keep_their_order)
{
	prints(TOP(",'custom_settings':{'z':1,'a':[1.5,null,{'y':'\\u20ac'}]"
		   "}"),
	    "'custom_settings':{'z':1,'a':[1.5,null,{'y':'\xe2\x82\xac'}]}");
}

Test(jobconf, restore_takes_nothing_else_than_what_was_printed)
{
	struct apierr e;

	cr_expect_null(jobconf_restore("j1", "{}", 2, &e));
	cr_expect_null(jobconf_restore("j1", "", 0, &e));
}
