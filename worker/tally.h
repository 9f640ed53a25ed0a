/*
 * Statistics of some records: everything about their values that a function
 * may ask for.
 */
#ifndef WORKER_TALLY_H
#define WORKER_TALLY_H

#include <stdbool.h>

#include "common/compat.h"
#include "common/schema.h"

/*
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

/*
 * Add a value that stands for n events (n = 1 unless they are summed up), and
 * goes into the sum once, or n times if it is what each event had.
 */
void tally_add(struct tally *, double value, double n, bool times_events);
/* a less its part b. Extremes stay as they are in a. */
struct tally tally_without(const struct tally *a, const struct tally *b);

#endif
