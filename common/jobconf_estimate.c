/* Owns the estimate of model memory (7.4): its request and its formula. */
#include "common/compat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/jobconf_estimate.h"
#include "common/jobconf_int.h"
#include "common/units.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define BYTES_MOST ((uint64_t)INT64_MAX)

#define EVERY_JOB (10 * MIB)
#define PER_INFLUENCER_VALUE (10 * KIB)
#define PER_OVER_VALUE 768
#define PER_CATEGORIZER (5 * MIB)
#define SKETCHES (5 * MIB) /* of distinct_count and info_content */

/* Categories are made here, and nobody can know how many there will be. */
#define CATEGORIES_OVERALL 500
#define CATEGORIES_IN_BUCKET 50

/* A series of each function, in KiB. */
static const uint64_t function_kib[] = {
	[FN_COUNT] = 32,
	[FN_NON_ZERO_COUNT] = 32,
	[FN_DISTINCT_COUNT] = 32,
	[FN_INFO_CONTENT] = 48,
	[FN_RARE] = 2,
	[FN_FREQ_RARE] = 2,
	[FN_MIN] = 48,
	[FN_MAX] = 48,
	[FN_MEDIAN] = 64,
	[FN_MEAN] = 48,
	[FN_METRIC] = 120,
	[FN_VARP] = 48,
	[FN_SUM] = 48,
	[FN_NON_NULL_SUM] = 48,
	[FN_TIME_OF_DAY] = 10,
	[FN_TIME_OF_WEEK] = 10,
	[FN_LAT_LONG] = 64,
};

/* ---- the request ---- */

static int
convert_cardinality(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *m, struct json_object *into)
{
	int64_t n;

	op->pos = m->pos;
	if ((m->type != JSONX_NUMBER && m->type != JSONX_STRING) ||
	    !jsonx_int64(m, &n))
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "[%s] contained a cardinality of [%s] that is not a whole "
		    "number",
		    f->name, m->key);
	if (n < 0)
		return apierr_set(op->e, 400, E_STATUS,
		    "[%s] contained negative cardinality [%" PRId64 "]",
		    f->name, n);
	return objparse_put(op, into, m->key, json_object_new_int64(n));
}

static int
convert_cardinalities(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	struct json_object *o = json_object_new_object();

	if (o == NULL)
		return objparse_no_memory(op);
	for (const struct jsonx_value *m = v->child; m != NULL; m = m->next) {
		if (convert_cardinality(op, f, m, o) == -1) {
			json_object_put(o);
			return -1;
		}
	}
	*out = o;
	return 0;
}

static const struct objparse_field request_fields[] = {
	{ "analysis_config", T_OBJECT, objparse_object, &jobconf_analysis_table,
	    0 },
	{ "overall_cardinality", T_OBJECT, convert_cardinalities, NULL, 0 },
	{ "max_bucket_cardinality", T_OBJECT, convert_cardinalities, NULL, 0 },
};
static const struct objparse_table request_table = {
	.parser = "cluster:admin/xpack/ml/job/estimate_model_memory",
	.field = request_fields,
	.nfields = NELEM(request_fields),
};

/* ---- the formula ---- */

struct estimate {
	struct json_object *analysis;
	struct json_object *overall; /* NULL: no cardinality is known */
	struct json_object *in_bucket;
	double exponent; /* of the number of partitions; see reduced() */
	struct apierr *e;
};

static uint64_t
add(uint64_t a, uint64_t b)
{
	return a > BYTES_MOST - b ? BYTES_MOST : a + b;
}

static uint64_t
times(uint64_t a, uint64_t b)
{
	return b != 0 && a > BYTES_MOST / b ? BYTES_MOST : a * b;
}

static uint64_t
whole(double v)
{
	v = ceil(v);
	return v < (double)BYTES_MOST ? (uint64_t)v : BYTES_MOST;
}

