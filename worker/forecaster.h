/*
 * Who makes a forecast: a child of the worker, which has the models as they
 * were when it was forked, and says what they expect through a pipe. Both ends
 * are one program, so frames are structs as they are in memory.
 */
#ifndef WORKER_FORECASTER_H
#define WORKER_FORECASTER_H

#include <stddef.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"

struct engine;

#define FORECAST_FRAME_MAX (128 * 1024) /* two names and more */
#define FORECAST_POINTS_MAX 1024	/* of a frame */

enum forecast_frame_type {
	FORECAST_SERIES,  /* of the points that follow: forecast_series */
	FORECAST_POINTS,  /* forecast_at_time[] */
	FORECAST_MESSAGE, /* text */
	FORECAST_DONE	  /* forecast_done; the last frame says the whole */
};

struct forecast_frame {
	uint32_t type;
	uint32_t len; /* bytes that follow */
};

/* Then the names, one after the other. */
struct forecast_series {
	uint32_t detector;
	uint32_t feature;
	int64_t by_len; /* -1: it has none */
	int64_t partition_len;
};

struct forecast_at_time {
	int64_t timestamp_ms;
	double lower;
	double upper;
	double prediction;
};

struct forecast_done {
	uint64_t series;
	uint64_t of;
};

/* What the engine can foretell from. */
struct forecast_scope {
	int64_t start_s; /* of the first bucket */
	uint64_t bytes;	 /* of the models */
};

/*
 * May it be made? 0: *s is set; or -1 with *e set (400, in the API's words).
 */
int forecaster_check(const struct engine *, const struct msg_forecast *,
    struct forecast_scope *s, struct apierr *e) MUST_CHECK;

/* In the child: all of it into fd. 0, or -1 with errno. */
int forecaster_run(
    const struct engine *, const struct msg_forecast *, int fd) MUST_CHECK;

#endif
