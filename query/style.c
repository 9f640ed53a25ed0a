/* Owns the envelope of an answer, and the dressing of its rows. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonout.h"
#include "query/style.h"

static const char *const rows_name[] = {
	[QUERY_BUCKETS] = "buckets",
	[QUERY_RECORDS] = "records",
	[QUERY_QUARANTINE] = "entries",
	[QUERY_SNAPSHOTS] = "model_snapshots",
	[QUERY_INFLUENCERS] = "influencers",
	[QUERY_OVERALL] = "overall_buckets",
	[QUERY_MODEL_PLOT] = "model_plot",
	[QUERY_ANNOTATIONS] = "annotations",
	[QUERY_FORECAST] = "forecasts",
};

void
style_init(struct style *s, const struct request *req, struct out *out)
{
	*s = (struct style){
		.req = req,
		.rows = rows_name[req->kind],
		.out = out,
		.dressed = req->pretty || req->yaml || req->filter_path != NULL,
	};
	wbuf_init(&s->row, 0);
}

void
style_clear(struct style *s)
{
	wbuf_clear(&s->row);
}

static void
put(struct style *s, const char *text)
{
	/* Sticky: out_flush looks at it. */
	(void)wire_put_bytes(&s->out->buf, text, strlen(text));
}

/* The line break before something at this depth. */
static void
put_break(struct style *s, int depth)
{
	if (!s->req->pretty)
		return;
	put(s, "\n");
	while (depth-- > 0)
		put(s, "  ");
}

/* Up to where its value begins. */
static void
put_member(struct style *s, const char *name)
{
	if (s->req->yaml) {
		put(s, s->any ? "" : "---\n");
		s->any = true;
		put(s, name);
		put(s, ":");
		return;
	}
	if (!s->any)
		put(s, "{");
	if (s->any)
		put(s, ",");
	s->any = true;
	put_break(s, 1);
	put(s, "\"");
	put(s, name);
	put(s, s->req->pretty ? "\" : " : "\":");
}

/* {"<rows>":[row]}. Takes row over, also on failure: NULL with ENOMEM. */
static struct json_object *
envelope(const struct style *s, struct json_object *row)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();

	if (o == NULL || list == NULL ||
	    json_object_object_add(o, s->rows, list) != 0) {
		json_object_put(list);
		goto fail;
	}
	if (row == NULL || json_object_array_add(list, row) == 0)
		return o;
fail:
	json_object_put(row);
	json_object_put(o);
	errno = ENOMEM;
	return NULL;
}

/* The whole answer without its rows. NULL with ENOMEM. */
static struct json_object *
envelope_without_rows(const struct style *s, uint64_t count)
{
	struct json_object *o = json_object_new_object();
	struct json_object *n = json_object_new_uint64(count);
	struct json_object *list = json_object_new_array();

	if (o != NULL && n != NULL && list != NULL &&
	    json_object_object_add(o, "count", n) == 0) {
		n = NULL;
		if (json_object_object_add(o, s->rows, list) == 0)
			return o;
	}
	json_object_put(list);
	json_object_put(n);
	json_object_put(o);
	errno = ENOMEM;
	return NULL;
}

static int
put_whole(struct style *s, struct json_object *o)
{
	struct jsonout_style style = { .pretty = s->req->pretty,
		.yaml = s->req->yaml };
	size_t len;
	char *text = jsonout_print(o, &style, &len);

	if (text == NULL)
		return -1;
	(void)wire_put_bytes(&s->out->buf, text, len);
	free(text);
	return 0;
}

/* What the filter leaves of the envelope says how much of it to write. */
static int
begin_dressed(struct style *s, uint64_t count, uint64_t nrows)
{
	struct json_object *o = envelope_without_rows(s, count);
	int rc = 0;

	if (o == NULL)
		return -1;
	if (s->req->filter_path != NULL)
		jsonout_filter(o, s->req->filter_path);
	s->whole = nrows == 0;
	if (s->whole) {
		rc = put_whole(s, o);
	} else if (json_object_object_get_ex(o, "count", NULL)) {
		char text[24];

		snprintf(text, sizeof(text),
		    s->req->yaml ? " %" PRIu64 "\n" : "%" PRIu64, count);
		put_member(s, "count");
		put(s, text);
	}
	json_object_put(o);
	return rc;
}

int
style_begin(struct style *s, uint64_t count, uint64_t nrows)
{
	char text[96];

	s->open = s->any = false;
	if (s->dressed)
		return begin_dressed(s, count, nrows);
	snprintf(text, sizeof(text), "{\"count\":%" PRIu64 ",\"%s\":[", count,
	    s->rows);
	put(s, text);
	return 0;
}

