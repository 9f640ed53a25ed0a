/*
 * Owns the delimited format (jobs-and-data 5.11): a header line, then a record
 * per line. The quote character may open and close anywhere in a field;
 * between the two, delimiters and line ends are text, and a doubled one is
 * itself. Lines end in LF or CRLF, empty ones are passed over.
 */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "worker/reader_int.h"
#include "worker/utf8.h"

#define MAX_LINES 10000	    /* of one record; the API's number */
#define REPLACEMENT 0xfffdu /* for bytes that are not UTF-8 */

enum column_end {
	COLUMN_MORE,   /* another one follows in this line */
	COLUMN_LAST,   /* its line is at the end */
	COLUMN_BROKEN, /* malformed; the error is set */
};

/* Its text: in the upload where it stands so, else built, from mark on. */
struct column {
	const char *p; /* borrowed; built: until more is built */
	size_t len;
	bool built;
	size_t mark;
};

/* ---- one column ---- */

/* The line end at p: 0 when there is none, else its length. */
static size_t
line_end(const struct delimited_reader *d, const char *p)
{
	if (*p == '\n')
		return 1;
	if (*p != '\r')
		return 0;
	if (d->end - p == 1)
		return 1;
	return p[1] == '\n' ? 2 : 0;
}

/*
 * Behind the text between quotes that begins at p, at the closing quote or at
 * the first of a doubled one; NULL with *e set when there is no such end.
 */
static const char *
find_quote(struct reader *r, const char *p, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;

	for (; p < d->end; p++) {
		if (*p == r->conf->quote_character)
			return p;
		if (*p == '\n' && ++d->lines > MAX_LINES) {
			apierr_set(e, 400, E_PARSE,
			    "A record of the input data has more than %d lines",
			    MAX_LINES);
			return NULL;
		}
	}
	apierr_set(
	    e, 400, E_PARSE, "A quoted field of the input data is not closed");
	return NULL;
}

/* Behind plain text at p: at a quote, a delimiter or a line end. */
static const char *
find_plain_end(const struct reader *r, const char *p)
{
	const struct delimited_reader *d = &r->delimited;

	while (p < d->end && *p != r->conf->field_delimiter &&
	    *p != r->conf->quote_character && line_end(d, p) == 0)
		p++;
	return p;
}

static void
build(struct reader *r, const char *p, size_t len)
{
	if (len > 0)
		memcpy(fieldset_room(&r->fields, len), p, len);
	fieldset_add(&r->fields, len);
}

/*
 * The quoted text whose opening quote is at *p; *p is then behind the closing
 * one. keep: build it.
 */
static int
read_quoted(struct reader *r, const char **p, bool keep, struct apierr *e)
{
	const char *end = r->delimited.end, *from, *to;

	for (from = *p + 1;; from = to + 1) {
		to = find_quote(r, from, e);
		if (to == NULL)
			return -1;
		*p = to + 1;
		if (*p == end || **p != *to) {
			if (keep)
				build(r, from, (size_t)(to - from));
			return 0;
		}
		to++; /* doubled: the text goes on, with one of them */
		if (keep)
			build(r, from, (size_t)(to - from));
	}
}

/* Step over what ended the column at p. */
static enum column_end
leave_column(struct reader *r, const char *p)
{
	struct delimited_reader *d = &r->delimited;

	d->p = p;
	if (p == d->end)
		return COLUMN_LAST;
	if (*p == r->conf->field_delimiter) {
		d->p++;
		return COLUMN_MORE;
	}
	d->p += line_end(d, p);
	return COLUMN_LAST;
}

/* Read the next column; keep: *c is its text, else *c is undefined. */
static enum column_end
read_column(struct reader *r, bool keep, struct column *c, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;
	const char *p = find_plain_end(r, d->p), *from;

	c->p = d->p;
	c->len = (size_t)(p - d->p);
	c->built = false;
	if (p == d->end || *p != r->conf->quote_character)
		return leave_column(r, p);
	c->built = true;
	c->mark = fieldset_mark(&r->fields);
	if (keep)
		build(r, c->p, c->len);
	while (p < d->end && *p == r->conf->quote_character) {
		if (read_quoted(r, &p, keep, e) == -1)
			return COLUMN_BROKEN;
		from = p;
		p = find_plain_end(r, p);
		if (keep)
			build(r, from, (size_t)(p - from));
	}
	c->len = fieldset_mark(&r->fields) - c->mark;
	c->p = fieldset_room(&r->fields, 0) - c->len;
	return leave_column(r, p);
}

/* ---- the header ---- */

/* A column that comes twice counts where it comes first. */
static void
add_column(struct reader *r, const struct column *name)
{
	struct delimited_reader *d = &r->delimited;
	size_t field = fieldset_find(&r->fields, name->p, name->len);

	if (field == FIELDSET_NONE)
		return;
	for (size_t i = 0; i < d->nwanted; i++)
		if (d->wanted[i].field == field)
			return;
	d->wanted[d->nwanted++] =
	    (struct delimited_column){ d->ncolumns, field };
}

