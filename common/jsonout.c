/* Owns the layout of JSON answers, the form of numbers, and human twins. */
#include "common/compat.h"

#include <float.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <json-c/printbuf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonout.h"
#include "common/jsonout_int.h"
#include "common/units.h"

static void print_value(struct jsonout *, struct json_object *, int depth);

void
jsonout_put(struct jsonout *o, const char *text, size_t len)
{
	if (!o->failed && printbuf_memappend(o->pb, text, (int)len) < 0)
		o->failed = true;
}

static void
put_string(struct jsonout *o, const char *text)
{
	jsonout_put(o, text, strlen(text));
}

/* Numbers */

void
jsonout_double(char *dst, double v)
{
	int precision = fabs(v) < DBL_MIN ? 1 : 15;

	if (!isfinite(v)) {
		strlcpy(dst, "null", 32); /* JSON has no such number */
		return;
	}
	for (; precision <= 17; precision++) {
		(void)snprintf(dst, 32, "%.*g", precision, v);
		if (strtod(dst, NULL) == v)
			break;
	}
	if (dst[strcspn(dst, ".e")] == '\0')
		strlcat(dst, ".0", 32);
}

void
jsonout_put_integer(struct jsonout *o, struct json_object *v)
{
	char buf[32];
	int64_t i = json_object_get_int64(v);

	/* What is above saturates, and is an unsigned one. */
	if (i == INT64_MAX)
		(void)snprintf(
		    buf, sizeof(buf), "%" PRIu64, json_object_get_uint64(v));
	else
		(void)snprintf(buf, sizeof(buf), "%" PRId64, i);
	put_string(o, buf);
}

static void
print_double(struct jsonout *o, struct json_object *v)
{
	char buf[32];

	jsonout_double(buf, json_object_get_double(v));
	put_string(o, buf);
}

/* Strings */

void
jsonout_put_escape(struct jsonout *o, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t";
	static const char to[] = "\"\\bfnrt";
	const char *at = c == '\0' ? NULL : strchr(from, c);
	char buf[8];

	if (at != NULL)
		(void)snprintf(buf, sizeof(buf), "\\%c", to[at - from]);
	else
		(void)snprintf(buf, sizeof(buf), "\\u%04x", c);
	put_string(o, buf);
}

static void
print_string(struct jsonout *o, const char *text, size_t len)
{
	size_t start = 0;

	jsonout_put(o, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= ' ' && c != '"' && c != '\\')
			continue;
		jsonout_put(o, text + start, i - start);
		jsonout_put_escape(o, c);
		start = i + 1;
	}
	jsonout_put(o, text + start, len - start);
	jsonout_put(o, "\"", 1);
}

/* Containers */

static void
break_line(struct jsonout *o, int depth)
{
	if (!o->pretty)
		return;
	jsonout_put(o, "\n", 1);
	for (int i = 0; i < depth; i++)
		jsonout_put(o, "  ", 2);
}

static void
print_array(struct jsonout *o, struct json_object *v, int depth)
{
	size_t n = json_object_array_length(v);

	if (n == 0) {
		put_string(o, o->pretty ? "[ ]" : "[]");
		return;
	}
	jsonout_put(o, "[", 1);
	for (size_t i = 0; i < n && !o->failed; i++) {
		if (i > 0)
			jsonout_put(o, ",", 1);
		break_line(o, depth + 1);
		print_value(o, json_object_array_get_idx(v, i), depth + 1);
	}
	break_line(o, depth);
	jsonout_put(o, "]", 1);
}

static void
print_object(struct jsonout *o, struct json_object *v, int depth)
{
	bool first = true;

	if (json_object_object_length(v) == 0) {
		put_string(o, o->pretty ? "{ }" : "{}");
		return;
	}
	jsonout_put(o, "{", 1);
	json_object_object_foreach(v, key, member)
	{
		if (!first)
			jsonout_put(o, ",", 1);
		first = false;
		break_line(o, depth + 1);
		print_string(o, key, strlen(key));
		put_string(o, o->pretty ? " : " : ":");
		print_value(o, member, depth + 1);
	}
	break_line(o, depth);
	jsonout_put(o, "}", 1);
}

