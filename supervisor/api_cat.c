/* Owns GET _cat/ml/anomaly_detectors: the columns, and where they come from. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/cat_table.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

#define NS_PER_MS 1000000

/* ---- values that no member of a job holds as they are shown ---- */

static struct cat_value
text_or_none(const char *text)
{
	return (struct cat_value){ .kind = CAT_TEXT, .u.text = text };
}

static struct cat_value
count(uint64_t n)
{
	return (struct cat_value){ .kind = CAT_COUNT, .u.count = n };
}

static struct cat_value
none(const void *row)
{
	(void)row;
	return (struct cat_value){ .kind = CAT_NONE };
}

static struct cat_value
zero(const void *row)
{
	(void)row;
	return count(0);
}

static struct cat_value
state(const void *row)
{
	return text_or_none(job_state_name(row));
}

static struct cat_value
opened_time(const void *row)
{
	int64_t ms = job_open_ms(row);

	if (ms == TIME_UNSET)
		return none(row);
	return (
	    struct cat_value){ .kind = CAT_DURATION, .u.time = ms * NS_PER_MS };
}

static struct cat_value
explanation(const void *row)
{
	return text_or_none(job_explanation(row));
}

static struct cat_value
input_records(const void *row)
{
	const struct job *job = row;

	return count(data_counts_input_records(&job->totals.counts));
}

static struct cat_value
memory_status(const void *row)
{
	const struct job *job = row;

	return text_or_none(memory_status_name(job->totals.size.memory_status));
}

/* Unknown until a worker has told it. */
static struct cat_value
size_or_none(const struct job *job, uint64_t bytes)
{
	if (job->totals.size.model_bytes_memory_limit == 0)
		return none(job);
	return (struct cat_value){ .kind = CAT_SIZE, .u.count = bytes };
}

static struct cat_value
bytes_exceeded(const void *row)
{
	const struct job *job = row;

	return size_or_none(job, job->totals.size.model_bytes_exceeded);
}

static struct cat_value
memory_limit(const void *row)
{
	const struct job *job = row;

	return size_or_none(job, job->totals.size.model_bytes_memory_limit);
}

/* Nothing is categorized, so nothing is given up. */
static struct cat_value
categorization_status(const void *row)
{
	(void)row;
	return text_or_none("ok");
}

/* Figures of forecasts; without any there is none. */
static struct cat_value
forecast_mean(const void *row, uint64_t total, bool bytes)
{
	const struct job *job = row;
	uint64_t n = job->forecasts.total;

	if (n == 0)
		return none(row);
	if (bytes)
		return (
		    struct cat_value){ .kind = CAT_SIZE, .u.count = total / n };
	return (struct cat_value){ .kind = CAT_NUMBER,
		.u.number = (double)total / (double)n };
}

#define FORECAST_MEAN(name, member, bytes)                                     \
	static struct cat_value forecast_##name(const void *row)               \
	{                                                                      \
		const struct job *job = row;                                   \
                                                                               \
		return forecast_mean(row, job->forecasts.member, bytes);       \
	}
#define FORECAST_FIGURE(name, make)                                            \
	static struct cat_value forecast_##name(const void *row)               \
	{                                                                      \
		const struct job *job = row;                                   \
                                                                               \
		return job->forecasts.total == 0 ? none(row)                   \
						 : make(job->forecasts.name);  \
	}

static struct cat_value
size(uint64_t n)
{
	return (struct cat_value){ .kind = CAT_SIZE, .u.count = n };
}

static struct cat_value
lasted(uint64_t ms)
{
	return (struct cat_value){ .kind = CAT_DURATION,
		.u.time = (int64_t)ms * NS_PER_MS };
}

/* clang-format off */
FORECAST_FIGURE(memory_min, size)
FORECAST_FIGURE(memory_max, size)
FORECAST_FIGURE(memory_total, size)
FORECAST_MEAN(memory_avg, memory_total, true)
FORECAST_FIGURE(records_min, count)
FORECAST_FIGURE(records_max, count)
FORECAST_FIGURE(records_total, count)
FORECAST_MEAN(records_avg, records_total, false)
FORECAST_FIGURE(time_min, lasted)
FORECAST_FIGURE(time_max, lasted)
FORECAST_FIGURE(time_total, lasted)
FORECAST_MEAN(time_avg, time_total, false)
/* clang-format on */

static struct cat_value
node_text(const void *row, const char *text)
{
	return job_is_assigned(row) ? text_or_none(text) : none(row);
}

