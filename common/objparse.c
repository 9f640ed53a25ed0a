/* Owns the strict parsing of objects that are declared as tables. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/likeness.h"
#include "common/objparse.h"
#include "common/timefmt.h"
#include "common/units.h"

int
objparse_no_memory(struct objparse *op)
{
	return apierr_set(op->e, 503, E_EXCEPTION, "out of memory");
}

int
objparse_put(struct objparse *op, struct json_object *obj, const char *key,
    struct json_object *v)
{
	if (v != NULL && json_object_object_add(obj, key, v) == 0)
		return 0;
	json_object_put(v);
	return objparse_no_memory(op);
}

/* "did you mean" */

struct suggestion {
	double likeness;
	const char *name;
};

static int
compare_suggestions(const void *a, const void *b)
{
	const struct suggestion *x = a, *y = b;

	if (x->likeness < y->likeness)
		return 1;
	if (x->likeness > y->likeness)
		return -1;
	return strcmp(x->name, y->name);
}

static bool
field_is_known(const struct objparse *op, const struct objparse_field *f)
{
	return op->old || (f->flags & OBJPARSE_OLD) == 0;
}

/* " did you mean [a]?", " did you mean any of [a, b]?", or nothing. */
static void
suggest(const struct objparse *op, const struct objparse_table *table,
    const char *key, char *dst, size_t cap)
{
	struct suggestion list[OBJPARSE_FIELDS_MAX];
	size_t n = 0;

	*dst = '\0';
	for (size_t i = 0; i < table->nfields && n < OBJPARSE_FIELDS_MAX; i++) {
		list[n].name = table->field[i].name;
		list[n].likeness = likeness(
		    key, strlen(key), list[n].name, strlen(list[n].name));
		if (list[n].likeness > 0.5 &&
		    field_is_known(op, &table->field[i]))
			n++;
	}
	if (n == 0)
		return;
	qsort(list, n, sizeof(list[0]), compare_suggestions);
	strlcpy(
	    dst, n == 1 ? " did you mean [" : " did you mean any of [", cap);
	for (size_t i = 0; i < n; i++) {
		strlcat(dst, i == 0 ? "" : ", ", cap);
		strlcat(dst, list[i].name, cap);
	}
	strlcat(dst, "]?", cap);
}

/* Errors of the parser itself */

static int
fail_unknown(struct objparse *op, const struct objparse_table *table,
    const struct jsonx_value *v)
{
	char hint[256];

	suggest(op, table, v->key, hint, sizeof(hint));
	return apierr_set(op->e, 400, E_XCONTENT_PARSE,
	    "[%u:%u] [%s] unknown field [%s]%s%s", v->key_pos.line,
	    v->key_pos.col, table->parser, v->key,
	    op->old ? ", parser not found" : "", op->old ? "" : hint);
}

static int
fail_token(struct objparse *op, const struct objparse_table *table,
    const struct jsonx_value *v)
{
	return apierr_set(op->e, 400, E_XCONTENT_PARSE,
	    "[%u:%u] [%s] %s doesn't support values of type: %s", v->pos.line,
	    v->pos.col, table->parser, v->key, jsonx_token(v));
}

static int
wrap_field(
    struct objparse *op, const struct objparse_table *table, const char *name)
{
	return apierr_wrap(op->e, E_XCONTENT_PARSE,
	    "[%u:%u] [%s] failed to parse field [%s]", op->pos.line,
	    op->pos.col, table->parser, name);
}

/* All that are missing in one text. */
static int
check_required(struct objparse *op, const struct objparse_table *table,
    struct json_object *obj)
{
	char list[256] = "";

	for (size_t i = 0; i < table->nfields; i++) {
		const struct objparse_field *f = &table->field[i];

		if ((f->flags & OBJPARSE_REQUIRED) == 0 ||
		    json_object_object_get_ex(obj, f->name, NULL))
			continue;
		strlcat(list, *list == '\0' ? "" : ", ", sizeof(list));
		strlcat(list, f->name, sizeof(list));
	}
	if (*list == '\0')
		return 0;
	return apierr_set(
	    op->e, 400, E_ILLEGAL_ARGUMENT, "Required [%s]", list);
}

