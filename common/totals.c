/* Owns the totals of a job: their encoding and the form the API gives them. */
#include "common/compat.h"

#include <json-c/json.h>
#include <string.h>

#include "common/jsonmake.h"
#include "common/totals.h"

SCHEMA_DEFINE(data_counts, DATA_COUNTS_FIELDS);
SCHEMA_DEFINE(model_size, MODEL_SIZE_FIELDS);
SCHEMA_DEFINE(timing, TIMING_FIELDS);
SCHEMA_DEFINE(forecast_totals, FORECAST_TOTALS_FIELDS);

void
data_counts_init(struct data_counts *dc)
{
	memset(dc, 0, sizeof(*dc));
	dc->earliest_record_timestamp = TIME_UNSET;
	dc->latest_record_timestamp = TIME_UNSET;
	dc->last_data_time = TIME_UNSET;
	dc->latest_empty_bucket_timestamp = TIME_UNSET;
	dc->latest_sparse_bucket_timestamp = TIME_UNSET;
}

void
job_totals_init(struct job_totals *jt)
{
	memset(jt, 0, sizeof(*jt));
	data_counts_init(&jt->counts);
	jt->size.log_time = TIME_UNSET;
	jt->size.timestamp = TIME_UNSET;
}

uint64_t
data_counts_input_records(const struct data_counts *dc)
{
	return dc->processed_record_count + dc->out_of_order_timestamp_count +
	    dc->invalid_date_count;
}

int
job_totals_encode(const struct job_totals *jt, struct wbuf *wb)
{
	if (schema_encode(&data_counts_schema, &jt->counts, wb) == -1 ||
	    schema_encode(&model_size_schema, &jt->size, wb) == -1)
		return -1;
	return schema_encode(&timing_schema, &jt->timing, wb);
}

int
job_totals_decode(struct rbuf *rb, struct job_totals *jt)
{
	if (schema_decode(&data_counts_schema, rb, &jt->counts, NULL) == -1 ||
	    schema_decode(&model_size_schema, rb, &jt->size, NULL) == -1)
		return -1;
	return schema_decode(&timing_schema, rb, &jt->timing, NULL);
}

const char *
memory_status_name(uint8_t status)
{
	static const char *const names[] = { "ok", "soft_limit", "hard_limit" };

	return names[status];
}

static void
add_time(struct json_object **o, const char *key, int64_t v)
{
	if (v != TIME_UNSET)
		jsonmake_int(o, key, v);
}

struct json_object *
data_counts_json(
    const struct data_counts *dc, const char *job_id, int64_t log_time_ms)
{
	struct json_object *o = json_object_new_object();

	jsonmake_string(&o, "job_id", job_id);
	for (size_t i = 0; i < data_counts_schema.nfields; i++) {
		const struct schema_field *f = &data_counts_schema.fields[i];
		const char *v = (const char *)dc + f->offset;

		if (f->kind == SCHEMA_U64)
			jsonmake_uint(
			    &o, f->name, *(const uint64_t *)(const void *)v);
		else
			add_time(
			    &o, f->name, *(const int64_t *)(const void *)v);
	}
	jsonmake_uint(&o, "input_record_count", data_counts_input_records(dc));
	add_time(&o, "log_time", log_time_ms);
	return o;
}