/* role: what the field is for, as an error names it. */
static int
cardinality(const struct estimate *es, bool overall, const char *role,
    const char *field, uint64_t *n)
{
	struct json_object *known = overall ? es->overall : es->in_bucket;
	struct json_object *v = NULL;

	if (known != NULL && json_object_object_get_ex(known, field, &v)) {
		*n = (uint64_t)json_object_get_int64(v);
		return 0;
	}
	*n = overall ? CATEGORIES_OVERALL : CATEGORIES_IN_BUCKET;
	if (strcmp(field, MLCATEGORY) == 0)
		return 0;
	return apierr_set(es->e, 400, E_ILLEGAL_ARGUMENT,
	    "[%s] cardinality estimate required for [%s] [%s] but not supplied",
	    overall ? "Overall" : "Bucket max", role, field);
}

/* How many values the detector's field of that key has; 0: no such field. */
static int
values_of(const struct estimate *es, struct json_object *detector,
    const char *key, uint64_t *n)
{
	const char *field = jobconf_text(detector, key);

	*n = 0;
	return field == NULL ? 0 : cardinality(es, true, key, field, n);
}

/* Without a partition field, everything is in one. */
static int
partitions_of(
    const struct estimate *es, struct json_object *detector, uint64_t *n)
{
	if (values_of(es, detector, "partition_field_name", n) == -1)
		return -1;
	if (*n == 0)
		*n = 1;
	return 0;
}

/*
 * Not every value is seen in every partition: the longer a bucket, the more of
 * them are.
 */
static double
reduced(const struct estimate *es, uint64_t n, uint64_t partitions)
{
	uint64_t fewer = n < partitions ? n : partitions;

	if (n == 0)
		return 0;
	return (double)n / pow((double)fewer, es->exponent);
}

static int
add_detector(
    const struct estimate *es, struct json_object *detector, uint64_t *total)
{
	const struct function_info *fn =
	    function_find(jobconf_text(detector, "function"));
	uint64_t bytes = function_kib[fn->kind] * KIB;
	uint64_t partitions, by, over;

	if (partitions_of(es, detector, &partitions) == -1 ||
	    values_of(es, detector, "by_field_name", &by) == -1 ||
	    values_of(es, detector, "over_field_name", &over) == -1)
		return -1;
	if (jobconf_text(detector, "by_field_name") != NULL)
		bytes = times(
		    bytes, whole(reduced(es, by, partitions) * 2.0 / 3.0));
	bytes = add(
	    bytes, times(PER_OVER_VALUE, whole(reduced(es, over, partitions))));
	bytes = times(bytes, partitions);
	if (fn->kind == FN_DISTINCT_COUNT || fn->kind == FN_INFO_CONTENT)
		bytes = add(bytes, SKETCHES);
	*total = add(*total, bytes);
	return 0;
}

/* The names by which detectors split, sorted. NULL: no memory. */
static const char **
split_names(struct json_object *detectors, size_t *n)
{
	size_t most = jobconf_length(detectors) * JOBCONF_NAME_KEYS + 1;
	const char **list = reallocarray(NULL, most, sizeof(*list));

	*n = 0;
	for (size_t i = 0; list != NULL && i < jobconf_length(detectors); i++) {
		struct json_object *d = json_object_array_get_idx(detectors, i);

		for (size_t k = 0; k < JOBCONF_NAME_KEYS; k++) {
			list[*n] = jobconf_text(d, jobconf_name_keys[k]);
			*n += list[*n] != NULL;
		}
	}
	if (list != NULL)
		*n = jobconf_sort_unique(list, *n);
	return list;
}

/* The influencers, each once, sorted. NULL: no memory. */
static const char **
influencer_names(struct json_object *influencers, size_t *n)
{
	size_t most = jobconf_length(influencers) + 1;
	const char **list = reallocarray(NULL, most, sizeof(*list));

	*n = 0;
	for (size_t i = 0; list != NULL && i < jobconf_length(influencers);
	     i++) {
		list[*n] = json_object_get_string(
		    json_object_array_get_idx(influencers, i));
		*n += *list[*n] != '\0';
	}
	if (list != NULL)
		*n = jobconf_sort_unique(list, *n);
	return list;
}

