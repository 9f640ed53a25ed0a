/*
 * What one series is expected to do next: an average over conjugate families,
 * each weighted by how well it has foretold the series (Bayesian model
 * averaging):
 *
 *	normal      any value
 *	log-normal  as long as no value was negative
 *	Poisson     counts only
 *
 * Zero is set apart for the first two: a series that is often exactly zero is
 * no scatter around a level. They describe the other values, and the share of
 * zeros is learnt beside them.
 *
 * The path of a value: model_judge says how unlikely it is, then model_learn
 * takes it in, with less weight when it was an outlier. A run of outliers is a
 * change of the series: then most of the past is forgotten.
 *
 * Constant size, constant work.
 */
#ifndef WORKER_MODEL_H
#define WORKER_MODEL_H

#include <stdint.h>

#include "common/compat.h"
#include "common/jobconf.h"
#include "worker/normal.h"
#include "worker/poisson.h"
#include "worker/snapshot.h"

enum model_kind { MODEL_REAL, MODEL_COUNT };

/* Values beyond this are no measurements; within it squares stay finite. */
#define MODEL_VALUE_MAX 1e100

#define MODEL_STATE_FIELDS(F, S)                                               \
	F(S, F64, zeros, 0, INFINITY)                                          \
	F(S, F64, ln_normal, -INFINITY, 0)                                     \
	F(S, F64, ln_log, -INFINITY, 0)                                        \
	F(S, F64, ln_poisson, -INFINITY, 0)                                    \
	F(S, F64, outliers, 0, INFINITY)                                       \
	F(S, U32, run, 0, INFINITY)                                            \
	F(S, BOOL, negative, 0, 1)
/*
 * zeros       decayed weight of zeros
 * ln_...      logarithm of each family's weight, the greatest is 0
 * outliers    decayed number of outliers
 * run         outliers in a row
 * negative    a value below zero was seen
 */
SCHEMA_STRUCT(model_state, MODEL_STATE_FIELDS);

struct model {
	struct normal level; /* values other than zero */
	struct normal log_level;
	struct poisson rate; /* MODEL_COUNT only */
	struct model_state s;
};

void model_init(struct model *);

/*
 * ln of the probability of a value at least as unlikely as x, on the side that
 * counts; 0 while too little is known. From 0.05 upwards probabilities score
 * nothing and are not told apart: they may come back as ln 1.
 *
 * x  |x| <= MODEL_VALUE_MAX; for MODEL_COUNT a number of events, >= 0
 */
double model_judge(
    const struct model *, enum model_kind, enum function_side, double x);

/* The value that was expected: the centre of the best family. */
double model_typical(const struct model *, enum model_kind);

/* Learn x, which model_judge found of probability e^ln_p on both sides. */
void model_learn(struct model *, enum model_kind, double x, double ln_p);

/* Keep this share of what was learnt, but always a minimum to judge by. */
void model_forget(struct model *, double keep);

/* The order of the parts is the model's own. 0, or -1 with errno. */
int model_save(const struct model *, struct snapshot_writer *) MUST_CHECK;
int model_load(struct model *, struct snapshot_reader *) MUST_CHECK;

#endif
