/*
 * Owns the top level of a job's configuration: the table of its fields in the
 * order of printing, and the smaller objects in it.
 */
#include "common/compat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "common/jobconf_int.h"
#include "common/units.h"

#define DEFAULT_LIMIT_MB 1024
#define DEFAULT_EXAMPLES 4

/* Members of checked objects */

struct json_object *
jobconf_member(struct json_object *obj, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(obj, key, &v) ? v : NULL;
}

size_t
jobconf_length(struct json_object *list)
{
	return list == NULL ? 0 : json_object_array_length(list);
}

const char *
jobconf_text(struct json_object *obj, const char *key)
{
	struct json_object *v = jobconf_member(obj, key);
	const char *text;

	if (v == NULL || !json_object_is_type(v, json_type_string))
		return NULL;
	text = json_object_get_string(v);
	return *text == '\0' ? NULL : text;
}

int64_t
jobconf_number(struct json_object *obj, const char *key, int64_t otherwise)
{
	struct json_object *v = jobconf_member(obj, key);

	return v == NULL ? otherwise : json_object_get_int64(v);
}

int64_t
jobconf_duration_ns(struct json_object *obj, const char *key)
{
	const char *text = jobconf_text(obj, key);
	struct apierr unused;
	int64_t ns = 0;

	if (text != NULL && units_duration(key, text, &ns, &unused) == -1)
		return 0;
	return ns;
}

/* A conversion that the parts share */

int
jobconf_convert_objects(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	if (objparse_objects(op, f, v, out) == -1)
		return -1;
	if (json_object_array_length(*out) == 0) {
		json_object_put(*out);
		*out = NULL;
	}
	return 0;
}

/* analysis_limits */

/* "512mb" or a number of MiB; kept as "512mb". */
static int
convert_memory_limit(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	char text[32];
	uint64_t bytes;
	int64_t mb;

	if (v->type == JSONX_STRING) {
		if (units_size(f->name, v->text, &bytes, op->e) == -1)
			return -1;
		mb = (int64_t)(bytes >> 20);
	} else if (!jsonx_int64(v, &mb) || mb > INT64_MAX >> 20)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "Value [%s] is out of range for a size", v->text);
	if (mb < 1)
		return apierr_set(op->e, 400, E_STATUS,
		    "model_memory_limit must be at least 1 MiB. Value = "
		    "%" PRId64,
		    mb);
	(void)snprintf(text, sizeof(text), "%" PRId64 "mb", mb);
	*out = json_object_new_string(text);
	return *out == NULL ? objparse_no_memory(op) : 0;
}

static int
finish_limits(struct objparse *op, struct json_object *obj)
{
	int64_t n = jobconf_number(
	    obj, "categorization_examples_limit", DEFAULT_EXAMPLES);
	char text[32];

	if (n < 0)
		return apierr_set(op->e, 400, E_STATUS,
		    "categorization_examples_limit cannot be less than 0. "
		    "Value = %" PRId64,
		    n);
	if (objparse_put(op, obj, "categorization_examples_limit",
		json_object_new_int64(n)) == -1)
		return -1;
	if (jobconf_member(obj, "model_memory_limit") != NULL)
		return 0;
	(void)snprintf(text, sizeof(text), "%dmb", DEFAULT_LIMIT_MB);
	return objparse_put(
	    op, obj, "model_memory_limit", json_object_new_string(text));
}

static const struct objparse_field limits_fields[] = {
	{ "model_memory_limit", T_NUMBER, convert_memory_limit, NULL, 0 },
	{ "categorization_examples_limit", T_NUMBER, objparse_long, NULL, 0 },
};

const struct objparse_table jobconf_limits_table = { "analysis_limits",
	limits_fields, NELEM(limits_fields), finish_limits };

/* model_plot_config */

static int
finish_plot(struct objparse *op, struct json_object *obj)
{
	struct json_object *enabled = jobconf_member(obj, "enabled");

	if (op->restore || jobconf_member(obj, "annotations_enabled") != NULL)
		return 0;
	return objparse_put(op, obj, "annotations_enabled",
	    json_object_new_boolean(json_object_get_boolean(enabled)));
}

static const struct objparse_field plot_fields[] = {
	{ "enabled", T_BOOLEAN, objparse_boolean, NULL, OBJPARSE_REQUIRED },
	{ "terms", T_STRING | T_NULL, objparse_string_or_null, NULL, 0 },
	{ "annotations_enabled", T_BOOLEAN, objparse_boolean, NULL, 0 },
};

static const struct objparse_table plot_table = { "model_plot_config",
	plot_fields, NELEM(plot_fields), finish_plot };

/* The top */

static int
refuse_datafeed(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	(void)v;
	*out = NULL;
	return apierr_set(op->e, 400, E_STATUS,
	    "[%s] is not supported: anomd has no datafeeds, records are sent "
	    "to the job with _data",
	    f->name);
}

static const struct objparse_field job_fields[] = {
	/* clang-format off */
	{ "job_id", T_STRING, objparse_string, NULL, 0 },
	{ "custom_settings", T_OBJECT, objparse_free, NULL, 0 },
	{ "datafeed_config", T_OBJECT, refuse_datafeed, NULL, 0 },
	{ "groups", T_STRINGS, objparse_strings, NULL, 0 },
	{ "description", T_STRING | T_NULL, objparse_string_or_null, NULL, 0 },
	{ "analysis_config", T_OBJECT, objparse_object,
	    &jobconf_analysis_table, 0 },
	{ "analysis_limits", T_OBJECT, objparse_object, &jobconf_limits_table,
	    0 },
	{ "data_description", T_OBJECT, objparse_object,
	    &jobconf_data_description_table, 0 },
	{ "model_plot_config", T_OBJECT, objparse_object, &plot_table, 0 },
	{ "renormalization_window_days", T_NUMBER, objparse_long, NULL, 0 },
	{ "background_persist_interval", T_STRING, objparse_duration, NULL,
	    0 },
	{ "model_snapshot_retention_days", T_NUMBER, objparse_long, NULL, 0 },
	{ "daily_model_snapshot_retention_after_days", T_NUMBER,
	    objparse_long, NULL, 0 },
	{ "results_retention_days", T_NUMBER, objparse_long, NULL, 0 },
	{ "results_index_name", T_STRING, objparse_string, NULL, 0 },
	{ "allow_lazy_open", T_BOOLEAN, objparse_boolean, NULL, 0 },
	/* Of 6.x: printed there, and sent back by its users. */
	{ "job_type", T_STRING, objparse_ignore, NULL, OBJPARSE_OLD },
	{ "job_version", T_STRING, objparse_ignore, NULL, OBJPARSE_OLD },
	/* Kept until jobconf_check_created has refused them all at once. */
	{ "model_snapshot_id", T_STRING, objparse_string, NULL, OBJPARSE_OLD },
	{ "last_data_time", T_NUMBER, objparse_string, NULL, OBJPARSE_OLD },
	{ "finished_time", T_NUMBER, objparse_string, NULL, OBJPARSE_OLD },
	{ "create_time", T_NUMBER, objparse_string, NULL, OBJPARSE_OLD },
	/* clang-format on */
};

const struct objparse_table jobconf_table = { "job_details", job_fields,
	NELEM(job_fields), NULL };
