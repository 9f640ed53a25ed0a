/*
 * Owns the reading of a request's head. Every byte goes through one step
 * function of the present state, so a verdict cannot depend on how the bytes
 * were cut into pieces. The text is kept as it came, with NUL over the
 * delimiters.
 */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "supervisor/http_head.h"
#include "supervisor/http_hosts.h"

#define TEXT_FIRST 512 /* most heads are smaller: one allocation */

/* clang-format off */
static const struct {
	const char *name;
	enum http_method method;
} methods[] = {
	{ "GET", HTTP_GET }, { "HEAD", HTTP_HEAD }, { "POST", HTTP_POST },
	{ "PUT", HTTP_PUT }, { "DELETE", HTTP_DELETE },
	{ "OPTIONS", HTTP_OPTIONS }, { "PATCH", HTTP_PATCH },
};
/* clang-format on */

void
http_head_init(struct http_head *h, size_t max)
{
	memset(h, 0, sizeof(*h));
	h->max = max;
}

void
http_head_clear(struct http_head *h)
{
	/* There may be a password in it. */
	if (h->text != NULL)
		explicit_bzero(h->text, h->len);
	free(h->text);
	h->text = NULL;
	h->len = h->cap = 0;
	h->nfields = 0;
	h->uri = h->path = h->query = h->authority = 0;
}

bool
http_head_is_begun(const struct http_head *h)
{
	return h->len > 0;
}

bool
http_head_is_done(const struct http_head *h)
{
	return h->state == HEAD_DONE;
}

/* Room for n more bytes; the caller has judged the length. */
static enum http_fault
text_grow(struct http_head *h, size_t n)
{
	size_t cap = h->cap > 0 ? h->cap : TEXT_FIRST;
	char *text;

	while (cap - h->len < n)
		cap *= 2;
	if (cap == h->cap)
		return HTTP_FAULT_NONE;
	if ((text = realloc(h->text, cap)) == NULL)
		return HTTP_FAULT_NO_MEMORY;
	h->text = text;
	h->cap = cap;
	return HTTP_FAULT_NONE;
}

/* ---- the request line ---- */

/* The delimiter that was just stored ends a string. */
static void
end_string(struct http_head *h)
{
	h->text[h->len - 1] = '\0';
}

static enum http_fault
step_method(struct http_head *h, unsigned char c)
{
	if (http_is_token(c))
		return h->len > HTTP_METHOD_MAX ? HTTP_FAULT_METHOD
						: HTTP_FAULT_NONE;
	if (c != ' ' || h->len == 1)
		return http_bad_byte(c, HTTP_FAULT_METHOD);
	end_string(h);
	h->method = HTTP_OTHER;
	for (size_t i = 0; i < NELEM(methods); i++)
		if (strcmp(h->text, methods[i].name) == 0)
			h->method = methods[i].method;
	h->target_at = (uint32_t)h->len;
	h->state = HEAD_TARGET;
	return HTTP_FAULT_NONE;
}

static enum http_fault
step_empty(struct http_head *h, unsigned char c)
{
	if (c == '\r') {
		h->state = HEAD_EMPTY_LF;
		return h->empty_lines < HTTP_EMPTY_LINES_MAX
		    ? HTTP_FAULT_NONE
		    : HTTP_FAULT_METHOD;
	}
	h->state = HEAD_METHOD;
	return step_method(h, c);
}

static enum http_fault
step_empty_lf(struct http_head *h, unsigned char c)
{
	if (c != '\n')
		return HTTP_FAULT_BARE_CR;
	h->len = 0;
	h->empty_lines++;
	h->state = HEAD_EMPTY;
	return HTTP_FAULT_NONE;
}

static enum http_fault
step_target(struct http_head *h, unsigned char c)
{
	if (http_is_target(c))
		return h->len - h->target_at > HTTP_TARGET_MAX
		    ? HTTP_FAULT_TARGET_LONG
		    : HTTP_FAULT_NONE;
	if (c == '\r') /* HTTP/0.9 */
		return HTTP_FAULT_VERSION;
	if (c != ' ' || h->len - 1 == h->target_at)
		return http_bad_byte(c, HTTP_FAULT_TARGET);
	end_string(h);
	h->version_at = (uint32_t)h->len;
	h->state = HEAD_VERSION;
	return HTTP_FAULT_NONE;
}

