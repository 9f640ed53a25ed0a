/*
 * Taking forecasts away, with their points: those that somebody names, or those
 * that have expired. In slices, each a transaction; the rows of the requests go
 * first, and what a death in between leaves of points goes with the next
 * removal.
 */
#ifndef WORKER_FORECASTDEL_H
#define WORKER_FORECASTDEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "worker/forecasts.h"
#include "worker/results.h"

struct forecastdel {
	struct results *results; /* borrowed, like the next three */
	struct forecasts *forecasts;
	const char *job_id;
	const char *ids;    /* a list of ids and wildcards; NULL: expired */
	bool allow_none;    /* of what a wildcard means */
	int64_t expired_ms; /* by then */
	size_t phase;
	int64_t after; /* rows up to this id are done with in the phase */
	size_t found;
	char busy[512]; /* those that cannot be removed; cut */
	uint64_t gone;	/* forecasts and points removed */
};

/*
 * Nothing may be under way in the results. Returns 1: there is more to do; 0:
 * done, and forecasts_tell knows how many are left; -1 with *e set: none is
 * removed that was not before.
 */
int forecastdel_step(struct forecastdel *, int64_t deadline_us,
    uint64_t *progress, struct apierr *e) MUST_CHECK;

#endif
