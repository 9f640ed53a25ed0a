/*
 * The raw score of a probability: how loud one event is by itself, before the
 * job's own history has its say (results-and-models 4.3).
 */
#ifndef WORKER_SCORE_H
#define WORKER_SCORE_H

#include "common/compat.h"

/* From this probability upwards nothing is worth a score. */
#define SCORE_LN_UNREMARKABLE (-2.9957322735539909934) /* ln 0.05 */

/* ln_p <= 0; what lies below the least normal double counts as that. 0..100 */
double score_raw(double ln_p);

/* The ln_p that has this raw score, 0 <= raw <= 100; ln 0.05 for 0. */
double score_ln_probability(double raw);

/* The probability as it is shown: never below PROBABILITY_MIN. */
double score_probability(double ln_p);

/*
 * How much of an anomaly is due to the buckets before it, -5 (nothing) to 5
 * (all of it), in steps of 0.01, of the probabilities of this bucket and of the
 * last ones together.
 */
#define SCORE_IMPACT_MOST 5.0
double score_multi_bucket_impact(double ln_p_single, double ln_p_multi);

#endif
