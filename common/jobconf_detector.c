/* Owns detectors: their fields, checks in the API's order, descriptions. */
#include "common/compat.h"

#include <json-c/json.h>
#include <json-c/printbuf.h>
#include <string.h>

#include "common/jobconf_int.h"

/* What a function asks of the fields of its detector (2.4). */
enum need { OPTIONAL, REQUIRED, FORBIDDEN };

static const struct {
	enum need field;
	enum need by;
	enum need over;
	bool alone; /* makes sense without any field */
} needs[] = {
	[FN_COUNT] = { FORBIDDEN, OPTIONAL, OPTIONAL, true },
	[FN_NON_ZERO_COUNT] = { FORBIDDEN, OPTIONAL, FORBIDDEN, true },
	[FN_DISTINCT_COUNT] = { REQUIRED, OPTIONAL, OPTIONAL, false },
	[FN_INFO_CONTENT] = { REQUIRED, OPTIONAL, OPTIONAL, false },
	[FN_RARE] = { FORBIDDEN, REQUIRED, OPTIONAL, false },
	[FN_FREQ_RARE] = { FORBIDDEN, REQUIRED, REQUIRED, false },
	[FN_MIN] = { REQUIRED, OPTIONAL, OPTIONAL, false },
	[FN_MAX] = { REQUIRED, OPTIONAL, OPTIONAL, false },
	[FN_MEDIAN] = { REQUIRED, OPTIONAL, OPTIONAL, false },
	[FN_MEAN] = { REQUIRED, OPTIONAL, OPTIONAL, false },
	[FN_METRIC] = { REQUIRED, OPTIONAL, OPTIONAL, false },
	[FN_VARP] = { REQUIRED, OPTIONAL, OPTIONAL, false },
	[FN_SUM] = { REQUIRED, OPTIONAL, OPTIONAL, false },
	[FN_NON_NULL_SUM] = { REQUIRED, OPTIONAL, OPTIONAL, false },
	[FN_TIME_OF_DAY] = { FORBIDDEN, OPTIONAL, OPTIONAL, true },
	[FN_TIME_OF_WEEK] = { FORBIDDEN, OPTIONAL, OPTIONAL, true },
	[FN_LAT_LONG] = { REQUIRED, OPTIONAL, OPTIONAL, false },
};

/* The fields of a detector that name fields of records. */
struct names {
	const char *field;
	const char *by;
	const char *over;
	const char *partition;
};

static int
check_needs(
    struct objparse *op, const struct function_info *fn, const struct names *n)
{
	if (!needs[fn->kind].alone && n->field == NULL && n->by == NULL &&
	    n->over == NULL)
		return apierr_set(op->e, 400, E_STATUS,
		    "Unless a count or temporal function is used one of "
		    "field_name, by_field_name or over_field_name must be set");
	if (needs[fn->kind].field == REQUIRED && n->field == NULL)
		return apierr_set(op->e, 400, E_STATUS,
		    "field_name must be set when the '%s' function is used",
		    fn->name);
	if (needs[fn->kind].field == FORBIDDEN && n->field != NULL)
		return apierr_set(op->e, 400, E_STATUS,
		    "field_name cannot be used with function '%s'", fn->name);
	if (needs[fn->kind].by == REQUIRED && n->by == NULL)
		return apierr_set(op->e, 400, E_STATUS,
		    "by_field_name must be set when the '%s' function is used",
		    fn->name);
	if (needs[fn->kind].over == REQUIRED && n->over == NULL)
		return apierr_set(op->e, 400, E_STATUS,
		    "over_field_name must be set when the '%s' function is "
		    "used",
		    fn->name);
	if (needs[fn->kind].over == FORBIDDEN && n->over != NULL)
		return apierr_set(op->e, 400, E_STATUS,
		    "over_field_name cannot be used with function '%s'",
		    fn->name);
	return 0;
}

static bool
same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static int
check_distinct(struct objparse *op, const struct names *n)
{
	if (same(n->partition, n->by))
		return apierr_set(op->e, 400, E_STATUS,
		    "partition_field_name and by_field_name cannot be the "
		    "same: '%s'",
		    n->by);
	if (same(n->partition, n->over))
		return apierr_set(op->e, 400, E_STATUS,
		    "partition_field_name and over_field_name cannot be the "
		    "same: '%s'",
		    n->over);
	if (same(n->by, n->over))
		return apierr_set(op->e, 400, E_STATUS,
		    "by_field_name and over_field_name cannot be the same: "
		    "'%s'",
		    n->by);
	return 0;
}

/* Words that the description of a detector gives a meaning. */
static int
check_reserved(struct objparse *op, const struct names *n)
{
	static const char *const words[] = { "count", "by", "over" };

	for (size_t i = 0; i < NELEM(words); i++) {
		if (same(n->by, words[i]))
			return apierr_set(op->e, 400, E_STATUS,
			    "'%s' is not a permitted value for by_field_name",
			    words[i]);
		if (same(n->over, words[i]))
			return apierr_set(op->e, 400, E_STATUS,
			    "'%s' is not a permitted value for "
			    "over_field_name",
			    words[i]);
	}
	return 0;
}

