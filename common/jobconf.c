/*
 * Owns a job's configuration: from a text to the struct that the worker and
 * the supervisor use, and back. The checked json-c object is the truth; the
 * struct holds what is needed of it in a form that costs nothing to use.
 */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jobconf_int.h"
#include "common/jsonout.h"
#include "common/units.h"

/* Printed, it has to fit into one message beside other things (msg.h). */
#define PRINTED_MAX 983040

/* A copy of an optional text; false when memory is out. */
static bool
copy_text(struct json_object *obj, const char *key, char **dst)
{
	const char *text = jobconf_text(obj, key);

	*dst = text == NULL ? NULL : strdup(text);
	return text == NULL || *dst != NULL;
}

static bool
take_detector(struct json_object *obj, struct detector *d)
{
	struct json_object *use_null = jobconf_member(obj, "use_null");
	const char *frequent = jobconf_text(obj, "exclude_frequent");

	d->function = function_find(jobconf_text(obj, "function"));
	d->use_null = use_null != NULL && json_object_get_boolean(use_null);
	d->exclude_frequent_by = frequent != NULL &&
	    (strcmp(frequent, "by") == 0 || strcmp(frequent, "all") == 0);
	d->exclude_frequent_over = frequent != NULL &&
	    (strcmp(frequent, "over") == 0 || strcmp(frequent, "all") == 0);
	return copy_text(obj, "detector_description", &d->description) &&
	    copy_text(obj, "field_name", &d->field_name) &&
	    copy_text(obj, "by_field_name", &d->by_field_name) &&
	    copy_text(obj, "over_field_name", &d->over_field_name) &&
	    copy_text(obj, "partition_field_name", &d->partition_field_name);
}

static bool
take_detectors(struct jobconf *c, struct json_object *list)
{
	size_t n = json_object_array_length(list);

	c->detector = calloc(n, sizeof(*c->detector));
	if (c->detector == NULL)
		return false;
	c->ndetectors = n;
	for (size_t i = 0; i < n; i++)
		if (!take_detector(
			json_object_array_get_idx(list, i), &c->detector[i]))
			return false;
	return true;
}

static bool
take_influencers(struct jobconf *c, struct json_object *list)
{
	size_t n = json_object_array_length(list);

	c->influencer = calloc(n + 1, sizeof(*c->influencer));
	if (c->influencer == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *name =
		    json_object_get_string(json_object_array_get_idx(list, i));

		if (*name == '\0')
			continue;
		c->influencer[c->ninfluencers] = strdup(name);
		if (c->influencer[c->ninfluencers] == NULL)
			return false;
		c->ninfluencers++;
	}
	return true;
}

/* The analysis fields that records have: not the one that is made here. */
static bool
take_fields(struct jobconf *c, struct json_object *analysis)
{
	const char **list;
	size_t n;
	bool ok = true;

	if (jobconf_collect_fields(analysis, false, &list, &n) == -1)
		return false;
	c->field = calloc(n + 1, sizeof(*c->field));
	ok = c->field != NULL;
	for (size_t i = 0; i < n && ok; i++) {
		if (strcmp(list[i], MLCATEGORY) == 0)
			continue;
		c->field[c->nfields] = strdup(list[i]);
		ok = c->field[c->nfields] != NULL;
		if (ok)
			c->nfields++;
	}
	free(list);
	return ok;
}

static void
take_window(struct jobconf *c)
{
	struct json_object *v =
	    jobconf_member(c->json, "renormalization_window_days");

	c->has_renormalization_window = v != NULL;
	if (v != NULL)
		c->renormalization_window_days = json_object_get_int64(v);
}

static bool
take_analysis(struct jobconf *c, struct json_object *a)
{
	c->bucket_span_s =
	    jobconf_duration_ns(a, "bucket_span") / UNITS_NS_PER_S;
	c->latency_s = jobconf_duration_ns(a, "latency") / UNITS_NS_PER_S;
	c->model_prune_window_s =
	    jobconf_duration_ns(a, "model_prune_window") / UNITS_NS_PER_S;
	c->background_persist_s =
	    jobconf_duration_ns(c->json, "background_persist_interval") /
	    UNITS_NS_PER_S;
	c->multivariate_by_fields = json_object_get_boolean(
	    jobconf_member(a, "multivariate_by_fields"));
	take_window(c);
	return take_detectors(c, jobconf_member(a, "detectors")) &&
	    take_influencers(c, jobconf_member(a, "influencers")) &&
	    copy_text(
		a, "summary_count_field_name", &c->summary_count_field_name) &&
	    copy_text(a, "categorization_field_name",
		&c->categorization_field_name) &&
	    take_fields(c, a);
}

