/*
 * What each function makes of a bucket's records. A function that is not here
 * is accepted in a configuration, but no results are computed for it.
 */
#ifndef WORKER_FEATURE_H
#define WORKER_FEATURE_H

#include <stdbool.h>

#include "common/compat.h"
#include "common/jobconf.h"
#include "worker/model.h"
#include "worker/tally.h"

/* Where the value of a bucket can still go while records are missing. */
enum feature_drift {
	DRIFT_UP,   /* a count, a maximum */
	DRIFT_DOWN, /* a minimum */
	DRIFT_SIGN, /* a sum: up, as long as no value is negative */
	DRIFT_ANY,
};

struct feature {
	double (*value)(const struct tally *); /* n > 0 */
	enum model_kind model;
	bool empty_is_zero; /* else a bucket without records says nothing */
	bool adds_up;	    /* sum or count: parts add to the whole */
	bool times_events;  /* a value that stands for n events counts n-fold */
	enum feature_drift drift;
};

/* NULL: not computed. */
const struct feature *feature_find(enum function_kind);

#endif
