/*
 * Values that scatter normally around a level, mean and spread unknown. Its
 * conjugate prior is the normal-gamma; without prior knowledge the posterior
 * is given by the weight, the mean and the sum of squares of what was learnt,
 * and the next value has a Student distribution. The model of values, and of
 * their logarithms.
 */
#ifndef WORKER_NORMAL_H
#define WORKER_NORMAL_H

#include <stdbool.h>

#include "common/compat.h"
#include "common/schema.h"

/* A mean stays in the range whose squares a double can sum. */
#define NORMAL_FIELDS(F, S)                                                    \
	F(S, F64, n, 0, INFINITY)                                              \
	F(S, F64, mean, -INFINITY, INFINITY)                                   \
	F(S, F64, squares, 0, INFINITY)
SCHEMA_STRUCT(normal, NORMAL_FIELDS);

/* What is expected of the next value: location + scale * T, T Student. */
struct student {
	double location;
	double scale;
	double df;
};

/* Learn x with a weight > 0 (West, CACM 22(9), 1979). */
void normal_learn(struct normal *, double x, double weight);
/* Keep this share of what was learnt, 0..1. */
void normal_forget(struct normal *, double keep);

/*
 * What is expected next.
 *
 * least_sd   the spread is at least this much: data without noise must not
 *            make a change in the last digit the rarest of events
 * rounding   variance added because values stand for intervals (counts: 1/12)
 *
 * Returns false while there is too little to say anything.
 */
bool normal_expect(
    const struct normal *, double least_sd, double rounding, struct student *);

/* Distance from the location in scales, at least 0 after less is taken off. */
double student_distance(const struct student *, double x, double less);

#endif
