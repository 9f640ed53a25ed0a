/* Owns the tables of the _cat API: what is shown of them, and its layout. */
#include "common/compat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <json-c/printbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonmake.h"
#include "common/jsonout.h"
#include "common/units.h"
#include "common/wildcard.h"
#include "supervisor/cat_table.h"
#include "supervisor/params.h"

#define NAME_MAX_BYTES 256 /* longer than any column's name, with wildcards */
#define CELL_BYTES 64	   /* of what is no text */

/* ---- the columns by name ---- */

/* Cut the next element off a comma list. False: the list is at its end. */
static bool
next_name(const char **list, char *dst, size_t cap)
{
	size_t len;

	while (**list == ',' || **list == ' ')
		++*list;
	if (**list == '\0')
		return false;
	len = strcspn(*list, ",");
	/* One that is too long is cut, and matches nothing. */
	strlcpy(dst, *list, len < cap ? len + 1 : cap);
	*list += len;
	for (len = strlen(dst); len > 0 && dst[len - 1] == ' '; len--)
		dst[len - 1] = '\0';
	return true;
}

static bool
has_alias(const struct cat_column *c, const char *pattern)
{
	const char *list = c->aliases;
	char alias[NAME_MAX_BYTES];

	while (next_name(&list, alias, sizeof(alias)))
		if (wildcard_matches(pattern, alias))
			return true;
	return false;
}

/* NULL: there is no such column. */
static const struct cat_column *
find_column(const struct cat_table *t, const char *name)
{
	if (strchr(name, '*') != NULL)
		return NULL;
	for (size_t i = 0; i < t->ncolumns; i++)
		if (strcmp(t->column[i].name, name) == 0)
			return &t->column[i];
	for (size_t i = t->ncolumns; i > 0; i--)
		if (has_alias(&t->column[i - 1], name))
			return &t->column[i - 1];
	return NULL;
}

/* ---- what a request wants to see ---- */

static int
no_memory(struct apierr *e)
{
	return apierr_set(e, 503, E_STATUS, "out of memory");
}

/* What has this title already is not shown twice. */
static int
show(struct cat_view *v, const struct cat_column *c, const char *title,
    struct apierr *e)
{
	struct cat_shown *list;
	char *copy;

	for (size_t i = 0; i < v->nshown; i++)
		if (strcmp(v->shown[i].title, title) == 0)
			return 0;
	list = reallocarray(v->shown, v->nshown + 1, sizeof(*list));
	if (list == NULL)
		return no_memory(e);
	v->shown = list;
	copy = strdup(title);
	if (copy == NULL)
		return no_memory(e);
	list[v->nshown++] = (struct cat_shown){ c, copy };
	return 0;
}

static int
show_matching(struct cat_view *v, const char *pattern, struct apierr *e)
{
	for (size_t i = 0; i < v->table->ncolumns; i++) {
		const struct cat_column *c = &v->table->column[i];

		if ((wildcard_matches(pattern, c->name) ||
			has_alias(c, pattern)) &&
		    show(v, c, c->name, e) == -1)
			return -1;
	}
	return 0;
}

static int
show_default(struct cat_view *v, struct apierr *e)
{
	for (size_t i = 0; i < v->table->ncolumns; i++) {
		const struct cat_column *c = &v->table->column[i];

		if (c->shown && show(v, c, c->name, e) == -1)
			return -1;
	}
	return 0;
}

static int
read_shown(struct cat_view *v, const char *list, struct apierr *e)
{
	char name[NAME_MAX_BYTES];

	if (list == NULL || *list == '\0')
		return show_default(v, e);
	while (next_name(&list, name, sizeof(name))) {
		const struct cat_column *c = find_column(v->table, name);

		if (strchr(name, '*') != NULL) {
			if (show_matching(v, name, e) == -1)
				return -1;
		} else if (c != NULL && show(v, c, name, e) == -1) {
			return -1;
		}
	}
	return 0;
}

