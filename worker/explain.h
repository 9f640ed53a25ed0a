/* Why a value is told as a record: what the outlook on it was. */
#ifndef WORKER_EXPLAIN_H
#define WORKER_EXPLAIN_H

#include "common/compat.h"
#include "common/explanation.h"
#include "worker/crowd.h"
#include "worker/model.h"

/*
 * Of a value that is not learnt yet. Impacts are digits of a probability and
 * are given from 0.05 downwards; the bounds are of 95 % of values, as if
 * errors were normal on the scale of the model. What this engine has no idea
 * of (a variance that varies with the time, half-filled buckets, the shape of
 * an episode) is not said.
 *
 * ln_p  what model_ln_p made of it
 */
void explain(const struct model *, const struct outlook *, enum function_side,
    double ln_p, struct explanation *);

/*
 * The same of one of the people of a population: impacts are those of his
 * probabilities by themselves, however many others there are, and bounds those
 * of the others.
 *
 * row	 buckets in a row, before this one, in which he was far out; < 0: that
 *	 is not known
 * ln_p	 what crowd_ln_p made of it
 */
void explain_person(const struct crowd_view *, const struct crowd_place *,
    enum function_side, double row, double ln_p, struct explanation *);

/* Half the width of the interval that holds 95 % of a normal distribution. */
#define EXPLAIN_WIDTH 1.9599639845400545

/* The same of a value that has no model: the probability is all there is. */
void explain_single(double ln_p, struct explanation *);

#endif
