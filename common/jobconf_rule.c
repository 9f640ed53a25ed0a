/* Owns the custom rules of detectors (jobs-and-data 2.5). */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "common/jobconf_int.h"

static const char *const applies_to_values[] = { "actual", "typical",
	"diff_from_typical", "time", NULL };
static const char *const operator_values[] = { "lt", "lte", "gt", "gte", NULL };
static const char *const filter_types[] = { "include", "exclude", NULL };
static const char *const action_values[] = { "skip_result", "skip_model_update",
	"force_time_shift", NULL };

static const struct objparse_field condition_fields[] = {
	/* clang-format off */
	{ "applies_to", T_STRING, objparse_enum, applies_to_values,
	    OBJPARSE_REQUIRED },
	{ "operator", T_STRING, objparse_enum, operator_values,
	    OBJPARSE_REQUIRED },
	{ "value", T_NUMBER, objparse_double, NULL, OBJPARSE_REQUIRED },
	/* clang-format on */
};
static const struct objparse_table condition_table = { "rule_condition",
	condition_fields, NELEM(condition_fields), NULL, NULL };

static int
finish_filter(struct objparse *op, struct json_object *obj)
{
	if (jobconf_member(obj, "filter_type") != NULL)
		return 0;
	return objparse_put(
	    op, obj, "filter_type", json_object_new_string("include"));
}

static const struct objparse_field filter_fields[] = {
	{ "filter_id", T_STRING, objparse_string, NULL, OBJPARSE_REQUIRED },
	{ "filter_type", T_STRING, objparse_enum, filter_types, 0 },
};
static const struct objparse_table filter_table = { "filter_ref", filter_fields,
	NELEM(filter_fields), finish_filter, NULL };

static const struct objparse_field shift_fields[] = {
	{ "time_shift_amount", T_NUMBER, objparse_long, NULL,
	    OBJPARSE_REQUIRED },
};
static const struct objparse_table shift_table = { "force_time_shift",
	shift_fields, NELEM(shift_fields), NULL, NULL };

static const struct objparse_field params_fields[] = {
	{ "force_time_shift", T_OBJECT, objparse_object, &shift_table, 0 },
};
static const struct objparse_table params_table = { "params", params_fields,
	NELEM(params_fields), NULL, NULL };

/* field: filter, for as many fields as there are. */
static int
convert_scope(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	struct json_object *scope, *filter;

	if (v->child == NULL)
		return 0;
	scope = json_object_new_object();
	if (scope == NULL)
		return objparse_no_memory(op);
	for (const struct jsonx_value *m = v->child; m != NULL; m = m->next) {
		filter = objparse_run(op, f->arg, m);
		if (filter == NULL ||
		    objparse_put(op, scope, m->key, filter) == -1) {
			json_object_put(scope);
			return -1;
		}
	}
	*out = scope;
	return 0;
}

static int
append_action(
    struct objparse *op, struct json_object *list, const struct jsonx_value *v)
{
	static const struct objparse_field action = { "actions", T_STRING,
		objparse_enum, action_values, 0 };
	struct json_object *name = NULL;

	op->pos = v->pos;
	if (v->type != JSONX_STRING)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "An action has to be a string, not %s", jsonx_token(v));
	if (objparse_enum(op, &action, v, &name) == -1)
		return -1;
	if (json_object_array_add(list, name) == 0)
		return 0;
	json_object_put(name);
	return objparse_no_memory(op);
}

static int
convert_actions(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	const struct jsonx_value *el = v->type == JSONX_ARRAY ? v->child : v;
	struct json_object *list;

	(void)f;
	if (el == NULL)
		return 0;
	list = json_object_new_array();
	if (list == NULL)
		return objparse_no_memory(op);
	while (el != NULL) {
		if (append_action(op, list, el) == -1) {
			json_object_put(list);
			return -1;
		}
		el = v->type == JSONX_ARRAY ? el->next : NULL;
	}
	*out = list;
	return 0;
}

/* force_time_shift cannot do without its amount. */
static int
check_shift(struct objparse *op, struct json_object *obj)
{
	struct json_object *actions = jobconf_member(obj, "actions");
	struct json_object *params = jobconf_member(obj, "params");

	if (params != NULL && jobconf_member(params, "force_time_shift"))
		return 0;
	for (size_t i = 0; i < json_object_array_length(actions); i++)
		if (strcmp(json_object_get_string(
			       json_object_array_get_idx(actions, i)),
			"force_time_shift") == 0)
			return apierr_set(op->e, 400, E_STATUS,
			    "Invalid detector rule: force_time_shift requires "
			    "params.force_time_shift.time_shift_amount");
	return 0;
}

