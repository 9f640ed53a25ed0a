/*
 * What each function makes of a bucket's records. A function that is not here
 * is accepted in a configuration, but no results are computed for it.
 */
#ifndef WORKER_FUNCTION_H
#define WORKER_FUNCTION_H

#include <stdbool.h>

#include "common/compat.h"
#include "common/jobconf.h"
#include "common/schema.h"
#include "worker/model.h"

/*
 * Everything about some records that a function may ask for.
 *
 * n      number of records, of events when they come summed up
 * sum    of values, with the part that rounding took from it in carry
 */
#define TALLY_FIELDS(F, S)                                                     \
	F(S, F64, n, 0, INFINITY)                                              \
	F(S, F64, sum, -INFINITY, INFINITY)                                    \
	F(S, F64, carry, -INFINITY, INFINITY)                                  \
	F(S, F64, least, -INFINITY, INFINITY)                                  \
	F(S, F64, greatest, -INFINITY, INFINITY)
SCHEMA_STRUCT(tally, TALLY_FIELDS);

/* Where the value of a bucket can still go while records are missing. */
enum function_drift {
	DRIFT_UP,   /* a count, a maximum */
	DRIFT_DOWN, /* a minimum */
	DRIFT_SIGN, /* a sum: up, as long as no value is negative */
	DRIFT_ANY,
};

struct function_plan {
	double (*value)(const struct tally *); /* n > 0 */
	enum model_kind model;
	bool empty_is_zero; /* else a bucket without records says nothing */
	bool adds_up;	    /* sum or count: parts add to the whole */
	bool times_events;  /* a value that stands for n events counts n-fold */
	enum function_drift drift;
};

/* NULL: not computed. */
const struct function_plan *function_plan(enum function_kind);

/* Add a value that stands for n events (n = 1 unless they are summed up). */
void tally_add(struct tally *, double value, double n, bool times_events);
/* a less its part b. Extremes stay as they are in a. */
struct tally tally_without(const struct tally *a, const struct tally *b);

#endif