static bool
is_hex(char c)
{
	return c != '\0' && strchr("0123456789abcdefABCDEF", c) != NULL;
}

/* Whoever decodes the path later need not ask again. */
static bool
escapes_are_whole(const char *s)
{
	for (; (s = strchr(s, '%')) != NULL; s++)
		if (!is_hex(s[1]) || !is_hex(s[2]))
			return false;
	return true;
}

/*
 * Reduce "http://host/path" to "/path" in place. The host moves over the
 * slashes before it, which leaves room for its NUL and for the "/" of a target
 * that has no path.
 */
static enum http_fault
split_absolute(struct http_head *h)
{
	char *target = h->text + h->target_at, *host, *rest;
	size_t scheme, len;

	scheme = strncasecmp(target, "http://", 7) == 0 ? 7
	    : strncasecmp(target, "https://", 8) == 0	? 8
							: 0;
	if (scheme == 0)
		return HTTP_FAULT_TARGET;
	len = strcspn(target + scheme, "/?");
	rest = target + scheme + len;
	host = target + scheme - 2;
	memmove(host, host + 2, len);
	host[len] = '\0';
	if (*rest != '/')
		*--rest = '/';
	if (!http_host_is_valid(host))
		return HTTP_FAULT_TARGET;
	h->authority = (uint32_t)(host - h->text);
	h->uri = (uint32_t)(rest - h->text);
	return HTTP_FAULT_NONE;
}

static enum http_fault
split_target(struct http_head *h)
{
	const char *target = h->text + h->target_at;

	if (!escapes_are_whole(target))
		return HTTP_FAULT_TARGET;
	h->uri = h->target_at;
	if (*target == '/')
		return HTTP_FAULT_NONE;
	if (strcmp(target, "*") == 0)
		return h->method == HTTP_OPTIONS ? HTTP_FAULT_NONE
						 : HTTP_FAULT_TARGET;
	return split_absolute(h);
}

static enum http_fault
judge_version(struct http_head *h)
{
	const char *v = h->text + h->version_at;

	if (strcmp(v, "HTTP/1.1") == 0 || strcmp(v, "HTTP/1.0") == 0) {
		h->minor = (unsigned)(v[7] - '0');
		return HTTP_FAULT_NONE;
	}
	if (strlen(v) == 8 && strncmp(v, "HTTP/", 5) == 0 && v[5] >= '0' &&
	    v[5] <= '9' && v[5] != '1' && v[6] == '.' && v[7] >= '0' &&
	    v[7] <= '9')
		return HTTP_FAULT_VERSION_UNKNOWN;
	return HTTP_FAULT_VERSION;
}

static enum http_fault
step_version(struct http_head *h, unsigned char c)
{
	enum http_fault fault;

	if (c != '\r') {
		if (c <= ' ' || c >= 0x7f)
			return http_bad_byte(c, HTTP_FAULT_VERSION);
		return h->len - h->version_at > strlen("HTTP/1.1")
		    ? HTTP_FAULT_VERSION
		    : HTTP_FAULT_NONE;
	}
	end_string(h);
	if ((fault = judge_version(h)) != HTTP_FAULT_NONE)
		return fault;
	h->state = HEAD_LINE_LF;
	return split_target(h);
}

static enum http_fault
step_line_lf(struct http_head *h, unsigned char c)
{
	if (c != '\n')
		return HTTP_FAULT_BARE_CR;
	h->state = HEAD_FIELDS;
	h->field_state = FIELD_START;
	return HTTP_FAULT_NONE;
}

/* ---- the fields that decide how to read on ---- */

static enum http_fault
take_host(struct http_head *h, const char *value)
{
	if (h->has_host)
		return HTTP_FAULT_HOST_TWICE;
	h->has_host = true;
	return *value == '\0' || http_host_is_valid(value)
	    ? HTTP_FAULT_NONE
	    : HTTP_FAULT_HOST_INVALID;
}

