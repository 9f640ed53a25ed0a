/* Owns categorization_analyzer: its two shapes, and the default one. */
#include "common/compat.h"

#include <json-c/json.h>
#include <string.h>

#include "common/jobconf_int.h"

/* Words of time stamps, which say nothing about a message. */
static const char *const stopwords[] = { "Monday", "Tuesday", "Wednesday",
	"Thursday", "Friday", "Saturday", "Sunday", "Mon", "Tue", "Wed", "Thu",
	"Fri", "Sat", "Sun", "January", "February", "March", "April", "May",
	"June", "July", "August", "September", "October", "November",
	"December", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
	"Sep", "Oct", "Nov", "Dec", "GMT", "UTC" };

#define T_PART (T(STRING) | T(OBJECT))
#define T_PARTS (T(ARRAY))

static const struct objparse_field analyzer_fields[] = {
	{ "char_filter", T_PARTS, objparse_free, NULL, 0 },
	{ "tokenizer", T_PART, objparse_free, NULL, 0 },
	{ "filter", T_PARTS, objparse_free, NULL, 0 },
};
const struct objparse_table jobconf_analyzer_table = {
	"categorization_analyzer", analyzer_fields, NELEM(analyzer_fields),
	NULL, NULL
};

int
jobconf_convert_analyzer(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	if (v->type == JSONX_STRING)
		return objparse_string(op, f, v, out);
	*out = objparse_run(op, f->arg, v);
	return *out == NULL ? -1 : 0;
}

/* Takes v over, also when it is NULL. */
static int
append(struct objparse *op, struct json_object *list, struct json_object *v)
{
	if (v != NULL && json_object_array_add(list, v) == 0)
		return 0;
	json_object_put(v);
	return objparse_no_memory(op);
}

/* {"type":type}, to be filled by the caller; NULL when memory is out. */
static struct json_object *
new_part(struct objparse *op, const char *type)
{
	struct json_object *part = json_object_new_object();

	if (part == NULL) {
		objparse_no_memory(op);
		return NULL;
	}
	if (objparse_put(op, part, "type", json_object_new_string(type)) == 0)
		return part;
	json_object_put(part);
	return NULL;
}

static int
add_pattern_filter(
    struct objparse *op, struct json_object *list, const char *pattern)
{
	struct json_object *part = new_part(op, "pattern_replace");

	if (part == NULL)
		return -1;
	if (objparse_put(
		op, part, "pattern", json_object_new_string(pattern)) == -1) {
		json_object_put(part);
		return -1;
	}
	return append(op, list, part);
}

/* The user's filters, then the choice of the line. */
static int
add_char_filters(struct objparse *op, struct json_object *analyzer,
    struct json_object *filters)
{
	struct json_object *list = json_object_new_array();
	size_t n = filters == NULL ? 0 : json_object_array_length(filters);

	if (list == NULL)
		return objparse_no_memory(op);
	for (size_t i = 0; i < n; i++)
		if (add_pattern_filter(op, list,
			json_object_get_string(
			    json_object_array_get_idx(filters, i))) == -1)
			goto fail;
	if (append(op, list,
		json_object_new_string("first_line_with_letters")) == -1)
		goto fail;
	return objparse_put(op, analyzer, "char_filter", list);
fail:
	json_object_put(list);
	return -1;
}

static int
add_stopwords(struct objparse *op, struct json_object *list)
{
	struct json_object *words = json_object_new_array();
	struct json_object *part;

	if (words == NULL)
		return objparse_no_memory(op);
	part = new_part(op, "stop");
	if (part == NULL) {
		json_object_put(words);
		return -1;
	}
	if (objparse_put(op, part, "stopwords", words) == -1)
		goto fail;
	for (size_t i = 0; i < NELEM(stopwords); i++)
		if (append(op, words, json_object_new_string(stopwords[i])) ==
		    -1)
			goto fail;
	return append(op, list, part);
fail:
	json_object_put(part);
	return -1;
}

static int
add_limit(struct objparse *op, struct json_object *list)
{
	struct json_object *part = new_part(op, "limit");

	if (part == NULL)
		return -1;
	if (objparse_put(op, part, "max_token_count",
		json_object_new_string("100")) == -1) {
		json_object_put(part);
		return -1;
	}
	return append(op, list, part);
}

static int
add_filters(struct objparse *op, struct json_object *analyzer)
{
	struct json_object *list = json_object_new_array();

	if (list == NULL)
		return objparse_no_memory(op);
	if (add_stopwords(op, list) == -1 || add_limit(op, list) == -1) {
		json_object_put(list);
		return -1;
	}
	return objparse_put(op, analyzer, "filter", list);
}

int
jobconf_default_analyzer(struct objparse *op, struct json_object *analysis)
{
	struct json_object *filters =
	    jobconf_member(analysis, "categorization_filters");
	struct json_object *analyzer = json_object_new_object();

	if (analyzer == NULL)
		return objparse_no_memory(op);
	if (add_char_filters(op, analyzer, filters) == -1 ||
	    objparse_put(op, analyzer, "tokenizer",
		json_object_new_string("ml_standard")) == -1 ||
	    add_filters(op, analyzer) == -1) {
		json_object_put(analyzer);
		return -1;
	}
	json_object_object_del(analysis, "categorization_filters");
	return objparse_put(op, analysis, "categorization_analyzer", analyzer);
}

struct json_object *
jobconf_analyzer_json(void)
{
	struct apierr e;
	struct objparse op = { .e = &e };
	struct json_object *analysis = json_object_new_object(), *analyzer;

	if (analysis == NULL)
		return NULL;
	if (jobconf_default_analyzer(&op, analysis) == -1) {
		json_object_put(analysis);
		return NULL;
	}
	analyzer = json_object_get(
	    jobconf_member(analysis, "categorization_analyzer"));
	json_object_put(analysis);
	return analyzer;
}

/* The patterns of the filters that were moved into an analyzer. */
static int
collect_patterns(struct objparse *op, struct json_object *analyzer,
    struct json_object *patterns)
{
	struct json_object *filters = jobconf_member(analyzer, "char_filter");

	for (size_t i = 0; i < jobconf_length(filters); i++) {
		struct json_object *part =
		    json_object_array_get_idx(filters, i);
		const char *pattern =
		    json_object_is_type(part, json_type_object)
		    ? jobconf_text(part, "pattern")
		    : NULL;

		if (pattern != NULL &&
		    append(op, patterns, json_object_new_string(pattern)) == -1)
			return -1;
	}
	return 0;
}

int
jobconf_has_default_analyzer(struct objparse *op, struct json_object *analysis)
{
	struct json_object *is =
	    jobconf_member(analysis, "categorization_analyzer");
	struct json_object *made, *patterns;
	int rc = -1;

	if (is == NULL || !json_object_is_type(is, json_type_object))
		return 0;
	made = json_object_new_object();
	patterns = json_object_new_array();
	if (made == NULL || patterns == NULL) {
		json_object_put(patterns);
		objparse_no_memory(op);
		goto out;
	}
	if (objparse_put(op, made, "categorization_filters", patterns) == -1 ||
	    collect_patterns(op, is, patterns) == -1 ||
	    jobconf_default_analyzer(op, made) == -1)
		goto out;
	rc = json_object_equal(
	    is, jobconf_member(made, "categorization_analyzer"));
out:
	json_object_put(made);
	return rc;
}
