/*
 * Which values a series takes at all: a sample of its past, in order of size.
 * How far a value is from the third nearest of them tells whether it lies in
 * a gap between usual values, or beyond them all; for a density of any form
 * (Loftsgaarden and Quesenberry, Annals of Mathematical Statistics 36, 1965).
 */
#ifndef WORKER_SUPPORT_H
#define WORKER_SUPPORT_H

#include <stdint.h>

#include "common/compat.h"

#define SUPPORT_SIZE 64

struct support {
	float value[SUPPORT_SIZE]; /* ascending */
	uint32_t n;
	uint32_t dice; /* which one makes room: the same in each replay */
};

/* Distance from the third nearest value; 0 while there are fewer than 8. */
double support_distance(const struct support *, double x);

/* x may take the place of another. memory: how many values back it reaches */
void support_learn(struct support *, double x, double memory);

/* Replace each value v by to(v, arg), which does not change their order. */
void support_map(
    struct support *, double (*to)(double v, const void *arg), const void *arg);

#endif