static struct cat_value
node_id(const void *row)
{
	return node_text(row, ((const struct job *)row)->srv->node_id);
}

static struct cat_value
node_name(const void *row)
{
	return node_text(row, ((const struct job *)row)->srv->node_name);
}

static struct cat_value
node_ephemeral_id(const void *row)
{
	return node_text(row, ((const struct job *)row)->srv->ephemeral_id);
}

static struct cat_value
node_address(const void *row)
{
	return node_text(row, ((const struct job *)row)->srv->address);
}

static struct cat_value
duration_ms(double ms)
{
	double ns = ms * NS_PER_MS;

	return (struct cat_value){ .kind = CAT_DURATION,
		.u.time = ns < 9e18 ? (int64_t)ns : INT64_MAX };
}

static struct cat_value
time_total(const void *row)
{
	return duration_ms(((const struct job *)row)->totals.timing.total_ms);
}

/* Without a bucket there is no shortest one. */
static const struct timing *
timing_of(const void *row)
{
	const struct timing *t = &((const struct job *)row)->totals.timing;

	return t->bucket_count > 0 ? t : NULL;
}

static struct cat_value
time_min(const void *row)
{
	const struct timing *t = timing_of(row);

	return t == NULL ? none(row) : duration_ms(t->minimum_ms);
}

static struct cat_value
time_max(const void *row)
{
	const struct timing *t = timing_of(row);

	return t == NULL ? none(row) : duration_ms(t->maximum_ms);
}

static struct cat_value
number(double v)
{
	return (struct cat_value){ .kind = CAT_NUMBER, .u.number = v };
}

static struct cat_value
time_exp_avg(const void *row)
{
	const struct timing *t = timing_of(row);

	return t == NULL ? none(row) : number(t->exponential_average_ms);
}

/* ---- the columns ---- */

#define LEFT false
#define RIGHT true
#define SHOWN true
#define HIDDEN false
#define AT(kind, member) NULL, kind, offsetof(struct job, member)
#define BY(get) get, CAT_NONE, 0
#define COUNTS(member) AT(CAT_COUNT, totals.counts.member)
#define DATES(member) AT(CAT_DATE, totals.counts.member)
#define SIZES(member) AT(CAT_COUNT, totals.size.member)