static char
take_char(struct json_object *obj, const char *key, char otherwise)
{
	const char *text = jobconf_text(obj, key);

	if (text == NULL)
		return otherwise;
	return text[0];
}

static bool
take_data_description(struct jobconf *c, struct json_object *d)
{
	c->format = jobconf_member(d, "format") == NULL ? FORMAT_XCONTENT
							: FORMAT_DELIMITED;
	c->field_delimiter = take_char(d, "field_delimiter", '\t');
	c->quote_character = take_char(d, "quote_character", '"');
	c->time_field =
	    strdup(json_object_get_string(jobconf_member(d, "time_field")));
	return c->time_field != NULL &&
	    copy_text(d, "time_format", &c->time_format);
}

static bool
take_zone(struct jobconf *c, struct json_object *settings)
{
	return settings == NULL ||
	    copy_text(settings, "time_zone", &c->time_zone);
}

static bool
take_all(struct jobconf *c)
{
	struct json_object *limits = jobconf_member(c->json, "analysis_limits");

	/* "<n>mb": strtoull stops at the unit. */
	c->model_memory_limit_mb =
	    strtoull(jobconf_text(limits, "model_memory_limit"), NULL, 10);
	return copy_text(c->json, "job_id", &c->job_id) &&
	    take_analysis(c, jobconf_member(c->json, "analysis_config")) &&
	    take_zone(c, jobconf_member(c->json, "custom_settings")) &&
	    plotconf_take(
		&c->plot, jobconf_member(c->json, "model_plot_config")) &&
	    take_data_description(
		c, jobconf_member(c->json, "data_description"));
}

/* Checked and in order. NULL with op->e set. */
static struct json_object *
parse_object(
    struct objparse *op, const char *job_id, const struct jsonx_value *tree)
{
	struct json_object *obj = objparse_run(op, &jobconf_table, tree);

	if (obj == NULL)
		return NULL;
	if (jobconf_check(op, obj, job_id) == -1) {
		json_object_put(obj);
		return NULL;
	}
	return objparse_arrange(op, &jobconf_table, obj);
}

static int
check_size(struct objparse *op, const struct jobconf *c)
{
	char *text = jobconf_print(c);
	size_t len = text == NULL ? 0 : strlen(text);

	free(text);
	if (text == NULL)
		return objparse_no_memory(op);
	if (len > PRINTED_MAX)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "The job configuration is too large: %zu bytes, at most "
		    "%d are allowed",
		    len, PRINTED_MAX);
	return 0;
}

struct jobconf *
jobconf_from_object(struct objparse *op, struct json_object *obj)
{
	struct jobconf *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		objparse_no_memory(op);
		json_object_put(obj);
		return NULL;
	}
	c->json = obj;
	if (!take_all(c))
		objparse_no_memory(op);
	else if (check_size(op, c) == 0)
		return c;
	jobconf_free(c);
	return NULL;
}

const struct jobconf_rules *
jobconf_rules(const struct objparse *op)
{
	static const struct jobconf_rules none = { .old = false };

	return op->arg == NULL ? &none : op->arg;
}

struct jsonx_value *
jobconf_tree(struct objparse *op, const char *text, size_t len)
{
	struct jsonx_value *tree = jsonx_parse(text, len, op->e);

	if (tree == NULL && op->old &&
	    strcmp(op->e->link[0].type, E_XCONTENT_PARSE) == 0)
		strlcpy(op->e->link[0].type, E_JSON_PARSE,
		    sizeof(op->e->link[0].type));
	return tree;
}

static struct jobconf *
parse(struct objparse *op, const char *job_id, const char *text, size_t len)
{
	struct jsonx_value *tree = jobconf_tree(op, text, len);
	struct json_object *obj;

	if (tree == NULL)
		return NULL;
	obj = parse_object(op, job_id, tree);
	jsonx_free(tree);
	return obj == NULL ? NULL : jobconf_from_object(op, obj);
}

