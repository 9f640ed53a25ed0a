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
struct json_object;

enum option_type {
	OPTION_BOOL,	  /* bool */
	OPTION_DATE_MS,	  /* int64_t, epoch ms; "" leaves it unset */
	OPTION_DATE_TEXT, /* const char *, as OPTION_STRING; also a number */
	OPTION_INT,	  /* int64_t */
	OPTION_DOUBLE,	  /* double, finite */
	OPTION_STRING,	  /* const char *, until options_clear */
	OPTION_DURATION,  /* int64_t, milliseconds */
};

enum option_flag {
	OPTION_PAGED = 1, /* in a body it is a member of the object "page" */
	OPTION_NULL = 2,  /* null in a body leaves it unset */
	OPTION_BESIDE = 4 /* may be in the query beside a body, which wins */
};

struct option {
	const char *name;
	enum option_type type;
	size_t offset; /* in the target */
	unsigned flags;
};

#define OPTIONS_MAX 16 /* in one table */

struct option_table {
	const char *parser; /* named in errors about the body */
	const struct option *option;
	size_t n;
	bool lenient; /* unknown fields of a body are passed over */
};

/* What was read, to see which options were given. */
struct options {
	const struct option_table *table;
	uint64_t given;		  /* bit i: option[i] was in the request */
	struct json_object *body; /* owned: what was read of the body */
};

/*
 * Read the options of a call into target, whose members keep their defaults
 * when not given. A body, if there is one, is read instead of the query, and
 * options in the query beside it, but for those that may be there, are refused
 * as unrecognized. Every body may name the job, which the path does already:
 * that is taken and forgotten.
 *
 * Returns 0, or -1 with *e set (400, 503). options_clear in both cases.
 */
int options_read(struct options *, const struct option_table *, struct call *,
    void *target, struct apierr *e) MUST_CHECK;
bool options_given(const struct options *, const char *name);
void options_clear(struct options *);

/* Bounds of a page; both are 32-bit. Returns 0, or -1 with *e set (400). */
int options_page(int64_t from, int64_t size, struct apierr *e);

/*
 * A date in whole seconds; NULL and "" leave it TIME_UNSET.
 *
 * param  named in the error
 *
 * Returns 0, or -1 with *e set (400).
 */
int options_seconds(
    const char *param, const char *text, int64_t *s, struct apierr *e);
/*
 * The range from start to end, both as options_seconds. With a start, an end
 * that is absent or the same is a second later. Errors name [start] and [end],
 * whatever the parameters are called.
 */
int options_time_range(const char *start, const char *end, int64_t *start_s,
    int64_t *end_s, struct apierr *e);

#endif
