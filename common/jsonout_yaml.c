/*
 * Owns the layout of YAML answers: block style, each string in double quotes,
 * lists at the depth of their key. Such quotes hold all that JSON's do; what
 * YAML takes for a line break or for no character at all is escaped beyond.
 */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/jsonout.h"
#include "common/jsonout_int.h"

#define KEY_BYTES 128 /* of a short one; an escape makes 6 of each */

static void put_block(
    struct jsonout *, struct json_object *, int depth, bool inside);

static void
put_text(struct jsonout *o, const char *text)
{
	jsonout_put(o, text, strlen(text));
}

static void
put_indent(struct jsonout *o, int depth)
{
	for (int i = 0; i < depth; i++)
		jsonout_put(o, "  ", 2);
}

/* ---- scalars ---- */

/*
 * The character of more than one byte at p, of left bytes, and its length. The
 * texts of answers are UTF-8; what is not passes byte by byte.
 */
static unsigned
wide_char(const char *p, size_t left, size_t *len)
{
	const unsigned char *u = (const unsigned char *)p;

	*len = 1;
	if (u[0] >= 0xc2 && u[0] < 0xe0 && left >= 2) {
		*len = 2;
		return (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
	}
	if (u[0] >= 0xe0 && u[0] < 0xf0 && left >= 3) {
		*len = 3;
		return (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 |
		    (u[2] & 0x3fu);
	}
	return 0;
}

/* C1 controls, line and paragraph separator, byte order mark, no characters. */
static bool
is_unprintable(unsigned c)
{
	return (c >= 0x80 && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
	    c == 0xfeff || c == 0xfffe || c == 0xffff;
}

/* Puts what is at p and cannot stay as it is; 0: it can, else its length. */
static size_t
put_special(struct jsonout *o, const char *p, size_t left)
{
	unsigned char c = (unsigned char)*p;
	char escape[8];
	unsigned wide;
	size_t len;

	if (c < ' ' || c == '"' || c == '\\' || c == 0x7f) {
		jsonout_put_escape(o, c);
		return 1;
	}
	wide = c < 0x80 ? 0 : wide_char(p, left, &len);
	if (!is_unprintable(wide))
		return 0;
	(void)snprintf(escape, sizeof(escape), "\\u%04x", wide);
	put_text(o, escape);
	return len;
}

static void
put_quoted(struct jsonout *o, const char *text, size_t len)
{
	size_t start = 0, i = 0;

	jsonout_put(o, "\"", 1);
	while (i < len) {
		unsigned char c = (unsigned char)text[i];
		size_t used;

		/* Most are plain: one look must do for them. */
		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') {
			i++;
			continue;
		}
		jsonout_put(o, text + start, i - start);
		used = put_special(o, text + i, len - i);
		start = i + used;
		i += used > 0 ? used : 1;
	}
	jsonout_put(o, text + start, len - start);
	jsonout_put(o, "\"", 1);
}

/* A number with an exponent is one in YAML 1.1 only with a point before it. */
static void
put_double(struct jsonout *o, struct json_object *v)
{
	char buf[32];
	size_t len;

	jsonout_double(buf, json_object_get_double(v));
	len = strcspn(buf, ".e");
	jsonout_put(o, buf, len);
	if (buf[len] == 'e')
		put_text(o, ".0");
	put_text(o, buf + len);
}

/* A plain key must not look like a value of another kind. */
static bool
key_is_plain(const char *key)
{
	static const char *const words[] = { "null", "true", "false", "yes",
		"no", "on", "off", "y", "n" };

	if (strchr("0123456789-.", key[0]) != NULL) /* also the empty one */
		return false;
	if (key[strspn(key,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
		"XYZ0123456789_-.")] != '\0')
		return false;
	for (size_t i = 0; i < NELEM(words); i++)
		if (strcasecmp(key, words[i]) == 0)
			return false;
	return true;
}

/*
 * Up to the colon. A reader looks for it within 1024 characters only, unless
 * the key has a mark before it and the colon a line of its own.
 */
static void
put_key(struct jsonout *o, const char *key, int depth)
{
	size_t len = strlen(key);
	bool marked = len > KEY_BYTES;

	if (marked)
		put_text(o, "? ");
	if (key_is_plain(key))
		put_text(o, key);
	else
		put_quoted(o, key, len);
	if (marked) {
		put_text(o, "\n");
		put_indent(o, depth);
	}
	put_text(o, ":");
}

/* ---- containers ---- */

static bool
is_block(struct json_object *v)
{
	if (json_object_is_type(v, json_type_object))
		return json_object_object_length(v) > 0;
	return json_object_is_type(v, json_type_array) &&
	    json_object_array_length(v) > 0;
}

/* What stands on one line, with the end of it. */
static void
put_scalar(struct jsonout *o, struct json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_null:
		put_text(o, "null");
		break;
	case json_type_boolean:
		put_text(o, json_object_get_boolean(v) ? "true" : "false");
		break;
	case json_type_double:
		put_double(o, v);
		break;
	case json_type_int:
		jsonout_put_integer(o, v);
		break;
	case json_type_string:
		put_quoted(o, json_object_get_string(v),
		    (size_t)json_object_get_string_len(v));
		break;
	case json_type_array:
		put_text(o, "[]");
		break;
	case json_type_object:
		put_text(o, "{}");
		break;
	}
	jsonout_put(o, "\n", 1);
}

static void
put_list(struct jsonout *o, struct json_object *v, int depth, bool inside)
{
	for (size_t i = 0; i < json_object_array_length(v); i++) {
		struct json_object *item = json_object_array_get_idx(v, i);

		if (i > 0 || !inside)
			put_indent(o, depth);
		jsonout_put(o, "- ", 2);
		if (is_block(item))
			put_block(o, item, depth + 1, true);
		else
			put_scalar(o, item);
	}
}

static void
put_members(struct jsonout *o, struct json_object *v, int depth, bool inside)
{
	bool first = true;

	json_object_object_foreach(v, key, member)
	{
		bool list = json_object_is_type(member, json_type_array);

		if (!first || !inside)
			put_indent(o, depth);
		first = false;
		put_key(o, key, depth);
		if (is_block(member)) {
			jsonout_put(o, "\n", 1);
			put_block(o, member, list ? depth : depth + 1, false);
		} else {
			jsonout_put(o, " ", 1);
			put_scalar(o, member);
		}
	}
}

/* inside: its first line is under way, behind the dash of a list. */
static void
put_block(struct jsonout *o, struct json_object *v, int depth, bool inside)
{
	if (o->failed)
		return;
	if (json_object_is_type(v, json_type_array))
		put_list(o, v, depth, inside);
	else
		put_members(o, v, depth, inside);
}

void
jsonout_yaml(struct jsonout *o, struct json_object *v)
{
	if (is_block(v)) {
		put_text(o, "---\n");
		put_block(o, v, 0, false);
	} else {
		put_text(o, "--- ");
		put_scalar(o, v);
	}
}
