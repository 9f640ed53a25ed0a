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
#include "common/zones.h"

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

void
jobconf_drop_empty(struct json_object *obj, const char *key)
{
	if (jobconf_length(jobconf_member(obj, key)) == 0)
		json_object_object_del(obj, key);
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

/* analysis_limits */

/* "512mb" or a number of MiB; kept as "512mb". */
static int
convert_memory_limit(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	char text[32], shown[JOBCONF_GROUPED_BYTES];
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
		    "model_memory_limit must be at least 1 MiB. Value = %s",
		    jobconf_grouped(shown, mb));
	(void)snprintf(text, sizeof(text), "%" PRId64 "mb", mb);
	*out = json_object_new_string(text);
	return *out == NULL ? objparse_no_memory(op) : 0;
}

/* With a greatest limit the default is not above it. */
static uint64_t
default_limit_mb(const struct objparse *op)
{
	uint64_t most = jobconf_rules(op)->max_model_memory_bytes >> 20;

	return most > 0 && most < JOBCONF_MEMORY_MB ? most : JOBCONF_MEMORY_MB;
}

static int
finish_limits(struct objparse *op, struct json_object *obj)
{
	int64_t n = jobconf_number(
	    obj, "categorization_examples_limit", JOBCONF_EXAMPLES);
	char text[32], shown[JOBCONF_GROUPED_BYTES];

	if (n < 0)
		return apierr_set(op->e, 400, E_STATUS,
		    "categorization_examples_limit cannot be less than 0. "
		    "Value = %s",
		    jobconf_grouped(shown, n));
	if (objparse_put(op, obj, "categorization_examples_limit",
		json_object_new_int64(n)) == -1)
		return -1;
	if (jobconf_member(obj, "model_memory_limit") != NULL)
		return 0;
	(void)snprintf(
	    text, sizeof(text), "%" PRIu64 "mb", default_limit_mb(op));
	return objparse_put(
	    op, obj, "model_memory_limit", json_object_new_string(text));
}

static const struct objparse_field limits_fields[] = {
	{ "model_memory_limit", T_NUMBER, convert_memory_limit, NULL,
	    OBJPARSE_UPDATABLE },
	{ "categorization_examples_limit", T_NUMBER, objparse_long, NULL,
	    OBJPARSE_FIXED },
};

const struct objparse_table jobconf_limits_table = { "analysis_limits",
	limits_fields, NELEM(limits_fields), finish_limits, "analysis_limits" };

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
	plot_fields, NELEM(plot_fields), finish_plot, NULL };

/* custom_settings */

/* The zone is the one member that has a meaning here. */
static int
check_zone(struct objparse *op, const struct jsonx_value *zone)
{
	const struct zones *zones = jobconf_rules(op)->zones;

	op->pos = zone->pos;
	if (zone->type != JSONX_STRING)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "custom_settings.time_zone has to be a string, the name "
		    "of a time zone such as [Europe/Berlin] or [UTC], not %s",
		    jsonx_token(zone));
	if (zones_has(zones, zone->text))
		return 0;
	if (zones_count(zones) == 0)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "custom_settings.time_zone [%s] is not known: this "
		    "machine has no time zone data; install it (tzdata) and "
		    "start anomd again, or use [UTC]",
		    zone->text);
	return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone [%s] is no time zone of this machine; "
	    "use a name of the IANA database, such as [Europe/Berlin] or "
	    "[UTC]",
	    zone->text);
}

static int
convert_settings(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	const struct jsonx_value *zone = jsonx_get(v, "time_zone");

	/* Zone data may have lost what was stored: that job still loads. */
	if (zone != NULL && !op->restore && check_zone(op, zone) == -1)
		return -1;
	return objparse_free(op, f, v, out);
}

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

#define UPDATABLE OBJPARSE_UPDATABLE

static const struct objparse_field job_fields[] = {
	/* clang-format off */
	{ "job_id", T_STRING, objparse_string, NULL, OBJPARSE_FIXED },
	{ "custom_settings", T_OBJECT, convert_settings, NULL, UPDATABLE },
	{ "datafeed_config", T_OBJECT, refuse_datafeed, NULL, 0 },
	{ "groups", T_STRINGS, objparse_strings, NULL, UPDATABLE },
	{ "description", T_STRING | T_NULL, objparse_string_or_null, NULL,
	    UPDATABLE },
	{ "analysis_config", T_OBJECT, objparse_object,
	    &jobconf_analysis_table, OBJPARSE_INLINE },
	{ "analysis_limits", T_OBJECT, objparse_object, &jobconf_limits_table,
	    UPDATABLE },
	{ "data_description", T_OBJECT, objparse_object,
	    &jobconf_data_description_table, 0 },
	{ "model_plot_config", T_OBJECT, objparse_object, &plot_table,
	    UPDATABLE },
	{ "renormalization_window_days", T_NUMBER, objparse_long, NULL,
	    UPDATABLE },
	{ "background_persist_interval", T_STRING, objparse_duration, NULL,
	    UPDATABLE },
	{ "model_snapshot_retention_days", T_NUMBER, objparse_long, NULL,
	    UPDATABLE },
	{ "daily_model_snapshot_retention_after_days", T_NUMBER,
	    objparse_long, NULL, UPDATABLE },
	{ "results_retention_days", T_NUMBER, objparse_long, NULL, UPDATABLE },
	{ "results_index_name", T_STRING, objparse_string, NULL, 0 },
	{ "allow_lazy_open", T_BOOLEAN, objparse_boolean, NULL, UPDATABLE },
	/* Printed, and so sent back by users. */
	{ "job_type", T_STRING, objparse_ignore, NULL, 0 },
	{ "job_version", T_STRING, objparse_ignore, NULL, 0 },
	/* Kept until jobconf_check_created has refused them all at once. */
	{ "model_snapshot_id", T_STRING, objparse_string, NULL, OBJPARSE_OLD },
	{ "last_data_time", T_NUMBER, objparse_string, NULL, OBJPARSE_OLD },
	{ "finished_time", T_NUMBER, objparse_string, NULL, OBJPARSE_OLD },
	{ "create_time", T_NUMBER, objparse_string, NULL, OBJPARSE_OLD },
	/* clang-format on */
};

const struct objparse_table jobconf_table = { "job_details", job_fields,
	NELEM(job_fields), NULL, "job_update" };
