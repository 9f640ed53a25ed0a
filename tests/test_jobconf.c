/*
 * Job configurations: every documented error with its text, defaults, output,
 * and what is generated from the tables. Texts are written with ' for ".
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jobconf.h"
#include "common/jsonout.h"
#include "common/zones.h"

#define BODY(analysis, rest)                                                   \
	"{'analysis_config':{" analysis "},'data_description':{}" rest "}"
#define DETECTOR(d) BODY("'detectors':[{" d "}]", "")
#define TOP(rest) BODY("'detectors':[{'function':'count'}]", rest)
#define DATA(d)                                                                \
	"{'analysis_config':{'detectors':[{'function':'count'}]},"             \
	"'data_description':{" d "}}"

/* With ' turned into ". The caller frees. */
static char *
quoted(const char *text)
{
	char *copy = strdup(text);

	cr_assert_not_null(copy);
	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return copy;
}

static struct jobconf *
parse(const char *text, bool old, struct apierr *e)
{
	char *json = quoted(text);
	struct jobconf_rules rules = { .old = old };
	struct jobconf *c = jobconf_parse("j1", json, strlen(json), &rules, e);

	free(json);
	return c;
}

static struct jobconf *
accept(const char *text)
{
	struct apierr e;
	struct jobconf *c = parse(text, false, &e);

	cr_assert_not_null(c, "%s: %s", text, e.link[e.n - 1].reason);
	return c;
}

/* The text of the printed form contains this. */
static void
prints(const char *text, const char *part)
{
	struct jobconf *c = accept(text);
	char *printed = jobconf_print(c), *want = quoted(part);

	cr_assert_not_null(printed);
	cr_expect_not_null(
	    strstr(printed, want), "%s prints %s", text, printed);
	free(want);
	free(printed);
	jobconf_free(c);
}

static void
prints_not(const char *text, const char *part)
{
	struct jobconf *c = accept(text);
	char *printed = jobconf_print(c), *want = quoted(part);

	cr_expect_null(strstr(printed, want), "%s prints %s", text, printed);
	free(want);
	free(printed);
	jobconf_free(c);
}

static void
refuse_by(const char *text, bool old, const char *type, const char *reason)
{
	struct apierr e;
	struct jobconf *c = parse(text, old, &e);

	cr_assert_null(c, "%s was taken", text);
	cr_expect_eq(e.status, 400);
	cr_expect_str_eq(e.link[e.n - 1].reason, reason, "%s: %s", text,
	    e.link[e.n - 1].reason);
	cr_expect_str_eq(
	    e.link[e.n - 1].type, type, "%s: %s", text, e.link[e.n - 1].type);
}

static void
refuse(const char *text, const char *type, const char *reason)
{
	refuse_by(text, false, type, reason);
}

