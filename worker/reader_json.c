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

/* How a step has ended; the first ones as reader_next answers. */
enum outcome {
	FAILED = -1, /* too much is malformed */
	ENDED = 0,
	RECORD = 1, /* the record is complete */
	PAUSED = 2, /* the slice is used up */
	GO_ON,	    /* with the next member */
	TURN,	    /* with what json_reader.doing says now */
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

static void
begin_record(struct json_reader *jr)
{
	path_reset(&jr->path);
	jr->nmembers = 0;
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
	const char *p = name;

	if (*len > 6 * jr->path.cap) /* no escape is longer, for its text */
		return name;
	*len = jsonlex_decode(jr->name, &p, name + *len, *len);
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

static enum outcome
turn_to(struct reader *r, enum json_doing doing)
{
	r->json.doing = doing;
	return TURN;
}

/*
 * Skip to the end of the object that held the error. merged: that end does not
 * end the record.
 */
static enum outcome
begin_skip(struct reader *r, bool merged)
{
	r->json.ends = r->json.path.depth + 1;
	r->json.merged = merged;
	return turn_to(r, DOING_SKIP_MALFORMED);
}

static enum outcome
skip_malformed(struct reader *r, struct apierr *e)
{
	struct json_reader *jr = &r->json;

	while (jr->ends > 0) {
		enum json_token t = jsonlex_next(&jr->lex);

		if (t == JSON_MORE)
			return PAUSED;
		if (t == JSON_OBJECT_END)
			jr->ends--;
		else if ((t == JSON_ERROR || t == JSON_END) &&
		    count_error(r, e) == FAILED)
			return FAILED;
	}
	begin_record(jr);
	(void)turn_to(r, DOING_MEMBERS);
	return jr->merged ? TURN : RECORD;
}

/* ---- values ---- */

static bool
is_scalar(enum json_token t)
{
	return t >= JSON_STRING;
}

/* Copy the present token, a scalar, behind what has been built. */
static enum outcome
begin_copy(struct reader *r, bool joining)
{
	struct json_reader *jr = &r->json;

	jr->joining = joining;
	jr->rest.p = jr->lex.text;
	jr->rest.end = jr->lex.text + jr->lex.len;
	jr->rest.escaped = jr->lex.escaped;
	return turn_to(r, DOING_COPY);
}

static void
copy_slice(struct reader *r)
{
	struct json_reader *jr = &r->json;
	size_t left = (size_t)(jr->rest.end - jr->rest.p);
	size_t most = left < r->slice ? left : r->slice;
	char *to = fieldset_room(&r->fields, most + JSON_MAX_ESCAPE);

	if (jr->rest.escaped) {
		most = jsonlex_decode(to, &jr->rest.p, jr->rest.end, most);
	} else {
		memcpy(to, jr->rest.p, most);
		jr->rest.p += most;
	}
	fieldset_add(&r->fields, most);
}

static enum outcome
end_value(struct reader *r)
{
	fieldset_set_built(&r->fields, r->json.field, r->json.mark);
	return turn_to(r, DOING_MEMBERS);
}

static enum outcome
copy_scalar(struct reader *r, struct apierr *e)
{
	struct json_reader *jr = &r->json;

	(void)e;
	copy_slice(r);
	if (jr->rest.p < jr->rest.end)
		return PAUSED;
	return jr->joining ? turn_to(r, DOING_JOIN) : end_value(r);
}

/* The value of field i is the present token. */
static enum outcome
take_scalar(struct reader *r, size_t i, enum json_token t)
{
	const struct jsonlex *lex = &r->json.lex;

	if (t == JSON_STRING && lex->escaped) {
		r->json.field = i;
		r->json.mark = fieldset_mark(&r->fields);
		return begin_copy(r, false);
	}
	fieldset_set(&r->fields, i, lex->text, t == JSON_NULL ? 0 : lex->len);
	return GO_ON;
}

static enum outcome
take_element(struct reader *r, enum json_token t)
{
	struct json_reader *jr = &r->json;

	if (!jr->first) {
		*fieldset_room(&r->fields, 1) = ',';
		fieldset_add(&r->fields, 1);
	}
	jr->first = false;
	return t == JSON_NULL ? GO_ON : begin_copy(r, true);
}

/* All scalars up to the first end of an array, whichever it is. */
static enum outcome
join_array(struct reader *r, struct apierr *e)
{
	enum outcome outcome = GO_ON;
	enum json_token t;

	(void)e;
	while (outcome == GO_ON) {
		t = jsonlex_next(&r->json.lex);
		if (t == JSON_MORE)
			outcome = PAUSED;
		else if (t == JSON_ERROR)
			outcome = begin_skip(r, false);
		else if (t == JSON_ARRAY_END)
			outcome = end_value(r);
		else if (is_scalar(t))
			outcome = take_element(r, t);
	}
	return outcome;
}

static enum outcome
skip_array(struct reader *r, struct apierr *e)
{
	struct json_reader *jr = &r->json;

	(void)e;
	while (jr->arrays > 0) {
		enum json_token t = jsonlex_next(&jr->lex);

		if (t == JSON_MORE)
			return PAUSED;
		if (t == JSON_ERROR)
			return begin_skip(r, false);
		if (t == JSON_ARRAY)
			jr->arrays++;
		else if (t == JSON_ARRAY_END)
			jr->arrays--;
	}
	return turn_to(r, DOING_MEMBERS);
}

static enum outcome
begin_array(struct reader *r, size_t i)
{
	struct json_reader *jr = &r->json;

	if (i == FIELDSET_NONE) {
		jr->arrays = 1;
		return turn_to(r, DOING_SKIP_ARRAY);
	}
	jr->field = i;
	jr->mark = fieldset_mark(&r->fields);
	jr->first = true;
	return turn_to(r, DOING_JOIN);
}

/* ---- records ---- */

/* The present token is the value of a member, and no object. */
static enum outcome
take_value(struct reader *r, size_t field, enum json_token t)
{
	/*
	 * Behind a name, the end that the skip finds is taken for a value: the
	 * record goes on into the next document.
	 */
	if (t == JSON_ERROR)
		return begin_skip(r, true);
	fieldset_count(&r->fields);
	if (t == JSON_ARRAY)
		return begin_array(r, field);
	return field == FIELDSET_NONE ? GO_ON : take_scalar(r, field, t);
}

/* Read the value of the member with this name. */
static enum outcome
read_value(struct reader *r, const char *name, size_t len, size_t field)
{
	struct json_reader *jr = &r->json;
	enum json_token t = jsonlex_next(&jr->lex);

	if (t == JSON_OBJECT) {
		path_push(&jr->path, name, len);
		return GO_ON;
	}
	if (t != JSON_MORE)
		return take_value(r, field, t);
	jr->member = name;
	jr->member_len = len;
	jr->field = field;
	jr->doing = DOING_VALUE;
	return PAUSED;
}

/* The value of a member in whose midst, or before it, a slice ended. */
static enum outcome
resume_value(struct reader *r, struct apierr *e)
{
	struct json_reader *jr = &r->json;
	enum outcome outcome;

	(void)e;
	jr->doing = DOING_MEMBERS;
	outcome = read_value(r, jr->member, jr->member_len, jr->field);
	return outcome == GO_ON ? TURN : outcome;
}

/*
 * A member whose name is the present token. What stands from start on, where
 * place was, is kept if it may come again: NULL when a slice has cut it.
 */
static enum outcome
read_member(struct reader *r, const char *start, enum json_place place)
{
	struct json_reader *jr = &r->json;
	const char *name = jr->lex.text;
	size_t len = jr->lex.len, field;

	if (jr->lex.escaped)
		name = plain_name(jr, name, &len);
	field = find_field(r, name, len);
	if (jr->path.depth == 0) {
		if (start != NULL && jsonlex_pass_colon(&jr->lex))
			shape_learn(&jr->shape, jr->nmembers, start,
			    (size_t)(jr->lex.p - start),
			    place == JSON_AFTER_BRACE, field);
		jr->nmembers++;
	}
	return read_value(r, name, len, field);
}

/* The member that comes next, if it begins like that of the last record. */
static inline const struct shape_member *
known_member(const struct json_reader *jr)
{
	const struct shape_member *m = shape_member(&jr->shape, jr->nmembers);
	const struct jsonlex *lex = &jr->lex;

	if (m == NULL || jr->path.depth > 0 ||
	    lex->stop - lex->p <= (ptrdiff_t)SHAPE_BYTES ||
	    lex->place != (m->first ? JSON_AFTER_BRACE : JSON_AFTER_MEMBER) ||
	    !shape_matches(m, lex->p))
		return NULL;
	/* Below an object the name would be needed; blanks may hide one. */
	return lex->p[m->len] > ' ' && lex->p[m->len] != '{' ? m : NULL;
}

static enum outcome
read_known(struct reader *r, const struct shape_member *m)
{
	struct json_reader *jr = &r->json;
	enum json_token t = jsonlex_value(&jr->lex, jr->lex.p + m->len);

	jr->nmembers++;
	if (t != JSON_MORE)
		return take_value(r, m->field, t);
	jr->member = NULL; /* the value has begun, and is no object */
	jr->member_len = 0;
	jr->field = m->field;
	jr->doing = DOING_VALUE;
	return PAUSED;
}

static enum outcome
end_object(struct json_reader *jr)
{
	if (jr->path.depth > 0) {
		jr->path.depth--;
		return GO_ON;
	}
	jr->nmembers = 0;
	return RECORD;
}

/* What the next token, which is none of a known member, means. */
static enum outcome
read_token(struct reader *r)
{
	struct json_reader *jr = &r->json;
	const char *start = jr->lex.paused ? NULL : jr->lex.p;
	enum json_place place = jr->lex.place;

	switch (jsonlex_next(&jr->lex)) {
	case JSON_NAME:
		return read_member(r, start, place);
	case JSON_OBJECT_END:
		return end_object(jr);
	case JSON_MORE:
		return PAUSED;
	case JSON_ERROR:
		return begin_skip(r, false);
	case JSON_END:
		return ENDED;
	case JSON_OBJECT:
	case JSON_ARRAY:
	case JSON_ARRAY_END:
	case JSON_STRING:
	case JSON_NUMBER:
	case JSON_WORD:
	case JSON_NULL:
		break;
	}
	return GO_ON;
}

static enum outcome
read_members(struct reader *r, struct apierr *e)
{
	enum outcome outcome = GO_ON;

	(void)e;
	while (outcome == GO_ON) {
		const struct shape_member *m = known_member(&r->json);

		outcome = m == NULL ? read_token(r) : read_known(r, m);
	}
	return outcome;
}

typedef enum outcome json_step(struct reader *, struct apierr *);

static json_step *const steps[] = {
	[DOING_MEMBERS] = read_members,
	[DOING_VALUE] = resume_value,
	[DOING_JOIN] = join_array,
	[DOING_COPY] = copy_scalar,
	[DOING_SKIP_ARRAY] = skip_array,
	[DOING_SKIP_MALFORMED] = skip_malformed,
};

static int
json_next(struct reader *r, struct apierr *e)
{
	enum outcome outcome;

	do
		outcome = steps[r->json.doing](r, e);
	while (outcome == TURN);
	return (int)outcome;
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
	jsonlex_init(&r->json.lex, r->data, r->len, r->slice);
	begin_record(&r->json);
	r->json.doing = DOING_MEMBERS;
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
