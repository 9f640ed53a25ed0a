/* Owns analysis_config: its fields, checks and defaults (2.3). */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jobconf_int.h"
#include "common/units.h"

#define PRUNE_WINDOW_NS (UNITS_NS_PER_S * 86400 * 30)
#define PRUNE_WINDOW_SPANS 20	 /* when that is longer */
#define LATENCY_SPANS_MOST 10000 /* each is held in memory, open */

static int
bad(struct objparse *op, const char *reason)
{
	return apierr_set(op->e, 400, E_STATUS, "%s", reason);
}

/* Checks, in the order of finish_analysis */

static int
check_span(struct objparse *op, struct json_object *obj)
{
	int64_t span = jobconf_duration_ns(obj, "bucket_span");
	int64_t latency = jobconf_duration_ns(obj, "latency");
	char shown[UNITS_DURATION_BYTES];

	units_show_duration(shown, span);
	if (span <= 0)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "bucket_span cannot be less or equal than 0. Value = %s",
		    shown);
	if (span % UNITS_NS_PER_S != 0)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "bucket_span has to be a multiple of 1s; actual was '%s'",
		    shown);
	units_show_duration(shown, latency);
	if (latency < 0)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "latency cannot be less than 0. Value = %s", shown);
	if (latency % UNITS_NS_PER_S != 0)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "latency has to be a multiple of 1s; actual was '%s'",
		    shown);
	if (latency / span > LATENCY_SPANS_MOST)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "latency cannot be longer than %d times the bucket_span. "
		    "Value = %s",
		    LATENCY_SPANS_MOST, shown);
	return 0;
}

static int
check_summary_count(struct objparse *op, struct json_object *obj)
{
	struct json_object *detectors = jobconf_member(obj, "detectors");

	if (jobconf_text(obj, "summary_count_field_name") == NULL)
		return 0;
	for (size_t i = 0; i < jobconf_length(detectors); i++)
		if (strcmp(jobconf_text(json_object_array_get_idx(detectors, i),
			       "function"),
			"metric") == 0)
			return bad(op,
			    "The 'metric' function cannot be used in jobs "
			    "that will take pre-summarized input");
	return 0;
}

/* A name and another one below it cannot both hold a value in one document. */
static int
check_nesting(struct objparse *op, struct json_object *obj)
{
	const char **list;
	size_t n;
	int rc = 0;

	if (jobconf_collect_fields(obj, true, &list, &n) == -1)
		return objparse_no_memory(op);
	for (size_t i = 1; i < n && rc == 0; i++) {
		size_t len = strlen(list[i - 1]);

		if (strncmp(list[i], list[i - 1], len) == 0 &&
		    list[i][len] == '.')
			rc = apierr_set(op->e, 400, E_STATUS,
			    "Fields [%s] and [%s] cannot both be used in the "
			    "same analysis_config",
			    list[i - 1], list[i]);
	}
	free(list);
	return rc;
}

static int
check_prune_window(struct objparse *op, struct json_object *obj)
{
	const char *text = jobconf_text(obj, "model_prune_window");
	const char *span_text = jobconf_text(obj, "bucket_span");
	int64_t window = jobconf_duration_ns(obj, "model_prune_window");
	int64_t span = jobconf_duration_ns(obj, "bucket_span");

	if (text == NULL)
		return 0;
	if (window <= 0 || window % span != 0)
		return apierr_set(op->e, 400, E_STATUS,
		    "model_prune_window [%s] must be a multiple of "
		    "bucket_span [%s]",
		    text, span_text);
	if (window / span < 2)
		return apierr_set(op->e, 400, E_STATUS,
		    "model_prune_window [%s] must be at least 2 times greater "
		    "than bucket_span [%s]",
		    text, span_text);
	return 0;
}

/* Defaults */

static int
number_detectors(struct objparse *op, struct json_object *obj)
{
	struct json_object *detectors = jobconf_member(obj, "detectors");

	for (size_t i = 0; i < jobconf_length(detectors); i++) {
		struct json_object *d = json_object_array_get_idx(detectors, i);

		/* Of the table's fields it is the last one, so it stays so. */
		json_object_object_del(d, "detector_index");
		if (objparse_put(op, d, "detector_index",
			json_object_new_int64((int64_t)i)) == -1)
			return -1;
	}
	return 0;
}

/* 30 days in whole spans, or 20 spans. */
static int
default_prune_window(struct objparse *op, struct json_object *obj)
{
	int64_t span = jobconf_duration_ns(obj, "bucket_span");
	int64_t spans = PRUNE_WINDOW_NS / span;
	char text[UNITS_DURATION_BYTES];

	if (PRUNE_WINDOW_NS % span != 0)
		spans++;
	if (spans < PRUNE_WINDOW_SPANS)
		spans = PRUNE_WINDOW_SPANS;
	if (spans > INT64_MAX / span)
		return 0;
	units_print_duration(text, spans * span);
	return objparse_put(
	    op, obj, "model_prune_window", json_object_new_string(text));
}