static void
print_value(struct jsonout *o, struct json_object *v, int depth)
{
	switch (json_object_get_type(v)) {
	case json_type_null:
		put_string(o, "null");
		break;
	case json_type_boolean:
		put_string(o, json_object_get_boolean(v) ? "true" : "false");
		break;
	case json_type_double:
		print_double(o, v);
		break;
	case json_type_int:
		jsonout_put_integer(o, v);
		break;
	case json_type_string:
		print_string(o, json_object_get_string(v),
		    (size_t)json_object_get_string_len(v));
		break;
	case json_type_array:
		print_array(o, v, depth);
		break;
	case json_type_object:
		print_object(o, v, depth);
		break;
	}
}

/* Human twins */

/* Members that hold epoch milliseconds: by name, or by the end of it. */
static const char *const date_names[] = { "create_time", "finished_time",
	"last_data_time", "log_time", "start_time", "end_time", "timestamp",
	"last_finalized_bucket_end" };
static const char *const date_suffixes[] = { "_timestamp", "_time_stamp" };

/* What users put there is not ours to explain. */
#define FREE_FORM "custom_settings"

static bool
is_date(const char *key, struct json_object *v)
{
	size_t len = strlen(key);

	if (!json_object_is_type(v, json_type_int))
		return false;
	for (size_t i = 0; i < NELEM(date_names); i++)
		if (strcmp(key, date_names[i]) == 0)
			return true;
	for (size_t i = 0; i < NELEM(date_suffixes); i++) {
		size_t slen = strlen(date_suffixes[i]);

		if (len > slen &&
		    strcmp(key + len - slen, date_suffixes[i]) == 0)
			return true;
	}
	return false;
}

static bool
add_twin(struct json_object *obj, const char *key, int64_t ms)
{
	char name[128], iso[UNITS_ISO_BYTES];
	struct json_object *twin;

	units_iso(iso, ms);
	(void)snprintf(name, sizeof(name), "%s_string", key);
	twin = json_object_new_string(iso);
	if (twin != NULL && json_object_object_add(obj, name, twin) == 0)
		return true;
	json_object_put(twin);
	return false;
}

static bool
has_date(struct json_object *obj)
{
	json_object_object_foreach(obj, key, v)
	{
		if (is_date(key, v))
			return true;
	}
	return false;
}

/* All of from into to, a twin before each date. */
static bool
copy_with_twins(struct json_object *to, struct json_object *from)
{
	json_object_object_foreach(from, key, v)
	{
		if (is_date(key, v) &&
		    !add_twin(to, key, json_object_get_int64(v)))
			return false;
		if (json_object_object_add(to, key, json_object_get(v)) != 0) {
			json_object_put(v);
			return false;
		}
	}
	return true;
}

/* json-c only adds at the end, so the members go out and come back. */
static bool
add_twins(struct json_object *obj)
{
	struct json_object *copy;
	bool ok = true;

	if (!has_date(obj))
		return true;
	copy = json_object_new_object();
	if (copy == NULL)
		return false;
	json_object_object_foreach(obj, key, v)
	{
		ok = ok &&
		    json_object_object_add(copy, key, json_object_get(v)) == 0;
	}
	if (ok) {
		json_object_object_foreach(copy, name, w)
		{
			(void)w;
			json_object_object_del(obj, name);
		}
		ok = copy_with_twins(obj, copy);
	}
	json_object_put(copy);
	return ok;
}

static bool
humanise(struct json_object *v)
{
	if (json_object_is_type(v, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(v); i++)
			if (!humanise(json_object_array_get_idx(v, i)))
				return false;
		return true;
	}
	if (!json_object_is_type(v, json_type_object))
		return true;
	json_object_object_foreach(v, key, member)
	{
		if (strcmp(key, FREE_FORM) != 0 && !humanise(member))
			return false;
	}
	return add_twins(v);
}

char *
jsonout_print(
    struct json_object *v, const struct jsonout_style *style, size_t *len)
{
	struct jsonout o = { .pretty = style->pretty };
	char *text = NULL;

	if (style->human && !humanise(v))
		return NULL;
	if (style->filter_path != NULL && *style->filter_path != '\0')
		(void)jsonout_filter(v, style->filter_path);
	o.pb = printbuf_new();
	if (o.pb == NULL)
		return NULL;
	if (style->yaml) {
		jsonout_yaml(&o, v);
	} else {
		print_value(&o, v, 0);
		if (o.pretty)
			jsonout_put(&o, "\n", 1);
	}
	if (!o.failed) {
		*len = (size_t)printbuf_length(o.pb);
		text = o.pb->buf;
		o.pb->buf = NULL;
	}
	printbuf_free(o.pb);
	return text;
}