struct wbuf *
style_row_buffer(struct style *s)
{
	wbuf_reset(&s->row);
	return &s->row;
}

static void
put_row_start(struct style *s)
{
	if (s->open) {
		put(s, ",");
	} else {
		put_member(s, s->rows);
		put(s, "[");
		s->open = true;
	}
	put_break(s, 2);
}

/* An item of the list that the key at the left edge has. */
static void
put_row_yaml(struct style *s, const char *text)
{
	/* Behind the "---" of the document. */
	const char *line = text + strcspn(text, "\n");
	const char *dash = "- ";

	if (!s->open) {
		put_member(s, s->rows);
		put(s, "\n");
		s->open = true;
	}
	while (line[0] == '\n' && line[1] != '\0') {
		size_t n = strcspn(++line, "\n");

		put(s, dash);
		(void)wire_put_bytes(&s->out->buf, line, n);
		put(s, "\n");
		dash = "  ";
		line += n;
	}
}

/* Strings hold no line breaks, so each one in the text is layout. */
static void
put_indented(struct style *s, const char *text, size_t len)
{
	while (len > 0 && text[len - 1] == '\n')
		len--;
	for (;;) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl == NULL ? len : (size_t)(nl - text);

		(void)wire_put_bytes(&s->out->buf, text, n);
		if (nl == NULL)
			return;
		put_break(s, 2);
		text += n + 1;
		len -= n + 1;
	}
}

static int
put_row_object(struct style *s, struct json_object *row)
{
	struct jsonout_style style = { .pretty = s->req->pretty,
		.yaml = s->req->yaml };
	size_t len;
	char *text = jsonout_print(row, &style, &len);

	if (text == NULL)
		return -1;
	if (s->req->yaml) {
		put_row_yaml(s, text);
	} else {
		put_row_start(s);
		put_indented(s, text, len);
	}
	free(text);
	return 0;
}

static struct json_object *
row_parse(const struct wbuf *wb)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *o;

	if (tok == NULL || wb->len > INT_MAX) {
		json_tokener_free(tok);
		errno = ENOMEM;
		return NULL;
	}
	o = json_tokener_parse_ex(tok, (const char *)wb->data, (int)wb->len);
	if (o == NULL)
		errno = ENOMEM;
	json_tokener_free(tok);
	return o;
}

/* A row is filtered inside its envelope, for the paths begin there. */
static int
row_dressed(struct style *s)
{
	struct json_object *row = row_parse(&s->row), *o, *list;
	int rc = 0;

	if (row == NULL)
		return -1;
	o = envelope(s, row);
	if (o == NULL)
		return -1;
	if (s->req->filter_path != NULL)
		jsonout_filter(o, s->req->filter_path);
	if (json_object_object_get_ex(o, s->rows, &list) &&
	    json_object_array_length(list) > 0)
		rc = put_row_object(s, json_object_array_get_idx(list, 0));
	json_object_put(o);
	return rc;
}

int
style_row(struct style *s)
{
	if (s->row.bad) {
		errno = ENOMEM;
		return -1;
	}
	if (s->dressed) {
		if (row_dressed(s) == -1)
			return -1;
	} else {
		if (s->open)
			put(s, ",");
		s->open = true;
		(void)wire_put_bytes(&s->out->buf, s->row.data, s->row.len);
	}
	return out_flush(s->out);
}

/* Nothing has passed the filter: an empty object. */
static int
put_nothing(struct style *s)
{
	struct json_object *o = json_object_new_object();
	int rc;

	if (o == NULL) {
		errno = ENOMEM;
		return -1;
	}
	rc = put_whole(s, o);
	json_object_put(o);
	return rc;
}

static int
end_dressed(struct style *s)
{
	if (!s->any && !s->whole && put_nothing(s) == -1)
		return -1;
	if (s->open && !s->req->yaml) {
		put_break(s, 1);
		put(s, "]");
	}
	if (s->any && !s->req->yaml) {
		put_break(s, 0);
		put(s, "}");
		if (s->req->pretty)
			put(s, "\n");
	}
	return out_flush(s->out);
}

int
style_end(struct style *s)
{
	if (s->dressed)
		return end_dressed(s);
	put(s, "]}");
	return out_flush(s->out);
}

int
style_row_json(struct style *style, struct json_object *o)
{
	const char *text;
	int rc = -1;

	errno = ENOMEM;
	if (o == NULL)
		return -1;
	text = json_object_to_json_string_ext(
	    o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text != NULL &&
	    wire_put_bytes(style_row_buffer(style), text, strlen(text)) == 0)
		rc = style_row(style);
	json_object_put(o);
	return rc;
}
