/*
 * Owns the delimited format (jobs-and-data 5.11): a header line, then a record
 * per line. The quote character may open and close anywhere in a field;
 * between the two, delimiters and line ends are text, and a doubled one is
 * itself. Lines end in LF or CRLF, empty ones are passed over.
 *
 * A slice of the upload may end anywhere, so the reader is a machine of steps
 * whose state is in struct delimited_reader. A column that is longer than a
 * slice is built, even where it stands in the upload as it is.
 */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "worker/reader_int.h"
#include "worker/utf8.h"

#define MAX_LINES 10000	    /* of one record; the API's number */
#define REPLACEMENT 0xfffdu /* for bytes that are not UTF-8 */

/* How a step has ended; all but the last as reader_next answers. */
enum outcome {
	BROKEN = -1, /* malformed; the error is set */
	ENDED = 0,
	RECORD = 1, /* the record is complete */
	PAUSED = 2, /* the slice is used up */
	TURN,	    /* with what delimited_reader.doing says now */
};

static enum outcome
turn_to(struct reader *r, enum delimited_doing doing)
{
	r->delimited.doing = doing;
	return TURN;
}

/* ---- the text of a column ---- */

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

/* From here on the column is not as it stands in the upload. */
static void
begin_build(struct reader *r)
{
	struct delimited_text *t = &r->delimited.text;

	if (t->built)
		return;
	t->built = true;
	t->mark = fieldset_mark(&r->fields);
}

/* Build what lies before p, which is the next byte. */
static void
build_to(struct reader *r, const char *p)
{
	struct delimited_reader *d = &r->delimited;
	size_t len = (size_t)(p - d->from);

	if (d->keep && len > 0) {
		memcpy(fieldset_room(&r->fields, len), d->from, len);
		fieldset_add(&r->fields, len);
	}
	d->from = p;
	d->p = p;
}

static enum outcome
pause_text(struct reader *r, const char *p)
{
	begin_build(r);
	build_to(r, p);
	return PAUSED;
}

/* ---- the header ---- */

