/* The query string of a request, and what its route takes of it. */
#ifndef SUPERVISOR_PARAMS_H
#define SUPERVISOR_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/apierr.h"
#include "common/compat.h"

#define PARAMS_MAX 64

struct param {
	char *name;  /* owned, decoded */
	char *value; /* owned, decoded; "" when there was none */
};

struct params {
	size_t n;
	struct param item[PARAMS_MAX];
};

/* Decode a query string (NULL: none). 0, or -1 with *e set (400). */
int params_parse(struct params *, const char *query, struct apierr *e);
void params_clear(struct params *);

/* The last value of that name, or NULL. */
const char *params_get(const struct params *, const char *name);
/* Boolean; fallback when absent. 0, or -1 with *e set. */
int params_bool(const struct params *, const char *name, bool fallback, bool *v,
    struct apierr *e);

/*
 * Refuse names that are neither in known (comma list) nor common to all
 * routes, naming the near miss. known NULL: the route takes its own elsewhere,
 * and a hint would mislead. path stands in the error. 0, or -1 with *e.
 */
int params_check(const struct params *, const char *known, const char *path,
    struct apierr *e);

/* The byte that the two hexadecimal digits at s stand for, or -1. */
int params_hex_byte(const char *s);

/*
 * Undo percent-encoding in place, and "+" where plus is set. Returns the new
 * length, or -1: a broken escape, a NUL, or no UTF-8.
 */
long params_decode(char *s, bool plus);

#endif