/* Those that split a detector cost nothing more. */
static int
add_influencers(const struct estimate *es, uint64_t *total)
{
	size_t ninfluencers, nsplits;
	const char **influencer = influencer_names(
	    jobconf_member(es->analysis, "influencers"), &ninfluencers);
	const char **split =
	    split_names(jobconf_member(es->analysis, "detectors"), &nsplits);
	int rc = 0;
	uint64_t n;

	if (influencer == NULL || split == NULL) {
		rc = apierr_set(es->e, 503, E_STATUS, "out of memory");
		goto out;
	}
	for (size_t i = 0; rc == 0 && i < ninfluencers; i++) {
		if (bsearch(&influencer[i], split, nsplits, sizeof(*split),
			jobconf_compare_names) != NULL)
			continue;
		rc = cardinality(es, false, "influencers", influencer[i], &n);
		if (rc == 0)
			*total = add(*total, times(PER_INFLUENCER_VALUE, n));
	}
out:
	free(influencer);
	free(split);
	return rc;
}

static bool
is_per_partition(struct json_object *analysis)
{
	struct json_object *v =
	    jobconf_member(analysis, "per_partition_categorization");

	v = v == NULL ? NULL : jobconf_member(v, "enabled");
	return v != NULL && json_object_get_boolean(v);
}

static int
add_categorization(const struct estimate *es, uint64_t *total)
{
	struct json_object *detectors =
	    jobconf_member(es->analysis, "detectors");
	bool search = is_per_partition(es->analysis);
	uint64_t partitions = 1;

	if (jobconf_text(es->analysis, "categorization_field_name") == NULL)
		return 0;
	for (size_t i = 0; search && i < jobconf_length(detectors); i++) {
		struct json_object *d = json_object_array_get_idx(detectors, i);

		if (jobconf_text(d, "partition_field_name") == NULL)
			continue;
		if (partitions_of(es, d, &partitions) == -1)
			return -1;
		search = false;
	}
	*total = add(*total, times(PER_CATEGORIZER, partitions));
	return 0;
}

static int
compute(const struct estimate *es, uint64_t *mb)
{
	struct json_object *detectors =
	    jobconf_member(es->analysis, "detectors");
	uint64_t total = EVERY_JOB;

	for (size_t i = 0; i < jobconf_length(detectors); i++)
		if (add_detector(es, json_object_array_get_idx(detectors, i),
			&total) == -1)
			return -1;
	if (add_influencers(es, &total) == -1 ||
	    add_categorization(es, &total) == -1)
		return -1;
	*mb = add(total, MIB - 1) / MIB;
	return 0;
}

static struct json_object *
read_request(const char *text, size_t len, struct apierr *e)
{
	struct objparse op = { .e = e };
	struct jsonx_value *tree = jsonx_parse(text, len, e);
	struct json_object *request;

	if (tree == NULL)
		return NULL;
	request = objparse_run(&op, &request_table, tree);
	jsonx_free(tree);
	return request;
}

int
jobconf_estimate(const char *text, size_t len, uint64_t *mb, struct apierr *e)
{
	struct json_object *request = read_request(text, len, e);
	struct estimate es = { .e = e };
	int64_t span_s;
	int rc = -1;

	if (request == NULL)
		return -1;
	es.analysis = jobconf_member(request, "analysis_config");
	es.overall = jobconf_member(request, "overall_cardinality");
	es.in_bucket = jobconf_member(request, "max_bucket_cardinality");
	if (es.analysis == NULL) {
		apierr_set(e, 400, "action_request_validation_exception",
		    "Validation Failed: 1: [analysis_config] was not "
		    "specified;");
	} else {
		span_s = jobconf_duration_ns(es.analysis, "bucket_span") /
		    UNITS_NS_PER_S;
		es.exponent = fmin(1.0, (log10((double)span_s) + 1.0) / 8.0);
		rc = compute(&es, mb);
	}
	json_object_put(request);
	return rc;
}