/* The whole chain, outermost first. */
static void
chain(const char *text, const char *const *reasons, size_t n)
{
	struct apierr e;
	struct jobconf *c = parse(text, false, &e);

	cr_assert_null(c, "%s was taken", text);
	cr_assert_eq((size_t)e.n, n, "%s: %d links", text, e.n);
	for (size_t i = 0; i < n; i++)
		cr_expect_str_eq(e.link[i].reason, reasons[i]);
}

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
	refuse_by("{'foo':1}", true, E_XCONTENT_PARSE,
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

/* Detectors */

Test(jobconf, detector_checks_come_in_their_order)
{
	static const struct {
		const char *detector;
		const char *reason;
	} cases[] = {
		{ "'function':'mean'",
		    "Unless a count or temporal function is used one of "
		    "field_name, by_field_name or over_field_name must be "
		    "set" },
		{ "'function':'rare','partition_field_name':'p'",
		    "Unless a count or temporal function is used one of "
		    "field_name, by_field_name or over_field_name must be "
		    "set" },
		{ "'function':'mean','field_name':'','by_field_name':''",
		    "Unless a count or temporal function is used one of "
		    "field_name, by_field_name or over_field_name must be "
		    "set" },
		{ "'function':'mean','by_field_name':'airline'",
		    "field_name must be set when the 'mean' function is "
		    "used" },
		{ "'function':'dc','over_field_name':'o'",
		    "field_name must be set when the 'distinct_count' "
		    "function is used" },
		{ "'function':'count','field_name':'f'",
		    "field_name cannot be used with function 'count'" },
		{ "'function':'time_of_day','field_name':'f'",
		    "field_name cannot be used with function "
		    "'time_of_day'" },
		{ "'function':'rare','over_field_name':'o'",
		    "by_field_name must be set when the 'rare' function is "
		    "used" },
		{ "'function':'freq_rare','by_field_name':'b'",
		    "over_field_name must be set when the 'freq_rare' "
		    "function is used" },
		{ "'function':'nzc','over_field_name':'o'",
		    "over_field_name cannot be used with function "
		    "'non_zero_count'" },
		{ "'function':'sum','field_name':'a\\\\b'",
		    "Invalid field name 'a\\b'. Field names including over, "
		    "by and partition fields cannot contain any of these "
		    "characters: \",\\" },
		{ "'function':'count','by_field_name':'a\\u0007'",
		    "Invalid field name 'a\x07'. Field names including over, "
		    "by and partition fields cannot contain any of these "
		    "characters: \",\\" },
		{ "'function':'count','by_field_name':'.'",
		    "Invalid field name '.'. Field names including over, by "
		    "and partition fields cannot be '.'" },
		{ "'function':'count','by_field_name':'a',"
		  "'partition_field_name':'a','over_field_name':'a'",
		    "partition_field_name and by_field_name cannot be the "
		    "same: 'a'" },
		{ "'function':'count','over_field_name':'a',"
		  "'partition_field_name':'a'",
		    "partition_field_name and over_field_name cannot be the "
		    "same: 'a'" },
		{ "'function':'count','by_field_name':'a',"
		  "'over_field_name':'a'",
		    "by_field_name and over_field_name cannot be the same: "
		    "'a'" },
		{ "'function':'count','by_field_name':'count'",
		    "'count' is not a permitted value for by_field_name" },
		{ "'function':'count','over_field_name':'count'",
		    "'count' is not a permitted value for "
		    "over_field_name" },
		{ "'function':'count','by_field_name':'by'",
		    "'by' is not a permitted value for by_field_name" },
		{ "'function':'count','by_field_name':'over'",
		    "'over' is not a permitted value for by_field_name" },
		{ "'function':'count','over_field_name':'over'",
		    "'over' is not a permitted value for over_field_name" },
	};
	char text[512];

	for (size_t i = 0; i < NELEM(cases); i++) {
		snprintf(text, sizeof(text),
		    "{'analysis_config':{'detectors':[{%s}]},"
		    "'data_description':{}}",
		    cases[i].detector);
		refuse(text, E_STATUS, cases[i].reason);
	}
	jobconf_free(accept(
	    DETECTOR("'function':'count','partition_field_name':'count'")));
}

Test(jobconf, detectors_print_in_full)
{
	prints(DETECTOR("'function':'nzc','by_field_name':'airline'"),
	    "{'detector_description':'non_zero_count by airline','function':"
	    "'non_zero_count','by_field_name':'airline','detector_index':0}");
	prints(
	    DETECTOR("'function':'avg','field_name':'v'"), "'function':'avg'");
	prints(DETECTOR("'detector_index':7,'function':'high_count',"
			"'exclude_frequent':'ALL','over_field_name':"
			"'client.ip','partition_field_name':'host'"),
	    "'exclude_frequent':'all','detector_index':0}");
	prints(DETECTOR("'function':'high_count','exclude_frequent':'all',"
			"'over_field_name':'clientip',"
			"'partition_field_name':'host'"),
	    "'high_count over clientip partitionfield=host "
	    "excludefrequent=all'");
	prints(DETECTOR("'function':'mean','field_name':'responsetime',"
			"'by_field_name':'airline'"),
	    "'mean(responsetime) by airline'");
	prints(DETECTOR("'function':'count','detector_description':'mine'"),
	    "'detector_description':'mine'");
	prints(DETECTOR("'field_name':'v'"), "'function':'metric'");
	prints_not(DETECTOR("'function':'count','use_null':false,"
			    "'custom_rules':[]"),
	    "use_null");
}

Test(jobconf, names_with_other_characters_are_quoted_in_descriptions)
{
	struct jobconf *c =
	    accept(DETECTOR("'function':'count','by_field_name':'client.ip'"));

	cr_expect_str_eq(c->detector[0].description, "count by \"client.ip\"");
	jobconf_free(c);
}

Test(jobconf, equal_detectors_are_refused)
{
	refuse(BODY("'detectors':[{'function':'count'},{'function':'mean',"
		    "'field_name':'a'},{'function':'c','detector_index':9}]",
		   ""),
	    E_ILLEGAL_ARGUMENT, "Duplicate detectors are not allowed: [count]");
	jobconf_free(
	    accept(BODY("'detectors':[{'function':'count'},{'function':"
			"'count','detector_description':'other'}]",
		"")));
}

/* Custom rules */

#define RULE(fields, rule)                                                     \
	DETECTOR("'function':'mean','field_name':'v'," fields                  \
		 "'custom_rules':[{" rule "}]")
#define CONDITION "{'applies_to':'actual','operator':'gt','value':10}"

Test(jobconf, rules_are_checked_and_printed)
{
	prints(RULE("'by_field_name':'b',",
		   "'actions':['SKIP_MODEL_UPDATE'],'scope':{'b':{'filter_id':"
		   "'f'}},'conditions':[" CONDITION "]"),
	    "'custom_rules':[{'actions':['skip_model_update'],'scope':{'b':{"
	    "'filter_id':'f','filter_type':'include'}},'conditions':[{"
	    "'applies_to':'actual','operator':'gt','value':10.0}]}]");
	prints(RULE("", "'conditions':[" CONDITION "]"),
	    "'actions':['skip_result']");
	prints(RULE("",
		   "'actions':['force_time_shift'],'params':{"
		   "'force_time_shift':{'time_shift_amount':3600}},"
		   "'conditions':[" CONDITION "]"),
	    "'params':{'force_time_shift':{'time_shift_amount':3600}}");
	refuse(RULE("", "'actions':['skip_result']"), E_STATUS,
	    "Invalid detector rule: at least scope or a condition is "
	    "required");
	refuse(RULE("", "'scope':{'x':{'filter_id':'f'}}"), E_STATUS,
	    "Invalid detector rule: scope field 'x' is invalid; detector has "
	    "no available fields for scoping");
	refuse(RULE("'by_field_name':'b','partition_field_name':'p',",
		   "'scope':{'x':{'filter_id':'f'}}"),
	    E_STATUS,
	    "Invalid detector rule: scope field 'x' is invalid; select from "
	    "[b, p]");
	refuse(DETECTOR("'function':'rare','by_field_name':'b',"
			"'custom_rules':[{'conditions':[" CONDITION "]}]"),
	    E_STATUS,
	    "Invalid detector rule: function rare only supports conditions "
	    "that apply to time");
	refuse(RULE("", "'conditions':[{'applies_to':'actual'}]"),
	    E_ILLEGAL_ARGUMENT, "Required [operator, value]");
	refuse(RULE("", "'conditions':[{'operator':'eq'}]"), E_ILLEGAL_ARGUMENT,
	    "Invalid value [eq] for [operator]");
	refuse(RULE("", "'actions':['x']"), E_ILLEGAL_ARGUMENT,
	    "Invalid value [x] for [actions]");
}

/* analysis_config */

#define ANALYSIS(a) BODY("'detectors':[{'function':'count'}]," a, "")
#define BY_CATEGORY "{'function':'count','by_field_name':'mlcategory'}"

Test(jobconf, spans_and_latency_are_whole_seconds)
{
	prints(
	    ANALYSIS("'bucket_span':'3600000ms'"), "'bucket_span':'3600000ms'");
	prints(ANALYSIS("'bucket_span':'3600s'"), "'bucket_span':'3600s'");
	prints(ANALYSIS("'latency':'90s'"), "'latency':'90s'");
	prints_not(ANALYSIS("'bucket_span':'1h'"), "latency");
	refuse(ANALYSIS("'bucket_span':'0s'"), E_ILLEGAL_ARGUMENT,
	    "bucket_span cannot be less or equal than 0. Value = 0s");
	refuse(ANALYSIS("'bucket_span':'-1'"), E_ILLEGAL_ARGUMENT,
	    "bucket_span cannot be less or equal than 0. Value = -1");
	refuse(ANALYSIS("'bucket_span':'1500ms'"), E_ILLEGAL_ARGUMENT,
	    "bucket_span has to be a multiple of 1s; actual was '1.5s'");
	refuse(ANALYSIS("'latency':'-1'"), E_ILLEGAL_ARGUMENT,
	    "latency cannot be less than 0. Value = -1");
	refuse(ANALYSIS("'latency':'500ms'"), E_ILLEGAL_ARGUMENT,
	    "latency has to be a multiple of 1s; actual was '500ms'");
	prints(ANALYSIS("'bucket_span':'1s','latency':'10000s'"),
	    "'latency':'10000s'");
	refuse(ANALYSIS("'bucket_span':'1s','latency':'10h'"),
	    E_ILLEGAL_ARGUMENT,
	    "latency cannot be longer than 10000 times the bucket_span. "
	    "Value = 10h");
	refuse(ANALYSIS("'bucket_span':'5'"), E_ILLEGAL_ARGUMENT,
	    "failed to parse setting [bucket_span] with value [5] as a time "
	    "value: unit is missing or unrecognized");
}

Test(jobconf, detectors_have_to_be_there)
{
	refuse(BODY("", ""), E_ILLEGAL_ARGUMENT, "Required [detectors]");
	refuse(BODY("'detectors':[]", ""), E_STATUS, "No detectors configured");
}

Test(jobconf, prune_window_is_a_multiple_of_the_span)
{
	static const char *const of_unit[] = {
		"[1:77] [job_details] failed to parse field [analysis_config]",
		"[1:77] [analysis_config] failed to parse field "
		"[model_prune_window]",
		"failed to parse setting [model_prune_window] with value [8w] "
		"as a time value: unit is missing or unrecognized",
	};

	prints(ANALYSIS("'model_prune_window':'12h'"),
	    "'model_prune_window':'12h'");
	prints(ANALYSIS("'bucket_span':'2d'"), "'model_prune_window':'40d'");
	prints(ANALYSIS("'bucket_span':'7m'"), "'model_prune_window':'43204m'");
	refuse(ANALYSIS("'model_prune_window':'5m'"), E_STATUS,
	    "model_prune_window [5m] must be at least 2 times greater than "
	    "bucket_span [5m]");
	refuse(ANALYSIS("'model_prune_window':'2m'"), E_STATUS,
	    "model_prune_window [2m] must be a multiple of bucket_span [5m]");
	chain(ANALYSIS("'model_prune_window':'8w'"), of_unit, NELEM(of_unit));
}

Test(jobconf, categorization_needs_its_parts)
{
	refuse(BODY("'detectors':[" BY_CATEGORY "]", ""), E_STATUS,
	    "categorization_field_name must be set for mlcategory to be "
	    "available");
	refuse(ANALYSIS("'categorization_field_name':'m'"), E_STATUS,
	    "categorization_field_name is set but mlcategory is not used in "
	    "any detector by/over/partition field");
	refuse(ANALYSIS("'categorization_analyzer':'standard'"), E_STATUS,
	    "categorization_analyzer requires setting "
	    "categorization_field_name");
	refuse(ANALYSIS("'categorization_filters':['x']"), E_STATUS,
	    "categorization_filters require setting "
	    "categorization_field_name");
#define CATEGORIES(a)                                                          \
	BODY("'categorization_field_name':'m','detectors':[" BY_CATEGORY       \
	     "]," a,                                                           \
	    "")
	refuse(CATEGORIES("'categorization_filters':['x'],"
			  "'categorization_analyzer':'standard'"),
	    E_STATUS,
	    "categorization_filters cannot be used with "
	    "categorization_analyzer - instead specify them as "
	    "pattern_replace char_filters in the analyzer");
	refuse(CATEGORIES("'categorization_filters':['x','x']"), E_STATUS,
	    "categorization_filters contain duplicates");
	refuse(CATEGORIES("'categorization_filters':['']"), E_STATUS,
	    "categorization_filters are not allowed to contain empty "
	    "strings");
	refuse(CATEGORIES("'categorization_filters':['[x']"), E_STATUS,
	    "categorization_filters contains invalid regular expression "
	    "'[x'");
	refuse(CATEGORIES("'categorization_filters':['*x']"), E_STATUS,
	    "categorization_filters contains invalid regular expression "
	    "'*x'");
	refuse(CATEGORIES("'categorization_filters':['\\\\Q(\\\\E)']"),
	    E_STATUS,
	    "categorization_filters contains invalid regular expression "
	    "'\\Q(\\E)'");
	prints(
	    CATEGORIES("'categorization_filters':['\\\\Q*[(\\\\E+','\\\\Q(']"),
	    "'pattern':'\\\\Q*[(\\\\E+'},{'type':'pattern_replace','pattern':"
	    "'\\\\Q('}");
	prints(CATEGORIES("'categorization_filters':['\\\\[statement:.*\\\\]'"
			  "]"),
	    "'categorization_analyzer':{'char_filter':[{'type':"
	    "'pattern_replace','pattern':'\\\\[statement:.*\\\\]'},"
	    "'first_line_with_letters'],'tokenizer':'ml_standard','filter':["
	    "{'type':'stop','stopwords':['Monday',");
	prints_not(CATEGORIES("'categorization_filters':['x']"),
	    "'categorization_filters'");
	prints(CATEGORIES("'categorization_analyzer':{'tokenizer':"
			  "'ml_classic'}"),
	    "'categorization_analyzer':{'tokenizer':'ml_classic'},"
	    "'per_partition_categorization':{'enabled':false}");
	prints(CATEGORIES("'categorization_analyzer':'standard'"),
	    "'categorization_analyzer':'standard'");
	prints_not(ANALYSIS("'per_partition_categorization':{'enabled':false"
			    "}"),
	    "per_partition");
}

Test(jobconf, per_partition_categorization_needs_one_partition_field)
{
#define PER(field, detectors)                                                  \
	BODY(field "'per_partition_categorization':{'enabled':true},"          \
		   "'detectors':[" detectors "]",                              \
	    "")
	refuse(PER("", "{'function':'count'}"), E_STATUS,
	    "categorization_field_name must be set when per-partition "
	    "categorization is enabled");
	refuse(PER("'categorization_field_name':'m',",
		   "{'function':'count','partition_field_name':'mlcategory'"
		   "}"),
	    E_STATUS,
	    "mlcategory cannot be used as a partition_field_name when "
	    "per-partition categorization is enabled");
	refuse(PER("'categorization_field_name':'m',", BY_CATEGORY), E_STATUS,
	    "partition_field_name must be set for detectors that reference "
	    "mlcategory when per-partition categorization is enabled");
	refuse(PER("'categorization_field_name':'m',",
		   "{'function':'count','by_field_name':'mlcategory',"
		   "'partition_field_name':'a'},{'function':'rare',"
		   "'by_field_name':'mlcategory','partition_field_name':'b'"
		   "}"),
	    E_STATUS,
	    "partition_field_name cannot vary between detectors when "
	    "per-partition categorization is enabled: [a] and [b] are used");
}

Test(jobconf, other_checks_of_the_analysis)
{
	refuse(BODY("'summary_count_field_name':'n','detectors':[{'function':"
		    "'metric','field_name':'v'}]",
		   ""),
	    E_STATUS,
	    "The 'metric' function cannot be used in jobs that will take "
	    "pre-summarized input");
	refuse(BODY("'influencers':['a.b'],'detectors':[{'function':'count',"
		    "'by_field_name':'a'}]",
		   ""),
	    E_STATUS,
	    "Fields [a] and [a.b] cannot both be used in the same "
	    "analysis_config");
	refuse(ANALYSIS("'summary_count_field_name':'a\\\\b'"), E_STATUS,
	    "Invalid field name 'a\\b'. Field names including over, by and "
	    "partition fields cannot contain any of these characters: "
	    "\",\\");
	prints(ANALYSIS("'multivariate_by_fields':true"),
	    "'multivariate_by_fields':true");
}

Test(jobconf, old_path_takes_and_forgets_what_was_removed)
{
	struct apierr e;
	struct jobconf *c =
	    parse(ANALYSIS("'overlapping_buckets':true,"
			   "'result_finalization_window':2,"
			   "'multiple_bucket_spans':['1h'],"
			   "'use_per_partition_normalization':false"),
		true, &e);
	char *text;

	cr_assert_not_null(c);
	text = jobconf_print(c);
	cr_expect_null(strstr(text, "overlapping"));
	cr_expect_null(strstr(text, "multiple"));
	free(text);
	jobconf_free(c);
}

Test(jobconf, names_are_bounded)
{
	char name[600], text[1024];

	memset(name, 'n', sizeof(name));
	name[512] = '\0';
	snprintf(text, sizeof(text),
	    DETECTOR("'function':'count','by_field_name':'%s'"), name);
	jobconf_free(accept(text));
	name[512] = 'n';
	name[513] = '\0';
	snprintf(text, sizeof(text),
	    DETECTOR("'function':'count','by_field_name':'%s'"), name);
	refuse(text, E_STATUS,
	    "Invalid field name 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...'."
	    " Field names cannot be longer than 512 bytes");
	snprintf(text, sizeof(text), ANALYSIS("'influencers':['%s']"), name);
	refuse(text, E_STATUS,
	    "Invalid field name 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...'."
	    " Field names cannot be longer than 512 bytes");
}

/* analysis_limits, data_description, model_plot_config */

Test(jobconf, memory_limit_prints_in_mb)
{
#define LIMIT(v) TOP(",'analysis_limits':{'model_memory_limit':" v "}")
	prints(LIMIT("'8g'"), "'model_memory_limit':'8192mb'");
	prints(LIMIT("2048"), "'model_memory_limit':'2048mb'");
	prints(LIMIT("'3000g'"), "'model_memory_limit':'3072000mb'");
	prints(LIMIT("'1536kb'"), "'model_memory_limit':'1mb'");
	refuse(LIMIT("'1000kb'"), E_STATUS,
	    "model_memory_limit must be at least 1 MiB. Value = 0");
	refuse(LIMIT("-4"), E_STATUS,
	    "model_memory_limit must be at least 1 MiB. Value = -4");
	refuse(LIMIT("'12'"), E_PARSE,
	    "failed to parse setting [model_memory_limit] with value [12] as "
	    "a size in bytes: unit is missing or unrecognized");
	refuse(TOP(",'analysis_limits':{'categorization_examples_limit':-1}"),
	    E_STATUS,
	    "categorization_examples_limit cannot be less than 0. Value = "
	    "-1");
	refuse(TOP(",'analysis_limits':{'categorization_examples_limit':"
		   "-12345}"),
	    E_STATUS,
	    "categorization_examples_limit cannot be less than 0. Value = "
	    "-12,345");
	refuse(LIMIT("-1234567"), E_STATUS,
	    "model_memory_limit must be at least 1 MiB. Value = -1,234,567");
}

/* By the rules; NULL with *e. */
static struct jobconf *
parse_by(const struct jobconf_rules *rules, const char *text, struct apierr *e)
{
	char *json = quoted(text);
	struct jobconf *c = jobconf_parse("j1", json, strlen(json), rules, e);

	free(json);
	return c;
}

static void
refuse_by_rules(const struct jobconf_rules *rules, const char *text,
    const char *type, const char *reason)
{
	struct apierr e;
	struct jobconf *c = parse_by(rules, text, &e);

	cr_assert_null(c, "%s was taken", text);
	cr_expect_eq(e.status, 400);
	cr_expect_str_eq(e.link[e.n - 1].type, type);
	cr_expect_str_eq(
	    e.link[e.n - 1].reason, reason, "%s", e.link[e.n - 1].reason);
}

static uint64_t
limit_by(uint64_t most, const char *text)
{
	struct jobconf_rules rules = { .max_model_memory_bytes = most };
	struct apierr e;
	struct jobconf *c = parse_by(&rules, text, &e);
	uint64_t mb;

	cr_assert_not_null(c, "%s: %s", text, e.link[0].reason);
	mb = c->model_memory_limit_mb;
	jobconf_free(c);
	return mb;
}

Test(jobconf, a_greatest_memory_limit_bounds_the_default_and_the_rest)
{
	struct jobconf_rules rules = { .max_model_memory_bytes = UINT64_C(9)
		    << 30 };

	cr_expect_eq(limit_by(0, TOP("")), 1024);
	cr_expect_eq(limit_by(UINT64_C(9) << 30, TOP("")), 1024);
	cr_expect_eq(limit_by(512 << 20, TOP("")), 512);
	cr_expect_eq(limit_by(512 << 20,
			 TOP(",'analysis_limits':{'"
			     "categorization_examples_limit':2}")),
	    512);
	cr_expect_eq(limit_by((1 << 20) + 5, TOP("")), 1);
	cr_expect_eq(limit_by(UINT64_C(9) << 30, LIMIT("'9g'")), 9216);
	refuse_by_rules(&rules, LIMIT("'10gb'"), E_STATUS,
	    "model_memory_limit [10gb] must be less than the value of the "
	    "xpack.ml.max_model_memory_limit setting [9gb]");
	refuse_by_rules(&rules, LIMIT("9217"), E_STATUS,
	    "model_memory_limit [9gb] must be less than the value of the "
	    "xpack.ml.max_model_memory_limit setting [9gb]");
	/* It comes behind the check for equal detectors. */
	refuse_by_rules(&rules,
	    BODY("'detectors':[{'function':'count'},{'function':'count'}]",
		",'analysis_limits':{'model_memory_limit':'10gb'}"),
	    E_ILLEGAL_ARGUMENT, "Duplicate detectors are not allowed: [count]");
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

#define ZONE(v) TOP(",'custom_settings':{'a':1,'time_zone':" v ",'z':2}")

Test(jobconf, a_time_zone_is_one_that_the_machine_knows)
{
	struct zones *zones = zones_load(ZONES_DIR);
	struct jobconf_rules rules = { .zones = zones };
	static const char *const good[] = { "UTC", "Europe/Berlin",
		"America/Argentina/Buenos_Aires", "Etc/GMT+5" };
	char text[256], *printed;
	struct apierr e;
	struct jobconf *c;

	if (zones_count(zones) == 0)
		cr_skip_test("this machine has no zone data");
	for (size_t i = 0; i < NELEM(good); i++) {
		snprintf(text, sizeof(text), ZONE("'%s'"), good[i]);
		c = parse_by(&rules, text, &e);
		cr_assert_not_null(c, "%s", good[i]);
		jobconf_free(c);
	}
	refuse_by_rules(&rules, ZONE("'Europe/Berlim'"), E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone [Europe/Berlim] is no time zone of "
	    "this machine; use a name of the IANA database, such as "
	    "[Europe/Berlin] or [UTC]");
	refuse_by_rules(&rules, ZONE("'../zoneinfo/UTC'"), E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone [../zoneinfo/UTC] is no time zone of "
	    "this machine; use a name of the IANA database, such as "
	    "[Europe/Berlin] or [UTC]");
	refuse_by_rules(&rules, ZONE("''"), E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone [] is no time zone of this machine; "
	    "use a name of the IANA database, such as [Europe/Berlin] or "
	    "[UTC]");
	refuse_by_rules(&rules, ZONE("null"), E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone has to be a string, the name of a time "
	    "zone such as [Europe/Berlin] or [UTC], not VALUE_NULL");
	refuse_by_rules(&rules, ZONE("{'x':1}"), E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone has to be a string, the name of a time "
	    "zone such as [Europe/Berlin] or [UTC], not START_OBJECT");
	/* One further in has no meaning here. */
	c = parse_by(&rules,
	    TOP(",'custom_settings':{'x':{'time_zone':'nowhere'}}"), &e);
	cr_assert_not_null(c);
	jobconf_free(c);
	/* Stored, it is read whatever the machine knows by then. */
	c = parse_by(&rules, ZONE("'Europe/Berlin'"), &e);
	printed = jobconf_print(c);
	jobconf_free(c);
	c = jobconf_restore("j1", printed, strlen(printed), &e);
	cr_expect_not_null(c);
	jobconf_free(c);
	free(printed);
	zones_free(zones);
}

Test(jobconf, without_zone_data_the_cure_is_told)
{
	jobconf_free(accept(ZONE("'UTC'")));
	refuse(ZONE("'Europe/Berlin'"), E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone [Europe/Berlin] is not known: this "
	    "machine has no time zone data; install it (tzdata) and start "
	    "anomd again, or use [UTC]");
}

static int
validate(const char *text, bool old, struct apierr *e)
{
	struct jobconf_rules rules = { .old = old };
	char *json = quoted(text);
	int rc = jobconf_validate(json, strlen(json), &rules, e);

	free(json);
	return rc;
}

Test(jobconf, validation_needs_no_id)
{
	struct apierr e;

	cr_expect_eq(validate(TOP(""), false, &e), 0);
	cr_expect_eq(validate(TOP(",'job_id':'any'"), false, &e), 0);
	cr_expect_eq(validate(TOP(",'groups':['j1']"), false, &e), 0);
	cr_expect_eq(validate(TOP(",'job_id':'_'"), false, &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "Invalid job_id; '_' can contain lowercase alphanumeric (a-z and "
	    "0-9), hyphens or underscores; must start and end with "
	    "alphanumeric");
	cr_expect_eq(
	    validate(TOP(",'job_id':'g','groups':['g']"), false, &e), -1);
	cr_expect_str_eq(e.link[0].type, E_EXISTS);
	cr_expect_eq(validate("", false, &e), -1);
	cr_expect_str_eq(e.link[0].reason, "request body is required");
	cr_expect_eq(validate(BODY("'detectors':[{'function':'count'},"
				   "{'function':'count'}]",
				  ""),
			 false, &e),
	    -1);
	cr_expect_str_eq(
	    e.link[0].reason, "Duplicate detectors are not allowed: [count]");
	cr_expect_eq(validate(TOP(",'create_time':1"), true, &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "The job is configured with fields [create_time] that are illegal "
	    "to set at job creation");
	cr_expect_eq(validate(TOP(",'create_time':1"), false, &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "[1:79] [job_details] unknown field [create_time]");
}

Test(jobconf, a_detector_is_validated_with_bare_messages)
{
	static const struct {
		const char *text;
		const char *reason; /* NULL: it is valid */
	} cases[] = {
		{ "{'function':'count'}", NULL },
		{ "{'function':'nzc','by_field_name':'a'}", NULL },
		{ "{'function':'mean','by_field_name':'airline'}",
		    "field_name must be set when the 'mean' function is "
		    "used" },
		{ "{'function':'count','by_field_name':'over'}",
		    "'over' is not a permitted value for by_field_name" },
		{ "{'function':'x'}",
		    "[1:13] [detector] failed to parse field [function]" },
		{ "{'functio':'count'}",
		    "[1:2] [detector] unknown field [functio] did you mean "
		    "[function]?" },
		{ "{'function':1}",
		    "[1:13] [detector] function doesn't support values of "
		    "type: VALUE_NUMBER" },
		{ "[]",
		    "[1:1] [detector] Expected START_OBJECT but was: "
		    "START_ARRAY" },
		{ "", "request body is required" },
	};

	for (size_t i = 0; i < NELEM(cases); i++) {
		char *json = quoted(cases[i].text);
		struct apierr e;
		int rc =
		    jobconf_validate_detector(json, strlen(json), NULL, &e);

		cr_expect_eq(rc, cases[i].reason == NULL ? 0 : -1, "%s", json);
		if (rc == -1)
			cr_expect_str_eq(e.link[0].reason, cases[i].reason);
		free(json);
	}
}

Test(jobconf, data_description_defaults_and_echoes)
{
	static const char *const of_format[] = {
		"[1:86] [job_details] failed to parse field [data_description]",
		"[1:86] [data_description] failed to parse field [format]",
		"Unknown format [csv]; records are [xcontent] or [delimited]",
	};

	prints(DATA(""),
	    "'data_description':{'time_field':'time','time_format':"
	    "'epoch_ms'}");
	prints(DATA("'format':'xcontent','field_delimiter':','"),
	    "'data_description':{'time_field':'time','time_format':"
	    "'epoch_ms','field_delimiter':','}");
	prints(DATA("'format':'DELINEATED'"),
	    "'data_description':{'format':'delimited','time_field':'time',"
	    "'time_format':'epoch_ms','field_delimiter':'\\t',"
	    "'quote_character':'\\''}");
	chain(DATA("'format':'csv'"), of_format, NELEM(of_format));
	refuse(DATA("'time_format':'yyyy-MM-dd'"), E_STATUS,
	    "Invalid Time format string 'yyyy-MM-dd'");
	refuse(DATA("'field_delimiter':',,'"), E_ILLEGAL_ARGUMENT,
	    "String must be a single character, found [,,]");
	refuse(DATA("'field_delimiter':'\xc3\xa9'"), E_ILLEGAL_ARGUMENT,
	    "field_delimiter has to be a character of ASCII, found [\xc3\xa9]");
	refuse(DATA("'quote_character':''"), E_ILLEGAL_ARGUMENT,
	    "String must be a single character, found []");
	refuse(DATA("'time_field':null"), "null_pointer_exception",
	    "time_field must not be null");
}

Test(jobconf, every_documented_time_format_is_taken)
{
	static const char *const formats[] = { "epoch", "epoch_ms",
		"yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm:ssX", "yyyyMMddHHmmss",
		"dd/MMM/yyyy:HH:mm:ss Z", "MMM dd HH:mm:ss" };
	char text[256];

	for (size_t i = 0; i < NELEM(formats); i++) {
		snprintf(
		    text, sizeof(text), DATA("'time_format':'%s'"), formats[i]);
		jobconf_free(accept(text));
	}
}

Test(jobconf, plot_annotations_follow_enabled)
{
	prints(TOP(",'model_plot_config':{'enabled':true}"),
	    "'model_plot_config':{'enabled':true,'annotations_enabled':true}");
	prints(TOP(",'model_plot_config':{'annotations_enabled':false,"
		   "'terms':'a,b','enabled':true}"),
	    "'model_plot_config':{'enabled':true,'terms':'a,b',"
	    "'annotations_enabled':false}");
	refuse(TOP(",'model_plot_config':{}"), E_ILLEGAL_ARGUMENT,
	    "Required [enabled]");
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
	refuse_by("{'job_id' 1}", true, E_JSON_PARSE,
	    "[1:11] Unexpected character (code 49): expected a colon");
	refuse_by("", true, E_PARSE, "request body is required");
}

Test(jobconf, what_a_server_sets_is_refused)
{
	prints_not(TOP(",'job_type':'anomaly_detector','job_version':'1'"),
	    "job_version");
	refuse(TOP(",'create_time':1"), E_XCONTENT_PARSE,
	    "[1:79] [job_details] unknown field [create_time]");
	refuse_by(TOP(",'create_time':1,'job_version':'6.8.0',"
		      "'model_snapshot_id':'x'"),
	    true, E_ILLEGAL_ARGUMENT,
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

/* Generated configurations */

/*
 * What functions allow, told a second time and from the reference, not from
 * the table under test: F field, B by, O over; capital: required, small:
 * optional, absent: forbidden; ! may be without all three.
 */
static const struct {
	const char *functions;
	const char *needs;
} told[] = {
	{ " count high_count low_count time_of_day time_of_week ", "bo!" },
	{ " non_zero_count high_non_zero_count low_non_zero_count ", "b!" },
	{ " distinct_count high_distinct_count low_distinct_count info_content"
	  " high_info_content low_info_content min max median high_median"
	  " low_median mean high_mean low_mean avg high_avg low_avg metric varp"
	  " high_varp low_varp sum high_sum low_sum non_null_sum"
	  " high_non_null_sum low_non_null_sum lat_long ",
	    "Fbo" },
	{ " rare ", "Bo" },
	{ " freq_rare ", "BO" },
};

static bool
allows(const char *needs, char field, bool set)
{
	char upper = (char)(field - 'a' + 'A');

	return set ? strchr(needs, field) != NULL || strchr(needs, upper)
		   : strchr(needs, upper) == NULL;
}

static bool
is_allowed(const char *function, unsigned mask)
{
	char word[64];

	snprintf(word, sizeof(word), " %s ", function);
	for (size_t i = 0; i < NELEM(told); i++) {
		const char *needs = told[i].needs;

		if (strstr(told[i].functions, word) == NULL)
			continue;
		return allows(needs, 'f', mask & 1) &&
		    allows(needs, 'b', mask & 2) &&
		    allows(needs, 'o', mask & 4) &&
		    (strchr(needs, '!') != NULL || (mask & 7) != 0);
	}
	cr_assert_fail("nothing is told about %s", function);
	return false;
}

/* Printed and read back it is the same, and prints the same again. */
static void
expect_round_trip(const struct jobconf *c)
{
	char *text = jobconf_print(c), *again;
	struct jobconf *back;
	struct apierr e;

	cr_assert_not_null(text);
	back = jobconf_restore(c->job_id, text, strlen(text), &e);
	cr_assert_not_null(back, "%s: %s", text, e.link[0].reason);
	again = jobconf_print(back);
	cr_assert_not_null(again);
	cr_expect_str_eq(again, text);
	cr_expect(json_object_equal(c->json, back->json));
	cr_expect_eq(back->bucket_span_s, c->bucket_span_s);
	cr_expect_eq(back->ndetectors, c->ndetectors);
	cr_expect_eq(back->nfields, c->nfields);
	free(text);
	free(again);
	jobconf_free(back);
}

Test(jobconf, each_function_takes_the_fields_it_should)
{
	static const char *const names[] = { "field_name", "by_field_name",
		"over_field_name", "partition_field_name" };
	const struct function_info *fn;
	char text[512];
	struct apierr e;

	for (size_t i = 0; (fn = function_at(i)) != NULL; i++) {
		for (unsigned mask = 0; mask < 16; mask++) {
			int n = snprintf(text, sizeof(text),
			    "{\"analysis_config\":{\"detectors\":[{"
			    "\"function\":\"%s\"",
			    fn->name);
			struct jobconf *c;

			for (unsigned b = 0; b < 4; b++)
				if ((mask & 1u << b) != 0)
					n += snprintf(text + n,
					    sizeof(text) - (size_t)n,
					    ",\"%s\":\"f%u\"", names[b], b);
			snprintf(text + n, sizeof(text) - (size_t)n,
			    "}]},\"data_description\":{}}");
			c = jobconf_parse("j1", text, strlen(text), NULL, &e);
			cr_expect_eq(
			    c != NULL, is_allowed(fn->name, mask), "%s", text);
			if (c != NULL)
				expect_round_trip(c);
			jobconf_free(c);
		}
	}
}

/* Optional parts of a configuration, each with a valid and an invalid text. */
static const struct {
	const char *good;
	const char *bad;
} parts[] = {
	{ "'description':'x \\u00e9 \\'q\\''", "'description':[]" },
	{ "'groups':['a','b']", "'groups':['A']" },
	{ "'analysis_limits':{'model_memory_limit':'77mb'}",
	    "'analysis_limits':{'model_memory_limit':'77'}" },
	{ "'model_plot_config':{'enabled':false}",
	    "'model_plot_config':{'enabled':2}" },
	{ "'renormalization_window_days':30",
	    "'renormalization_window_days':null" },
	{ "'background_persist_interval':'3h'",
	    "'background_persist_interval':'3'" },
	{ "'model_snapshot_retention_days':20,"
	  "'daily_model_snapshot_retention_after_days':20",
	    "'model_snapshot_retention_days':2,"
	    "'daily_model_snapshot_retention_after_days':3" },
	{ "'results_retention_days':0", "'results_retention_days':{}" },
	{ "'results_index_name':'mine'", "'results_index_name':'Mine'" },
	{ "'custom_settings':{'x':{'y':[1,2.5]}}", "'custom_settings':[]" },
	{ "'allow_lazy_open':true", "'allow_lazy_open':'maybe'" },
};

/* The mask's parts; the one at index bad in its invalid form. */
static char *
build(unsigned mask, size_t bad)
{
	char text[2048] = TOP("");
	size_t n = strlen(text) - 1;

	for (size_t i = 0; i < NELEM(parts); i++)
		if ((mask >> i & 1) != 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, ",%s",
			    i == bad ? parts[i].bad : parts[i].good);
	snprintf(text + n, sizeof(text) - n, "}");
	return strdup(text);
}

Test(jobconf, any_combination_of_parts_is_read_back)
{
	struct apierr e;

	for (unsigned mask = 0; mask < 1u << NELEM(parts); mask += 7) {
		char *text = build(mask, NELEM(parts));
		struct jobconf *c = parse(text, false, &e);

		cr_assert_not_null(c, "%s: %s", text, e.link[0].reason);
		expect_round_trip(c);
		jobconf_free(c);
		free(text);
	}
}

Test(jobconf, one_bad_part_refuses_the_whole)
{
	struct apierr e;

	for (size_t bad = 0; bad < NELEM(parts); bad++) {
		for (unsigned mask = 0; mask < 1u << NELEM(parts); mask += 97) {
			char *text = build(mask | 1u << bad, bad);

			cr_expect_null(parse(text, false, &e), "%s", text);
			cr_expect_eq(e.status, 400);
			free(text);
		}
	}
}

Test(jobconf, every_truncation_is_refused)
{
	char *text = build((1u << NELEM(parts)) - 1, NELEM(parts));
	char *json = quoted(text);
	struct apierr e;

	for (size_t len = 0; len < strlen(json); len++)
		cr_expect_null(
		    jobconf_parse("j1", json, len, NULL, &e), "%zu", len);
	free(json);
	free(text);
}