static bool
has_column(const struct reader *r, size_t field)
{
	const struct delimited_reader *d = &r->delimited;

	if (field == r->fields.time_twin)
		field = 0;
	for (size_t i = 0; i < d->nwanted; i++)
		if (d->wanted[i].field == field)
			return true;
	return false;
}

static int
check_header(const struct reader *r, struct apierr *e)
{
	char list[APIERR_REASON_MAX] = "";

	for (size_t i = 0; i < r->fields.n; i++) {
		if (has_column(r, i))
			continue;
		strlcat(list, list[0] == '\0' ? "[" : ", [", sizeof(list));
		strlcat(list, r->fields.name[i].name, sizeof(list));
		strlcat(list, "]", sizeof(list));
	}
	if (list[0] == '\0')
		return 0;
	return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
	    "The header of the input data lacks the fields %s", list);
}

static int
read_header(struct reader *r, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;
	struct column name;
	enum column_end end;

	d->lines = 1;
	do {
		fieldset_reset(&r->fields);
		end = read_column(r, true, &name, e);
		if (end == COLUMN_BROKEN)
			return -1;
		add_column(r, &name);
		d->ncolumns++;
	} while (end == COLUMN_MORE);
	d->header_read = true;
	if (check_header(r, e) == 0)
		return 0;
	d->p = r->data;
	return -1;
}

/* ---- records ---- */

static bool
is_utf8(const char *p, size_t len)
{
	const char *end = p + len;
	size_t n;

	for (; p < end; p += n) {
		n = utf8_len(p, end);
		if (n == 0)
			return false;
	}
	return true;
}

/* Set a field to text that has bytes which are not UTF-8, these replaced. */
static void
set_replaced(struct reader *r, size_t field, const struct column *c)
{
	struct fieldset *fs = &r->fields;
	size_t mark = fieldset_mark(fs), n;
	char *to = fieldset_room(fs, 3 * c->len); /* bytes of REPLACEMENT */
	const char *p = c->built ? fs->text + c->mark : c->p;
	const char *end = p + c->len;

	for (; p < end; p += n) {
		n = utf8_len(p, end);
		if (n > 0) {
			memcpy(to, p, n);
			to += n;
		} else {
			n = 1;
			to += utf8_put(to, REPLACEMENT);
		}
	}
	fieldset_add(fs, (size_t)(to - (fs->text + mark)));
	fieldset_set_built(fs, field, mark);
}

static void
set_column(struct reader *r, size_t field, const struct column *c)
{
	if (!is_utf8(c->p, c->len))
		set_replaced(r, field, c);
	else if (c->built)
		fieldset_set_built(&r->fields, field, c->mark);
	else
		fieldset_set(&r->fields, field, c->p, c->len);
}

/* The line at hand, which is not empty. */
static int
read_line(struct reader *r, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;
	enum column_end end = COLUMN_MORE;
	struct column c;
	size_t at = 0;

	d->lines = 1;
	for (size_t column = 0; end == COLUMN_MORE; column++) {
		bool keep = at < d->nwanted && d->wanted[at].column == column;

		end = read_column(r, keep, &c, e);
		if (end == COLUMN_BROKEN)
			return -1;
		if (keep)
			set_column(r, d->wanted[at++].field, &c);
	}
	r->fields.record.value_count =
	    d->ncolumns < UINT32_MAX ? (uint32_t)d->ncolumns : UINT32_MAX;
	return 1;
}

static void
skip_empty_lines(struct delimited_reader *d)
{
	size_t n;

	while (d->p < d->end && (n = line_end(d, d->p)) > 0)
		d->p += n;
}

static int
delimited_next(struct reader *r, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;

	skip_empty_lines(d);
	if (d->p == d->end)
		return 0;
	if (d->header_read)
		return read_line(r, e);
	if (read_header(r, e) == -1)
		return -1;
	fieldset_reset(&r->fields);
	return delimited_next(r, e);
}

/* ---- life ---- */

static int
delimited_init(struct reader *r)
{
	struct delimited_reader *d = &r->delimited;

	d->wanted = calloc(r->fields.n, sizeof(*d->wanted));
	return d->wanted == NULL ? -1 : 0;
}

static void
delimited_clear(struct reader *r)
{
	free(r->delimited.wanted);
}

static void
delimited_begin(struct reader *r)
{
	struct delimited_reader *d = &r->delimited;

	d->p = r->data;
	d->end = r->len == 0 ? r->data : r->data + r->len;
	d->header_read = false;
	d->ncolumns = 0;
	d->nwanted = 0;
}

static size_t
delimited_bytes(const struct reader *r)
{
	return r->len == 0 ? 0 : (size_t)(r->delimited.p - r->data);
}

const struct reader_format reader_delimited = {
	delimited_init,
	delimited_clear,
	delimited_begin,
	delimited_next,
	delimited_bytes,
};
