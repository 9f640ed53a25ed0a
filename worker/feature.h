/*
 * What each function makes of a bucket's records. A function that is not here
 * is accepted in a configuration, but no results are computed for it.
 */
#ifndef WORKER_FEATURE_H
#define WORKER_FEATURE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/jobconf.h"
#include "worker/model.h"
#include "worker/special.h"
#include "worker/statistic.h"

/* Where the value of a bucket can still go while records are missing. */
enum feature_drift {
	DRIFT_UP,   /* a count, a maximum */
	DRIFT_DOWN, /* a minimum */
	DRIFT_SIGN, /* a sum: up, as long as no value is negative */
	DRIFT_ANY,
};

/* What was told of a value. */
struct feature_told {
	double typical;
	double actual;
	uint32_t cell; /* of the odd events; specials only */
};

/* One value of a bucket. A function has one, or several with the same kind. */
struct feature {
	const char *description; /* of the function in results */
	/* Of one record at least; NULL: a special. NAN with ENOMEM. */
	double (*value)(const union statistic *);
	/* The value of a less its part b. false: nothing is left of it. */
	bool (*without)(
	    const union statistic *a, const union statistic *b, double *value);
	/* Of records in a, the share in b; NULL: not asked for. */
	double (*share)(const union statistic *a, const union statistic *b);
	/* In place of without: what a part accounts for, in one go. */
	double (*influence)(const union statistic *all,
	    const union statistic *part, const struct feature_told *);
	enum model_kind model;	   /* unless it is a special, */
	enum special_kind special; /* which has no models */
	enum statistic_kind statistic;
	enum function_side side; /* SIDE_BOTH: as the function says */
	enum feature_drift drift;
	bool empty_is_zero; /* else a bucket without records says nothing */
	bool times_events;  /* a value that stands for n events counts n-fold */
	bool forecastable;  /* its values can be foretold (6.2) */
	bool slow;	    /* value() takes milliseconds */
};

/* Features of one function: metric has most. */
#define FEATURES_MOST 3

/*
 * The features of a function, or NULL: not computed.
 *
 * summed  records stand for several events each
 * n       set to their number
 */
const struct feature *feature_find(
    enum function_kind, bool summed, uint32_t *n);

/* It tells that something is there, which is judged by its rarity. */
bool feature_is_rarity(const struct feature *);

/* The value of a bucket, within what models take; NAN with ENOMEM. */
double feature_value(const struct feature *, const union statistic *);

/*
 * How much of the way from the typical value to the actual one is due to the
 * records of one influencer's value, 0..1: what is gone of it without them.
 * Who is there cannot be what is missing of a count, a sum or a variance: there
 * it is the share of records.
 */
double feature_influence(const struct feature *, const union statistic *all,
    const union statistic *part, const struct feature_told *);

#endif
