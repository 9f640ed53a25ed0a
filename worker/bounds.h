/*
 * The interval in which the next value of a series is expected: the central
 * part of its predictive distribution before the value is seen, as the model
 * plot shows it and forecasts begin with it.
 *
 * It is made of the parts that make probabilities: the forecast and the scale
 * of errors at that time on the model's own scale, the negative binomial
 * distribution for few events, the share of zeros that stand beside the rest.
 * How many scales wide it has to be is not assumed but learnt, on each side
 * for itself: the width grows by a step when a value falls outside, and
 * shrinks by a small part of it when none does, so that in the long run as
 * many are outside as there should be, whatever the distribution and however
 * it changes (adaptive conformal inference: Gibbs and Candes, NeurIPS 2021).
 */
#ifndef WORKER_BOUNDS_H
#define WORKER_BOUNDS_H

#include <stdbool.h>

#include "common/compat.h"

struct model;
struct outlook;

/* The usual part of the distribution between lower and upper. */
#define BOUNDS_MASS 0.95

struct bounds {
	double lower; /* in the function's own unit */
	double median;
	double upper;
};

/*
 * mass  part of the distribution between them, 0 < mass < 1
 *
 * Of the outlook only what does not depend on its value is read: its kind,
 * forecast, expected value and scale. A copy with another forecast or a
 * greater scale gives the interval of that. Returns false while too little is
 * known; b is then unchanged.
 *
 * Never below 0 where nothing negative was seen; whole numbers for counts.
 */
bool model_bounds(
    const struct model *, const struct outlook *, double mass, struct bounds *);

/* Learn how wide they should have been; the value is not learnt yet. */
void bounds_learn(struct model *, const struct outlook *);

#endif
