/* analysis_config: every documented error with its text, and defaults. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/jobconf_fixture.h"

#define ANALYSIS(a) BODY("'detectors':[{'function':'count'}]," a, "")
#define BY_CATEGORY "{'function':'count','by_field_name':'mlcategory'}"

Test(jobconf_analysis, spans_and_latency_are_whole_seconds)
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

Test(jobconf_analysis, detectors_have_to_be_there)
{
	refuse(BODY("", ""), E_ILLEGAL_ARGUMENT, "Required [detectors]");
	refuse(BODY("'detectors':[]", ""), E_STATUS, "No detectors configured");
}

Test(jobconf_analysis, prune_window_is_a_multiple_of_the_span)
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

Test(jobconf_analysis, categorization_needs_its_parts)
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

Test(jobconf_analysis, per_partition_categorization_needs_one_partition_field)
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

Test(jobconf_analysis, other_checks_of_the_analysis)
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

Test(jobconf_analysis, old_path_takes_and_forgets_what_was_removed)
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

Test(jobconf_analysis, names_are_bounded)
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
