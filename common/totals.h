/*
 * The figures of a job that the supervisor shows without asking its worker:
 * declared once, used in messages, in the catalogue, in snapshots of state and
 * in answers (jobs-and-data: data counts, model size, timing).
 */
#ifndef COMMON_TOTALS_H
#define COMMON_TOTALS_H

#include "common/compat.h"
#include "common/schema.h"

struct json_object;

/* Counts are numbers of records, fields or buckets; times are epoch ms. */
#define DATA_COUNTS_FIELDS(F, S)                                               \
	F(S, U64, processed_record_count, 0, INFINITY)                         \
	F(S, U64, processed_field_count, 0, INFINITY)                          \
	F(S, U64, input_bytes, 0, INFINITY)                                    \
	F(S, U64, input_field_count, 0, INFINITY)                              \
	F(S, U64, invalid_date_count, 0, INFINITY)                             \
	F(S, U64, missing_field_count, 0, INFINITY)                            \
	F(S, U64, out_of_order_timestamp_count, 0, INFINITY)                   \
	F(S, U64, empty_bucket_count, 0, INFINITY)                             \
	F(S, U64, sparse_bucket_count, 0, INFINITY)                            \
	F(S, U64, bucket_count, 0, INFINITY)                                   \
	F(S, I64, earliest_record_timestamp, -INFINITY, INFINITY)              \
	F(S, I64, latest_record_timestamp, -INFINITY, INFINITY)                \
	F(S, I64, last_data_time, -INFINITY, INFINITY)                         \
	F(S, I64, latest_empty_bucket_timestamp, -INFINITY, INFINITY)          \
	F(S, I64, latest_sparse_bucket_timestamp, -INFINITY, INFINITY)
SCHEMA_STRUCT(data_counts, DATA_COUNTS_FIELDS);

enum memory_status { MEMORY_OK, MEMORY_SOFT_LIMIT, MEMORY_HARD_LIMIT };

/* log_time: wall clock; timestamp: bucket time of the last record. */
#define MODEL_SIZE_FIELDS(F, S)                                                \
	F(S, U64, model_bytes, 0, INFINITY)                                    \
	F(S, U64, peak_model_bytes, 0, INFINITY)                               \
	F(S, U64, model_bytes_exceeded, 0, INFINITY)                           \
	F(S, U64, model_bytes_memory_limit, 0, INFINITY)                       \
	F(S, U64, total_by_field_count, 0, INFINITY)                           \
	F(S, U64, total_over_field_count, 0, INFINITY)                         \
	F(S, U64, total_partition_field_count, 0, INFINITY)                    \
	F(S, U64, bucket_allocation_failures_count, 0, INFINITY)               \
	F(S, U8, memory_status, 0, MEMORY_HARD_LIMIT)                          \
	F(S, I64, log_time, -INFINITY, INFINITY)                               \
	F(S, I64, timestamp, -INFINITY, INFINITY)
SCHEMA_STRUCT(model_size, MODEL_SIZE_FIELDS);

/* Times in milliseconds; bucket_count counts finalised result buckets. */
#define TIMING_FIELDS(F, S)                                                    \
	F(S, U64, bucket_count, 0, INFINITY)                                   \
	F(S, F64, total_ms, 0, INFINITY)                                       \
	F(S, F64, minimum_ms, 0, INFINITY)                                     \
	F(S, F64, maximum_ms, 0, INFINITY)                                     \
	F(S, F64, exponential_average_ms, 0, INFINITY)                         \
	F(S, F64, exponential_average_per_hour_ms, 0, INFINITY)
SCHEMA_STRUCT(timing, TIMING_FIELDS);

/* As the API has them; only the last four come about. */
enum forecast_status {
	FORECAST_OK,
	FORECAST_STOPPED,
	FORECAST_FAILED,
	FORECAST_STARTED,
	FORECAST_FINISHED,
	FORECAST_SCHEDULED,
	FORECAST_STATUSES
};

/* As the API says it. */
const char *forecast_status_name(uint8_t status);
/* Nothing more will come of it. */
bool forecast_is_over(uint8_t status);

/* Of the forecasts that a job has; least, greatest and sum of each figure. */
#define FORECAST_TOTALS_FIELDS(F, S)                                           \
	F(S, U64, total, 0, INFINITY)                                          \
	F(S, U64, memory_total, 0, INFINITY) /* bytes */                       \
	F(S, U64, memory_min, 0, INFINITY)                                     \
	F(S, U64, memory_max, 0, INFINITY)                                     \
	F(S, U64, records_total, 0, INFINITY)                                  \
	F(S, U64, records_min, 0, INFINITY)                                    \
	F(S, U64, records_max, 0, INFINITY)                                    \
	F(S, U64, time_total, 0, INFINITY) /* ms */                            \
	F(S, U64, time_min, 0, INFINITY)                                       \
	F(S, U64, time_max, 0, INFINITY)                                       \
	/* How many are so: enum forecast_status. */                           \
	F(S, U64, ok, 0, INFINITY)                                             \
	F(S, U64, stopped, 0, INFINITY)                                        \
	F(S, U64, failed, 0, INFINITY)                                         \
	F(S, U64, started, 0, INFINITY)                                        \
	F(S, U64, finished, 0, INFINITY)                                       \
	F(S, U64, scheduled, 0, INFINITY)
SCHEMA_STRUCT(forecast_totals, FORECAST_TOTALS_FIELDS);

/* Everything about a job that its worker pushes to the supervisor. */
struct job_totals {
	struct data_counts counts;
	struct model_size size;
	struct timing timing;
};

/* All counts 0, all times TIME_UNSET. */
void data_counts_init(struct data_counts *);
void job_totals_init(struct job_totals *);

/* As the API says it; of an enum memory_status. */
const char *memory_status_name(uint8_t status);

/* processed + out of order + invalid date: always computed, never stored. */
uint64_t data_counts_input_records(const struct data_counts *);

/*
 * The parts of job_totals one after the other. Returns as schema_encode and
 * schema_decode do.
 */
int job_totals_encode(const struct job_totals *, struct wbuf *) MUST_CHECK;
int job_totals_decode(struct rbuf *, struct job_totals *) MUST_CHECK;

/*
 * As the API prints them, in its order. The caller owns the object (put);
 * NULL when memory is out. log_time: wall ms, TIME_UNSET leaves it out. What
 * is optional in the API is left out as long as no worker told it.
 */
struct json_object *data_counts_json(
    const struct data_counts *, const char *job_id, int64_t log_time_ms);
struct json_object *model_size_json(
    const struct model_size *, const char *job_id);
struct json_object *timing_json(const struct timing *, const char *job_id);
struct json_object *forecast_totals_json(const struct forecast_totals *);

#endif
