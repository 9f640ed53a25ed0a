/*
 * What a model expects of buckets that are still to come, and how far off that
 * may be: the base and the level go on, the slope fades, and the interval
 * widens with the horizon as errors at such horizons were seen to (horizon.h).
 * Pure: nothing is learnt.
 */
#ifndef WORKER_FORECAST_H
#define WORKER_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/model.h"

/* Values without which there is nothing to go by. */
#define FORECAST_LEAST 24.0

struct forecast {
	double lower; /* of 95 %, within what the values can be */
	double upper;
	double prediction;
};

/* Enough is known of it. */
bool forecast_is_known(const struct model *);

/*
 * ahead   buckets from the last one that was learnt, 1 or more
 * time_s  start of the bucket that is foretold, by the clocks of the model
 */
void forecast_at(const struct model *, enum model_kind, int64_t time_s,
    double ahead, struct forecast *);

#endif