static enum http_fault
take_length(struct http_head *h, const char *value)
{
	int64_t n = 0;

	if (h->has_length)
		return HTTP_FAULT_LENGTH_TWICE;
	h->has_length = true;
	if (*value == '\0')
		return HTTP_FAULT_LENGTH_INVALID;
	for (; *value != '\0'; value++) {
		if (*value < '0' || *value > '9' || n > (INT64_MAX - 9) / 10)
			return HTTP_FAULT_LENGTH_INVALID;
		n = n * 10 + (*value - '0');
	}
	h->length = n;
	return HTTP_FAULT_NONE;
}

static enum http_fault
take_coding(struct http_head *h, const char *value)
{
	if (h->minor == 0)
		return HTTP_FAULT_CODING_IN_1_0;
	if (h->has_coding || strcasecmp(value, "chunked") != 0)
		return HTTP_FAULT_CODING_UNKNOWN;
	h->has_coding = true;
	return HTTP_FAULT_NONE;
}

static enum http_fault
take_connection(struct http_head *h, const char *value)
{
	const char *item;
	size_t len;

	while (http_list_next(&value, &item, &len)) {
		if (http_item_is(item, len, "close"))
			h->said_close = true;
		else if (http_item_is(item, len, "keep-alive"))
			h->said_keep_alive = true;
	}
	return HTTP_FAULT_NONE;
}

static void
refuse(struct http_head *h, enum http_fault fault)
{
	if (h->refusal == HTTP_FAULT_NONE)
		h->refusal = fault;
}

static enum http_fault
take_expect(struct http_head *h, const char *value)
{
	if (strcasecmp(value, "100-continue") != 0)
		refuse(h, HTTP_FAULT_EXPECTATION);
	/* A client of 1.0 cannot mean it: RFC 9110, 10.1.1. */
	h->expect_continue = h->minor > 0;
	return HTTP_FAULT_NONE;
}

/* One coding at most; identity is none. */
static enum http_fault
take_encoding(struct http_head *h, const char *value)
{
	const char *item;
	size_t len;

	while (http_list_next(&value, &item, &len)) {
		if (http_item_is(item, len, "identity"))
			continue;
		if (h->encoding != HTTP_IDENTITY)
			refuse(h, HTTP_FAULT_ENCODING);
		if (http_item_is(item, len, "gzip") ||
		    http_item_is(item, len, "x-gzip"))
			h->encoding = HTTP_GZIP;
		else if (http_item_is(item, len, "zstd"))
			h->encoding = HTTP_ZSTD;
		else
			refuse(h, HTTP_FAULT_ENCODING);
	}
	return HTTP_FAULT_NONE;
}

/* clang-format off */
static const struct {
	const char *name;
	enum http_fault (*take)(struct http_head *, const char *value);
} known_fields[] = {
	{ "host", take_host },
	{ "content-length", take_length },
	{ "transfer-encoding", take_coding },
	{ "connection", take_connection },
	{ "expect", take_expect },
	{ "content-encoding", take_encoding },
};
/* clang-format on */

/* ---- field lines ---- */

static enum http_fault
begin_field(struct http_head *h)
{
	if (h->nfields == HTTP_FIELDS_MAX)
		return HTTP_FAULT_FIELDS_MANY;
	h->field[h->nfields].name = (uint32_t)(h->len - 1);
	return HTTP_FAULT_NONE;
}

static void
begin_value(struct http_head *h)
{
	end_string(h);
	h->field[h->nfields].value = (uint32_t)h->len;
}

/* The CR of the line was just stored: trim, look whether it concerns us. */
static enum http_fault
end_field(struct http_head *h)
{
	char *name = h->text + h->field[h->nfields].name;
	char *value = h->text + h->field[h->nfields].value;
	char *end = h->text + h->len - 1;

	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	h->field[h->nfields++].value = (uint32_t)(value - h->text);
	for (size_t i = 0; i < NELEM(known_fields); i++)
		if (strcasecmp(name, known_fields[i].name) == 0)
			return known_fields[i].take(h, value);
	return HTTP_FAULT_NONE;
}

