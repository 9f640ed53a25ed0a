/* Owns the checks and defaults of a job as a whole, in the API's order. */
#include "common/compat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jobconf_int.h"
#include "common/units.h"

#define ID_MAX 64
#define PERSIST_MIN_S 3600
#define SHARED_INDEX "shared"
#define CUSTOM_PREFIX "custom-"

static bool
is_id_end(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_id(const char *id)
{
	size_t len = strlen(id);

	if (len == 0 || strcmp(id, "_all") == 0 || !is_id_end(id[0]) ||
	    !is_id_end(id[len - 1]))
		return false;
	for (const char *p = id; *p != '\0'; p++)
		if (!is_id_end(*p) && strchr("_-.", *p) == NULL)
			return false;
	return true;
}

static int
bad_id(struct apierr *e, const char *what, const char *id)
{
	return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
	    "Invalid %s; '%s' can contain lowercase alphanumeric (a-z and "
	    "0-9), hyphens or underscores; must start and end with "
	    "alphanumeric",
	    what, id);
}

int
jobconf_check_id(const char *job_id, struct apierr *e)
{
	if (!is_id(job_id))
		return bad_id(e, "job_id", job_id);
	if (strlen(job_id) > ID_MAX)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "The job id cannot contain more than %d characters.",
		    ID_MAX);
	return 0;
}

const char *
jobconf_grouped(char dst[JOBCONF_GROUPED_BYTES], int64_t v)
{
	char digits[24];
	size_t len, n = 0;

	(void)snprintf(digits, sizeof(digits), "%" PRId64, v);
	len = strlen(digits);
	for (size_t i = 0; i < len && n + 2 < JOBCONF_GROUPED_BYTES; i++) {
		size_t rest = len - i;

		if (i > 0 && rest % 3 == 0 && digits[i - 1] != '-')
			dst[n++] = ',';
		dst[n++] = digits[i];
	}
	dst[n] = '\0';
	return dst;
}

static int
check_least(struct objparse *op, struct json_object *obj, const char *key,
    int64_t value, int64_t least)
{
	char a[JOBCONF_GROUPED_BYTES], b[JOBCONF_GROUPED_BYTES];

	if (jobconf_member(obj, key) == NULL || value >= least)
		return 0;
	return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
	    "%s cannot be less than %s. Value = %s", key,
	    jobconf_grouped(a, least), jobconf_grouped(b, value));
}

static int
check_not_negative(
    struct objparse *op, struct json_object *obj, const char *key)
{
	return check_least(op, obj, key, jobconf_number(obj, key, 0), 0);
}

static int
check_persist_interval(struct objparse *op, struct json_object *obj)
{
	static const char key[] = "background_persist_interval";
	int64_t ns = jobconf_duration_ns(obj, key);
	char shown[UNITS_DURATION_BYTES];

	units_show_duration(shown, ns);
	if (ns % UNITS_NS_PER_S != 0)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "%s has to be a multiple of 1s; actual was '%s'", key,
		    shown);
	return check_least(op, obj, key, ns / UNITS_NS_PER_S, PERSIST_MIN_S);
}

int
jobconf_check_body_id(
    struct objparse *op, struct json_object *obj, const char *job_id)
{
	struct json_object *v = jobconf_member(obj, "job_id");

	if (v != NULL && job_id != NULL &&
	    strcmp(json_object_get_string(v), job_id) != 0)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "Inconsistent job_id; '%s' specified in the body differs "
		    "from '%s' specified as a URL argument",
		    json_object_get_string(v), job_id);
	return 0;
}

static int
check_present(struct objparse *op, struct json_object *obj)
{
	static const char *const keys[] = { "analysis_config",
		"data_description" };

	for (size_t i = 0; i < NELEM(keys); i++)
		if (jobconf_member(obj, keys[i]) == NULL)
			return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
			    "A%s %s must be set", i == 0 ? "n" : "", keys[i]);
	return 0;
}

static int
check_time_field(struct objparse *op, struct json_object *obj)
{
	struct json_object *data = jobconf_member(obj, "data_description");
	const char *time_field = jobconf_text(data, "time_field");
	const char **list;
	size_t n;
	bool used;

	if (jobconf_collect_fields(
		jobconf_member(obj, "analysis_config"), false, &list, &n) == -1)
		return objparse_no_memory(op);
	used = time_field != NULL &&
	    bsearch(&time_field, list, n, sizeof(*list),
		jobconf_compare_names) != NULL;
	free(list);
	if (!used)
		return 0;
	return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
	    "data_description.time_field may not be used in the "
	    "analysis_config");
}

/*
 * 10 days of snapshots, one a day after the first of them; before 7.8 it was
 * one day.
 */
