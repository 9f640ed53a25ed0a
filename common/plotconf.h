/*
 * What of a job's series is to be written down beside results: the
 * model_plot_config of its configuration (jobs-and-data 2.8).
 */
#ifndef COMMON_PLOTCONF_H
#define COMMON_PLOTCONF_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compat.h"

struct json_object;

/* Zeroed: nothing. */
struct plotconf {
	bool enabled;
	bool annotations; /* of changes of models */
	char **term;	  /* owned; values of by, over and partition fields */
	size_t nterms;	  /* 0: all of them */
};

/*
 * Read the object; NULL: there is none. The old contents are not freed. False
 * when memory is out; clear what there is then.
 */
bool plotconf_take(struct plotconf *, struct json_object *) MUST_CHECK;

/* The same of another one. */
bool plotconf_copy(struct plotconf *, const struct plotconf *) MUST_CHECK;

void plotconf_clear(struct plotconf *);

/* Whether a value of len bytes is wanted. */
bool plotconf_has(const struct plotconf *, const char *value, size_t len);

#endif
