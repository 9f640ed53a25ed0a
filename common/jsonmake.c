/* Owns the making of JSON objects under want of memory. */
#include "common/compat.h"

#include <json-c/json.h>

#include "common/jsonmake.h"

static void
give_up(struct json_object **obj, struct json_object *value)
{
	json_object_put(value);
	json_object_put(*obj);
	*obj = NULL;
}

void
jsonmake_add(
    struct json_object **obj, const char *key, struct json_object *value)
{
	/* json-c aborts when it is given NULL for the object. */
	if (*obj == NULL || value == NULL ||
	    json_object_object_add(*obj, key, value) != 0)
		give_up(obj, value);
}

void
jsonmake_append(struct json_object **array, struct json_object *value)
{
	if (*array == NULL || value == NULL ||
	    json_object_array_add(*array, value) != 0)
		give_up(array, value);
}

void
jsonmake_string(struct json_object **obj, const char *key, const char *value)
{
	jsonmake_add(obj, key, json_object_new_string(value));
}

void
jsonmake_int(struct json_object **obj, const char *key, int64_t value)
{
	jsonmake_add(obj, key, json_object_new_int64(value));
}

void
jsonmake_uint(struct json_object **obj, const char *key, uint64_t value)
{
	jsonmake_add(obj, key, json_object_new_uint64(value));
}

void
jsonmake_double(struct json_object **obj, const char *key, double value)
{
	jsonmake_add(obj, key, json_object_new_double(value));
}

void
jsonmake_bool(struct json_object **obj, const char *key, bool value)
{
	jsonmake_add(obj, key, json_object_new_boolean(value));
}
