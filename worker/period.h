/*
 * Looks for a period that nobody has named: a stretch of a series is kept,
 * and compared with itself at each distance (the autocorrelation function:
 * Box and Jenkins, Time Series Analysis, 1970). Values are measured from
 * their median in units of their usual distance from it, and none counts for
 * more than 3, so that a few spikes neither make a period nor hide one.
 *
 * Only a stretch of PERIOD_STEPS steps is seen, and its first half before:
 * of periods that have many buckets, steps of several buckets are asked for.
 */
#ifndef WORKER_PERIOD_H
#define WORKER_PERIOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

#define PERIOD_STEPS 512

/* To be allocated by whoever has it; plain data. */
struct period_probe {
	int64_t start_s;
	int64_t step_s;
	uint32_t nsteps;	  /* of the stretch that is looked at next */
	float mean[PERIOD_STEPS]; /* of the values of a step */
	uint8_t n[PERIOD_STEPS];  /* how many, up to 255; 0: none */
};

/* Begin at a time; step_s is a multiple of the bucket span. */
void period_begin(struct period_probe *, int64_t start_s, int64_t step_s);

/* Whether that time lies behind the stretch, or its first half. */
bool period_is_due(const struct period_probe *, int64_t time_s);

/* Nothing was found: wait for the rest. false: that was all of it. */
bool period_go_on(struct period_probe *);

/* A value; one of a time that is behind the stretch does not count. */
void period_add(struct period_probe *, int64_t time_s, double value);

/*
 * The period in seconds of what is due; 0 when there is none, or too little is
 * known. Work is of the order of PERIOD_STEPS squared.
 */
int64_t period_find(const struct period_probe *);

#endif