static bool
cut_end(char *text, const char *end)
{
	size_t len = strlen(text), elen = strlen(end);

	if (len < elen || strcmp(text + len - elen, end) != 0)
		return false;
	text[len - elen] = '\0';
	return true;
}

static int
order_by(struct cat_view *v, const struct cat_column *c, bool falling,
    struct apierr *e)
{
	struct cat_order *list;

	/* Rows that the first mention leaves equal are so for the second. */
	for (size_t i = 0; i < v->norder; i++)
		if (v->order[i].column == c)
			return 0;
	list = reallocarray(v->order, v->norder + 1, sizeof(*list));
	if (list == NULL)
		return no_memory(e);
	v->order = list;
	list[v->norder++] = (struct cat_order){ c, falling };
	return 0;
}

static int
read_order(struct cat_view *v, const char *list, struct apierr *e)
{
	char name[NAME_MAX_BYTES];

	while (list != NULL && next_name(&list, name, sizeof(name))) {
		bool falling = cut_end(name, ":desc");
		const struct cat_column *c;

		if (!falling)
			cut_end(name, ":asc");
		c = find_column(v->table, name);
		if (c == NULL)
			return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
			    "Unable to sort by unknown sort key `%s`", name);
		if (order_by(v, c, falling, e) == -1)
			return -1;
	}
	return 0;
}

static int
read_units(struct cat_view *v, const struct params *ps, struct apierr *e)
{
	const char *bytes = params_get(ps, "bytes");
	const char *time = params_get(ps, "time");

	if (bytes != NULL && !units_size_unit(bytes, &v->size_unit))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "parameter [bytes] with value [%s] is no unit; use one of "
		    "[b, kb, mb, gb, tb, pb]",
		    bytes);
	if (time != NULL && !units_duration_unit(time, &v->time_unit))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "parameter [time] with value [%s] is no unit; use one of "
		    "[d, h, m, s, ms, micros, nanos]",
		    time);
	return 0;
}

int
cat_view_read(struct cat_view *v, const struct cat_table *table,
    const struct params *ps, struct apierr *e)
{
	*v = (struct cat_view){ .table = table };
	if (params_bool(ps, "v", false, &v->header, e) == -1 ||
	    read_units(v, ps, e) == -1 ||
	    read_shown(v, params_get(ps, "h"), e) == -1)
		return -1;
	return read_order(v, params_get(ps, "s"), e);
}

void
cat_view_clear(struct cat_view *v)
{
	for (size_t i = 0; i < v->nshown; i++)
		free(v->shown[i].title);
	free(v->shown);
	free(v->order);
	*v = (struct cat_view){ .table = v->table };
}

/* ---- cells ---- */

static struct cat_value
cell(const struct cat_column *c, const void *row)
{
	struct cat_value v = { .kind = c->kind };
	const char *at = (const char *)row + c->offset;

	if (c->get != NULL)
		return c->get(row);
	if (c->kind == CAT_TEXT)
		memcpy(&v.u.text, at, sizeof(v.u.text));
	else if (c->kind == CAT_COUNT || c->kind == CAT_SIZE)
		memcpy(&v.u.count, at, sizeof(v.u.count));
	else if (c->kind == CAT_NUMBER)
		memcpy(&v.u.number, at, sizeof(v.u.number));
	else
		memcpy(&v.u.time, at, sizeof(v.u.time));
	return v;
}

static bool
is_missing(const struct cat_value *v)
{
	return v->kind == CAT_NONE || (v->kind == CAT_TEXT && !v->u.text) ||
	    (v->kind == CAT_DATE && v->u.time == TIME_UNSET);
}

