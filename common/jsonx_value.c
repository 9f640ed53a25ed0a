/* Owns what is done with values once they were read. */
#include "common/compat.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonx.h"
#include "common/timefmt.h"

#define TWO_TO_63 0x1p63

void
jsonx_free(struct jsonx_value *v)
{
	struct jsonx_value *next;

	/* Siblings in a loop: only nesting, which is bounded, recurs. */
	for (; v != NULL; v = next) {
		next = v->next;
		jsonx_free(v->child);
		free(v->key);
		free(v->text);
		free(v);
	}
}

const struct jsonx_value *
jsonx_get(const struct jsonx_value *obj, const char *key)
{
	const struct jsonx_value *v;

	if (obj->type != JSONX_OBJECT)
		return NULL;
	for (v = obj->child; v != NULL; v = v->next)
		if (strcmp(v->key, key) == 0)
			return v;
	return NULL;
}

const char *
jsonx_token(const struct jsonx_value *v)
{
	static const char *const names[] = {
		[JSONX_OBJECT] = "START_OBJECT",
		[JSONX_ARRAY] = "START_ARRAY",
		[JSONX_STRING] = "VALUE_STRING",
		[JSONX_NUMBER] = "VALUE_NUMBER",
		[JSONX_BOOLEAN] = "VALUE_BOOLEAN",
		[JSONX_NULL] = "VALUE_NULL",
	};

	return names[v->type];
}

static bool
is_integer(const char *text)
{
	if (*text == '-')
		text++;
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

bool
jsonx_int64(const struct jsonx_value *v, int64_t *whole)
{
	double d;

	if (v->text == NULL)
		return false;
	if (is_integer(v->text)) {
		errno = 0;
		*whole = strtoll(v->text, NULL, 10);
		return errno == 0;
	}
	if (number_parse(v->text, strlen(v->text), &d) == -1)
		return false;
	/* Written so that NaN is outside too. */
	if (!(d >= -TWO_TO_63 && d < TWO_TO_63))
		return false;
	*whole = (int64_t)d;
	return true;
}

static struct json_object *
number_to_json(const char *text)
{
	double d = 0;
	uint64_t u;
	int64_t i;

	if (is_integer(text)) {
		errno = 0;
		i = strtoll(text, NULL, 10);
		if (errno == 0)
			return json_object_new_int64(i);
		errno = 0;
		u = strtoull(text, NULL, 10);
		if (errno == 0 && *text != '-')
			return json_object_new_uint64(u);
	}
	/* JSON's grammar is part of the one that number_parse knows. */
	(void)number_parse(text, strlen(text), &d);
	return json_object_new_double(d);
}

static int
container_to_json(const struct jsonx_value *v, struct json_object *out)
{
	const struct jsonx_value *child;
	struct json_object *o;
	int rc;

	for (child = v->child; child != NULL; child = child->next) {
		if (jsonx_to_json(child, &o) == -1)
			return -1;
		rc = v->type == JSONX_OBJECT
		    ? json_object_object_add(out, child->key, o)
		    : json_object_array_add(out, o);
		if (rc != 0) {
			json_object_put(o);
			return -1;
		}
	}
	return 0;
}

int
jsonx_to_json(const struct jsonx_value *v, struct json_object **out)
{
	*out = NULL;
	switch (v->type) {
	case JSONX_NULL:
		return 0;
	case JSONX_BOOLEAN:
		*out = json_object_new_boolean(v->boolean);
		break;
	case JSONX_STRING:
		*out = json_object_new_string(v->text);
		break;
	case JSONX_NUMBER:
		*out = number_to_json(v->text);
		break;
	case JSONX_OBJECT:
		*out = json_object_new_object();
		break;
	case JSONX_ARRAY:
		*out = json_object_new_array();
		break;
	}
	if (*out == NULL)
		return -1;
	if (v->child != NULL && container_to_json(v, *out) == -1) {
		json_object_put(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}
