/*
 * Updates of job configurations: what each field does, and what is refused.
 * Texts are written with ' for ".
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jobconf.h"

#define JOB(analysis, rest)                                                    \
	"{'analysis_config':{'detectors':[{'function':'mean','field_name':'v'" \
	",'by_field_name':'b'},{'function':'count'}]" analysis "},"            \
	"'data_description':{}" rest "}"
#define PLAIN JOB("", "")
#define CATEGORIES(filters)                                                    \
	"{'analysis_config':{'categorization_field_name':'m'," filters         \
	"'detectors':[{'function':'count','by_field_name':'mlcategory',"       \
	"'partition_field_name':'p'}]},'data_description':{}}"

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
made(const char *text, const struct jobconf_rules *rules)
{
	char *json = quoted(text);
	struct apierr e;
	struct jobconf *c = jobconf_parse("j1", json, strlen(json), rules, &e);

	cr_assert_not_null(c, "%s: %s", text, e.link[e.n - 1].reason);
	free(json);
	return c;
}

/* The job with the update, or NULL with *e. */
static struct jobconf *
updated(const char *job, const char *update, const struct jobconf_rules *rules,
    struct apierr *e)
{
	struct jobconf *c = made(job, NULL), *next = NULL;
	char *json = quoted(update), *before = jobconf_print(c), *after;
	struct json_object *wanted =
	    jobconf_parse_update("j1", json, strlen(json), rules, e);

	if (wanted != NULL)
		next = jobconf_update(c, wanted, rules, e);
	after = jobconf_print(c);
	cr_expect_str_eq(before, after, "the old one is not touched");
	free(before);
	free(after);
	free(json);
	json_object_put(wanted);
	jobconf_free(c);
	return next;
}

static char *
printed(const char *job, const char *update)
{
	struct apierr e;
	struct jobconf *c = updated(job, update, NULL, &e), *back;
	char *text, *again;

	cr_assert_not_null(c, "%s: %s", update, e.link[e.n - 1].reason);
	text = jobconf_print(c);
	back = jobconf_restore("j1", text, strlen(text), &e);
	cr_assert_not_null(back, "%s: %s", text, e.link[e.n - 1].reason);
	again = jobconf_print(back);
	cr_expect_str_eq(text, again, "it is stored as it is");
	free(again);
	jobconf_free(back);
	jobconf_free(c);
	return text;
}

static void
gives(const char *job, const char *update, const char *part)
{
	char *text = printed(job, update), *want = quoted(part);

	cr_expect_not_null(strstr(text, want), "%s gives %s", update, text);
	free(want);
	free(text);
}

static void
gives_not(const char *job, const char *update, const char *part)
{
	char *text = printed(job, update), *want = quoted(part);

	cr_expect_null(strstr(text, want), "%s gives %s", update, text);
	free(want);
	free(text);
}

static void
refuses_by(const struct jobconf_rules *rules, const char *job,
    const char *update, const char *type, const char *reason)
{
	struct apierr e;
	struct jobconf *c = updated(job, update, rules, &e);

	cr_assert_null(c, "%s was taken", update);
	cr_expect_eq(e.status, 400);
	cr_expect_str_eq(e.link[e.n - 1].reason, reason, "%s: %s", update,
	    e.link[e.n - 1].reason);
	cr_expect_str_eq(
	    e.link[e.n - 1].type, type, "%s: %s", update, e.link[e.n - 1].type);
}

static void
refuses(
    const char *job, const char *update, const char *type, const char *reason)
{
	refuses_by(NULL, job, update, type, reason);
}

Test(jobconf_update, an_empty_one_changes_nothing)
{
	struct jobconf *c = made(PLAIN, NULL);
	char *want = jobconf_print(c), *text = printed(PLAIN, "{}");

	cr_expect_str_eq(text, want);
	free(text);
	text = printed(PLAIN, "{'job_id':'j1'}");
	cr_expect_str_eq(text, want);
	free(text);
	free(want);
	jobconf_free(c);
}

