/*
 * What is usual at each time of a period: a table of slots, each the decayed
 * mean of the values that fell into it, cycle by cycle. Between the centres of
 * slots that are longer than a bucket the value is interpolated.
 *
 * A value that is foreign to its slot hardly changes it. When the next cycle
 * brings one like it, the pattern has changed, and the slot begins anew.
 *
 * How far values of a slot are usually off is kept beside it: a job that runs
 * a little earlier or later each night makes its edges rougher than the rest.
 */
#ifndef WORKER_SEASON_H
#define WORKER_SEASON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

struct season_slot {
	float value;
	uint8_t seen;	/* values in it, up to a limit; 0: not known */
	int8_t strange; /* foreign values in a row, by their sign */
	uint16_t rough; /* size of errors, in 256ths of a scale; 0: unknown */
};

struct season {
	int64_t period_s;
	int64_t span_s;	 /* of a bucket */
	int64_t slot_s;	 /* of a slot, a multiple of span_s */
	int64_t shift_s; /* the pattern comes earlier by so much */
	uint32_t nslots;
	struct season_slot slot[];
};

/*
 * A table that knows nothing yet. NULL with ENOMEM.
 *
 * period_s  at least span_s
 * most      number of slots that is not exceeded
 */
struct season *season_new(int64_t period_s, int64_t span_s, uint32_t most);

size_t season_bytes(const struct season *); /* NULL: 0 */

/* The usual value of the bucket that starts then. false: not known yet. */
bool season_at(const struct season *, int64_t time_s, double *value);

/*
 * The scale of errors at that time, in scales: 1 where nothing is known, and
 * never less, for a quiet hour is soon noisy.
 */
double season_roughness(const struct season *, int64_t time_s);

/* What was usual at any time comes so much earlier from now on. */
void season_shift(struct season *, int64_t shift_s);

/*
 * Learn the value of a bucket.
 *
 * scale  of what is left when the usual value is taken off
 */
void season_learn(struct season *, int64_t time_s, double value, double scale);

/* The mean of what is known; 0 if nothing is. */
double season_mean(const struct season *);

/* Replace each value v by to(v, arg). */
void season_map(
    struct season *, double (*to)(double v, const void *arg), const void *arg);

#endif
