/* Rows of texts, printed in columns that are as wide as they need to be. */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "common/compat.h"

struct table;

/* headings: ncolumns of them, borrowed. NULL when memory is out. */
struct table *table_new(const char *const *headings, size_t ncolumns);
void table_free(struct table *); /* NULL is fine */

/*
 * The next cell of the row, or the first one of another. Copied; an empty text
 * shows as "-". When memory is out the table prints nothing.
 */
void table_add(struct table *, const char *text);

/*
 * Print the headings and all rows, made safe as say_text() does. Returns 0, or
 * -1 when memory was out.
 */
int table_print(const struct table *, FILE *) MUST_CHECK;

#endif