static int
default_per_partition(struct objparse *op, struct json_object *obj)
{
	struct json_object *conf = json_object_new_object();

	if (conf == NULL)
		return objparse_no_memory(op);
	if (objparse_put(op, conf, "enabled", json_object_new_boolean(0)) ==
	    -1) {
		json_object_put(conf);
		return -1;
	}
	return objparse_put(op, obj, "per_partition_categorization", conf);
}

static int
default_categorization(struct objparse *op, struct json_object *obj)
{
	if (jobconf_text(obj, "categorization_field_name") == NULL)
		return 0;
	if (jobconf_member(obj, "per_partition_categorization") == NULL &&
	    !op->old && default_per_partition(op, obj) == -1)
		return -1;
	if (op->old || jobconf_member(obj, "categorization_analyzer") != NULL)
		return 0;
	return jobconf_default_analyzer(op, obj);
}

/* What 8.x writes into every configuration and 6.x did not know. */
static int
set_defaults(struct objparse *op, struct json_object *obj)
{
	if (number_detectors(op, obj) == -1)
		return -1;
	if (jobconf_text(obj, "categorization_field_name") == NULL)
		json_object_object_del(obj, "per_partition_categorization");
	if (jobconf_member(obj, "influencers") == NULL &&
	    objparse_put(op, obj, "influencers", json_object_new_array()) == -1)
		return -1;
	if (op->restore)
		return 0;
	if (default_categorization(op, obj) == -1)
		return -1;
	if (op->old || jobconf_member(obj, "model_prune_window") != NULL)
		return 0;
	return default_prune_window(op, obj);
}

static int
finish_analysis(struct objparse *op, struct json_object *obj)
{
	if (jobconf_member(obj, "bucket_span") == NULL &&
	    objparse_put(
		op, obj, "bucket_span", json_object_new_string("5m")) == -1)
		return -1;
	if (check_span(op, obj) == -1)
		return -1;
	if (jobconf_length(jobconf_member(obj, "detectors")) == 0)
		return bad(op, "No detectors configured");
	if (jobconf_check_name(
		op, jobconf_text(obj, "summary_count_field_name")) == -1 ||
	    jobconf_check_name(
		op, jobconf_text(obj, "categorization_field_name")) == -1 ||
	    jobconf_check_categories(op, obj) == -1 ||
	    check_summary_count(op, obj) == -1 ||
	    check_nesting(op, obj) == -1 || check_prune_window(op, obj) == -1)
		return -1;
	return set_defaults(op, obj);
}

static const struct objparse_field per_partition_fields[] = {
	{ "enabled", T_BOOLEAN, objparse_boolean, NULL,
	    OBJPARSE_REQUIRED | OBJPARSE_FIXED },
	{ "stop_on_warn", T_BOOLEAN, objparse_boolean, NULL,
	    OBJPARSE_UPDATABLE },
};
static const struct objparse_table per_partition_table = {
	"per_partition_categorization", per_partition_fields,
	NELEM(per_partition_fields), NULL, "per_partition_categorization"
};

static const struct objparse_field analysis_fields[] = {
	/* clang-format off */
	{ "bucket_span", T_STRING, objparse_duration, NULL, 0 },
	{ "categorization_field_name", T_STRING, jobconf_convert_name, NULL,
	    0 },
	{ "categorization_filters", T_STRINGS, objparse_strings, NULL,
	    OBJPARSE_UPDATABLE },
	{ "categorization_analyzer", T_STRING | T_OBJECT,
	    jobconf_convert_analyzer, &jobconf_analyzer_table, 0 },
	{ "per_partition_categorization", T_OBJECT, objparse_object,
	    &per_partition_table, OBJPARSE_UPDATABLE },
	{ "latency", T_STRING, objparse_duration, NULL, 0 },
	{ "summary_count_field_name", T_STRING, jobconf_convert_name, NULL,
	    0 },
	{ "detectors", T_OBJECTS, objparse_objects, &jobconf_detector_table,
	    OBJPARSE_REQUIRED | OBJPARSE_UPDATABLE },
	{ "influencers", T_STRINGS, jobconf_convert_names, NULL, 0 },
	{ "multivariate_by_fields", T_BOOLEAN, objparse_boolean, NULL, 0 },
	{ "model_prune_window", T_STRING, objparse_duration, NULL,
	    OBJPARSE_UPDATABLE },
	/* Of 5.x and 6.x, without effect. */
	{ "overlapping_buckets", T_BOOLEAN, objparse_ignore, NULL,
	    OBJPARSE_OLD },
	{ "result_finalization_window", T_NUMBER, objparse_ignore, NULL,
	    OBJPARSE_OLD },
	{ "multiple_bucket_spans", T_STRINGS, objparse_ignore, NULL,
	    OBJPARSE_OLD },
	{ "use_per_partition_normalization", T_BOOLEAN, objparse_ignore, NULL,
	    OBJPARSE_OLD },
	/* clang-format on */
};

const struct objparse_table jobconf_analysis_table = { "analysis_config",
	analysis_fields, NELEM(analysis_fields), finish_analysis,
	"job_update" };