struct json_object *
objparse_arrange(struct objparse *op, const struct objparse_table *table,
    struct json_object *obj)
{
	struct json_object *sorted = json_object_new_object(), *v;

	if (sorted == NULL)
		objparse_no_memory(op);
	for (size_t i = 0; sorted != NULL && i < table->nfields; i++) {
		const char *name = table->field[i].name;

		if (!json_object_object_get_ex(obj, name, &v))
			continue;
		if (objparse_put(op, sorted, name, json_object_get(v)) == -1) {
			json_object_put(sorted);
			sorted = NULL;
		}
	}
	json_object_put(obj);
	return sorted;
}

static const struct objparse_field *
find_field(const struct objparse *op, const struct objparse_table *table,
    const char *name)
{
	for (size_t i = 0; i < table->nfields; i++)
		if (strcmp(table->field[i].name, name) == 0 &&
		    field_is_known(op, &table->field[i]))
			return &table->field[i];
	return NULL;
}

static int
parse_member(struct objparse *op, const struct objparse_table *table,
    const struct jsonx_value *v, struct json_object *obj)
{
	const struct objparse_field *f = find_field(op, table, v->key);
	struct json_object *out = NULL;

	op->pos = v->pos;
	if (f == NULL)
		return op->lenient ? 0 : fail_unknown(op, table, v);
	if ((f->tokens & 1u << v->type) == 0)
		return fail_token(op, table, v);
	if (f->convert(op, f, v, &out) == -1)
		return wrap_field(op, table, f->name);
	return out == NULL ? 0 : objparse_put(op, obj, f->name, out);
}

static struct json_object *
run(struct objparse *op, const struct objparse_table *table,
    const struct jsonx_value *v)
{
	struct json_object *obj;

	op->pos = v->pos;
	if (v->type != JSONX_OBJECT) {
		apierr_set(op->e, 400, E_XCONTENT_PARSE,
		    "[%u:%u] [%s] Expected START_OBJECT but was: %s",
		    v->pos.line, v->pos.col, table->parser, jsonx_token(v));
		return NULL;
	}
	obj = json_object_new_object();
	if (obj == NULL) {
		objparse_no_memory(op);
		return NULL;
	}
	for (const struct jsonx_value *m = v->child; m != NULL; m = m->next)
		if (parse_member(op, table, m, obj) == -1)
			goto fail;
	op->pos = v->end;
	if (check_required(op, table, obj) == -1 ||
	    (table->finish != NULL && table->finish(op, obj) == -1))
		goto fail;
	return objparse_arrange(op, table, obj);
fail:
	json_object_put(obj);
	return NULL;
}

struct json_object *
objparse_run(struct objparse *op, const struct objparse_table *table,
    const struct jsonx_value *v)
{
	struct objparse_field fields[OBJPARSE_FIELDS_MAX];
	struct objparse_table derived;

	if (!op->update || table->update_parser == NULL)
		return run(op, table, v);
	objparse_derive(&derived, fields, table);
	return run(op, &derived, v);
}

/* Conversions */

static int
done(struct objparse *op, struct json_object *made, struct json_object **out)
{
	*out = made;
	return made == NULL ? objparse_no_memory(op) : 0;
}

int
objparse_string(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	(void)f;
	return done(op, json_object_new_string(v->text), out);
}

int
objparse_string_or_null(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	if (v->type == JSONX_NULL)
		return 0;
	return objparse_string(op, f, v, out);
}

int
objparse_long(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	int64_t i;

	(void)f;
	if (!jsonx_int64(v, &i))
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    v->type == JSONX_STRING
			? "For input string: \"%s\""
			: "Value [%s] is out of range for a long",
		    v->text);
	return done(op, json_object_new_int64(i), out);
}

int
objparse_double(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	double d;

	(void)f;
	if (number_parse(v->text, strlen(v->text), &d) == -1 || !(d - d == 0.0))
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "[%s] is not a finite number", v->text);
	return done(op, json_object_new_double(d), out);
}

