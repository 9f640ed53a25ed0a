/* Owns the changing of a job's configuration (jobs-and-data 3.3). */
#include "common/compat.h"

#include <json-c/json.h>

#include "common/jobconf_int.h"

struct json_object *
jobconf_parse_update(const char *job_id, const char *text, size_t len,
    const struct jobconf_rules *rules, struct apierr *e)
{
	struct objparse op = { .e = e,
		.old = rules != NULL && rules->old,
		.update = true,
		.arg = rules };
	struct jsonx_value *tree = jobconf_tree(&op, text, len);
	struct json_object *update;

	if (tree == NULL)
		return NULL;
	update = objparse_run(&op, &jobconf_table, tree);
	jsonx_free(tree);
	if (update != NULL &&
	    jobconf_check_body_id(&op, update, job_id) == -1) {
		json_object_put(update);
		return NULL;
	}
	return update;
}

bool
jobconf_updates(const struct json_object *update, const char *field)
{
	return json_object_object_get_ex(update, field, NULL);
}

/*
 * Filters are moved into the analyzer that stands for none (jobconf.h), so new
 * ones ask for a new one. Returns 1 when it was taken out for that.
 */
static int
drop_default_analyzer(struct objparse *op, struct json_object *analysis,
    struct json_object *update)
{
	int rc;

	if (!jobconf_updates(update, "categorization_filters"))
		return 0;
	rc = jobconf_has_default_analyzer(op, analysis);
	if (rc == 1)
		json_object_object_del(analysis, "categorization_analyzer");
	return rc;
}

static int
check_detectors(struct objparse *op, struct json_object *analysis)
{
	struct json_object *list = jobconf_member(analysis, "detectors");

	for (size_t i = 0; i < jobconf_length(list); i++)
		if (jobconf_detector_table.finish(
			op, json_object_array_get_idx(list, i)) == -1)
			return -1;
	return 0;
}

/* The part that has new members at its end, in the order of its table. */
static int
arrange_analysis(
    struct objparse *op, struct json_object *obj, struct json_object *analysis)
{
	analysis = objparse_arrange(
	    op, &jobconf_analysis_table, json_object_get(analysis));
	return analysis == NULL
	    ? -1
	    : objparse_put(op, obj, "analysis_config", analysis);
}

/* Change obj, and check it as a new one is checked. */
static int
apply(struct objparse *op, struct json_object *obj, const char *job_id,
    struct json_object *update)
{
	struct json_object *analysis = jobconf_member(obj, "analysis_config");
	struct json_object *limits;
	int dropped = drop_default_analyzer(op, analysis, update);

	if (dropped == -1 ||
	    objparse_merge(op, &jobconf_table, obj, update) == -1 ||
	    check_detectors(op, analysis) == -1 ||
	    jobconf_analysis_table.finish(op, analysis) == -1)
		return -1;
	if (dropped == 1 && jobconf_default_analyzer(op, analysis) == -1)
		return -1;
	if (arrange_analysis(op, obj, analysis) == -1)
		return -1;
	limits = jobconf_member(update, "analysis_limits");
	if (limits != NULL && jobconf_check_memory(op, limits) == -1)
		return -1;
	return jobconf_check(op, obj, job_id);
}

struct jobconf *
jobconf_update(const struct jobconf *c, struct json_object *update,
    const struct jobconf_rules *rules, struct apierr *e)
{
	struct objparse op = { .e = e, .restore = true, .arg = rules };
	struct json_object *obj = NULL;

	if (json_object_deep_copy(c->json, &obj, NULL) != 0) {
		objparse_no_memory(&op);
		return NULL;
	}
	if (apply(&op, obj, c->job_id, update) == -1) {
		json_object_put(obj);
		return NULL;
	}
	obj = objparse_arrange(&op, &jobconf_table, obj);
	return obj == NULL ? NULL : jobconf_from_object(&op, obj);
}
