/* A series and its model, for tests: one value is learnt after the other. */
#ifndef TESTS_MODEL_SERIES_H
#define TESTS_MODEL_SERIES_H

#include "common/compat.h"
#include "tests/random.h"
#include "worker/model.h"

#define SPAN 900
#define DAY_BUCKETS (86400 / SPAN)

struct series {
	struct model m;
	struct model_params p;
	enum model_kind kind;
	struct random r;
	int64_t time_s;
};

void series_begin(struct series *, enum model_kind, uint64_t seed);
void series_end(struct series *);
/* ln p of a value of the next bucket, which is not learnt. */
double ask(const struct series *, enum function_side, double x);
/* What is expected of the next bucket. */
double expected(const struct series *);
/* Learn the value of the next bucket; returns its ln p, on both sides. */
double learn(struct series *, double x);
/* n values of a normal distribution. */
void learn_normal(struct series *, size_t n, double mean, double sd);

#endif