int
objparse_boolean(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	bool b = v->boolean;

	(void)f;
	if (v->type == JSONX_STRING) {
		b = strcmp(v->text, "true") == 0;
		if (!b && strcmp(v->text, "false") != 0)
			return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
			    "Failed to parse value [%s] as only [true] or "
			    "[false] are allowed.",
			    v->text);
	}
	return done(op, json_object_new_boolean(b), out);
}

/* The text without the blanks and capitals that are tolerated. */
int
objparse_duration(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	char text[UNITS_DURATION_BYTES];
	int64_t ns;

	if (units_duration(f->name, v->text, &ns, op->e) == -1)
		return -1;
	units_tidy_duration(text, v->text);
	return done(op, json_object_new_string(text), out);
}

/* Elements may be any scalar; the text of it is taken. */
static const char *
scalar_text(const struct jsonx_value *v)
{
	if (v->type == JSONX_BOOLEAN)
		return v->boolean ? "true" : "false";
	return v->text;
}

static int
append_string(
    struct objparse *op, struct json_object *list, const struct jsonx_value *v)
{
	const char *text = scalar_text(v);
	struct json_object *s;

	op->pos = v->pos;
	if (text == NULL)
		return apierr_set(op->e, 400, "illegal_state_exception",
		    "Can't get text on a %s at %u:%u", jsonx_token(v),
		    v->pos.line, v->pos.col);
	s = json_object_new_string(text);
	if (s != NULL && json_object_array_add(list, s) == 0)
		return 0;
	json_object_put(s);
	return objparse_no_memory(op);
}

int
objparse_strings(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	struct json_object *list = json_object_new_array();
	const struct jsonx_value *el = v->type == JSONX_ARRAY ? v->child : v;

	(void)f;
	if (list == NULL)
		return objparse_no_memory(op);
	while (el != NULL) {
		if (append_string(op, list, el) == -1) {
			json_object_put(list);
			return -1;
		}
		el = v->type == JSONX_ARRAY ? el->next : NULL;
	}
	*out = list;
	return 0;
}

int
objparse_enum(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	const char *const *name;

	for (name = f->arg; *name != NULL; name++)
		if (strcasecmp(*name, v->text) == 0)
			return done(op, json_object_new_string(*name), out);
	return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
	    "Invalid value [%s] for [%s]", v->text, f->name);
}

int
objparse_object(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	*out = objparse_run(op, f->arg, v);
	return *out == NULL ? -1 : 0;
}

static int
append_object(struct objparse *op, const struct objparse_table *table,
    struct json_object *list, const struct jsonx_value *v)
{
	struct json_object *o = objparse_run(op, table, v);

	if (o == NULL)
		return -1;
	if (json_object_array_add(list, o) == 0)
		return 0;
	json_object_put(o);
	return objparse_no_memory(op);
}

int
objparse_objects(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	struct json_object *list = json_object_new_array();
	const struct jsonx_value *el = v->type == JSONX_ARRAY ? v->child : v;

	if (list == NULL)
		return objparse_no_memory(op);
	while (el != NULL) {
		if (append_object(op, f->arg, list, el) == -1) {
			json_object_put(list);
			return -1;
		}
		el = v->type == JSONX_ARRAY ? el->next : NULL;
	}
	*out = list;
	return 0;
}

/* The first number in v that a double cannot hold; NULL: there is none. */
static const struct jsonx_value *
find_huge(const struct jsonx_value *v)
{
	const struct jsonx_value *huge = NULL;
	double d;

	if (v->type == JSONX_NUMBER &&
	    (number_parse(v->text, strlen(v->text), &d) == -1 || d - d != 0.0))
		return v;
	for (const struct jsonx_value *el = v->child;
	     el != NULL && huge == NULL; el = el->next)
		huge = find_huge(el);
	return huge;
}

int
objparse_free(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	const struct jsonx_value *huge = find_huge(v);

	(void)f;
	/* It could not be printed again. */
	if (huge != NULL) {
		op->pos = huge->pos;
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "Value [%s] is out of range for a double", huge->text);
	}
	return jsonx_to_json(v, out) == -1 ? objparse_no_memory(op) : 0;
}

int
objparse_ignore(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	(void)op;
	(void)f;
	(void)v;
	(void)out;
	return 0;
}
