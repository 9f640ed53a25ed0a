/*
 * Owns the names of fields that a configuration mentions: which ones may be
 * used, and which ones are the analysis fields.
 */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jobconf_int.h"

const char *const jobconf_name_keys[JOBCONF_NAME_KEYS] = { "by_field_name",
	"over_field_name", "partition_field_name" };

/* One name */

static bool
is_control(const char *p)
{
	unsigned char c = (unsigned char)p[0];

	/* U+0080 to U+009f are control characters too. */
	return c < 0x20 || c == 0x7f ||
	    (c == 0xc2 && (unsigned char)p[1] < 0xa0);
}

int
jobconf_check_name(struct objparse *op, const char *name)
{
	if (name == NULL)
		return 0;
	for (const char *p = name; *p != '\0'; p++)
		if (*p == '"' || *p == '\\' || is_control(p))
			return apierr_set(op->e, 400, E_STATUS,
			    "Invalid field name '%s'. Field names including "
			    "over, by and partition fields cannot contain any "
			    "of these characters: \",\\",
			    name);
	if (strcmp(name, ".") == 0)
		return apierr_set(op->e, 400, E_STATUS,
		    "Invalid field name '.'. Field names including over, by "
		    "and partition fields cannot be '.'");
	return 0;
}

static int
check_name_length(struct objparse *op, const char *name)
{
	if (strlen(name) <= NAME_BYTES_MAX)
		return 0;
	return apierr_set(op->e, 400, E_STATUS,
	    "Invalid field name '%.40s...'. Field names cannot be longer than "
	    "%d bytes",
	    name, NAME_BYTES_MAX);
}

int
jobconf_convert_name(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	if (*v->text == '\0')
		return 0;
	if (check_name_length(op, v->text) == -1)
		return -1;
	return objparse_string(op, f, v, out);
}

int
jobconf_convert_names(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	if (objparse_strings(op, f, v, out) == -1)
		return -1;
	for (size_t i = 0; i < json_object_array_length(*out); i++) {
		if (check_name_length(op,
			json_object_get_string(
			    json_object_array_get_idx(*out, i))) == -1) {
			json_object_put(*out);
			return -1;
		}
	}
	return 0;
}

/* The names of an analysis_config */

int
jobconf_compare_names(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static void
collect(const char **list, size_t *n, const char *name)
{
	if (name != NULL && *name != '\0')
		list[(*n)++] = name;
}

static void
collect_detector(
    struct json_object *detector, bool terms_only, const char **list, size_t *n)
{
	for (size_t i = 0; i < JOBCONF_NAME_KEYS; i++)
		collect(list, n, jobconf_text(detector, jobconf_name_keys[i]));
	if (!terms_only)
		collect(list, n, jobconf_text(detector, "field_name"));
}

size_t
jobconf_sort_unique(const char **list, size_t n)
{
	size_t kept = 0;

	qsort(list, n, sizeof(*list), jobconf_compare_names);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(list[kept - 1], list[i]) != 0)
			list[kept++] = list[i];
	return kept;
}

int
jobconf_collect_fields(struct json_object *analysis, bool terms_only,
    const char ***list, size_t *n)
{
	struct json_object *detectors = jobconf_member(analysis, "detectors");
	struct json_object *influencers =
	    jobconf_member(analysis, "influencers");
	size_t most =
	    jobconf_length(detectors) * 4 + jobconf_length(influencers) + 2;

	*n = 0;
	*list = reallocarray(NULL, most, sizeof(**list));
	if (*list == NULL)
		return -1;
	for (size_t i = 0; i < jobconf_length(detectors); i++)
		collect_detector(json_object_array_get_idx(detectors, i),
		    terms_only, *list, n);
	for (size_t i = 0; i < jobconf_length(influencers); i++)
		collect(*list, n,
		    json_object_get_string(
			json_object_array_get_idx(influencers, i)));
	if (!terms_only) {
		collect(*list, n,
		    jobconf_text(analysis, "categorization_field_name"));
		collect(*list, n,
		    jobconf_text(analysis, "summary_count_field_name"));
	}
	*n = jobconf_sort_unique(*list, *n);
	return 0;
}
