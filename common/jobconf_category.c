/* Owns what categorization asks of the rest of an analysis_config (2.3). */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jobconf_int.h"

static int
bad(struct objparse *op, const char *reason)
{
	return apierr_set(op->e, 400, E_STATUS, "%s", reason);
}

static bool
uses_mlcategory(struct json_object *detector)
{
	for (size_t i = 0; i < JOBCONF_NAME_KEYS; i++) {
		const char *name = jobconf_text(detector, jobconf_name_keys[i]);

		if (name != NULL && strcmp(name, MLCATEGORY) == 0)
			return true;
	}
	return false;
}

static int
check_mlcategory(struct objparse *op, struct json_object *obj)
{
	struct json_object *detectors = jobconf_member(obj, "detectors");
	bool set = jobconf_text(obj, "categorization_field_name") != NULL;
	bool used = false;

	for (size_t i = 0; i < jobconf_length(detectors) && !used; i++)
		used = uses_mlcategory(json_object_array_get_idx(detectors, i));
	if (used && !set)
		return bad(op,
		    "categorization_field_name must be set for mlcategory to "
		    "be available");
	if (set && !used)
		return bad(op,
		    "categorization_field_name is set but mlcategory is not "
		    "used in any detector by/over/partition field");
	return 0;
}

/* The last character of the quotation, which needs no end, in which p is. */
static const char *
end_of_quotation(const char *p)
{
	const char *end = strstr(p, "\\E");

	return end == NULL ? p + strlen(p) - 1 : end + 1;
}

/*
 * The filters are regular expressions of Java, which nothing here can compile:
 * brackets, escapes and quantifiers without anything before them are looked at.
 */
static bool
regex_looks_valid(const char *p)
{
	int groups = 0;
	bool in_class = false, can_repeat = false;

	for (; *p != '\0'; p++) {
		if (*p == '\\') {
			if (*++p == '\0')
				return false;
			if (*p == 'Q') /* up to \E nothing has a meaning */
				p = end_of_quotation(p);
			can_repeat = true;
		} else if (in_class) {
			in_class = *p != ']';
		} else if (*p == '[') {
			in_class = can_repeat = true;
			/* A bracket that comes first is one of the class. */
			p += p[1] == '^' ? 1 : 0;
			p += p[1] == ']' ? 1 : 0;
		} else {
			groups += *p == '(' ? 1 : *p == ')' ? -1 : 0;
			if (groups < 0 || (!can_repeat && strchr("*+", *p)))
				return false;
			can_repeat = *p != '(' && *p != '|';
		}
	}
	return groups == 0 && !in_class;
}

static int
check_filter_list(struct objparse *op, struct json_object *filters)
{
	size_t n = jobconf_length(filters);
	const char **list = reallocarray(NULL, n + 1, sizeof(*list));
	size_t unique;

	if (list == NULL)
		return objparse_no_memory(op);
	for (size_t i = 0; i < n; i++)
		list[i] = json_object_get_string(
		    json_object_array_get_idx(filters, i));
	unique = jobconf_sort_unique(list, n);
	free(list);
	if (unique != n)
		return bad(op, "categorization_filters contain duplicates");
	for (size_t i = 0; i < n; i++) {
		const char *f = json_object_get_string(
		    json_object_array_get_idx(filters, i));

		if (*f == '\0')
			return bad(op,
			    "categorization_filters are not allowed to "
			    "contain empty strings");
		if (!regex_looks_valid(f))
			return apierr_set(op->e, 400, E_STATUS,
			    "categorization_filters contains invalid regular "
			    "expression '%s'",
			    f);
	}
	return 0;
}

static int
check_categorization(struct objparse *op, struct json_object *obj)
{
	bool set = jobconf_text(obj, "categorization_field_name") != NULL;
	struct json_object *filters =
	    jobconf_member(obj, "categorization_filters");
	bool analyzer = jobconf_member(obj, "categorization_analyzer") != NULL;

	if (analyzer && !set)
		return bad(op,
		    "categorization_analyzer requires setting "
		    "categorization_field_name");
	if (analyzer && jobconf_length(filters) > 0)
		return bad(op,
		    "categorization_filters cannot be used with "
		    "categorization_analyzer - instead specify them as "
		    "pattern_replace char_filters in the analyzer");
	if (jobconf_length(filters) == 0)
		return 0;
	if (!set)
		return bad(op,
		    "categorization_filters require setting "
		    "categorization_field_name");
	return check_filter_list(op, filters);
}

static int
check_partitions(struct objparse *op, struct json_object *detectors)
{
	const char *first = NULL;

	for (size_t i = 0; i < jobconf_length(detectors); i++) {
		struct json_object *d = json_object_array_get_idx(detectors, i);
		const char *name = jobconf_text(d, "partition_field_name");

		if (name != NULL && strcmp(name, MLCATEGORY) == 0)
			return bad(op,
			    "mlcategory cannot be used as a "
			    "partition_field_name when per-partition "
			    "categorization is enabled");
		if (!uses_mlcategory(d))
			continue;
		if (name == NULL)
			return bad(op,
			    "partition_field_name must be set for detectors "
			    "that reference mlcategory when per-partition "
			    "categorization is enabled");
		if (first != NULL && strcmp(first, name) != 0)
			return apierr_set(op->e, 400, E_STATUS,
			    "partition_field_name cannot vary between "
			    "detectors when per-partition categorization is "
			    "enabled: [%s] and [%s] are used",
			    first, name);
		first = name;
	}
	return 0;
}

static int
check_per_partition(struct objparse *op, struct json_object *obj)
{
	struct json_object *conf =
	    jobconf_member(obj, "per_partition_categorization");

	if (conf == NULL ||
	    !json_object_get_boolean(jobconf_member(conf, "enabled")))
		return 0;
	if (jobconf_text(obj, "categorization_field_name") == NULL)
		return bad(op,
		    "categorization_field_name must be set when per-partition "
		    "categorization is enabled");
	return check_partitions(op, jobconf_member(obj, "detectors"));
}

int
jobconf_check_categories(struct objparse *op, struct json_object *obj)
{
	if (check_mlcategory(op, obj) == -1 ||
	    check_categorization(op, obj) == -1)
		return -1;
	return check_per_partition(op, obj);
}
