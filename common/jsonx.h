/*
 * JSON texts of configurations and request bodies, read strictly (RFC 8259,
 * UTF-8) into a tree that still knows where each value stood: the API's errors
 * name line and column, and json-c cannot tell them.
 *
 * Refused beyond what RFC 8259 refuses: NUL and lone surrogates in strings,
 * keys of more than JSONX_KEY_MAX bytes, nesting deeper than JSONX_DEPTH_MAX.
 * Of a key that an object has twice the last value stands.
 */
#ifndef COMMON_JSONX_H
#define COMMON_JSONX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"

struct json_object;

#define JSONX_DEPTH_MAX 32
#define JSONX_KEY_MAX 512

enum jsonx_type {
	JSONX_OBJECT,
	JSONX_ARRAY,
	JSONX_STRING,
	JSONX_NUMBER,
	JSONX_BOOLEAN,
	JSONX_NULL,
};

/* Both from 1; a column is a byte of its line. */
struct jsonx_pos {
	unsigned line;
	unsigned col;
};

struct jsonx_value {
	enum jsonx_type type;
	struct jsonx_pos pos;	  /* first byte */
	struct jsonx_pos end;	  /* closing bracket of OBJECT and ARRAY */
	struct jsonx_pos key_pos; /* opening quote of the key */
	char *key;		  /* owned; NULL outside of objects */
	char *text;		  /* owned; STRING decoded, NUMBER as sent */
	bool boolean;
	size_t nchildren;
	struct jsonx_value *child; /* owned: the first one */
	struct jsonx_value *next;  /* sibling, owned by the parent */
};

/*
 * Read one value and nothing behind it. The caller frees it. NULL with *e set:
 * 400 for a text that is not JSON ("request body is required" for one that is
 * empty), 503 when memory is out.
 */
struct jsonx_value *jsonx_parse(
    const char *text, size_t len, struct apierr *e) MUST_CHECK;
void jsonx_free(struct jsonx_value *); /* NULL is fine */

/* The member, or NULL. obj may be of any type. */
const struct jsonx_value *jsonx_get(
    const struct jsonx_value *obj, const char *key);

/* What the API calls the token that a value starts with: "VALUE_STRING". */
const char *jsonx_token(const struct jsonx_value *);

/*
 * The same value for json-c. Integers stay integers as far as 64 bits go. The
 * caller owns *out (NULL for null). Returns 0, or -1 when memory is out.
 */
int jsonx_to_json(const struct jsonx_value *, struct json_object **out);

/*
 * The number as a whole one, cut toward zero. Returns false when it does not
 * fit or text is no number. For NUMBER and STRING.
 */
bool jsonx_int64(const struct jsonx_value *v, int64_t *whole);

#endif
