/*
 * A job's configuration: JSON of the API to a struct and back, with every
 * check and its text.
 */
#ifndef COMMON_JOBCONF_H
#define COMMON_JOBCONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/plotconf.h"

/* What a job gets that says nothing. */
#define JOBCONF_MEMORY_MB 1024
#define JOBCONF_EXAMPLES 4
#define JOBCONF_RETENTION_DAYS 10
#define JOBCONF_RETENTION_DAYS_OLD 1 /* by the old base path */
#define JOBCONF_DAILY_DAYS 1	     /* with a longer retention */

struct json_object;
struct zones;

/* What a bucket of a series is reduced to. */
enum function_kind {
	FN_COUNT,
	FN_NON_ZERO_COUNT,
	FN_DISTINCT_COUNT,
	FN_INFO_CONTENT,
	FN_RARE,
	FN_FREQ_RARE,
	FN_MIN,
	FN_MAX,
	FN_MEDIAN,
	FN_MEAN,
	FN_METRIC,
	FN_VARP,
	FN_SUM,
	FN_NON_NULL_SUM,
	FN_TIME_OF_DAY,
	FN_TIME_OF_WEEK,
	FN_LAT_LONG,
};

/* Which values can be anomalous. min alerts low only, max high only. */
enum function_side { SIDE_BOTH, SIDE_LOW, SIDE_HIGH };

struct function_info {
	const char *name;	 /* as configured and echoed */
	const char *description; /* canonical: "mean", "count", ... */
	enum function_kind kind;
	enum function_side side;
};

struct detector {
	const struct function_info *function; /* static */
	char *description;		      /* owned, never NULL */
	char *field_name;		      /* owned; NULL: not set */
	char *by_field_name;
	char *over_field_name;
	char *partition_field_name;
	bool use_null;
	bool exclude_frequent_by; /* no results for frequent by values */
	bool exclude_frequent_over;
};

enum data_format { FORMAT_XCONTENT, FORMAT_DELIMITED };

struct jobconf {
	char *job_id;		  /* owned */
	struct json_object *json; /* owned: the whole, as GET prints it, less
				     what is only known at run time */
	int64_t bucket_span_s;	  /* > 0 */
	int64_t latency_s;	  /* >= 0 */
	int64_t model_prune_window_s; /* series are kept so long; 0: ever */
	int64_t background_persist_s; /* between snapshots; 0: not given */
	bool has_renormalization_window;
	int64_t renormalization_window_days; /* if so; >= 0 */
	bool multivariate_by_fields;	     /* by values are compared */
	size_t ndetectors;		     /* >= 1 */
	struct detector *detector;
	size_t ninfluencers;
	char **influencer;
	char *summary_count_field_name; /* NULL: not set */
	char *categorization_field_name;
	uint64_t model_memory_limit_mb;
	enum data_format format;
	char *time_field;     /* never NULL */
	char *time_format;    /* "epoch", "epoch_ms" or a pattern */
	char field_delimiter; /* delimited only */
	char quote_character;
	char *time_zone; /* custom_settings.time_zone; NULL: not set */
	struct plotconf plot;
	/*
	 * The analysis fields (jobs-and-data 2.3): every influencer, by, over,
	 * partition, argument, categorization and summary count field, each
	 * once, without "mlcategory", sorted bytewise.
	 */
	size_t nfields;
	char **field;
};

/*
 * What the rules for a configuration depend on besides the configuration.
 * NULL in place of it stands for one that is all zero.
 */
struct jobconf_rules {
	bool old;			 /* came by the old base (/_xpack/ml) */
	uint64_t max_model_memory_bytes; /* of one job; 0: no limit */
	const struct zones *zones; /* NULL: the machine has no zone data */
};

/*
 * Parse the body of PUT.
 *
 * job_id  of the URL
 * text    JSON of len bytes; need not end in NUL
 *
 * Returns the configuration (jobconf_free), or NULL with *e set.
 */
struct jobconf *jobconf_parse(const char *job_id, const char *text, size_t len,
    const struct jobconf_rules *, struct apierr *e) MUST_CHECK;

/*
 * The same checks for a body that may have an id or none, and for one that is
 * a detector alone. Returns 0, or -1 with *e set.
 */
int jobconf_validate(const char *text, size_t len, const struct jobconf_rules *,
    struct apierr *e) MUST_CHECK;
int jobconf_validate_detector(const char *text, size_t len,
    const struct jobconf_rules *, struct apierr *e) MUST_CHECK;

/*
 * Parse the body of _update: what can be said about it without the job that it
 * is for. The caller owns the object (put). NULL with *e set.
 */
struct json_object *jobconf_parse_update(const char *job_id, const char *text,
    size_t len, const struct jobconf_rules *, struct apierr *e) MUST_CHECK;

/* Does an update change this top-level field? */
bool jobconf_updates(const struct json_object *update, const char *field);

/*
 * The configuration that an update makes of one that is valid. Neither is
 * changed. NULL with *e set.
 */
struct jobconf *jobconf_update(const struct jobconf *,
    struct json_object *update, const struct jobconf_rules *,
    struct apierr *e) MUST_CHECK;

/*
 * Read back what jobconf_print gave (catalogue, worker). NULL with *e set when
 * it is not that.
 */
struct jobconf *jobconf_restore(const char *job_id, const char *text,
    size_t len, struct apierr *e) MUST_CHECK;

/* The stored form: compact JSON. The caller frees; NULL with ENOMEM. */
char *jobconf_print(const struct jobconf *);

void jobconf_free(struct jobconf *); /* NULL is fine */

/*
 * The answer of PUT and GET in the API's order: the configuration and what is
 * known at run time. Times are epoch ms, TIME_UNSET leaves one out;
 * model_snapshot_id and job_version may be NULL. The caller owns the object.
 */
struct json_object *jobconf_answer(const struct jobconf *,
    const char *job_version, int64_t create_time_ms, int64_t finished_time_ms,
    const char *model_snapshot_id);

/*
 * The categorization_analyzer of a job that has none of its own. The caller
 * owns the object; NULL when memory is out.
 */
struct json_object *jobconf_analyzer_json(void);

/* Job id rules (2.2): 0, or -1 with *e set. */
int jobconf_check_id(const char *job_id, struct apierr *e);

/* NULL when there is no such function. Short names are known. */
const struct function_info *function_find(const char *name);

/* All functions, one by one; NULL behind the last. */
const struct function_info *function_at(size_t i);

#endif