/* clang-format off */
static const struct cat_column columns[] = {
	{ "id", "", "job id", LEFT, SHOWN, AT(CAT_TEXT, id) },
	{ "state", "s", "closed, opening, opened, closing or failed", RIGHT, SHOWN, BY(state) },
	{ "opened_time", "ot", "time since the job was opened", LEFT, HIDDEN, BY(opened_time) },
	{ "assignment_explanation", "ae", "why the job runs or does not", LEFT, HIDDEN, BY(explanation) },

	{ "data.processed_records", "dpr,dataProcessedRecords", "records that were analysed", LEFT, SHOWN, COUNTS(processed_record_count) },
	{ "data.processed_fields", "dpf,dataProcessedFields", "fields that were analysed", LEFT, HIDDEN, COUNTS(processed_field_count) },
	{ "data.input_bytes", "dib,dataInputBytes", "bytes that were posted", LEFT, HIDDEN, AT(CAT_SIZE, totals.counts.input_bytes) },
	{ "data.input_records", "dir,dataInputRecords", "records that were posted", LEFT, HIDDEN, BY(input_records) },
	{ "data.input_fields", "dif,dataInputFields", "fields that were posted, without the time", LEFT, HIDDEN, COUNTS(input_field_count) },
	{ "data.invalid_dates", "did,dataInvalidDates", "records dropped for their time", LEFT, HIDDEN, COUNTS(invalid_date_count) },
	{ "data.missing_fields", "dmf,dataMissingFields", "wanted fields that records did not have", LEFT, HIDDEN, COUNTS(missing_field_count) },
	{ "data.out_of_order_timestamps", "doot,dataOutOfOrderTimestamps", "records dropped for coming too late", LEFT, HIDDEN, COUNTS(out_of_order_timestamp_count) },
	{ "data.empty_buckets", "deb,dataEmptyBuckets", "buckets without a record", LEFT, HIDDEN, COUNTS(empty_bucket_count) },
	{ "data.sparse_buckets", "dsb,dataSparseBuckets", "buckets with far fewer records than others", LEFT, HIDDEN, COUNTS(sparse_bucket_count) },
	{ "data.buckets", "db,dataBuckets", "buckets from the first record to the last", LEFT, HIDDEN, COUNTS(bucket_count) },
	{ "data.earliest_record", "der,dataEarliestRecord", "time of the earliest record", LEFT, HIDDEN, DATES(earliest_record_timestamp) },
	{ "data.latest_record", "dlr,dataLatestRecord", "time of the latest record", LEFT, HIDDEN, DATES(latest_record_timestamp) },
	{ "data.last", "dl,dataLast", "when data was last posted", LEFT, HIDDEN, DATES(last_data_time) },
	{ "data.last_empty_bucket", "dleb,dataLastEmptyBucket", "latest bucket without a record", LEFT, HIDDEN, DATES(latest_empty_bucket_timestamp) },
	{ "data.last_sparse_bucket", "dlsb,dataLastSparseBucket", "latest bucket with far fewer records", LEFT, HIDDEN, DATES(latest_sparse_bucket_timestamp) },

	{ "model.bytes", "mb,modelBytes", "memory of the models", LEFT, SHOWN, AT(CAT_SIZE, totals.size.model_bytes) },
	{ "model.memory_status", "mms,modelMemoryStatus", "ok, soft_limit or hard_limit", RIGHT, SHOWN, BY(memory_status) },
	{ "model.bytes_exceeded", "mbe,modelBytesExceeded", "how far beyond the limit models wanted to grow", LEFT, HIDDEN, BY(bytes_exceeded) },
	{ "model.memory_limit", "mml,modelMemoryLimit", "memory that models may take", LEFT, HIDDEN, BY(memory_limit) },
	{ "model.by_fields", "mbf,modelByFields", "values of by fields that are modelled", LEFT, HIDDEN, SIZES(total_by_field_count) },
	{ "model.over_fields", "mof,modelOverFields", "values of over fields that are modelled", LEFT, HIDDEN, SIZES(total_over_field_count) },
	{ "model.partition_fields", "mpf,modelPartitionFields", "values of partition fields that are modelled", LEFT, HIDDEN, SIZES(total_partition_field_count) },
	{ "model.bucket_allocation_failures", "mbaf,modelBucketAllocationFailures", "buckets in which new values found no room", LEFT, HIDDEN, SIZES(bucket_allocation_failures_count) },
	{ "model.categorization_status", "mcs,modelCategorizationStatus", "ok or warn", RIGHT, HIDDEN, BY(categorization_status) },
	{ "model.categorized_doc_count", "mcdc,modelCategorizedDocCount", "records that were put into a category", LEFT, HIDDEN, BY(zero) },
	{ "model.total_category_count", "mtcc,modelTotalCategoryCount", "categories", LEFT, HIDDEN, BY(zero) },
	{ "model.frequent_category_count", "mfcc,modelFrequentCategoryCount", "categories of more than 1% of the records", LEFT, HIDDEN, BY(zero) },
	{ "model.rare_category_count", "mrcc,modelRareCategoryCount", "categories of one record", LEFT, HIDDEN, BY(zero) },
	{ "model.dead_category_count", "mdcc,modelDeadCategoryCount", "categories that others have taken over", LEFT, HIDDEN, BY(zero) },
	{ "model.failed_category_count", "mfcc,modelFailedCategoryCount", "categories that found no room", LEFT, HIDDEN, BY(zero) },
	{ "model.log_time", "mlt,modelLogTime", "when the memory was looked at", LEFT, HIDDEN, AT(CAT_DATE, totals.size.log_time) },
	{ "model.timestamp", "mt,modelTimestamp", "bucket of the latest record then", LEFT, HIDDEN, AT(CAT_DATE, totals.size.timestamp) },

	{ "forecasts.total", "ft,forecastsTotal", "forecasts", LEFT, SHOWN, AT(CAT_COUNT, forecasts.total) },
	{ "forecasts.memory.min", "fmmin,forecastsMemoryMin", "least memory of a forecast", LEFT, HIDDEN, BY(forecast_memory_min) },
	{ "forecasts.memory.max", "fmmax,forecastsMemoryMax", "greatest memory of a forecast", LEFT, HIDDEN, BY(forecast_memory_max) },
	{ "forecasts.memory.avg", "fmavg,forecastsMemoryAvg", "mean memory of a forecast", LEFT, HIDDEN, BY(forecast_memory_avg) },
	{ "forecasts.memory.total", "fmt,forecastsMemoryTotal", "memory of all forecasts", LEFT, HIDDEN, BY(forecast_memory_total) },
	{ "forecasts.records.min", "frmin,forecastsRecordsMin", "least number of records of a forecast", LEFT, HIDDEN, BY(forecast_records_min) },
	{ "forecasts.records.max", "frmax,forecastsRecordsMax", "greatest number of records of a forecast", LEFT, HIDDEN, BY(forecast_records_max) },
	{ "forecasts.records.avg", "fravg,forecastsRecordsAvg", "mean number of records of a forecast", LEFT, HIDDEN, BY(forecast_records_avg) },
	{ "forecasts.records.total", "frt,forecastsRecordsTotal", "records of all forecasts", LEFT, HIDDEN, BY(forecast_records_total) },
	{ "forecasts.time.min", "ftmin,forecastsTimeMin", "shortest time a forecast took", LEFT, HIDDEN, BY(forecast_time_min) },
	{ "forecasts.time.max", "ftmax,forecastsTimeMax", "longest time a forecast took", LEFT, HIDDEN, BY(forecast_time_max) },
	{ "forecasts.time.avg", "ftavg,forecastsTimeAvg", "mean time a forecast took, in milliseconds", LEFT, HIDDEN, BY(forecast_time_avg) },
	{ "forecasts.time.total", "ftt,forecastsTimeTotal", "time all forecasts took", LEFT, HIDDEN, BY(forecast_time_total) },

	{ "node.id", "ni,nodeId", "id of the node that runs the job", LEFT, HIDDEN, BY(node_id) },
	{ "node.name", "nn,nodeName", "its name", LEFT, HIDDEN, BY(node_name) },
	{ "node.ephemeral_id", "ne,nodeEphemeralId", "its id since it was started", LEFT, HIDDEN, BY(node_ephemeral_id) },
	{ "node.address", "na,nodeAddress", "its address", LEFT, HIDDEN, BY(node_address) },

	{ "buckets.count", "bc,bucketsCount", "buckets with a result", LEFT, SHOWN, AT(CAT_COUNT, totals.timing.bucket_count) },
	{ "buckets.time.total", "btt,bucketsTimeTotal", "time that all results took", LEFT, HIDDEN, BY(time_total) },
	{ "buckets.time.min", "btmin,bucketsTimeMin", "shortest time the results of a bucket took", LEFT, HIDDEN, BY(time_min) },
	{ "buckets.time.max", "btmax,bucketsTimeMax", "longest time the results of a bucket took", LEFT, HIDDEN, BY(time_max) },
	{ "buckets.time.exp_avg", "btea,bucketsTimeExpAvg", "mean of late buckets, in milliseconds", LEFT, HIDDEN, BY(time_exp_avg) },
	{ "buckets.time.exp_avg_hour", "bteah,bucketsTimeExpAvgHour", "the same for an hour of data, in milliseconds", LEFT, HIDDEN, AT(CAT_NUMBER, totals.timing.exponential_average_per_hour_ms) },
};
/* clang-format on */

