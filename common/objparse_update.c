/*
 * Owns what the tables of objects say about updates: which fields one may
 * have, and how it changes the object.
 */
#include "common/compat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "common/objparse.h"

/* Tables for updates */

const char *
objparse_update_name(const struct objparse_field *f)
{
	return (f->flags & OBJPARSE_RENAMED) != 0 ? f->arg : f->name;
}

/* The fields that an update may have; what is inline stands among them. */
static size_t
collect_updatable(
    const struct objparse_table *table, struct objparse_field *to, size_t n)
{
	const unsigned wanted =
	    OBJPARSE_UPDATABLE | OBJPARSE_FIXED | OBJPARSE_INDEX;

	for (size_t i = 0; i < table->nfields; i++) {
		const struct objparse_field *f = &table->field[i];

		if ((f->flags & OBJPARSE_INLINE) != 0)
			n = collect_updatable(f->arg, to, n);
		if ((f->flags & wanted) == 0 || n == OBJPARSE_FIELDS_MAX)
			continue;
		to[n] = *f;
		to[n].name = objparse_update_name(f);
		to[n].flags =
		    (f->flags & OBJPARSE_INDEX) != 0 ? OBJPARSE_REQUIRED : 0;
		n++;
	}
	return n;
}

void
objparse_derive(struct objparse_table *derived, struct objparse_field *fields,
    const struct objparse_table *table)
{
	*derived = (struct objparse_table){ .parser = table->update_parser,
		.field = fields,
		.nfields = collect_updatable(table, fields, 0) };
}

/* Merging of updates */

const struct objparse_table *
objparse_table_of(const struct objparse_field *f)
{
	return (f->tokens & T(OBJECT)) != 0 ? f->arg : NULL;
}

/* The table when an update has only part of the value. */
static const struct objparse_table *
partial_table(const struct objparse_field *f)
{
	const struct objparse_table *t = objparse_table_of(f);

	return t == NULL || t->update_parser == NULL ? NULL : t;
}

/* What is not there counts as false. */
static int
check_fixed(struct objparse *op, const struct objparse_table *table,
    const struct objparse_field *f, struct json_object *is,
    struct json_object *wanted)
{
	bool same = is == NULL ? !json_object_get_boolean(wanted)
			       : json_object_equal(is, wanted) != 0;

	if (same)
		return 0;
	return apierr_set(op->e, 400, E_STATUS,
	    "%s.%s cannot be updated: it is [%s], and [%s] was given",
	    table->parser, f->name,
	    is == NULL ? "false" : json_object_get_string(is),
	    json_object_get_string(wanted));
}

static const struct objparse_field *
index_field(const struct objparse_table *table)
{
	for (size_t i = 0; i < table->nfields; i++)
		if ((table->field[i].flags & OBJPARSE_INDEX) != 0)
			return &table->field[i];
	return NULL;
}

/* Which element an update of one means. Returns 0, or -1 with op->e. */
static int
element_index(struct objparse *op, const struct objparse_field *list,
    const struct objparse_table *table, size_t n, struct json_object *update,
    size_t *at)
{
	const struct objparse_field *index = index_field(table);
	struct json_object *v;
	int64_t i;

	if (index == NULL ||
	    !json_object_object_get_ex(update, objparse_update_name(index), &v))
		return apierr_set(op->e, 500, E_EXCEPTION,
		    "an element of [%s] has no index", list->name);
	i = json_object_get_int64(v);
	if (i < 0)
		return apierr_set(op->e, 400, E_STATUS,
		    "Supplied %s [%" PRId64 "] cannot be less than 0",
		    index->name, i);
	if ((uint64_t)i >= n)
		return apierr_set(op->e, 400, E_STATUS,
		    "Supplied %s [%" PRId64 "] is >= the number of %s [%zu]",
		    index->name, i, list->name, n);
	*at = (size_t)i;
	return 0;
}