/* As it is shown; buf is used for what is no text. NULL: missing. */
static const char *
cell_text(const struct cat_view *view, const struct cat_column *c,
    const void *row, char buf[CELL_BYTES])
{
	struct cat_value v = cell(c, row);

	if (is_missing(&v))
		return NULL;
	switch (v.kind) {
	case CAT_NONE:
		return NULL;
	case CAT_TEXT:
		return v.u.text;
	case CAT_COUNT:
		snprintf(buf, CELL_BYTES, "%" PRIu64, v.u.count);
		break;
	case CAT_SIZE:
		if (view->size_unit == 0)
			units_show_size(buf, v.u.count);
		else
			snprintf(buf, CELL_BYTES, "%" PRIu64,
			    v.u.count / view->size_unit);
		break;
	case CAT_DURATION:
		if (view->time_unit == 0)
			units_show_duration(buf, v.u.time);
		else
			snprintf(buf, CELL_BYTES, "%" PRId64,
			    v.u.time / view->time_unit);
		break;
	case CAT_DATE:
		units_iso(buf, v.u.time);
		break;
	case CAT_NUMBER:
		jsonout_double(buf, v.u.number);
		break;
	}
	return buf;
}

_Static_assert(CELL_BYTES >= UNITS_DURATION_BYTES &&
	CELL_BYTES >= UNITS_SIZE_BYTES && CELL_BYTES >= UNITS_ISO_BYTES,
    "a cell takes every value");

/* ---- sorting ---- */

static int
compare_values(const struct cat_value *a, const struct cat_value *b)
{
	bool no_a = is_missing(a), no_b = is_missing(b);

	if (no_a || no_b)
		return no_b - no_a; /* what is missing comes first */
	switch (a->kind) {
	case CAT_NONE:
		return 0;
	case CAT_TEXT:
		return strcmp(a->u.text, b->u.text);
	case CAT_COUNT:
	case CAT_SIZE:
		return (a->u.count > b->u.count) - (a->u.count < b->u.count);
	case CAT_DURATION:
	case CAT_DATE:
		return (a->u.time > b->u.time) - (a->u.time < b->u.time);
	case CAT_NUMBER:
		return (a->u.number > b->u.number) -
		    (a->u.number < b->u.number);
	}
	return 0;
}

struct sorted {
	const void *row;
	size_t place; /* before */
	const struct cat_view *view;
};

static int
compare_rows(const void *x, const void *y)
{
	const struct sorted *a = x, *b = y;
	const struct cat_view *v = a->view;

	for (size_t i = 0; i < v->norder; i++) {
		struct cat_value p = cell(v->order[i].column, a->row);
		struct cat_value q = cell(v->order[i].column, b->row);
		int order = compare_values(&p, &q);

		if (order != 0)
			return v->order[i].falling ? -order : order;
	}
	return a->place < b->place ? -1 : 1;
}