static const struct cat_table jobs_table = { columns, NELEM(columns) };

/* ---- the request ---- */

/* For people, unless the client wants to read it itself. */
static bool
wants_table(const struct call *c)
{
	return c->wish.form == FORM_ANY || c->wish.form == FORM_TEXT;
}

static void
reply_rows(
    struct call *c, const struct cat_view *view, const void **rows, size_t n)
{
	if (cat_sort(view, rows, n) == -1)
		call_reply(c, 200, NULL);
	else if (wants_table(c))
		call_reply_text(c, cat_text(view, rows, n));
	else
		call_reply(c, 200, cat_json(view, rows, n));
}

static void
reply_jobs(struct call *c, const struct cat_view *view)
{
	struct job **list = NULL;
	const void **rows;
	struct apierr e;
	long n = api_jobs_meant(c, &list, &e);

	if (n == -1) {
		call_error(c, &e);
		return;
	}
	rows = reallocarray(NULL, (size_t)n + 1, sizeof(*rows));
	for (long i = 0; rows != NULL && i < n; i++)
		rows[i] = list[i];
	if (rows == NULL)
		call_reply(c, 200, NULL);
	else
		reply_rows(c, view, rows, (size_t)n);
	free(rows);
	free(list);
}

void
api_cat_jobs(struct call *c)
{
	struct cat_view view;
	struct apierr e;
	bool help;

	if (params_bool(&c->params, "help", false, &help, &e) == -1) {
		call_error(c, &e);
		return;
	}
	if (help) {
		call_reply_text(c, cat_help(&jobs_table));
		return;
	}
	if (cat_view_read(&view, &jobs_table, &c->params, &e) == -1)
		call_error(c, &e);
	else
		reply_jobs(c, &view);
	cat_view_clear(&view);
}
