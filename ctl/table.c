/* Owns the printing of columns. */
#include "common/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/say.h"
#include "ctl/table.h"

#define GAP 2 /* columns of the terminal between two of the table */

struct table {
	const char *const *headings;
	size_t ncolumns;
	char **cell; /* owned, row by row */
	size_t ncells, room;
	bool failed; /* memory was out */
};

struct table *
table_new(const char *const *headings, size_t ncolumns)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->headings = headings;
	t->ncolumns = ncolumns;
	return t;
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->ncells; i++)
		free(t->cell[i]);
	free(t->cell);
	free(t);
}

static int
make_room(struct table *t)
{
	size_t room = t->room == 0 ? 64 : t->room * 2;
	char **cell;

	if (t->ncells < t->room)
		return 0;
	cell = reallocarray(t->cell, room, sizeof(*cell));
	if (cell == NULL)
		return -1;
	t->cell = cell;
	t->room = room;
	return 0;
}

void
table_add(struct table *t, const char *text)
{
	char *copy = strdup(text[0] != '\0' ? text : "-");

	if (copy == NULL || make_room(t) == -1) {
		free(copy);
		t->failed = true;
		return;
	}
	t->cell[t->ncells++] = copy;
}

static size_t
column_width(const struct table *t, size_t column)
{
	size_t width = say_text(NULL, t->headings[column]);

	for (size_t i = column; i < t->ncells; i += t->ncolumns) {
		size_t w = say_text(NULL, t->cell[i]);

		if (w > width)
			width = w;
	}
	return width;
}

/* Nothing stands behind the last column. */
static void
print_row(
    const struct table *t, FILE *f, const char *const *row, const size_t *width)
{
	for (size_t i = 0; i < t->ncolumns; i++) {
		size_t w = say_text(f, row[i]);

		if (i + 1 < t->ncolumns)
			fprintf(f, "%*s", (int)(width[i] - w + GAP), "");
	}
	fputc('\n', f);
}

int
table_print(const struct table *t, FILE *f)
{
	size_t *width;

	if (t->failed)
		return -1;
	width = calloc(t->ncolumns, sizeof(*width));
	if (width == NULL)
		return -1;
	for (size_t i = 0; i < t->ncolumns; i++)
		width[i] = column_width(t, i);
	print_row(t, f, t->headings, width);
	for (size_t i = 0; i + t->ncolumns <= t->ncells; i += t->ncolumns)
		print_row(t, f, (const char *const *)&t->cell[i], width);
	free(width);
	return 0;
}
