/* Owns the shape of model plots and annotations in answers. */
#include "common/compat.h"

#include <stdio.h>

#include "common/units.h"
#include "query/printplot.h"

/* Who makes what no user has made. */
#define ENGINE_NAME "_xpack"

static void
print_field(struct jsonw *w, const char *kind, const char *name,
    const struct span *value)
{
	char key[64];

	if (name == NULL || value->p == NULL)
		return;
	snprintf(key, sizeof(key), "%s_field_name", kind);
	jsonw_key_str(w, key, name);
	snprintf(key, sizeof(key), "%s_field_value", kind);
	jsonw_key(w, key);
	jsonw_str(w, *value);
}

static void
print_instant(struct jsonw *w, const struct print_context *c, const char *name,
    int64_t ms)
{
	if (c->human) {
		char text[UNITS_ISO_BYTES], key[64];

		snprintf(key, sizeof(key), "%s_string", name);
		units_iso(text, ms);
		jsonw_key_str(w, key, text);
	}
	jsonw_key_i64(w, name, ms);
}

void
print_plot(
    struct jsonw *w, const struct print_context *c, const struct plot_result *r)
{
	jsonw_begin(w, '{');
	jsonw_key_str(w, "job_id", c->job_id);
	jsonw_key_str(w, "result_type", "model_plot");
	jsonw_key_i64(w, "bucket_span", r->bucket_span_s);
	jsonw_key_i64(w, "detector_index", r->detector_index);
	print_time(w, c, r->timestamp_ms);
	print_field(
	    w, "partition", r->partition_field_name, &r->partition_field_value);
	print_field(w, "over", r->over_field_name, &r->over_field_value);
	print_field(w, "by", r->by_field_name, &r->by_field_value);
	if (r->model_feature != NULL)
		jsonw_key_str(w, "model_feature", r->model_feature);
	jsonw_key_f64(w, "model_lower", r->lower);
	jsonw_key_f64(w, "model_upper", r->upper);
	jsonw_key_f64(w, "model_median", r->median);
	if (r->has_actual)
		jsonw_key_f64(w, "actual", r->actual);
	jsonw_end(w, '}');
}

void
print_annotation(struct jsonw *w, const struct print_context *c,
    const struct annotation_result *r)
{
	jsonw_begin(w, '{');
	jsonw_key_str(w, "annotation", r->text);
	print_instant(w, c, "create_time", r->create_ms);
	jsonw_key_str(w, "create_username", ENGINE_NAME);
	print_instant(w, c, "timestamp", r->timestamp_ms);
	print_instant(w, c, "end_timestamp", r->timestamp_ms);
	jsonw_key_str(w, "job_id", c->job_id);
	jsonw_key_str(w, "type", "annotation");
	jsonw_key_str(w, "event", r->event);
	if (r->detector_index >= 0)
		jsonw_key_i64(w, "detector_index", r->detector_index);
	print_field(
	    w, "partition", r->partition_field_name, &r->partition_field_value);
	print_field(w, "over", r->over_field_name, &r->over_field_value);
	print_field(w, "by", r->by_field_name, &r->by_field_value);
	jsonw_end(w, '}');
}