struct json_object *
model_size_json(const struct model_size *ms, const char *job_id)
{
	/* A worker has always a limit: without one it never told anything. */
	bool recorded = ms->model_bytes_memory_limit > 0;
	struct json_object *o = json_object_new_object();

	jsonmake_string(&o, "job_id", job_id);
	jsonmake_string(&o, "result_type", "model_size_stats");
	jsonmake_uint(&o, "model_bytes", ms->model_bytes);
	if (recorded) {
		jsonmake_uint(&o, "peak_model_bytes", ms->peak_model_bytes);
		jsonmake_uint(
		    &o, "model_bytes_exceeded", ms->model_bytes_exceeded);
		jsonmake_uint(&o, "model_bytes_memory_limit",
		    ms->model_bytes_memory_limit);
	}
	jsonmake_uint(&o, "total_by_field_count", ms->total_by_field_count);
	jsonmake_uint(&o, "total_over_field_count", ms->total_over_field_count);
	jsonmake_uint(
	    &o, "total_partition_field_count", ms->total_partition_field_count);
	jsonmake_uint(&o, "bucket_allocation_failures_count",
	    ms->bucket_allocation_failures_count);
	jsonmake_string(
	    &o, "memory_status", memory_status_name(ms->memory_status));
	if (recorded)
		jsonmake_string(
		    &o, "assignment_memory_basis", "current_model_bytes");
	jsonmake_uint(&o, "categorized_doc_count", 0);
	jsonmake_uint(&o, "total_category_count", 0);
	jsonmake_uint(&o, "frequent_category_count", 0);
	jsonmake_uint(&o, "rare_category_count", 0);
	jsonmake_uint(&o, "dead_category_count", 0);
	jsonmake_uint(&o, "failed_category_count", 0);
	jsonmake_string(&o, "categorization_status", "ok");
	add_time(&o, "log_time", ms->log_time);
	add_time(&o, "timestamp", ms->timestamp);
	return o;
}

struct json_object *
timing_json(const struct timing *t, const char *job_id)
{
	struct json_object *o = json_object_new_object();

	jsonmake_string(&o, "job_id", job_id);
	jsonmake_uint(&o, "bucket_count", t->bucket_count);
	jsonmake_double(&o, "total_bucket_processing_time_ms", t->total_ms);
	if (t->bucket_count > 0) {
		jsonmake_double(
		    &o, "minimum_bucket_processing_time_ms", t->minimum_ms);
		jsonmake_double(
		    &o, "maximum_bucket_processing_time_ms", t->maximum_ms);
		jsonmake_double(&o, "average_bucket_processing_time_ms",
		    t->total_ms / (double)t->bucket_count);
		jsonmake_double(&o,
		    "exponential_average_bucket_processing_time_ms",
		    t->exponential_average_ms);
	}
	/* Of the averages only this one is never missing. */
	jsonmake_double(&o,
	    "exponential_average_bucket_processing_time_per_hour_ms",
	    t->exponential_average_per_hour_ms);
	return o;
}

const char *
forecast_status_name(uint8_t status)
{
	static const char *const names[FORECAST_STATUSES] = { "ok", "stopped",
		"failed", "started", "finished", "scheduled" };

	return names[status];
}

bool
forecast_is_over(uint8_t status)
{
	return status != FORECAST_STARTED && status != FORECAST_SCHEDULED;
}

static void
add_figure(struct json_object **o, const char *key, uint64_t n, uint64_t total,
    uint64_t least, uint64_t most)
{
	struct json_object *f = json_object_new_object();

	jsonmake_double(&f, "total", (double)total);
	jsonmake_double(&f, "min", (double)least);
	jsonmake_double(&f, "avg", (double)total / (double)n);
	jsonmake_double(&f, "max", (double)most);
	jsonmake_add(o, key, f);
}

static struct json_object *
status_json(const struct forecast_totals *t)
{
	const uint64_t n[FORECAST_STATUSES] = {
		[FORECAST_OK] = t->ok,
		[FORECAST_STOPPED] = t->stopped,
		[FORECAST_FAILED] = t->failed,
		[FORECAST_STARTED] = t->started,
		[FORECAST_FINISHED] = t->finished,
		[FORECAST_SCHEDULED] = t->scheduled,
	};
	struct json_object *o = json_object_new_object();

	for (uint8_t i = 0; i < FORECAST_STATUSES; i++)
		if (n[i] > 0)
			jsonmake_uint(&o, forecast_status_name(i), n[i]);
	return o;
}

struct json_object *
forecast_totals_json(const struct forecast_totals *t)
{
	struct json_object *o = json_object_new_object();

	jsonmake_uint(&o, "total", t->total);
	jsonmake_int(&o, "forecasted_jobs", t->total > 0);
	if (t->total == 0)
		return o;
	add_figure(&o, "memory_bytes", t->total, t->memory_total, t->memory_min,
	    t->memory_max);
	add_figure(&o, "records", t->total, t->records_total, t->records_min,
	    t->records_max);
	add_figure(&o, "processing_time_ms", t->total, t->time_total,
	    t->time_min, t->time_max);
	jsonmake_add(&o, "status", status_json(t));
	return o;
}