static int
check_snapshot_retention(struct objparse *op, struct json_object *obj)
{
	static const char key[] = "model_snapshot_retention_days";
	static const char daily_key[] =
	    "daily_model_snapshot_retention_after_days";
	int64_t days = jobconf_number(obj, key,
	    op->old ? JOBCONF_RETENTION_DAYS_OLD : JOBCONF_RETENTION_DAYS);
	int64_t daily = jobconf_number(obj, daily_key, JOBCONF_DAILY_DAYS);
	bool has_daily = jobconf_member(obj, daily_key) != NULL;
	char a[JOBCONF_GROUPED_BYTES], b[JOBCONF_GROUPED_BYTES];

	if (check_not_negative(op, obj, key) == -1 ||
	    check_not_negative(op, obj, daily_key) == -1)
		return -1;
	if (has_daily && daily > days)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "The value of %s [%s] cannot be greater than %s [%s]",
		    daily_key, jobconf_grouped(a, daily), key,
		    jobconf_grouped(b, days));
	if (objparse_put(op, obj, key, json_object_new_int64(days)) == -1)
		return -1;
	if (has_daily || days <= JOBCONF_DAILY_DAYS)
		return 0;
	return objparse_put(op, obj, daily_key, json_object_new_int64(daily));
}

static int
check_groups(struct objparse *op, struct json_object *obj, const char *job_id)
{
	struct json_object *groups = jobconf_member(obj, "groups");

	if (groups == NULL)
		return 0;
	for (size_t i = 0; i < json_object_array_length(groups); i++) {
		const char *g = json_object_get_string(
		    json_object_array_get_idx(groups, i));

		if (!is_id(g))
			return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
			    "Invalid group id '%s'; must be non-empty string "
			    "and may contain lowercase alphanumeric (a-z and "
			    "0-9), hyphens or underscores; must start and end "
			    "with alphanumeric",
			    g);
		if (strcmp(g, job_id) == 0)
			return apierr_set(op->e, 400, E_EXISTS,
			    "job and group names must be unique but job [%s] "
			    "and group [%s] have the same name",
			    job_id, g);
	}
	jobconf_drop_empty(obj, "groups");
	return 0;
}

/* A name of the user's own gets the prefix, once. */
static int
check_index_name(struct objparse *op, struct json_object *obj)
{
	static const char key[] = "results_index_name";
	const char *name = jobconf_text(obj, key);
	struct json_object *v;
	char *full;

	if (name == NULL)
		return objparse_put(
		    op, obj, key, json_object_new_string(SHARED_INDEX));
	if (!is_id(name))
		return bad_id(op->e, key, name);
	if (strcmp(name, SHARED_INDEX) == 0 ||
	    strncmp(name, CUSTOM_PREFIX, strlen(CUSTOM_PREFIX)) == 0)
		return 0;
	if (asprintf(&full, CUSTOM_PREFIX "%s", name) == -1)
		return objparse_no_memory(op);
	v = json_object_new_string(full);
	free(full);
	return objparse_put(op, obj, key, v);
}

/* A detector without its number, to be compared, and where it stood. */
struct twin {
	struct json_object *copy; /* owned */
	const char *text;	  /* owned by copy */
	const char *description;  /* borrowed */
	size_t index;
};

static int
compare_twins(const void *a, const void *b)
{
	const struct twin *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	if (order != 0)
		return order;
	return x->index < y->index ? -1 : 1;
}

static bool
twin_init(struct twin *t, struct json_object *detector, size_t index)
{
	t->index = index;
	t->description = jobconf_text(detector, "detector_description");
	if (json_object_deep_copy(detector, &t->copy, NULL) != 0)
		return false;
	json_object_object_del(t->copy, "detector_index");
	t->text =
	    json_object_to_json_string_ext(t->copy, JSON_C_TO_STRING_PLAIN);
	return t->text != NULL;
}

/* Of the detectors that repeat an earlier one, the first. NULL: none. */
static const struct twin *
first_repeated(struct twin *list, size_t n)
{
	const struct twin *found = NULL;

	qsort(list, n, sizeof(*list), compare_twins);
	for (size_t i = 1; i < n; i++)
		if (strcmp(list[i - 1].text, list[i].text) == 0 &&
		    (found == NULL || list[i].index < found->index))
			found = &list[i];
	return found;
}

static void
free_twins(struct twin *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_object_put(list[i].copy);
	free(list);
}

/* NULL when memory is out. */
static struct twin *
list_twins(struct json_object *detectors, size_t n)
{
	struct twin *list = calloc(n, sizeof(*list));

	if (list == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (!twin_init(
			&list[i], json_object_array_get_idx(detectors, i), i)) {
			free_twins(list, n);
			return NULL;
		}
	}
	return list;
}

