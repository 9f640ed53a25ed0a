/* The names of fields that a record does not echo. */
#ifndef QUERY_RESERVED_H
#define QUERY_RESERVED_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compat.h"

/*
 * Is this field of the data named like a field of results or of a job's
 * configuration? Of a dotted name the first segment counts.
 */
bool reserved_is(const char *field);

/* For the test of its order. */
extern const char *const reserved_names[];
extern const size_t reserved_count;

#endif