static int
merge_elements(struct objparse *op, const struct objparse_field *f,
    const struct objparse_table *table, struct json_object *list,
    struct json_object *updates)
{
	size_t n = list == NULL ? 0 : json_object_array_length(list);

	for (size_t i = 0; i < json_object_array_length(updates); i++) {
		struct json_object *u = json_object_array_get_idx(updates, i);
		size_t at = 0;

		if (element_index(op, f, table, n, u, &at) == -1 ||
		    objparse_merge(op, table,
			json_object_array_get_idx(list, at), u) == -1)
			return -1;
	}
	return 0;
}

static int
merge_part(struct objparse *op, const struct objparse_field *f,
    const struct objparse_table *table, struct json_object *obj,
    struct json_object *update)
{
	struct json_object *is = json_object_object_get(obj, f->name);

	if (json_object_is_type(update, json_type_array))
		return merge_elements(op, f, table, is, update);
	if (is == NULL) {
		is = json_object_new_object();
		if (objparse_put(op, obj, f->name, is) == -1)
			return -1;
	}
	return objparse_merge(op, table, is, update);
}

static int
merge_field(struct objparse *op, const struct objparse_table *table,
    const struct objparse_field *f, struct json_object *obj,
    struct json_object *update)
{
	const struct objparse_table *part = partial_table(f);
	struct json_object *v;

	if ((f->flags & OBJPARSE_INLINE) != 0)
		return objparse_merge(
		    op, f->arg, json_object_object_get(obj, f->name), update);
	if ((f->flags & (OBJPARSE_UPDATABLE | OBJPARSE_FIXED)) == 0 ||
	    !json_object_object_get_ex(update, objparse_update_name(f), &v))
		return 0;
	if ((f->flags & OBJPARSE_FIXED) != 0 &&
	    check_fixed(
		op, table, f, json_object_object_get(obj, f->name), v) == -1)
		return -1;
	if (part != NULL)
		return merge_part(op, f, part, obj, v);
	return objparse_put(op, obj, f->name, json_object_get(v));
}

int
objparse_merge(struct objparse *op, const struct objparse_table *table,
    struct json_object *obj, struct json_object *update)
{
	for (size_t i = 0; i < table->nfields; i++)
		if (merge_field(op, table, &table->field[i], obj, update) == -1)
			return -1;
	return 0;
}

/* Description */

void
objparse_type(char *dst, const struct objparse_field *f)
{
	static const struct {
		objparse_convert *convert;
		const char *name;
	} known[] = {
		{ objparse_duration, "duration" },
		{ objparse_long, "integer" },
		{ objparse_double, "number" },
		{ objparse_boolean, "boolean" },
		{ objparse_enum, "word" },
	};
	static const char *const names[] = { [JSONX_OBJECT] = "object",
		[JSONX_ARRAY] = "list",
		[JSONX_STRING] = "string",
		[JSONX_NUMBER] = "number",
		[JSONX_BOOLEAN] = "boolean",
		[JSONX_NULL] = "null" };

	*dst = '\0';
	for (size_t i = 0; i < NELEM(known); i++)
		if (f->convert == known[i].convert) {
			strlcpy(dst, known[i].name, OBJPARSE_TYPE_BYTES);
			return;
		}
	if ((f->tokens & T(ARRAY)) != 0) {
		strlcpy(dst,
		    (f->tokens & T(STRING)) != 0       ? "list of strings"
			: (f->tokens & T(OBJECT)) != 0 ? "list of objects"
						       : "list",
		    OBJPARSE_TYPE_BYTES);
		return;
	}
	for (size_t i = 0; i < NELEM(names); i++) {
		/* Numbers and booleans may always be strings. */
		if ((f->tokens & 1u << i) == 0 ||
		    (i == JSONX_STRING &&
			(f->tokens & (T(NUMBER) | T(BOOLEAN))) != 0))
			continue;
		strlcat(dst, *dst == '\0' ? "" : " or ", OBJPARSE_TYPE_BYTES);
		strlcat(dst, names[i], OBJPARSE_TYPE_BYTES);
	}
}
