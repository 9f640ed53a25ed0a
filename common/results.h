/*
 * One result as it goes from the engine to the job's results.db and from there
 * to an answer. Field names and meaning are the API's (results-and-models:
 * result documents).
 */
#ifndef COMMON_RESULTS_H
#define COMMON_RESULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/explanation.h"
#include "common/schema.h"

#define RESULT_MAX_INFLUENCERS 32
#define RESULT_MAX_INFLUENCER_VALUES 64
#define RESULT_MAX_VALUES 2 /* typical and actual: 2 for lat_long */
#define RESULT_MAX_CAUSES 10
#define RESULT_MAX_RECORDS_PER_BUCKET 500
#define RESULT_MAX_INFLUENCES_PER_BUCKET 500

struct bucket_influencer {
	const char *influencer_field_name; /* borrowed; "bucket_time": all */
	double initial_anomaly_score;
	double anomaly_score; /* 0..100 */
	double raw_anomaly_score;
	double probability;
};

struct bucket_result {
	int64_t timestamp_ms; /* start of the bucket */
	int64_t bucket_span_s;
	double anomaly_score; /* 0..100: the greatest of its influencers */
	double initial_anomaly_score;
	uint64_t event_count;
	bool is_interim;
	uint64_t processing_time_ms;
	size_t ninfluencers;
	struct bucket_influencer influencer[RESULT_MAX_INFLUENCERS + 1];
};

struct record_influencer {
	const char *field_name; /* borrowed */
	size_t nvalues;
	struct span value[RESULT_MAX_INFLUENCER_VALUES]; /* borrowed */
};

/* An attribute in which a person stands out; the rest is the record's */
struct record_cause {
	double probability;
	struct span by_field_value; /* borrowed; p NULL: no by field */
	size_t nvalues;
	double typical[RESULT_MAX_VALUES]; /* of the others */
	double actual[RESULT_MAX_VALUES];
};

/* Names that are NULL and spans whose p is NULL are absent from the answer. */
struct record_result {
	int64_t timestamp_ms; /* start of the bucket */
	int64_t bucket_span_s;
	int detector_index;
	bool is_interim;
	double probability;	    /* 2.2e-308 .. 1 */
	double multi_bucket_impact; /* -5..5 */
	double record_score;	    /* 0..100 */
	double initial_record_score;
	const char *function; /* as configured */
	const char *function_description;
	const char *field_name;
	const char *by_field_name;
	struct span by_field_value;
	const char *over_field_name;
	struct span over_field_value;
	const char *partition_field_name;
	struct span partition_field_value;
	size_t nvalues; /* elements of typical and actual; 0: both absent */
	double typical[RESULT_MAX_VALUES];
	double actual[RESULT_MAX_VALUES];
	size_t ninfluencers;
	struct record_influencer influencer[RESULT_MAX_INFLUENCERS];
	struct explanation why; /* has is 0: none */
	size_t ncauses;		/* of populations; least probable first */
	struct record_cause cause[RESULT_MAX_CAUSES];
};

/* What one value of an influencer field has to do with a bucket. */
struct influencer_result {
	int64_t timestamp_ms; /* start of the bucket */
	int64_t bucket_span_s;
	bool is_interim;
	double probability;	 /* 2.2e-308 .. 1 */
	double influencer_score; /* 0..100 */
	double initial_influencer_score;
	const char *field_name;	 /* borrowed */
	struct span field_value; /* borrowed */
};

/*
 * What a series was expected to be in a bucket (results-and-models 2.7). NULL
 * and spans whose p is NULL are absent, like in a record.
 */
struct plot_result {
	int64_t timestamp_ms; /* start of the bucket */
	int64_t bucket_span_s;
	int detector_index;
	const char *model_feature; /* a phrase in single quotes */
	const char *by_field_name;
	struct span by_field_value;
	const char *over_field_name;
	struct span over_field_value;
	const char *partition_field_name;
	struct span partition_field_value;
	double lower;
	double median;
	double upper;
	bool has_actual; /* else there was no value */
	double actual;
};

/* What the engine has found about a series (results-and-models 14.2). */
struct annotation_result {
	int64_t timestamp_ms; /* start of the bucket */
	int64_t create_ms;    /* when it was known: the end of the bucket */
	const char *event;    /* borrowed, like the text */
	const char *text;
	int detector_index; /* -1: it is of the whole job */
	const char *by_field_name;
	struct span by_field_value;
	const char *over_field_name;
	struct span over_field_value;
	const char *partition_field_name;
	struct span partition_field_value;
};

/*
 * How earlier results are scored again: each function returns the score that
 * is right now, or -1 where nothing is known of what the result is about.
 */
struct rescorer {
	bool anew;	 /* not on with what was begun */
	int64_t from_ms; /* buckets from here on, */
	int64_t to_ms;	 /* and before this one */
	/* place: in the bucket's list; the bucket's own is the first */
	double (*bucket)(
	    void *arg, size_t place, const struct bucket_influencer *);
	double (*influencer)(void *arg, const struct influencer_result *);
	double (*record)(void *arg, const struct record_result *);
	void *arg;
};

/*
 * Where an engine puts its results. All of one bucket: its records first, then
 * its influencers, then the bucket itself. Nothing of what is passed may be
 * kept after the call.
 * Each returns 0, or -1 with errno when it could not be kept; the engine then
 * gives up the entry it is working on.
 */
struct result_sink {
	int (*record)(void *arg, const struct record_result *);
	int (*bucket)(void *arg, const struct bucket_result *);
	/*
	 * Interim results at or after this time are to be forgotten: some of
	 * them. Returns 1: there may be more, so it is to be called again.
	 */
	int (*drop_interim)(void *arg, int64_t from_ms);
	void *arg;
	/* NULL: they are not wanted. */
	int (*influencer)(void *arg, const struct influencer_result *);
	/*
	 * Score earlier results again, a part at a time. 1: to be called
	 * again. NULL: it is not wanted.
	 */
	int (*rescore)(void *arg, const struct rescorer *);
	/* NULL: they are not wanted. May come before the bucket's records. */
	int (*plot)(void *arg, const struct plot_result *);
	int (*annotation)(void *arg, const struct annotation_result *);
};

#endif
