/*
 * Sorting records by a field of the data that they echo: an SQL function that
 * finds a record's value of that field.
 */
#ifndef QUERY_ECHOSORT_H
#define QUERY_ECHOSORT_H

#include <stdbool.h>

#include "common/compat.h"

struct sqlite3;

/*
 * anomd_echo(field, desc, by name, by value, over name, over value,
 *     partition name, partition value, influencers)
 * gives the least (desc: the greatest) of the values that the record has of
 * the field, or NULL.
 */
#define ECHOSORT_FUNCTION "anomd_echo"

/* 0, or -1 with errno (logged). */
int echosort_register(struct sqlite3 *) MUST_CHECK;

/* Does any record echo this field? 0, or -1 with errno (logged). */
int echosort_knows(struct sqlite3 *, const char *field, bool *known) MUST_CHECK;

#endif