Test(jobconf_update, each_field_is_replaced)
{
	static const struct {
		const char *update;
		const char *part;
	} cases[] = {
		{ "{'description':'new'}", "'description':'new'" },
		{ "{'groups':['x','y']}", "'groups':['x','y']" },
		{ "{'custom_settings':{'z':1,'a':2}}",
		    "'custom_settings':{'z':1,'a':2}" },
		{ "{'model_plot_config':{'enabled':true}}",
		    "'model_plot_config':{'enabled':true,"
		    "'annotations_enabled':true}" },
		{ "{'analysis_limits':{'model_memory_limit':'20mb'}}",
		    "'analysis_limits':{'model_memory_limit':'20mb',"
		    "'categorization_examples_limit':4}" },
		{ "{'renormalization_window_days':10}",
		    "'renormalization_window_days':10" },
		{ "{'results_retention_days':'40'}",
		    "'results_retention_days':40" },
		{ "{'model_snapshot_retention_days':30,"
		  "'daily_model_snapshot_retention_after_days':2}",
		    "'model_snapshot_retention_days':30,"
		    "'daily_model_snapshot_retention_after_days':2" },
		{ "{'background_persist_interval':'3h'}",
		    "'background_persist_interval':'3h'" },
		{ "{'model_prune_window':'12h'}",
		    "'model_prune_window':'12h'" },
		{ "{'allow_lazy_open':true}", "'allow_lazy_open':true" },
	};

	for (size_t i = 0; i < NELEM(cases); i++) {
		gives(PLAIN, cases[i].update, cases[i].part);
		/* In place of what was there, too. */
		gives(JOB("",
			  ",'description':'old','groups':['o'],"
			  "'custom_settings':{'o':{'p':1}},"
			  "'model_plot_config':{'enabled':false,'terms':'t'},"
			  "'analysis_limits':{'model_memory_limit':'30mb'},"
			  "'renormalization_window_days':1,"
			  "'results_retention_days':1,"
			  "'background_persist_interval':'2h',"
			  "'allow_lazy_open':false"),
		    cases[i].update, cases[i].part);
	}
	gives_not(JOB("", ",'groups':['o']"), "{'groups':[]}", "groups");
	gives(JOB("", ",'custom_settings':{'o':1}"), "{'custom_settings':{}}",
	    "'custom_settings':{}");
	gives(JOB("", ",'description':'old'"), "{'description':null}",
	    "'description':'old'");
}

Test(jobconf_update, the_struct_follows)
{
	struct apierr e;
	struct jobconf *c = updated(PLAIN,
	    "{'analysis_limits':{'model_memory_limit':'1tb'},"
	    "'detectors':[{'detector_index':1,'description':'d'}]}",
	    NULL, &e);

	cr_assert_not_null(c);
	cr_expect_eq(c->model_memory_limit_mb, 1024 * 1024);
	cr_expect_str_eq(c->detector[1].description, "d");
	cr_expect_str_eq(c->detector[0].description, "mean(v) by b");
	jobconf_free(c);
}

#define RULE                                                                   \
	"{'actions':['skip_result'],'conditions':[{'applies_to':'actual',"     \
	"'operator':'gt','value':1.0}]}"

