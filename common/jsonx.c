/* Owns the strict reading of JSON into a tree with positions. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "common/jsonx.h"

struct scanner {
	const char *p;
	const char *end;
	const char *line_start;
	unsigned line;
	int depth;
	struct apierr *e;
};

static struct jsonx_value *read_value(struct scanner *);

static struct jsonx_pos
here(const struct scanner *s)
{
	return (
	    struct jsonx_pos){ s->line, (unsigned)(s->p - s->line_start) + 1 };
}

/* Always false, so that it can be returned. */
static bool
fail(struct scanner *s, const char *what)
{
	struct jsonx_pos pos = here(s);

	apierr_set(
	    s->e, 400, E_XCONTENT_PARSE, "[%u:%u] %s", pos.line, pos.col, what);
	return false;
}

static bool
fail_char(struct scanner *s, const char *expected)
{
	struct jsonx_pos pos = here(s);

	if (s->p == s->end)
		apierr_set(s->e, 400, E_XCONTENT_PARSE,
		    "[%u:%u] Unexpected end of input: expected %s", pos.line,
		    pos.col, expected);
	else
		apierr_set(s->e, 400, E_XCONTENT_PARSE,
		    "[%u:%u] Unexpected character (code %d): expected %s",
		    pos.line, pos.col, (unsigned char)*s->p, expected);
	return false;
}

static bool
fail_memory(struct scanner *s)
{
	apierr_set(s->e, 503, E_EXCEPTION, "out of memory");
	return false;
}

static void
skip_blanks(struct scanner *s)
{
	for (; s->p < s->end; s->p++) {
		bool pair =
		    *s->p == '\r' && s->p + 1 < s->end && s->p[1] == '\n';

		if (*s->p == ' ' || *s->p == '\t' || pair)
			continue;
		if (*s->p != '\n' && *s->p != '\r')
			return;
		s->line++;
		s->line_start = s->p + 1;
	}
}