static struct objparse
new_parse(const struct jobconf_rules *rules, struct apierr *e)
{
	return (struct objparse){
		.e = e, .old = rules != NULL && rules->old, .arg = rules
	};
}

struct jobconf *
jobconf_parse(const char *job_id, const char *text, size_t len,
    const struct jobconf_rules *rules, struct apierr *e)
{
	struct objparse op = new_parse(rules, e);

	return parse(&op, job_id, text, len);
}

struct jobconf *
jobconf_restore(
    const char *job_id, const char *text, size_t len, struct apierr *e)
{
	struct objparse op = { .e = e, .restore = true };

	return parse(&op, job_id, text, len);
}

int
jobconf_validate(const char *text, size_t len,
    const struct jobconf_rules *rules, struct apierr *e)
{
	struct objparse op = new_parse(rules, e);
	struct jobconf *c = parse(&op, NULL, text, len);

	if (c == NULL)
		return -1;
	jobconf_free(c);
	return 0;
}

int
jobconf_validate_detector(const char *text, size_t len,
    const struct jobconf_rules *rules, struct apierr *e)
{
	struct objparse op = new_parse(rules, e);
	struct jsonx_value *tree = jobconf_tree(&op, text, len);
	struct json_object *obj;

	if (tree == NULL)
		return -1;
	obj = objparse_run(&op, &jobconf_detector_table, tree);
	jsonx_free(tree);
	if (obj == NULL)
		return -1;
	json_object_put(obj);
	return 0;
}

char *
jobconf_print(const struct jobconf *c)
{
	static const struct jsonout_style compact = { .pretty = false };
	size_t len;

	return jsonout_print(c->json, &compact, &len);
}

static void
free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void
jobconf_free(struct jobconf *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->ndetectors; i++) {
		free(c->detector[i].description);
		free(c->detector[i].field_name);
		free(c->detector[i].by_field_name);
		free(c->detector[i].over_field_name);
		free(c->detector[i].partition_field_name);
	}
	free(c->detector);
	free_list(c->influencer, c->ninfluencers);
	free_list(c->field, c->nfields);
	free(c->job_id);
	free(c->summary_count_field_name);
	free(c->categorization_field_name);
	free(c->time_field);
	free(c->time_format);
	free(c->time_zone);
	plotconf_clear(&c->plot);
	json_object_put(c->json);
	free(c);
}

/* Takes v over. */
static bool
add(struct json_object *obj, const char *key, struct json_object *v)
{
	if (v != NULL && json_object_object_add(obj, key, v) == 0)
		return true;
	json_object_put(v);
	return false;
}

static bool
add_text(struct json_object *obj, const char *key, const char *text)
{
	return text == NULL || add(obj, key, json_object_new_string(text));
}

static bool
add_time(struct json_object *obj, const char *key, int64_t ms)
{
	return ms == TIME_UNSET || add(obj, key, json_object_new_int64(ms));
}

/*
 * A copy of every member but the id: what is printed may be filtered in place,
 * and the configuration must not lose anything by that.
 */
static bool
add_members(struct json_object *obj, const struct jobconf *c)
{
	json_object_object_foreach(c->json, key, v)
	{
		struct json_object *copy = NULL;

		if (strcmp(key, "job_id") == 0)
			continue;
		if (json_object_deep_copy(v, &copy, NULL) != 0 ||
		    !add(obj, key, copy))
			return false;
	}
	return true;
}

struct json_object *
jobconf_answer(const struct jobconf *c, const char *job_version,
    int64_t create_time_ms, int64_t finished_time_ms,
    const char *model_snapshot_id)
{
	struct json_object *obj = json_object_new_object();

	if (obj == NULL)
		return NULL;
	if (add_text(obj, "job_id", c->job_id) &&
	    add_text(obj, "job_type", "anomaly_detector") &&
	    add_text(obj, "job_version", job_version) &&
	    add_time(obj, "create_time", create_time_ms) &&
	    add_time(obj, "finished_time", finished_time_ms) &&
	    add_text(obj, "model_snapshot_id", model_snapshot_id) &&
	    add_members(obj, c))
		return obj;
	json_object_put(obj);
	return NULL;
}
