/*
 * The options of a request that come in the query or in a JSON body: declared
 * in a table, read from wherever they are.
 */
#ifndef SUPERVISOR_OPTIONS_H
#define SUPERVISOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"

struct call;

enum option_type {
	OPTION_BOOL,	 /* bool */
	OPTION_DATE_MS,	 /* int64_t, epoch ms; null and "" leave it unset */
	OPTION_INT,	 /* int64_t */
	OPTION_DOUBLE,	 /* double, finite */
	OPTION_STRING,	 /* const char *, lives as long as the call */
	OPTION_DURATION, /* int64_t, milliseconds */
};

struct option {
	const char *name; /* in a body, "page.from" is from within page */
	enum option_type type;
	size_t offset; /* in the target */
	bool body_only;
	bool query_only;
	const char *param; /* generic name in date errors; NULL: name */
};

/* What was read, to see which options were given. */
struct options {
	const struct option *table;
	size_t n;
	uint64_t given; /* bit i: table[i] was in the request */
	void *body;	/* owned: the parsed body */
};

/*
 * Read the options of a call into target, whose members keep their defaults
 * when not given. A body, if there is one, is read instead of the query, and
 * query options beside it are refused as unrecognized.
 *
 * parser  names the parser in errors about the body
 *
 * Returns 0, or -1 with *e set (400). options_clear in both cases.
 */
int options_read(struct options *, const struct option *table, size_t n,
    struct call *, const char *parser, void *target, struct apierr *e);
bool options_given(const struct options *, const char *name);
void options_clear(struct options *);

#endif