Test(jobconf_update, detectors_are_meant_by_their_index)
{
	gives(PLAIN,
	    "{'detectors':[{'detector_index':1,'description':'one'},"
	    "{'detector_index':0,'custom_rules':[" RULE "]}]}",
	    "'detectors':[{'detector_description':'mean(v) by b','function':"
	    "'mean','field_name':'v','by_field_name':'b','custom_rules':[" RULE
	    "],'detector_index':0},{'detector_description':'one','function':"
	    "'count','detector_index':1}]");
	gives(PLAIN, "{'detectors':{'detector_index':'0','description':'x'}}",
	    "'detector_description':'x'");
	gives(PLAIN, "{'detectors':[]}", "'mean(v) by b'");
	gives(PLAIN, "{'detectors':[{'detector_index':0}]}", "'mean(v) by b'");
	gives(PLAIN, "{'detectors':[{'detector_index':0,'description':''}]}",
	    "'mean(v) by b'");
	refuses(PLAIN, "{'detectors':[{'detector_index':2}]}", E_STATUS,
	    "Supplied detector_index [2] is >= the number of detectors [2]");
	refuses(PLAIN, "{'detectors':[{'detector_index':-1}]}", E_STATUS,
	    "Supplied detector_index [-1] cannot be less than 0");
	refuses(PLAIN, "{'detectors':[{'description':'x'}]}",
	    E_ILLEGAL_ARGUMENT, "Required [detector_index]");
	refuses(PLAIN, "{'detectors':[{'detector_description':'x'}]}",
	    E_XCONTENT_PARSE,
	    "[1:16] [detector_update] unknown field [detector_description] "
	    "did you mean [description]?");
	refuses(PLAIN, "{'detectors':[{'function':'sum'}]}", E_XCONTENT_PARSE,
	    "[1:16] [detector_update] unknown field [function]");
}

Test(jobconf_update, rules_are_checked_against_their_detector)
{
#define RULES(index, rules)                                                    \
	"{'detectors':[{'detector_index':" index ",'custom_rules':[" rules     \
	"]}]}"
	gives(PLAIN, RULES("0", "{'scope':{'b':{'filter_id':'f'}}}"),
	    "'custom_rules':[{'actions':['skip_result'],'scope':{'b':{"
	    "'filter_id':'f','filter_type':'include'}}}]");
	refuses(PLAIN, RULES("1", "{'scope':{'b':{'filter_id':'f'}}}"),
	    E_STATUS,
	    "Invalid detector rule: scope field 'b' is invalid; detector has "
	    "no available fields for scoping");
	refuses(PLAIN, RULES("0", "{}"), E_STATUS,
	    "Invalid detector rule: at least scope or a condition is "
	    "required");
	gives_not("{'analysis_config':{'detectors':[{'function':'count',"
		  "'custom_rules':[" RULE "]}]},'data_description':{}}",
	    RULES("0", ""), "custom_rules");
}

/* It is asked of a new job alone, so such a job has to load again. */
Test(jobconf_update, detectors_may_become_equal)
{
	gives("{'analysis_config':{'detectors':[{'function':'count'},"
	      "{'function':'count','detector_description':'other'}]},"
	      "'data_description':{}}",
	    "{'detectors':[{'detector_index':1,'description':'count'}]}",
	    "{'detector_description':'count','function':'count',"
	    "'detector_index':1}");
}

Test(jobconf_update, what_may_not_change_may_be_repeated)
{
	gives(PLAIN,
	    "{'analysis_limits':{'model_memory_limit':'9mb',"
	    "'categorization_examples_limit':4}}",
	    "'model_memory_limit':'9mb'");
	refuses(PLAIN,
	    "{'analysis_limits':{'categorization_examples_limit':5}}", E_STATUS,
	    "analysis_limits.categorization_examples_limit cannot be updated: "
	    "it is [4], and [5] was given");
	gives(CATEGORIES(""),
	    "{'per_partition_categorization':{'enabled':false,"
	    "'stop_on_warn':true}}",
	    "'per_partition_categorization':{'enabled':false,"
	    "'stop_on_warn':true}");
	gives(CATEGORIES("'per_partition_categorization':{'enabled':true},"),
	    "{'per_partition_categorization':{'stop_on_warn':true}}",
	    "'per_partition_categorization':{'enabled':true,"
	    "'stop_on_warn':true}");
	refuses(CATEGORIES(""),
	    "{'per_partition_categorization':{'enabled':true}}", E_STATUS,
	    "per_partition_categorization.enabled cannot be updated: it is "
	    "[false], and [true] was given");
	refuses(PLAIN, "{'per_partition_categorization':{'enabled':true}}",
	    E_STATUS,
	    "per_partition_categorization.enabled cannot be updated: it is "
	    "[false], and [true] was given");
	gives_not(PLAIN, "{'per_partition_categorization':{'enabled':false}}",
	    "per_partition");
}