/* A column that comes twice counts where it comes first. */
static void
add_column(struct reader *r, const char *name, size_t len)
{
	struct delimited_reader *d = &r->delimited;
	size_t field = fieldset_find(&r->fields, name, len);

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

/* ---- columns that are whole ---- */

/* The column's text, for now: building more may move it. */
static const char *
text_at(const struct reader *r)
{
	const struct delimited_text *t = &r->delimited.text;

	return t->built ? r->fields.text + t->mark : t->p;
}

static enum outcome
take_name(struct reader *r, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;

	add_column(r, text_at(r), d->text.len);
	d->ncolumns++;
	fieldset_reset(&r->fields);
	if (d->more)
		return turn_to(r, DOING_COLUMN);
	d->header_read = true;
	if (check_header(r, e) == 0)
		return turn_to(r, DOING_LINE);
	d->p = r->data;
	return BROKEN;
}

/* The column was seen to; the value, if it was wanted, is set. */
static enum outcome
leave_column(struct reader *r)
{
	struct delimited_reader *d = &r->delimited;

	d->at += d->keep ? 1 : 0;
	d->column++;
	if (d->more)
		return turn_to(r, DOING_COLUMN);
	r->fields.record.value_count =
	    d->ncolumns < UINT32_MAX ? (uint32_t)d->ncolumns : UINT32_MAX;
	(void)turn_to(r, DOING_LINE);
	return RECORD;
}

static enum outcome
take_column(struct reader *r)
{
	struct delimited_reader *d = &r->delimited;
	size_t field = d->wanted[d->at].field;

	if (d->text.built)
		fieldset_set_built(&r->fields, field, d->text.mark);
	else
		fieldset_set(&r->fields, field, d->text.p, d->text.len);
	return leave_column(r);
}

static enum outcome
check_column(struct reader *r, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;
	struct delimited_text *t = &d->text;
	const char *text = text_at(r), *end = text + t->len;
	size_t most = t->at + r->slice, n;

	if (!d->header_read)
		return take_name(r, e);
	if (!d->keep)
		return leave_column(r);
	for (; t->at < t->len; t->at += n) {
		if (t->at >= most)
			return PAUSED;
		n = utf8_len(text + t->at, end);
		if (n > 0)
			continue;
		t->at = 0;
		t->clean = fieldset_mark(&r->fields);
		return turn_to(r, DOING_REPLACE);
	}
	return take_column(r);
}

/* Set the field to the text with what is not UTF-8 in it replaced. */
static enum outcome
replace_column(struct reader *r, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;
	struct delimited_text *t = &d->text;
	size_t left = t->len - t->at, n;
	size_t most = left < r->slice ? left : r->slice;
	/* three bytes of REPLACEMENT; and no character is cut in two */
	char *room = fieldset_room(&r->fields, 3 * (most + 4)), *to = room;
	const char *p = text_at(r) + t->at, *end = p + left, *stop = p + most;

	(void)e;
	for (; p < stop; p += n) {
		n = utf8_len(p, end);
		if (n > 0) {
			memcpy(to, p, n);
			to += n;
		} else {
			n = 1;
			to += utf8_put(to, REPLACEMENT);
		}
	}
	fieldset_add(&r->fields, (size_t)(to - room));
	t->at = t->len - (size_t)(end - p);
	if (p < end)
		return PAUSED;
	fieldset_set_built(&r->fields, d->wanted[d->at].field, t->clean);
	return leave_column(r);
}

/* ---- columns in the upload ---- */

/* Step over what ended the column at p. */
static enum outcome
end_column(struct reader *r, const char *p, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;
	struct delimited_text *t = &d->text;

	t->len = (size_t)(p - t->p);
	if (t->built) {
		build_to(r, p);
		t->len = fieldset_mark(&r->fields) - t->mark;
	}
	t->at = 0;
	d->more = p < d->end && *p == r->conf->field_delimiter;
	d->p = p;
	if (p < d->end)
		d->p += d->more ? 1 : line_end(d, p);
	d->doing = DOING_CHECK;
	return check_column(r, e);
}

/* Text outside of quotes: up to a quote, a delimiter or a line end. */
static enum outcome
read_plain(struct reader *r, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;
	const char *p = d->p;

	while (p < d->stop && *p != r->conf->field_delimiter &&
	    *p != r->conf->quote_character && line_end(d, p) == 0)
		p++;
	if (p == d->end)
		return end_column(r, p, e);
	if (p >= d->stop)
		return pause_text(r, p);
	if (*p != r->conf->quote_character)
		return end_column(r, p, e);
	begin_build(r);
	build_to(r, p);
	d->from = d->p = p + 1;
	return turn_to(r, DOING_QUOTED);
}

/* The quote at p ends the quoted text, or is the first of a doubled one. */
static enum outcome
take_quote(struct reader *r, const char *p)
{
	struct delimited_reader *d = &r->delimited;

	if (p + 1 < d->end && p[1] == *p) {
		build_to(r, p + 1); /* with one of them */
		d->from = d->p = p + 2;
		return TURN;
	}
	build_to(r, p);
	d->from = d->p = p + 1;
	return turn_to(r, DOING_PLAIN);
}

static enum outcome
read_quoted(struct reader *r, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;
	const char *p = d->p;

	for (; p < d->stop; p++) {
		if (*p == r->conf->quote_character)
			return take_quote(r, p);
		if (*p == '\n' && ++d->lines > MAX_LINES)
			return (enum outcome)apierr_set(e, 400, E_PARSE,
			    "A record of the input data has more than %d lines",
			    MAX_LINES);
	}
	if (p < d->end)
		return pause_text(r, p);
	return (enum outcome)apierr_set(
	    e, 400, E_PARSE, "A quoted field of the input data is not closed");
}

static enum outcome
begin_column(struct reader *r, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;

	d->keep = !d->header_read ||
	    (d->at < d->nwanted && d->wanted[d->at].column == d->column);
	d->from = d->p;
	d->text.p = d->p;
	d->text.built = false;
	d->doing = DOING_PLAIN;
	return read_plain(r, e);
}

/* ---- records ---- */

static void
begin_slice(struct reader *r)
{
	struct delimited_reader *d = &r->delimited;

	d->stop = d->end;
	if ((size_t)(d->end - d->p) > r->slice)
		d->stop = d->p + r->slice;
}

static enum outcome
begin_line(struct reader *r, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;
	size_t n;

	(void)e;
	while (d->p < d->stop && (n = line_end(d, d->p)) > 0)
		d->p += n;
	if (d->p == d->end)
		return ENDED;
	if (d->p >= d->stop)
		return PAUSED;
	d->lines = 1;
	d->column = 0;
	d->at = 0;
	return turn_to(r, DOING_COLUMN);
}

typedef enum outcome delimited_step(struct reader *, struct apierr *);

static delimited_step *const steps[] = {
	[DOING_LINE] = begin_line,
	[DOING_COLUMN] = begin_column,
	[DOING_PLAIN] = read_plain,
	[DOING_QUOTED] = read_quoted,
	[DOING_CHECK] = check_column,
	[DOING_REPLACE] = replace_column,
};

static int
delimited_next(struct reader *r, struct apierr *e)
{
	struct delimited_reader *d = &r->delimited;
	enum outcome outcome = TURN;

	if (d->p >= d->stop)
		begin_slice(r);
	while (outcome == TURN)
		outcome = steps[d->doing](r, e);
	return (int)outcome;
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
	begin_slice(r);
	d->doing = DOING_LINE;
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
