/*
 * Owns the way from JSON tokens to records (jobs-and-data 5.3, 5.9). A record
 * has no beginning, only an end: an end-of-object outside of nested objects.
 * What stands between records, arrays around them included, falls away by
 * itself.
 */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "worker/reader_int.h"

#define MAX_ERRORS 100 /* met while skipping; the API's number */

/* How a part of a record has ended. */
enum outcome {
	GO_ON,
	RECORD, /* the record is complete */
	FAILED, /* too much is malformed */
};

/* ---- names ---- */

static void
path_reset(struct json_path *path)
{
	path->depth = 0;
	path->len[0] = 0;
}

static size_t
path_len(const struct json_path *path)
{
	return path->len[path->depth];
}

/* Only as long as something wanted can lie below it is a prefix kept. */
static void
path_push(struct json_path *path, const char *name, size_t len)
{
	size_t at = path_len(path), longer = SIZE_MAX;

	if (at < path->cap && len < path->cap - at) {
		memcpy(path->text + at, name, len);
		path->text[at + len] = '.';
		longer = at + len + 1;
	}
	path->len[++path->depth] = longer;
}

/*
 * The name without its escapes. One that is so long that nothing wanted can
 * come of it stays as it is.
 */
static const char *
plain_name(struct json_reader *jr, const char *name, size_t *len)
{
	if (*len > 6 * jr->path.cap) /* no escape is longer, for its text */
		return name;
	*len = jsonlex_decode(jr->name, name, *len);
	return jr->name;
}

static size_t
find_field(struct reader *r, const char *name, size_t len)
{
	struct json_path *path = &r->json.path;
	size_t at = path_len(path);

	if (path->depth == 0)
		return fieldset_find(&r->fields, name, len);
	if (at > path->cap || len > path->cap - at)
		return FIELDSET_NONE;
	memcpy(path->text + at, name, len);
	return fieldset_find(&r->fields, path->text, at + len);
}

/* ---- malformed input ---- */

static enum outcome
count_error(struct reader *r, struct apierr *e)
{
	struct json_reader *jr = &r->json;

	if (jr->lex.p == jr->lex.end)
		jr->nerrors = MAX_ERRORS; /* it would err for ever there */
	else
		jr->nerrors++;
	if (jr->nerrors < MAX_ERRORS)
		return GO_ON;
	apierr_set(e, 400, E_PARSE, "The input JSON data is malformed.");
	return FAILED;
}

/* Read on to the end of the object that held the error. */
static enum outcome
skip_malformed(struct reader *r, struct apierr *e)
{
	struct json_path *path = &r->json.path;
	unsigned ends = path->depth + 1;

	while (ends > 0) {
		enum json_token t = jsonlex_next(&r->json.lex);

		if (t == JSON_OBJECT_END)
			ends--;
		else if ((t == JSON_ERROR || t == JSON_END) &&
		    count_error(r, e) == FAILED)
			return FAILED;
	}
	path_reset(path);
	return RECORD;
}

/* ---- values ---- */

static bool
is_scalar(enum json_token t)
{
	return t >= JSON_STRING;
}

/* Undo the escapes of the present token behind what has been built. */
static void
build_decoded(struct reader *r)
{
	const struct jsonlex *lex = &r->json.lex;
	char *to = fieldset_room(&r->fields, lex->len);

	fieldset_add(&r->fields, jsonlex_decode(to, lex->text, lex->len));
}

static void
build_scalar(struct reader *r, enum json_token t)
{
	const struct jsonlex *lex = &r->json.lex;

	if (t == JSON_NULL)
		return;
	if (t == JSON_STRING && lex->escaped) {
		build_decoded(r);
		return;
	}
	memcpy(fieldset_room(&r->fields, lex->len), lex->text, lex->len);
	fieldset_add(&r->fields, lex->len);
}

static void
set_scalar(struct reader *r, size_t i, enum json_token t)
{
	const struct jsonlex *lex = &r->json.lex;
	size_t start;

	if (t == JSON_NULL) {
		fieldset_set(&r->fields, i, lex->text, 0);
	} else if (t == JSON_STRING && lex->escaped) {
		start = fieldset_mark(&r->fields);
		build_decoded(r);
		fieldset_set_built(&r->fields, i, start);
	} else {
		fieldset_set(&r->fields, i, lex->text, lex->len);
	}
}

