/*
 * Owns the list of names that are never echoed: the fields of results, of
 * counts and of a job's configuration, and those of documents themselves.
 */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "query/reserved.h"

/* Sorted bytewise, for bsearch; a test checks it. */
/* clang-format off */
const char *const reserved_names[] = {
	"_data_stream_timestamp", "_doc_count", "_field_names", "_id",
	"_ignored", "_index", "_meta", "_nested_path", "_primary_term",
	"_routing", "_seq_no", "_size", "_source", "_tier", "_type", "_version",
	"actual", "actual_point", "allow_lazy_open", "analysis_config",
	"analysis_limits", "annotation", "anomaly_characteristics_impact",
	"anomaly_length", "anomaly_score", "anomaly_score_explanation",
	"anomaly_type", "assignment_memory_basis",
	"average_bucket_processing_time_ms", "background_persist_interval",
	"blocked", "bucket_allocation_failures_count", "bucket_count",
	"bucket_influencers", "bucket_span", "by_field_first_occurrence",
	"by_field_name", "by_field_relative_rarity", "by_field_value",
	"categorization_analyzer", "categorization_examples_limit",
	"categorization_field_name", "categorization_filters",
	"categorization_status", "categorized_doc_count", "category_id",
	"causes", "correlated_by_field_value", "create_time", "create_username",
	"custom_rules", "custom_settings",
	"daily_model_snapshot_retention_after_days", "data_description",
	"datafeed_config", "dead_category_count", "deleting", "description",
	"detector_description", "detector_index", "detectors",
	"earliest_record_timestamp", "empty_bucket_count", "end_timestamp",
	"established_model_memory", "event", "event_count", "examples",
	"exclude_frequent", "exponential_average_bucket_processing_time_ms",
	"exponential_average_bucket_processing_time_per_hour_ms",
	"failed_category_count", "field_delimiter", "field_name",
	"finished_time", "forecast_create_timestamp", "forecast_end_timestamp",
	"forecast_expiry_timestamp", "forecast_id", "forecast_lower",
	"forecast_memory_bytes", "forecast_messages", "forecast_prediction",
	"forecast_progress", "forecast_start_timestamp", "forecast_status",
	"forecast_upper", "format", "frequent_category_count", "function",
	"function_description", "geo_results", "grok_pattern", "groups",
	"high_variance_penalty", "incomplete_bucket_penalty",
	"influencer_field_name", "influencer_field_value",
	"influencer_field_values", "influencer_score", "influencers",
	"initial_anomaly_score", "initial_influencer_score",
	"initial_record_score", "input_bytes", "input_field_count",
	"input_record_count", "invalid_date_count", "is_interim", "job_id",
	"job_type", "job_version", "jobs", "last_data_time", "latency",
	"latest_empty_bucket_timestamp", "latest_record_time_stamp",
	"latest_record_timestamp", "latest_result_time_stamp",
	"latest_sparse_bucket_timestamp", "log_time", "lower_confidence_bound",
	"max_anomaly_score", "max_matching_length",
	"maximum_bucket_processing_time_ms", "memory_status", "min_version",
	"minimum_bucket_processing_time_ms", "missing_field_count",
	"mlcategory", "model_bytes", "model_bytes_exceeded",
	"model_bytes_memory_limit", "model_feature", "model_lower",
	"model_median", "model_memory_limit", "model_plot_config",
	"model_prune_window", "model_size_stats", "model_snapshot_id",
	"model_snapshot_min_version", "model_snapshot_retention_days",
	"model_upper", "modified_time", "modified_username",
	"multi_bucket_impact", "multimodal_distribution",
	"multiple_bucket_spans", "multivariate_by_fields", "num_matches",
	"out_of_order_timestamp_count", "output_memory_allocator_bytes",
	"over_field_name", "over_field_value", "overall_score",
	"overlapping_buckets", "partition_field_name", "partition_field_value",
	"partition_scores", "peak_model_bytes", "per_partition_categorization",
	"preferred_to_categories", "probability", "processed_field_count",
	"processed_record_count", "processing_time_ms", "quantiles",
	"quote_character", "rare_category_count", "raw_anomaly_score",
	"record_count", "record_score", "records", "regex",
	"renormalization_window_days", "result_finalization_window",
	"result_type", "results_index_name", "results_retention_days", "retain",
	"scheduled_events", "single_bucket_impact", "snapshot_doc_count",
	"snapshot_id", "sparse_bucket_count", "summary_count_field_name",
	"terms", "time_field", "time_format", "timestamp",
	"total_bucket_processing_time_ms", "total_by_field_count",
	"total_category_count", "total_over_field_count",
	"total_partition_field_count", "type", "typical", "typical_point",
	"typical_value", "upper_confidence_bound", "use_null",
	"use_per_partition_normalization",
};
/* clang-format on */

const size_t reserved_count = NELEM(reserved_names);

/* Compares the first segment of a dotted path with a name. */
static int
segment_cmp(const void *key, const void *element)
{
	const char *path = key, *name = *(const char *const *)element;
	size_t len = strcspn(path, ".");
	int c = strncmp(path, name, len);

	if (c != 0)
		return c;
	return name[len] == '\0' ? 0 : -1;
}

bool
reserved_is(const char *field)
{
	return bsearch(field, reserved_names, NELEM(reserved_names),
		   sizeof(reserved_names[0]), segment_cmp) != NULL;
}