static bool
skip_char(struct scanner *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

/* Strings */

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Four hexadecimal digits; -1 when there are none. */
static int32_t
read_hex4(struct scanner *s)
{
	int32_t v = 0;

	if (s->end - s->p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int d = hex_value(s->p[i]);

		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	s->p += 4;
	return v;
}

/* Behind the u of an escape: a code point, or -1. */
static int32_t
read_unicode(struct scanner *s)
{
	int32_t low, high = read_hex4(s);

	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || !skip_char(s, '\\') || !skip_char(s, 'u'))
		return -1;
	low = read_hex4(s);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* Writes 1 to 4 bytes; never more than the escape took. */
static char *
put_utf8(char *dst, int32_t c)
{
	if (c < 0x80) {
		*dst++ = (char)c;
		return dst;
	}
	if (c < 0x800) {
		*dst++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*dst++ = (char)(0xe0 | c >> 12);
		} else {
			*dst++ = (char)(0xf0 | c >> 18);
			*dst++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*dst++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*dst++ = (char)(0x80 | (c & 0x3f));
	return dst;
}

/* Behind a backslash; *dst then stands behind what the escape means. */
static bool
read_escape(struct scanner *s, char **dst)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int32_t c;

	if (skip_char(s, 'u')) {
		c = read_unicode(s);
		if (c == 0)
			return fail(s, "NUL is not allowed in strings");
		if (c < 0)
			return fail(s, "Invalid \\u escape in string");
		*dst = put_utf8(*dst, c);
		return true;
	}
	at = s->p < s->end && *s->p != '\0' ? strchr(from, *s->p) : NULL;
	if (at == NULL)
		return fail_char(s, "an escape sequence");
	s->p++;
	*(*dst)++ = to[at - from];
	return true;
}

/* The bytes up to the closing quote; decoding never makes them more. */
static size_t
string_room(const struct scanner *s)
{
	const char *p = s->p;

	while (p < s->end && *p != '"')
		p += *p == '\\' && p + 1 < s->end ? 2 : 1;
	return (size_t)(p - s->p);
}

/* At the opening quote. The caller frees what it gets. */
static char *
read_string(struct scanner *s)
{
	char *text, *dst;

	s->p++;
	text = dst = malloc(string_room(s) + 1);
	if (text == NULL) {
		fail_memory(s);
		return NULL;
	}
	while (s->p < s->end && *s->p != '"') {
		if ((unsigned char)*s->p < ' ') {
			fail(s, "Control character in string");
			goto bad;
		}
		if (*s->p != '\\') {
			*dst++ = *s->p++;
			continue;
		}
		s->p++;
		if (!read_escape(s, &dst))
			goto bad;
	}
	if (!skip_char(s, '"')) {
		fail_char(s, "the end of the string");
		goto bad;
	}
	*dst = '\0';
	if (wire_utf8_ok(text, (size_t)(dst - text)))
		return text;
	fail(s, "Invalid UTF-8 in string");
bad:
	free(text);
	return NULL;
}

/* Scalars */

static bool
skip_digits(struct scanner *s)
{
	const char *start = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > start;
}

/* A copy of the source text, so that nothing of it is lost. */
static bool
read_number(struct scanner *s, struct jsonx_value *v)
{
	const char *start = s->p;

	v->type = JSONX_NUMBER;
	(void)skip_char(s, '-');
	if (!skip_char(s, '0') && !skip_digits(s))
		return fail_char(s, "a digit");
	if (skip_char(s, '.') && !skip_digits(s))
		return fail_char(s, "a digit");
	if (skip_char(s, 'e') || skip_char(s, 'E')) {
		if (!skip_char(s, '+'))
			(void)skip_char(s, '-');
		if (!skip_digits(s))
			return fail_char(s, "a digit");
	}
	v->text = strndup(start, (size_t)(s->p - start));
	return v->text != NULL || fail_memory(s);
}

static bool
read_word(struct scanner *s, struct jsonx_value *v)
{
	static const struct {
		const char *word;
		enum jsonx_type type;
		bool boolean;
	} words[] = {
		{ "true", JSONX_BOOLEAN, true },
		{ "false", JSONX_BOOLEAN, false },
		{ "null", JSONX_NULL, false },
	};

	for (size_t i = 0; i < NELEM(words); i++) {
		size_t len = strlen(words[i].word);

		if ((size_t)(s->end - s->p) < len ||
		    memcmp(s->p, words[i].word, len) != 0)
			continue;
		s->p += len;
		v->type = words[i].type;
		v->boolean = words[i].boolean;
		return true;
	}
	return fail_char(s, "a value");
}

/* Containers */

static int
compare_keys(const void *a, const void *b)
{
	const struct jsonx_value *const *x = a, *const *y = b;
	int order = strcmp((*x)->key, (*y)->key);

	if (order != 0)
		return order;
	/* Later ones first: the first of equals is the one that stands. */
	if ((*x)->key_pos.line != (*y)->key_pos.line)
		return (*x)->key_pos.line < (*y)->key_pos.line ? 1 : -1;
	return (*x)->key_pos.col < (*y)->key_pos.col ? 1 : -1;
}

/* Takes those out of the list whose key was set to NULL. */
static void
drop_unkeyed(struct jsonx_value *obj)
{
	struct jsonx_value **at = &obj->child, *v;

	while ((v = *at) != NULL) {
		if (v->key != NULL) {
			at = &v->next;
			continue;
		}
		*at = v->next;
		v->next = NULL;
		jsonx_free(v);
		obj->nchildren--;
	}
}

/* By sorting: a hostile object may have very many members. */
static bool
drop_duplicates(struct jsonx_value *obj)
{
	struct jsonx_value **list, *v;
	const char *key = NULL;
	size_t n = 0;

	if (obj->nchildren < 2)
		return true;
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are meant */
	list = reallocarray(NULL, obj->nchildren, sizeof(list[0]));
	if (list == NULL)
		return false;
	for (v = obj->child; v != NULL; v = v->next)
		list[n++] = v;
	/* NOLINTNEXTLINE(bugprone-sizeof-expression) */
	qsort(list, n, sizeof(list[0]), compare_keys);
	for (size_t i = 0; i < n; i++) {
		if (key != NULL && strcmp(list[i]->key, key) == 0) {
			free(list[i]->key);
			list[i]->key = NULL;
		} else
			key = list[i]->key;
	}
	free(list);
	drop_unkeyed(obj);
	return true;
}

/* A key and the colon behind it. The caller frees; NULL after a failure. */
static char *
read_key(struct scanner *s)
{
	char *key = NULL;

	if (s->p == s->end || *s->p != '"')
		fail_char(s, "a key");
	else
		key = read_string(s);
	if (key == NULL)
		return NULL;
	if (strlen(key) > JSONX_KEY_MAX) {
		fail(s, "Key is too long");
		goto bad;
	}
	skip_blanks(s);
	if (skip_char(s, ':'))
		return key;
	fail_char(s, "a colon");
bad:
	free(key);
	return NULL;
}

/* "key": value */
static struct jsonx_value *
read_member(struct scanner *s)
{
	struct jsonx_pos pos = here(s);
	char *key = read_key(s);
	struct jsonx_value *v;

	if (key == NULL)
		return NULL;
	v = read_value(s);
	if (v == NULL) {
		free(key);
		return NULL;
	}
	v->key = key;
	v->key_pos = pos;
	return v;
}

/* What is between the brackets, the first of which was read. */
static bool
read_children(struct scanner *s, struct jsonx_value *v)
{
	struct jsonx_value **tail = &v->child;

	do {
		skip_blanks(s);
		*tail =
		    v->type == JSONX_OBJECT ? read_member(s) : read_value(s);
		if (*tail == NULL)
			return false;
		tail = &(*tail)->next;
		v->nchildren++;
		skip_blanks(s);
	} while (skip_char(s, ','));
	return true;
}

static bool
read_container(struct scanner *s, struct jsonx_value *v)
{
	bool object = *s->p++ == '{';
	char close = object ? '}' : ']';

	v->type = object ? JSONX_OBJECT : JSONX_ARRAY;
	if (++s->depth > JSONX_DEPTH_MAX)
		return fail(s, "Nested too deeply");
	skip_blanks(s);
	if ((s->p == s->end || *s->p != close) && !read_children(s, v))
		return false;
	v->end = here(s);
	if (!skip_char(s, close))
		return fail_char(s, object ? "',' or '}'" : "',' or ']'");
	s->depth--;
	return !object || drop_duplicates(v) || fail_memory(s);
}

static bool
read_any(struct scanner *s, struct jsonx_value *v)
{
	if (s->p == s->end)
		return fail_char(s, "a value");
	if (*s->p == '{' || *s->p == '[')
		return read_container(s, v);
	if (*s->p == '"') {
		v->type = JSONX_STRING;
		v->text = read_string(s);
		return v->text != NULL;
	}
	if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9'))
		return read_number(s, v);
	return read_word(s, v);
}

static struct jsonx_value *
read_value(struct scanner *s)
{
	struct jsonx_value *v = calloc(1, sizeof(*v));

	if (v == NULL) {
		fail_memory(s);
		return NULL;
	}
	skip_blanks(s);
	v->pos = here(s);
	if (read_any(s, v))
		return v;
	jsonx_free(v);
	return NULL;
}

struct jsonx_value *
jsonx_parse(const char *text, size_t len, struct apierr *e)
{
	struct scanner s = { .p = text, .line_start = text, .line = 1, .e = e };
	struct jsonx_value *v;

	s.end = len == 0 ? text : text + len;
	skip_blanks(&s);
	if (s.p == s.end) {
		apierr_set(e, 400, E_PARSE, "request body is required");
		return NULL;
	}
	v = read_value(&s);
	if (v == NULL)
		return NULL;
	skip_blanks(&s);
	if (s.p == s.end)
		return v;
	jsonx_free(v);
	fail_char(&s, "nothing behind the value");
	return NULL;
}