/* All scalars up to the first end of an array, whichever it is. */
static enum outcome
join_array(struct reader *r, size_t i, struct apierr *e)
{
	size_t start = fieldset_mark(&r->fields);
	bool first = true;
	enum json_token t;

	while ((t = jsonlex_next(&r->json.lex)) != JSON_ARRAY_END) {
		if (t == JSON_ERROR)
			return skip_malformed(r, e);
		if (!is_scalar(t))
			continue;
		if (!first) {
			*fieldset_room(&r->fields, 1) = ',';
			fieldset_add(&r->fields, 1);
		}
		first = false;
		build_scalar(r, t);
	}
	fieldset_set_built(&r->fields, i, start);
	return GO_ON;
}

static enum outcome
skip_array(struct reader *r, struct apierr *e)
{
	unsigned depth = 1;

	while (depth > 0) {
		enum json_token t = jsonlex_next(&r->json.lex);

		if (t == JSON_ERROR)
			return skip_malformed(r, e);
		if (t == JSON_ARRAY)
			depth++;
		else if (t == JSON_ARRAY_END)
			depth--;
	}
	return GO_ON;
}

/* ---- records ---- */

/* A member whose name is the present token. */
static enum outcome
read_member(struct reader *r, struct apierr *e)
{
	struct json_reader *jr = &r->json;
	const char *name = jr->lex.text;
	size_t len = jr->lex.len, i;
	enum json_token t;

	if (jr->lex.escaped)
		name = plain_name(jr, name, &len);
	t = jsonlex_next(&jr->lex);
	if (t == JSON_ERROR) {
		/*
		 * Behind a name, the end that the skip has found is taken for
		 * a value: the record goes on into the next document.
		 */
		return skip_malformed(r, e) == FAILED ? FAILED : GO_ON;
	}
	if (t == JSON_OBJECT) {
		path_push(&jr->path, name, len);
		return GO_ON;
	}
	fieldset_count(&r->fields);
	i = find_field(r, name, len);
	if (t == JSON_ARRAY)
		return i == FIELDSET_NONE ? skip_array(r, e)
					  : join_array(r, i, e);
	if (i != FIELDSET_NONE)
		set_scalar(r, i, t);
	return GO_ON;
}

static enum outcome
end_object(struct json_path *path)
{
	if (path->depth == 0)
		return RECORD;
	path->depth--;
	return GO_ON;
}

static int
json_next(struct reader *r, struct apierr *e)
{
	enum outcome outcome = GO_ON;

	path_reset(&r->json.path);
	while (outcome == GO_ON) {
		enum json_token t = jsonlex_next(&r->json.lex);

		if (t == JSON_NAME)
			outcome = read_member(r, e);
		else if (t == JSON_OBJECT_END)
			outcome = end_object(&r->json.path);
		else if (t == JSON_ERROR)
			outcome = skip_malformed(r, e);
		else if (t == JSON_END)
			return 0;
	}
	return outcome == RECORD ? 1 : -1;
}

/* ---- life ---- */

static int
json_init(struct reader *r)
{
	struct json_reader *jr = &r->json;

	jr->path.cap = r->fields.longest;
	jr->path.text = malloc(jr->path.cap + 1);
	jr->name = malloc(6 * jr->path.cap + 1);
	return jr->path.text == NULL || jr->name == NULL ? -1 : 0;
}

static void
json_clear(struct reader *r)
{
	free(r->json.path.text);
	free(r->json.name);
}

static void
json_begin(struct reader *r)
{
	jsonlex_init(&r->json.lex, r->data, r->len);
	r->json.nerrors = 0;
}

static size_t
json_bytes(const struct reader *r)
{
	return r->len == 0 ? 0 : (size_t)(r->json.lex.p - r->data);
}

const struct reader_format reader_json = {
	json_init,
	json_clear,
	json_begin,
	json_next,
	json_bytes,
};