int
cat_sort(const struct cat_view *v, const void **rows, size_t n)
{
	struct sorted *list;

	if (v->norder == 0 || n < 2)
		return 0;
	list = reallocarray(NULL, n, sizeof(*list));
	if (list == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		list[i] = (struct sorted){ rows[i], i, v };
	qsort(list, n, sizeof(*list), compare_rows);
	for (size_t i = 0; i < n; i++)
		rows[i] = list[i].row;
	free(list);
	return 0;
}

/* ---- text ---- */

/* A text in the making. */
struct page {
	struct printbuf *pb; /* owned; NULL: memory was out */
	bool failed;
};

static void
put(struct page *p, const char *text, size_t len)
{
	if (!p->failed && printbuf_memappend(p->pb, text, (int)len) < 0)
		p->failed = true;
}

static void
put_blanks(struct page *p, size_t n)
{
	static const char blanks[] = "                                ";

	while (n > 0) {
		size_t part = n < sizeof(blanks) ? n : sizeof(blanks) - 1;

		put(p, blanks, part);
		n -= part;
	}
}

/* Nothing is put behind what ends the line. */
static void
put_cell(struct page *p, const char *text, size_t width, bool right, bool last)
{
	size_t len = text == NULL ? 0 : strlen(text);
	size_t fill = width > len ? width - len : 0;

	if (right)
		put_blanks(p, fill);
	if (text != NULL)
		put(p, text, len);
	if (!right && !last)
		put_blanks(p, fill);
	put(p, last ? "\n" : " ", 1);
}

static struct page
page_begin(void)
{
	struct page p = { .pb = printbuf_new() };

	p.failed = p.pb == NULL;
	return p;
}

/* The text, the caller's now; NULL: memory was out. */
static char *
page_end(struct page *p)
{
	char *text = NULL;

	if (!p->failed) {
		text = p->pb->buf;
		p->pb->buf = NULL;
	}
	if (p->pb != NULL)
		printbuf_free(p->pb);
	return text;
}

static size_t
column_width(const struct cat_view *v, const struct cat_shown *s,
    const void *const *rows, size_t n)
{
	size_t width = v->header ? strlen(s->title) : 0;
	char buf[CELL_BYTES];

	for (size_t i = 0; i < n; i++) {
		const char *text = cell_text(v, s->column, rows[i], buf);
		size_t len = text == NULL ? 0 : strlen(text);

		width = len > width ? len : width;
	}
	return width;
}

static void
put_header(struct page *p, const struct cat_view *v, const size_t *width)
{
	for (size_t k = 0; k < v->nshown; k++)
		put_cell(p, v->shown[k].title, width[k],
		    v->shown[k].column->right, k + 1 == v->nshown);
}

static void
put_row(struct page *p, const struct cat_view *v, const void *row,
    const size_t *width)
{
	char buf[CELL_BYTES];

	for (size_t k = 0; k < v->nshown; k++)
		put_cell(p, cell_text(v, v->shown[k].column, row, buf),
		    width[k], v->shown[k].column->right, k + 1 == v->nshown);
}

char *
cat_text(const struct cat_view *v, const void *const *rows, size_t n)
{
	size_t *width = calloc(v->nshown + 1, sizeof(*width));
	struct page p = page_begin();

	p.failed = p.failed || width == NULL;
	for (size_t k = 0; !p.failed && k < v->nshown; k++)
		width[k] = column_width(v, &v->shown[k], rows, n);
	if (v->header && !p.failed)
		put_header(&p, v, width);
	for (size_t i = 0; !p.failed && i < n; i++)
		put_row(&p, v, rows[i], width);
	free(width);
	return page_end(&p);
}

char *
cat_help(const struct cat_table *t)
{
	size_t name = 0, aliases = 0;
	struct page p = page_begin();

	for (size_t i = 0; i < t->ncolumns; i++) {
		size_t n = strlen(t->column[i].name);
		size_t a = strlen(t->column[i].aliases);

		name = n > name ? n : name;
		aliases = a > aliases ? a : aliases;
	}
	for (size_t i = 0; i < t->ncolumns; i++) {
		put_cell(&p, t->column[i].name, name, false, false);
		put(&p, "| ", 2);
		put_cell(&p, t->column[i].aliases, aliases, false, false);
		put(&p, "| ", 2);
		put_cell(&p, t->column[i].description, 0, false, true);
	}
	return page_end(&p);
}

/* ---- JSON ---- */

static struct json_object *
row_json(const struct cat_view *v, const void *row)
{
	struct json_object *o = json_object_new_object();
	char buf[CELL_BYTES];

	for (size_t k = 0; o != NULL && k < v->nshown; k++) {
		const char *title = v->shown[k].title;
		const char *text = cell_text(v, v->shown[k].column, row, buf);

		if (text != NULL)
			jsonmake_string(&o, title, text);
		else if (json_object_object_add(o, title, NULL) != 0) {
			json_object_put(o);
			o = NULL;
		}
	}
	return o;
}

struct json_object *
cat_json(const struct cat_view *v, const void *const *rows, size_t n)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list != NULL && i < n; i++)
		jsonmake_append(&list, row_json(v, rows[i]));
	return list;
}
