/* Strict JSON with positions. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonx.h"

static struct jsonx_value *
parse(const char *text)
{
	struct apierr e;
	struct jsonx_value *v = jsonx_parse(text, strlen(text), &e);

	cr_assert_not_null(v, "%s: %s", text, e.link[0].reason);
	return v;
}

static void
refuse(const char *text, size_t len, const char *prefix)
{
	struct apierr e;

	cr_assert_null(jsonx_parse(text, len, &e), "%s", text);
	cr_expect_eq(e.status, 400);
	cr_expect(strncmp(e.link[0].reason, prefix, strlen(prefix)) == 0,
	    "%s: %s", text, e.link[0].reason);
}

Test(jsonx, values_come_with_their_positions)
{
	struct jsonx_value *v =
	    parse("{\"a\":1,\n  \"b\" : [true,\r\n null] }");
	const struct jsonx_value *a = jsonx_get(v, "a");
	const struct jsonx_value *b = jsonx_get(v, "b");

	cr_expect_eq(v->pos.line, 1);
	cr_expect_eq(v->pos.col, 1);
	cr_expect_eq(v->end.line, 3);
	cr_expect_eq(v->end.col, 8);
	cr_expect_eq(a->key_pos.col, 2);
	cr_expect_eq(a->pos.col, 6);
	cr_expect_str_eq(a->text, "1");
	cr_expect_eq(b->key_pos.line, 2);
	cr_expect_eq(b->key_pos.col, 3);
	cr_expect_eq(b->pos.col, 9);
	cr_expect_eq(b->child->pos.col, 10);
	cr_expect_eq(b->child->next->pos.line, 3);
	cr_expect_eq(b->child->next->pos.col, 2);
	cr_expect_str_eq(jsonx_token(b), "START_ARRAY");
	cr_expect_str_eq(jsonx_token(b->child), "VALUE_BOOLEAN");
	cr_expect_str_eq(jsonx_token(b->child->next), "VALUE_NULL");
	jsonx_free(v);
}

Test(jsonx, strings_are_decoded)
{
	struct jsonx_value *v = parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041"
				      "\\u00e9\\u20AC\\ud83d\\ude00\xc3\xa9\"");

	cr_expect_str_eq(v->text,
	    "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9");
	jsonx_free(v);
}

Test(jsonx, last_of_equal_keys_stands)
{
	struct jsonx_value *v = parse("{\"a\":1,\"b\":2,\"a\":3,\"a\":4}");

	cr_expect_eq(v->nchildren, 2);
	cr_expect_str_eq(jsonx_get(v, "a")->text, "4");
	cr_expect_str_eq(jsonx_get(v, "b")->text, "2");
	jsonx_free(v);
}

Test(jsonx, what_is_not_json_is_refused_where_it_is)
{
	static const struct {
		const char *text;
		const char *prefix;
	} cases[] = {
		{ "", "request body is required" },
		{ " \n\t", "request body is required" },
		{ "{", "[1:2] Unexpected end of input" },
		{ "{\"a\"", "[1:5] Unexpected end of input" },
		{ "{\"a\":", "[1:6] Unexpected end of input" },
		{ "{\"a\":1", "[1:7] Unexpected end of input" },
		{ "{\"a\" 1}", "[1:6] Unexpected character (code 49)" },
		{ "{\"a\":1,}", "[1:8] Unexpected character (code 125)" },
		{ "{a:1}", "[1:2] Unexpected character (code 97)" },
		{ "[1,\n2,]", "[2:3] Unexpected character (code 93)" },
		{ "[1 2]", "[1:4] Unexpected character (code 50)" },
		{ "1 2", "[1:3] Unexpected character (code 50)" },
		{ "01", "[1:2] Unexpected character (code 49)" },
		{ "-", "[1:2] Unexpected end of input" },
		{ "1.", "[1:3] Unexpected end of input" },
		{ "1e+", "[1:4] Unexpected end of input" },
		{ "+1", "[1:1] Unexpected character (code 43)" },
		{ ".5", "[1:1] Unexpected character (code 46)" },
		{ "tru", "[1:1] Unexpected character (code 116)" },
		{ "True", "[1:1] Unexpected character (code 84)" },
		{ "NaN", "[1:1] Unexpected character (code 78)" },
		{ "'a'", "[1:1] Unexpected character (code 39)" },
		{ "/* */ 1", "[1:1] Unexpected character (code 47)" },
		{ "\"a", "[1:3] Unexpected end of input" },
		{ "\"a\nb\"", "[1:3] Control character in string" },
		{ "\"\\x\"", "[1:3] Unexpected character (code 120)" },
		{ "\"\\u12g4\"", "[1:4] Invalid \\u escape" },
		{ "\"\\ud800\"", "[1:8] Invalid \\u escape" },
		{ "\"\\udc00\"", "[1:8] Invalid \\u escape" },
		{ "\"\\u0000\"", "[1:8] NUL is not allowed" },
		{ "\"\xff\"", "[1:4] Invalid UTF-8" },
		{ "\"\xc0\x80\"", "[1:5] Invalid UTF-8" },
		{ "\"\xed\xa0\x80\"", "[1:6] Invalid UTF-8" },
		{ "\xef\xbb\xbf{}", "[1:1] Unexpected character (code 239)" },
	};

	for (size_t i = 0; i < NELEM(cases); i++)
		refuse(cases[i].text, strlen(cases[i].text), cases[i].prefix);
	refuse("\"a\0b\"", 5, "[1:3] Control character");
}