static int
check_duplicates(struct objparse *op, struct json_object *obj)
{
	struct json_object *detectors =
	    jobconf_member(jobconf_member(obj, "analysis_config"), "detectors");
	size_t n = json_object_array_length(detectors);
	struct twin *list = list_twins(detectors, n);
	const struct twin *twin;

	if (list == NULL)
		return objparse_no_memory(op);
	twin = first_repeated(list, n);
	if (twin != NULL)
		apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "Duplicate detectors are not allowed: [%s]",
		    twin->description);
	free_twins(list, n);
	return twin == NULL ? 0 : -1;
}

/* What only a server may set; 6.x read it and refused it by name. */
static int
check_created(struct objparse *op, struct json_object *obj)
{
	static const char *const keys[] = { "model_snapshot_id",
		"last_data_time", "finished_time", "create_time" };
	char list[128] = "";

	for (size_t i = 0; i < NELEM(keys); i++) {
		if (jobconf_member(obj, keys[i]) == NULL)
			continue;
		strlcat(list, *list == '\0' ? "" : ",", sizeof(list));
		strlcat(list, keys[i], sizeof(list));
	}
	if (*list == '\0')
		return 0;
	return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
	    "The job is configured with fields [%s] that are illegal to set "
	    "at job creation",
	    list);
}

static int
set_defaults(struct objparse *op, struct json_object *obj, const char *job_id)
{
	struct json_object *limits;

	if (objparse_put(op, obj, "job_id", json_object_new_string(job_id)) ==
	    -1)
		return -1;
	if (jobconf_member(obj, "allow_lazy_open") == NULL &&
	    objparse_put(
		op, obj, "allow_lazy_open", json_object_new_boolean(0)) == -1)
		return -1;
	if (jobconf_member(obj, "analysis_limits") != NULL)
		return 0;
	limits = json_object_new_object();
	if (limits == NULL)
		return objparse_no_memory(op);
	if (jobconf_limits_table.finish(op, limits) == -1) {
		json_object_put(limits);
		return -1;
	}
	limits = objparse_arrange(op, &jobconf_limits_table, limits);
	if (limits == NULL)
		return -1;
	return objparse_put(op, obj, "analysis_limits", limits);
}

int
jobconf_check_memory(struct objparse *op, struct json_object *limits)
{
	uint64_t most = jobconf_rules(op)->max_model_memory_bytes;
	const char *text = jobconf_text(limits, "model_memory_limit");
	char a[UNITS_SIZE_BYTES], b[UNITS_SIZE_BYTES];
	uint64_t mb;

	if (most == 0 || text == NULL)
		return 0;
	/* "<n>mb", with at most 2^43 of them: strtoull stops at the unit. */
	mb = strtoull(text, NULL, 10);
	if (mb <= most >> 20)
		return 0;
	units_show_size(a, mb << 20);
	units_show_size(b, most);
	return apierr_set(op->e, 400, E_STATUS,
	    "model_memory_limit [%s] must be less than the value of the "
	    "xpack.ml.max_model_memory_limit setting [%s]",
	    a, b);
}

/* What is asked of a configuration when it is made, and not later on. */
static int
check_new(struct objparse *op, struct json_object *obj)
{
	if (op->restore)
		return 0;
	if (check_duplicates(op, obj) == -1 || check_created(op, obj) == -1)
		return -1;
	return jobconf_check_memory(op, jobconf_member(obj, "analysis_limits"));
}

/* When there is no job yet, any valid id stands for it. */
static const char *
id_or_dummy(struct json_object *obj, const char *job_id)
{
	struct json_object *v = jobconf_member(obj, "job_id");

	if (job_id != NULL)
		return job_id;
	return v == NULL ? "ok" : json_object_get_string(v);
}

int
jobconf_check(struct objparse *op, struct json_object *obj, const char *url_id)
{
	const char *job_id = id_or_dummy(obj, url_id);

	if (jobconf_check_body_id(op, obj, url_id) == -1 ||
	    check_present(op, obj) == -1 || check_time_field(op, obj) == -1 ||
	    check_persist_interval(op, obj) == -1 ||
	    check_not_negative(op, obj, "renormalization_window_days") == -1 ||
	    check_not_negative(op, obj, "results_retention_days") == -1 ||
	    jobconf_check_id(job_id, op->e) == -1 ||
	    check_snapshot_retention(op, obj) == -1 ||
	    check_groups(op, obj, job_id) == -1 ||
	    check_index_name(op, obj) == -1 || check_new(op, obj) == -1)
		return -1;
	return set_defaults(op, obj, job_id);
}
