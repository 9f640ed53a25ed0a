/* Owns the shape of errors: making, wrapping, printing, carrying them. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/apierr.h"
#include "common/jsonmake.h"

#define STATUS_MIN 400 /* below it is no error of HTTP */
#define STATUS_MAX 599
#define RETRY_AFTER_MAX_S 86400

/*
 * Types that the API's clients know as plain run-time faults. They never are
 * a root cause by themselves: what wraps them is.
 */
static const char *const plain_types[] = {
	E_ILLEGAL_ARGUMENT,
	"illegal_state_exception",
	"number_format_exception",
	"date_time_parse_exception",
	"pattern_syntax_exception",
	"media_type_header_exception",
	"json_parse_exception",
};

/* Length of the valid UTF-8 sequence at p, 0 when there is none. */
static size_t
sequence_len(const char *p, size_t left)
{
	for (size_t n = 1; n <= 4 && n <= left; n++)
		if (wire_utf8_ok(p, n))
			return n;
	return 0;
}

/*
 * Reasons quote what strangers sent and may have been cut inside a character:
 * bytes that are no UTF-8 become '?', a cut character at the end goes.
 */
static void
make_utf8(char *text, size_t cap)
{
	size_t len = strlen(text);

	if (wire_utf8_ok(text, len))
		return;
	for (size_t i = 0; i < len;) {
		size_t n = sequence_len(text + i, len - i);

		if (n == 0 && len == cap - 1 && len - i < 4) {
			text[i] = '\0';
			return;
		}
		if (n == 0)
			text[i] = '?';
		i += n == 0 ? 1 : n;
	}
}

static void PRINTF_LIKE(4, 0) set_link(
    struct apierr *e, int i, const char *type, const char *fmt, va_list ap)
{
	strlcpy(e->link[i].type, type, sizeof(e->link[i].type));
	if (vsnprintf(e->link[i].reason, sizeof(e->link[i].reason), fmt, ap) <
	    0)
		e->link[i].reason[0] = '\0';
	make_utf8(e->link[i].reason, sizeof(e->link[i].reason));
}

int
apierr_set(struct apierr *e, int status, const char *type, const char *fmt, ...)
{
	va_list ap;

	e->status = status;
	e->retry_after_s = 0;
	e->n = 1;
	va_start(ap, fmt);
	set_link(e, 0, type, fmt, ap);
	va_end(ap);
	return -1;
}

int
apierr_wrap(struct apierr *e, const char *type, const char *fmt, ...)
{
	int keep = e->n < APIERR_MAX_CHAIN ? e->n : APIERR_MAX_CHAIN - 1;
	va_list ap;

	memmove(&e->link[1], &e->link[0], (size_t)keep * sizeof(e->link[0]));
	e->n = keep + 1;
	va_start(ap, fmt);
	set_link(e, 0, type, fmt, ap);
	va_end(ap);
	return -1;
}

static bool
is_plain(const char *type)
{
	for (size_t i = 0; i < NELEM(plain_types); i++)
		if (strcmp(type, plain_types[i]) == 0)
			return true;
	return false;
}

/* The innermost link that is reached without passing a plain type. */
static int
root_link(const struct apierr *e)
{
	int i = 0;

	while (i + 1 < e->n && !is_plain(e->link[i].type) &&
	    !is_plain(e->link[i + 1].type))
		i++;
	return i;
}

static void
add_link(struct json_object **obj, const struct apierr *e, int i)
{
	jsonmake_string(obj, "type", e->link[i].type);
	jsonmake_string(obj, "reason", e->link[i].reason);
}

static void
add_trace(struct json_object **obj, const struct apierr *e, int i)
{
	char text[APIERR_MAX_CHAIN * (APIERR_REASON_MAX + 96)] = "";

	for (int k = i; k < e->n; k++) {
		strlcat(text, k == i ? "" : "\ncaused by: ", sizeof(text));
		strlcat(text, e->link[k].type, sizeof(text));
		strlcat(text, ": ", sizeof(text));
		strlcat(text, e->link[k].reason, sizeof(text));
	}
	jsonmake_string(obj, "stack_trace", text);
}

static struct json_object *
root_cause_json(const struct apierr *e, bool traced)
{
	struct json_object *list = json_object_new_array();
	struct json_object *root = json_object_new_object();

	add_link(&root, e, root_link(e));
	if (traced)
		add_trace(&root, e, root_link(e));
	jsonmake_append(&list, root);
	return list;
}

/* The links from i inwards, each the caused_by of the one before. */
static void
add_chain(struct json_object **obj, const struct apierr *e, int i, bool traced)
{
	struct json_object *cause;

	add_link(obj, e, i);
	if (i + 1 < e->n) {
		cause = json_object_new_object();
		add_chain(&cause, e, i + 1, traced);
		jsonmake_add(obj, "caused_by", cause);
	}
	if (traced)
		add_trace(obj, e, i);
}

static struct json_object *
error_json(const struct apierr *e, bool traced)
{
	struct json_object *top = json_object_new_object();
	struct json_object *error = json_object_new_object();

	jsonmake_add(&error, "root_cause", root_cause_json(e, traced));
	add_chain(&error, e, 0, traced);
	jsonmake_add(&top, "error", error);
	jsonmake_int(&top, "status", e->status);
	return top;
}

struct json_object *
apierr_json(const struct apierr *e)
{
	return error_json(e, false);
}

struct json_object *
apierr_json_traced(const struct apierr *e)
{
	return error_json(e, true);
}

static int
put_text(struct wbuf *wb, const char *text)
{
	size_t len = strlen(text);

	if (wire_put_u16(wb, (uint16_t)len) == -1)
		return -1;
	return wire_put_bytes(wb, text, len);
}

static int
get_text(struct rbuf *rb, char *dst, size_t cap)
{
	const uint8_t *p;
	uint16_t len;

	if (wire_get_u16(rb, &len) == -1 || len >= cap ||
	    wire_get_bytes(rb, &p, len) == -1 || !wire_utf8_ok(p, len))
		return -1;
	if (len > 0)
		memcpy(dst, p, len);
	dst[len] = '\0';
	return 0;
}

int
apierr_encode(const struct apierr *e, struct wbuf *wb)
{
	if (wire_put_u16(wb, (uint16_t)e->status) == -1 ||
	    wire_put_u32(wb, e->retry_after_s) == -1 ||
	    wire_put_u8(wb, (uint8_t)e->n) == -1)
		return -1;
	for (int i = 0; i < e->n; i++)
		if (put_text(wb, e->link[i].type) == -1 ||
		    put_text(wb, e->link[i].reason) == -1)
			return -1;
	return 0;
}

int
apierr_decode(struct rbuf *rb, struct apierr *e)
{
	uint16_t status;
	uint32_t retry;
	uint8_t n;

	memset(e, 0, sizeof(*e));
	if (wire_get_u16(rb, &status) == -1 || wire_get_u32(rb, &retry) == -1 ||
	    wire_get_u8(rb, &n) == -1 || status < STATUS_MIN ||
	    status > STATUS_MAX || retry > RETRY_AFTER_MAX_S || n == 0 ||
	    n > APIERR_MAX_CHAIN)
		return -1;
	for (int i = 0; i < n; i++)
		if (get_text(rb, e->link[i].type, sizeof(e->link[i].type)) ==
			-1 ||
		    get_text(
			rb, e->link[i].reason, sizeof(e->link[i].reason)) == -1)
			return -1;
	e->status = status;
	e->retry_after_s = retry;
	e->n = n;
	return 0;
}