Test(jsonx, nesting_is_bounded)
{
	char text[2 * JSONX_DEPTH_MAX + 3];
	struct apierr e;

	memset(text, '[', JSONX_DEPTH_MAX);
	memset(text + JSONX_DEPTH_MAX, ']', JSONX_DEPTH_MAX);
	jsonx_free(jsonx_parse(text, 2 * JSONX_DEPTH_MAX, &e));
	memset(text, '[', JSONX_DEPTH_MAX + 1);
	memset(text + JSONX_DEPTH_MAX + 1, ']', JSONX_DEPTH_MAX + 1);
	refuse(text, 2 * JSONX_DEPTH_MAX + 2, "[1:34] Nested too deeply");
}

Test(jsonx, keys_are_bounded)
{
	char text[JSONX_KEY_MAX + 16];
	struct apierr e;
	struct jsonx_value *v;
	size_t n = JSONX_KEY_MAX;

	memset(text, 'k', sizeof(text));
	memcpy(text, "{\"", 2);
	memcpy(text + 2 + n, "\":1}", 5);
	v = jsonx_parse(text, strlen(text), &e);
	cr_expect_not_null(v);
	jsonx_free(v);
	memset(text + 2, 'k', n + 1);
	memcpy(text + 3 + n, "\":1}", 5);
	refuse(text, strlen(text), "[1:517] Key is too long");
}

Test(jsonx, every_truncation_is_refused)
{
	static const char text[] =
	    "{\"a\":[1.5e3,\"x\\u00e9\",null,{\"b\":false}]}";
	struct apierr e;

	for (size_t len = 0; len < strlen(text); len++)
		cr_expect_null(jsonx_parse(text, len, &e), "%zu", len);
}

Test(jsonx, numbers_stay_integers_as_long_as_they_fit)
{
	struct jsonx_value *v =
	    parse("[9223372036854775807,18446744073709551615,-3,1.50,1e2,"
		  "99999999999999999999]");
	struct json_object *o;
	int64_t i;

	cr_assert_eq(jsonx_to_json(v, &o), 0);
	cr_expect_str_eq(
	    json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
	    "[9223372036854775807,18446744073709551615,-3,1.5,100.0,1e+20]");
	json_object_put(o);
	cr_expect(jsonx_int64(v->child, &i));
	cr_expect_eq(i, INT64_MAX);
	cr_expect_not(jsonx_int64(v->child->next, &i));
	jsonx_free(v);
	v = parse("[\"10\",1.9,-1.9,\"x\",true]");
	cr_expect(jsonx_int64(v->child, &i) && i == 10);
	cr_expect(jsonx_int64(v->child->next, &i) && i == 1);
	cr_expect(jsonx_int64(v->child->next->next, &i) && i == -1);
	cr_expect_not(jsonx_int64(v->child->next->next->next, &i));
	jsonx_free(v);
}

Test(jsonx, very_many_members_take_no_square_of_time)
{
	size_t n = 100000, len = 0;
	char *text = malloc(n * 16 + 2);
	struct jsonx_value *v;
	struct apierr e;

	cr_assert_not_null(text);
	text[len++] = '{';
	for (size_t i = 0; i < n; i++)
		len += (size_t)sprintf(
		    text + len, "%s\"k%zu\":1", i == 0 ? "" : ",", i / 2);
	text[len++] = '}';
	v = jsonx_parse(text, len, &e);
	cr_assert_not_null(v);
	cr_expect_eq(v->nchildren, n / 2);
	jsonx_free(v);
	free(text);
}