/* The path by itself stands behind the rest: the URI stays whole. */
static enum http_fault
copy_path(struct http_head *h)
{
	size_t len = strcspn(h->text + h->uri, "?");

	if (text_grow(h, len + 1) != HTTP_FAULT_NONE)
		return HTTP_FAULT_NO_MEMORY;
	memcpy(h->text + h->len, h->text + h->uri, len);
	h->text[h->len + len] = '\0';
	h->path = (uint32_t)h->len;
	h->len += len + 1;
	if (h->text[h->uri + len] == '?')
		h->query = h->uri + (uint32_t)len + 1;
	return HTTP_FAULT_NONE;
}

static enum http_fault
end_head(struct http_head *h)
{
	if (!h->has_host && h->minor > 0)
		return HTTP_FAULT_HOST_MISSING;
	if (h->has_length && h->has_coding)
		return HTTP_FAULT_LENGTH_AND_CODING;
	if (h->has_coding)
		h->length = -1;
	h->keep_alive = !h->said_close && (h->minor > 0 || h->said_keep_alive);
	if (h->length == 0)
		h->expect_continue = false;
	h->state = HEAD_DONE;
	return copy_path(h);
}

static enum http_fault
step_fields(struct http_head *h, unsigned char c)
{
	enum http_field_state before = h->field_state;
	enum http_fault fault = http_field_step(&h->field_state, c);

	if (fault != HTTP_FAULT_NONE || h->field_state == before)
		return fault;
	if (h->field_state == FIELD_NAME)
		return begin_field(h);
	if (h->field_state == FIELD_VALUE)
		begin_value(h);
	else if (h->field_state == FIELD_LF)
		return end_field(h);
	else if (h->field_state == FIELD_END)
		return end_head(h);
	return HTTP_FAULT_NONE;
}

/* ---- the reader ---- */

static enum http_fault (*const head_steps[])(
    struct http_head *, unsigned char) = {
	[HEAD_EMPTY] = step_empty,
	[HEAD_EMPTY_LF] = step_empty_lf,
	[HEAD_METHOD] = step_method,
	[HEAD_TARGET] = step_target,
	[HEAD_VERSION] = step_version,
	[HEAD_LINE_LF] = step_line_lf,
	[HEAD_FIELDS] = step_fields,
};

static enum http_fault
head_byte(struct http_head *h, unsigned char c)
{
	enum http_fault fault;

	if (h->len >= h->max)
		return h->state < HEAD_LINE_LF ? HTTP_FAULT_TARGET_LONG
					       : HTTP_FAULT_HEAD_LARGE;
	if (h->len == h->cap && (fault = text_grow(h, 1)) != HTTP_FAULT_NONE)
		return fault;
	h->text[h->len++] = (char)c;
	return head_steps[h->state](h, c);
}

enum http_head_result
http_head_read(struct http_head *h, const void *bytes, size_t len, size_t *used)
{
	const unsigned char *p = bytes;
	size_t i;

	for (i = 0; i < len && h->state != HEAD_DONE; i++) {
		h->fault = head_byte(h, p[i]);
		if (h->fault != HTTP_FAULT_NONE) {
			*used = i;
			return HTTP_HEAD_BAD;
		}
	}
	*used = i;
	return h->state == HEAD_DONE ? HTTP_HEAD_DONE : HTTP_HEAD_MORE;
}

/* ---- what it says ---- */

static const char *
text_at(const struct http_head *h, uint32_t at, const char *otherwise)
{
	return at == 0 ? otherwise : h->text + at;
}

const char *
http_head_method(const struct http_head *h)
{
	return h->target_at == 0 ? "" : h->text;
}

const char *
http_head_uri(const struct http_head *h)
{
	return text_at(h, h->uri, "");
}

const char *
http_head_path(const struct http_head *h)
{
	return text_at(h, h->path, "");
}

const char *
http_head_query(const struct http_head *h)
{
	return text_at(h, h->query, NULL);
}

const char *
http_head_host(const struct http_head *h)
{
	return text_at(h, h->authority, http_head_field(h, "host"));
}

const char *
http_head_field_next(const struct http_head *h, const char *name, unsigned *at)
{
	while (*at < h->nfields) {
		unsigned i = (*at)++;

		if (strcasecmp(h->text + h->field[i].name, name) == 0)
			return h->text + h->field[i].value;
	}
	return NULL;
}

const char *
http_head_field(const struct http_head *h, const char *name)
{
	unsigned at = 0;

	return http_head_field_next(h, name, &at);
}