/* In quotes when it has anything but letters, digits and underscores. */
static void
append_quoted(struct printbuf *pb, const char *before, const char *name)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	if (name == NULL)
		return;
	printbuf_memappend(pb, before, (int)strlen(before));
	if (name[strspn(name, word)] == '\0') {
		printbuf_memappend(pb, name, (int)strlen(name));
		return;
	}
	printbuf_memappend(pb, "\"", 1);
	for (; *name != '\0'; name++) {
		if (*name == '"' || *name == '\\')
			printbuf_memappend(pb, "\\", 1);
		printbuf_memappend(pb, name, 1);
	}
	printbuf_memappend(pb, "\"", 1);
}

static struct json_object *
default_description(struct json_object *obj, const struct function_info *fn,
    const struct names *n)
{
	struct printbuf *pb = printbuf_new();
	const char *frequent = jobconf_text(obj, "exclude_frequent");
	struct json_object *text;

	if (pb == NULL)
		return NULL;
	sprintbuf(pb, "%s", fn->name);
	append_quoted(pb, "(", n->field);
	if (n->field != NULL)
		sprintbuf(pb, ")");
	append_quoted(pb, " by ", n->by);
	append_quoted(pb, " over ", n->over);
	if (jobconf_member(obj, "use_null") != NULL)
		sprintbuf(pb, " usenull=true");
	append_quoted(pb, " partitionfield=", n->partition);
	if (frequent != NULL)
		sprintbuf(pb, " excludefrequent=%s", frequent);
	text = json_object_new_string(pb->buf);
	printbuf_free(pb);
	return text;
}

static int
check_all_names(struct objparse *op, const struct names *n)
{
	if (jobconf_check_name(op, n->field) == -1 ||
	    jobconf_check_name(op, n->by) == -1 ||
	    jobconf_check_name(op, n->over) == -1)
		return -1;
	return jobconf_check_name(op, n->partition);
}

static int
finish_detector(struct objparse *op, struct json_object *obj)
{
	const char *name = jobconf_text(obj, "function");
	const struct function_info *fn =
	    function_find(name == NULL ? "metric" : name);
	struct names n = {
		.field = jobconf_text(obj, "field_name"),
		.by = jobconf_text(obj, "by_field_name"),
		.over = jobconf_text(obj, "over_field_name"),
		.partition = jobconf_text(obj, "partition_field_name"),
	};

	jobconf_drop_empty(obj, "custom_rules");
	if (check_needs(op, fn, &n) == -1 || check_all_names(op, &n) == -1 ||
	    jobconf_check_rules(op, obj, fn) == -1 ||
	    check_distinct(op, &n) == -1 || check_reserved(op, &n) == -1)
		return -1;
	if (name == NULL &&
	    objparse_put(
		op, obj, "function", json_object_new_string(fn->name)) == -1)
		return -1;
	if (jobconf_text(obj, "detector_description") != NULL)
		return 0;
	return objparse_put(
	    op, obj, "detector_description", default_description(obj, fn, &n));
}

static int
convert_function(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	const struct function_info *fn = function_find(v->text);

	(void)f;
	if (fn == NULL)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "Unknown function '%s'", v->text);
	*out = json_object_new_string(fn->name);
	return *out == NULL ? objparse_no_memory(op) : 0;
}

/* Only true is printed, so only true is kept. */
static int
convert_use_null(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	if (objparse_boolean(op, f, v, out) == -1)
		return -1;
	if (!json_object_get_boolean(*out)) {
		json_object_put(*out);
		*out = NULL;
	}
	return 0;
}

static const char *const frequent_values[] = { "all", "none", "by", "over",
	NULL };

static const struct objparse_field detector_fields[] = {
	/* clang-format off */
	{ "detector_description", T_STRING, objparse_string, "description",
	    OBJPARSE_UPDATABLE | OBJPARSE_RENAMED },
	{ "function", T_STRING, convert_function, NULL, 0 },
	{ "field_name", T_STRING, jobconf_convert_name, NULL, 0 },
	{ "by_field_name", T_STRING, jobconf_convert_name, NULL, 0 },
	{ "over_field_name", T_STRING, jobconf_convert_name, NULL, 0 },
	{ "partition_field_name", T_STRING, jobconf_convert_name, NULL, 0 },
	{ "use_null", T_BOOLEAN, convert_use_null, NULL, 0 },
	{ "exclude_frequent", T_STRING, objparse_enum, frequent_values, 0 },
	{ "custom_rules", T_OBJECTS, objparse_objects, &jobconf_rule_table,
	    OBJPARSE_UPDATABLE },
	/* Always renumbered, so what was sent does not matter. */
	{ "detector_index", T_NUMBER, objparse_long, NULL, OBJPARSE_INDEX },
	/* clang-format on */
};

const struct objparse_table jobconf_detector_table = { "detector",
	detector_fields, NELEM(detector_fields), finish_detector,
	"detector_update" };
