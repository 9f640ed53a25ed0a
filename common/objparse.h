/*
 * Objects whose fields are declared in a table: parsed strictly from a JSON
 * text, in document order, into a json-c object in the order of the table,
 * which is also the order of printing. Errors read as the API's do:
 * "[line:col] [parser] unknown field [x]", with the cause behind them.
 */
#ifndef COMMON_OBJPARSE_H
#define COMMON_OBJPARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/jsonx.h"

struct json_object;
struct objparse;
struct objparse_field;

/* Token types that a field takes. */
#define T(type) (1u << JSONX_##type)
#define T_OBJECT T(OBJECT)
#define T_STRING T(STRING)
#define T_NULL T(NULL)
#define T_NUMBER (T(NUMBER) | T(STRING))   /* "7" is a number too */
#define T_BOOLEAN (T(BOOLEAN) | T(STRING)) /* and "true" a boolean */
#define T_STRINGS (T(ARRAY) | T(STRING))   /* one stands for a list of it */
#define T_OBJECTS (T(ARRAY) | T(OBJECT))

/*
 * The same tables read updates, which change an object that is there: of a
 * table with an update_parser an update has the marked fields and no other.
 */
enum objparse_flag {
	OBJPARSE_REQUIRED = 1,	/* in a whole object */
	OBJPARSE_OLD = 2,	/* unknown unless the old base path was used */
	OBJPARSE_UPDATABLE = 4, /* an update replaces it */
	OBJPARSE_FIXED = 8,	/* an update may repeat it, as it is */
	OBJPARSE_INDEX = 16,	/* which element of its list an update means */
	OBJPARSE_INLINE = 32,	/* an update has its members in its place */
	OBJPARSE_RENAMED = 64,	/* arg: what an update calls it */
};

/*
 * Turns a value into what is kept: *out is owned by the caller, NULL drops the
 * field. Returns 0, or -1 with the cause set in op->e.
 */
typedef int objparse_convert(struct objparse *op, const struct objparse_field *,
    const struct jsonx_value *, struct json_object **out);

struct objparse_field {
	const char *name;
	unsigned tokens;
	objparse_convert *convert;
	/* Of what takes objects: their table, or NULL; of _enum: the names. */
	const void *arg;
	unsigned flags;
};

struct objparse_table {
	const char *parser; /* its name in errors */
	const struct objparse_field *field;
	size_t nfields;
	/*
	 * Checks across fields and defaults, at the closing brace; may be
	 * NULL. Returns 0, or -1 with op->e set.
	 */
	int (*finish)(struct objparse *op, struct json_object *obj);
	/* Its name where it reads an update; NULL: updates have it whole. */
	const char *update_parser;
};

struct objparse {
	struct apierr *e;
	bool old;	      /* old base path */
	bool restore;	      /* what is read was printed here: no defaults */
	bool lenient;	      /* unknown fields are passed over */
	bool update;	      /* the text is an update */
	const void *arg;      /* for conversions and checks of the tables */
	struct jsonx_pos pos; /* of the token that is looked at */
};

/* The object that v holds. NULL with op->e set. The caller owns it. */
struct json_object *objparse_run(struct objparse *op,
    const struct objparse_table *, const struct jsonx_value *v) MUST_CHECK;

/*
 * The members of obj that the table has, in its order. Takes obj over. NULL
 * with op->e set when memory is out. objparse_run has done it already; for
 * those who add members later.
 */
struct json_object *objparse_arrange(struct objparse *op,
    const struct objparse_table *, struct json_object *obj) MUST_CHECK;

/*
 * Put what an update has, read with op->update, into the whole object obj that
 * it changes: values replace values, of objects and of the elements of lists
 * that the update has in part only that part. obj then still wants its
 * checks. Returns 0, or -1 with op->e set.
 */
int objparse_merge(struct objparse *op, const struct objparse_table *,
    struct json_object *obj, struct json_object *update) MUST_CHECK;

/*
 * The table that reads an update, from the one of the whole object. fields has
 * room for OBJPARSE_FIELDS_MAX. For objparse_run, which does it by itself, and
 * for those who show what there is.
 */
#define OBJPARSE_FIELDS_MAX 32 /* more than any table has */
void objparse_derive(struct objparse_table *derived,
    struct objparse_field *fields, const struct objparse_table *);

/* What an update calls the field. */
const char *objparse_update_name(const struct objparse_field *);
/* The table of an object or of the objects in a list; NULL: free form. */
const struct objparse_table *objparse_table_of(const struct objparse_field *);
/* For people: "list of strings". dst takes OBJPARSE_TYPE_BYTES. */
#define OBJPARSE_TYPE_BYTES 64
void objparse_type(char *dst, const struct objparse_field *);

/* Conversions. */
objparse_convert objparse_string;
objparse_convert objparse_string_or_null; /* null drops the field */
objparse_convert objparse_long;
objparse_convert objparse_double;
objparse_convert objparse_boolean;
objparse_convert objparse_duration; /* kept as text */
objparse_convert objparse_strings;
objparse_convert objparse_enum; /* arg: names up to NULL; any case */
objparse_convert objparse_object;
objparse_convert objparse_objects;
objparse_convert objparse_free;	  /* as it is */
objparse_convert objparse_ignore; /* taken and forgotten */

/* Sets op->e to 503, out of memory. Returns -1. */
int objparse_no_memory(struct objparse *op);

/*
 * Put v under key, also when v is NULL because memory is out. Takes v over in
 * any case. Returns 0, or -1 with op->e set.
 */
int objparse_put(struct objparse *op, struct json_object *obj, const char *key,
    struct json_object *v);

#endif