Test(jobconf_update, filters_go_into_the_analyzer_that_holds_them)
{
	struct jobconf_rules old = { .old = true };
	struct json_object *wanted;
	struct jobconf *c, *next;
	struct apierr e;
	char *text, *want;

	gives(CATEGORIES("'categorization_filters':['x'],"),
	    "{'categorization_filters':['y','z']}",
	    "'categorization_analyzer':{'char_filter':[{'type':"
	    "'pattern_replace','pattern':'y'},{'type':'pattern_replace',"
	    "'pattern':'z'},'first_line_with_letters']");
	gives_not(CATEGORIES("'categorization_filters':['x'],"),
	    "{'categorization_filters':[]}", "pattern_replace");
	refuses(CATEGORIES("'categorization_analyzer':'standard',"),
	    "{'categorization_filters':['y']}", E_STATUS,
	    "categorization_filters cannot be used with "
	    "categorization_analyzer - instead specify them as "
	    "pattern_replace char_filters in the analyzer");
	refuses(PLAIN, "{'categorization_filters':['y']}", E_STATUS,
	    "categorization_filters require setting "
	    "categorization_field_name");
	refuses(CATEGORIES(""), "{'categorization_filters':['y','y']}",
	    E_STATUS, "categorization_filters contain duplicates");
	/* A job of the old path has them as they are. */
	c = made(CATEGORIES("'categorization_filters':['x'],"), &old);
	text = quoted("{'categorization_filters':['y']}");
	wanted = jobconf_parse_update("j1", text, strlen(text), &old, &e);
	next = jobconf_update(c, wanted, &old, &e);
	cr_assert_not_null(next);
	free(text);
	text = jobconf_print(next);
	want = quoted("'categorization_field_name':'m',"
		      "'categorization_filters':['y'],'detectors'");
	cr_expect_not_null(strstr(text, want), "%s", text);
	free(want);
	free(text);
	json_object_put(wanted);
	jobconf_free(next);
	jobconf_free(c);
}

Test(jobconf_update, checks_are_those_of_a_new_job)
{
	static const struct {
		const char *update;
		const char *type;
		const char *reason;
	} cases[] = {
		{ "{'model_prune_window':'5m'}", E_STATUS,
		    "model_prune_window [5m] must be at least 2 times greater "
		    "than bucket_span [5m]" },
		{ "{'model_prune_window':'2m'}", E_STATUS,
		    "model_prune_window [2m] must be a multiple of "
		    "bucket_span [5m]" },
		{ "{'background_persist_interval':'59m'}", E_ILLEGAL_ARGUMENT,
		    "background_persist_interval cannot be less than 3,600. "
		    "Value = 3,540" },
		{ "{'renormalization_window_days':-1}", E_ILLEGAL_ARGUMENT,
		    "renormalization_window_days cannot be less than 0. "
		    "Value = -1" },
		{ "{'results_retention_days':-1}", E_ILLEGAL_ARGUMENT,
		    "results_retention_days cannot be less than 0. Value = "
		    "-1" },
		{ "{'model_snapshot_retention_days':-1}", E_ILLEGAL_ARGUMENT,
		    "model_snapshot_retention_days cannot be less than 0. "
		    "Value = -1" },
		{ "{'model_snapshot_retention_days':0}", E_ILLEGAL_ARGUMENT,
		    "The value of daily_model_snapshot_retention_after_days "
		    "[1] cannot be greater than "
		    "model_snapshot_retention_days [0]" },
		{ "{'daily_model_snapshot_retention_after_days':1234}",
		    E_ILLEGAL_ARGUMENT,
		    "The value of daily_model_snapshot_retention_after_days "
		    "[1,234] cannot be greater than "
		    "model_snapshot_retention_days [10]" },
		{ "{'groups':['A']}", E_ILLEGAL_ARGUMENT,
		    "Invalid group id 'A'; must be non-empty string and may "
		    "contain lowercase alphanumeric (a-z and 0-9), hyphens or "
		    "underscores; must start and end with alphanumeric" },
		{ "{'groups':['j1']}", E_EXISTS,
		    "job and group names must be unique but job [j1] and group "
		    "[j1] have the same name" },
		{ "{'model_plot_config':{}}", E_ILLEGAL_ARGUMENT,
		    "Required [enabled]" },
		{ "{'analysis_limits':{'model_memory_limit':'1kb'}}", E_STATUS,
		    "model_memory_limit must be at least 1 MiB. Value = 0" },
		{ "{'job_id':'j2'}", E_ILLEGAL_ARGUMENT,
		    "Inconsistent job_id; 'j2' specified in the body differs "
		    "from 'j1' specified as a URL argument" },
		{ "{'custom_settings':{'time_zone':'Mars/Base'}}",
		    E_ILLEGAL_ARGUMENT,
		    "custom_settings.time_zone [Mars/Base] is not known: this "
		    "machine has no time zone data; install it (tzdata) and "
		    "start anomd again, or use [UTC]" },
		{ "", E_PARSE, "request body is required" },
		{ "[]", E_XCONTENT_PARSE,
		    "[1:1] [job_update] Expected START_OBJECT but was: "
		    "START_ARRAY" },
	};

	for (size_t i = 0; i < NELEM(cases); i++)
		refuses(PLAIN, cases[i].update, cases[i].type, cases[i].reason);
}

