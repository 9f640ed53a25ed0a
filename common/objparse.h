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

enum objparse_flag {
	OBJPARSE_REQUIRED = 1,
	OBJPARSE_OLD = 2, /* unknown unless the old base path was used */
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
	const void *arg; /* objparse_object(s): the table; _enum: the names */
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
};

struct objparse {
	struct apierr *e;
	bool old;	      /* old base path */
	bool restore;	      /* what is read was printed here: no defaults */
	bool lenient;	      /* unknown fields are passed over */
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
