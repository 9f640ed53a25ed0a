/*
 * Tables of the _cat API: columns are declared in one list, which serves the
 * choice of columns, sorting, printing as text or JSON, and the help text.
 */
#ifndef SUPERVISOR_CAT_TABLE_H
#define SUPERVISOR_CAT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"

struct json_object;
struct params;

enum cat_kind {
	CAT_NONE, /* there is none */
	CAT_TEXT,
	CAT_COUNT,
	CAT_SIZE,     /* bytes */
	CAT_DURATION, /* nanoseconds, >= 0 */
	CAT_DATE,     /* epoch ms; TIME_UNSET: none */
	CAT_NUMBER,   /* finite */
};

struct cat_value {
	enum cat_kind kind;
	union {
		const char *text; /* borrowed from the row */
		uint64_t count;	  /* and size */
		int64_t time;	  /* duration and date */
		double number;
	} u;
};

struct cat_column {
	const char *name;
	/* Comma list, "" for none. Of two columns with one the last counts. */
	const char *aliases;
	const char *description;
	bool right; /* aligned */
	bool shown; /* when nothing is chosen */
	/* The value, made by get from the row, or of kind at that offset. */
	struct cat_value (*get)(const void *row);
	enum cat_kind kind;
	size_t offset;
};

struct cat_table {
	const struct cat_column *column;
	size_t ncolumns;
};

struct cat_shown {
	const struct cat_column *column;
	char *title; /* owned: its name, or the alias that was asked for */
};

struct cat_order {
	const struct cat_column *column;
	bool falling;
};

/* What a request wants to see. */
struct cat_view {
	const struct cat_table *table;
	struct cat_shown *shown; /* owned */
	size_t nshown;
	struct cat_order *order; /* owned; each column at most once */
	size_t norder;
	bool header;
	uint64_t size_unit; /* bytes; 0: what suits each */
	int64_t time_unit;  /* nanoseconds; 0: what suits each */
};

/*
 * Read h, s, v, bytes and time. Columns that are not there are left out of h,
 * as the API does; in s they are an error.
 *
 * Returns 0, or -1 with *e set (400, 503). cat_view_clear in both cases.
 */
int cat_view_read(struct cat_view *, const struct cat_table *,
    const struct params *, struct apierr *e) MUST_CHECK;
void cat_view_clear(struct cat_view *);

/*
 * Sort rows in place; those that are equal stay in their order, and what is
 * missing comes before all else. Returns 0, or -1 with ENOMEM.
 */
int cat_sort(const struct cat_view *, const void **rows, size_t n) MUST_CHECK;

/* A line a row. The caller frees; NULL with ENOMEM. */
char *cat_text(const struct cat_view *, const void *const *rows, size_t n);
/* A list of objects, all texts, or null. The caller owns it; NULL: ENOMEM. */
struct json_object *cat_json(
    const struct cat_view *, const void *const *rows, size_t n);
/* The columns that there are. The caller frees; NULL with ENOMEM. */
char *cat_help(const struct cat_table *);

#endif