Test(jobconf_update, other_fields_are_unknown)
{
	static const char *const fields[] = { "analysis_config",
		"data_description", "results_index_name", "bucket_span",
		"influencers", "latency", "datafeed_config", "job_type",
		"job_version", "model_snapshot_id", "create_time",
		"categorization_analyzer", "detector_description", "enabled" };
	struct jobconf_rules old = { .old = true };
	char update[128], reason[128];
	struct apierr e;

	for (size_t i = 0; i < NELEM(fields); i++) {
		snprintf(update, sizeof(update), "{'%s':{}}", fields[i]);
		snprintf(reason, sizeof(reason),
		    "[1:2] [job_update] unknown field [%s]", fields[i]);
		cr_expect_null(updated(PLAIN, update, NULL, &e));
		cr_expect_eq(strncmp(e.link[0].reason, reason, strlen(reason)),
		    0, "%s", e.link[0].reason);
		strlcat(reason, ", parser not found", sizeof(reason));
		refuses_by(&old, PLAIN, update, E_XCONTENT_PARSE, reason);
	}
}

Test(jobconf_update, a_greatest_limit_holds_for_new_values_alone)
{
	struct jobconf_rules rules = { .max_model_memory_bytes = 512 << 20 };
	struct apierr e;
	struct jobconf *c;

	refuses_by(&rules, PLAIN,
	    "{'analysis_limits':{'model_memory_limit':'513mb'}}", E_STATUS,
	    "model_memory_limit [513mb] must be less than the value of the "
	    "xpack.ml.max_model_memory_limit setting [512mb]");
	c = updated(PLAIN, "{'analysis_limits':{'model_memory_limit':'512mb'}}",
	    &rules, &e);
	cr_assert_not_null(c);
	jobconf_free(c);
	/* The job has 1024mb, from a time without a limit. */
	c = updated(PLAIN, "{'description':'x'}", &rules, &e);
	cr_assert_not_null(c);
	cr_expect_eq(c->model_memory_limit_mb, 1024);
	jobconf_free(c);
}

Test(jobconf_update, what_an_update_has_can_be_asked)
{
	static const char text[] = "{\"analysis_limits\":{}}";
	struct apierr e;
	struct json_object *wanted =
	    jobconf_parse_update("j1", text, strlen(text), NULL, &e);

	cr_expect(jobconf_updates(wanted, "analysis_limits"));
	cr_expect_not(jobconf_updates(wanted, "groups"));
	json_object_put(wanted);
}