static int
put_default_actions(struct objparse *op, struct json_object *obj)
{
	struct json_object *list = json_object_new_array();
	struct json_object *action = json_object_new_string(action_values[0]);

	if (list != NULL && action != NULL &&
	    json_object_array_add(list, action) == 0)
		return objparse_put(op, obj, "actions", list);
	json_object_put(action);
	json_object_put(list);
	return objparse_no_memory(op);
}

static int
finish_rule(struct objparse *op, struct json_object *obj)
{
	jobconf_drop_empty(obj, "conditions");
	if (jobconf_member(obj, "scope") == NULL &&
	    jobconf_member(obj, "conditions") == NULL)
		return apierr_set(op->e, 400, E_STATUS,
		    "Invalid detector rule: at least scope or a condition is "
		    "required");
	if (jobconf_member(obj, "actions") != NULL)
		return check_shift(op, obj);
	return put_default_actions(op, obj);
}

static const struct objparse_field rule_fields[] = {
	/* clang-format off */
	{ "actions", T_STRINGS, convert_actions, NULL, 0 },
	{ "scope", T_OBJECT, convert_scope, &filter_table, 0 },
	{ "conditions", T_OBJECTS, objparse_objects, &condition_table, 0 },
	{ "params", T_OBJECT, objparse_object, &params_table, 0 },
	/* clang-format on */
};

const struct objparse_table jobconf_rule_table = { "detection_rule",
	rule_fields, NELEM(rule_fields), finish_rule, NULL };

/* The fields of a detector that a rule may look at: by, over, partition. */
static int
check_scope(struct objparse *op, struct json_object *detector,
    struct json_object *scope)
{
	char available[3 * (NAME_BYTES_MAX + 2) + 1] = "";

	for (size_t i = 0; i < JOBCONF_NAME_KEYS; i++) {
		const char *name = jobconf_text(detector, jobconf_name_keys[i]);

		if (name == NULL)
			continue;
		strlcat(available, *available == '\0' ? "" : ", ",
		    sizeof(available));
		strlcat(available, name, sizeof(available));
	}
	json_object_object_foreach(scope, field, filter)
	{
		bool known = false;

		(void)filter;
		for (size_t i = 0; i < JOBCONF_NAME_KEYS; i++) {
			const char *name =
			    jobconf_text(detector, jobconf_name_keys[i]);

			known =
			    known || (name != NULL && strcmp(name, field) == 0);
		}
		if (known)
			continue;
		if (*available == '\0')
			return apierr_set(op->e, 400, E_STATUS,
			    "Invalid detector rule: scope field '%s' is "
			    "invalid; detector has no available fields for "
			    "scoping",
			    field);
		return apierr_set(op->e, 400, E_STATUS,
		    "Invalid detector rule: scope field '%s' is invalid; "
		    "select from [%s]",
		    field, available);
	}
	return 0;
}

static bool
function_has_no_value(const struct function_info *fn)
{
	return fn->kind == FN_LAT_LONG || fn->kind == FN_METRIC ||
	    fn->kind == FN_RARE || fn->kind == FN_FREQ_RARE;
}

static int
check_conditions(struct objparse *op, struct json_object *conditions,
    const struct function_info *fn)
{
	const char *applies_to = jobconf_text(
	    json_object_array_get_idx(conditions, 0), "applies_to");

	if (!function_has_no_value(fn) || strcmp(applies_to, "time") == 0)
		return 0;
	return apierr_set(op->e, 400, E_STATUS,
	    "Invalid detector rule: function %s only supports conditions that "
	    "apply to time",
	    fn->name);
}

int
jobconf_check_rules(struct objparse *op, struct json_object *detector,
    const struct function_info *fn)
{
	struct json_object *rules = jobconf_member(detector, "custom_rules");
	struct json_object *rule, *part;

	if (rules == NULL)
		return 0;
	for (size_t i = 0; i < json_object_array_length(rules); i++) {
		rule = json_object_array_get_idx(rules, i);
		part = jobconf_member(rule, "scope");
		if (part != NULL && check_scope(op, detector, part) == -1)
			return -1;
		part = jobconf_member(rule, "conditions");
		if (part != NULL && check_conditions(op, part, fn) == -1)
			return -1;
	}
	return 0;
}
