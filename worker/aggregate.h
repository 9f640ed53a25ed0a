/*
 * Many probabilities of one bucket to a single one: how likely is it that,
 * among so many, the few most unlikely are as unlikely as these
 * (results-and-models 4.4). Series are gathered so into their partition,
 * partitions into their detector, detectors into the bucket.
 *
 * For m = 1, 2, ... up to a limit: the probability that at least m of n
 * independent members are as unlikely as the m-th here. With m = 1 this is
 * 1 - (1 - p)^n, the correction for having looked in n places; greater m let
 * several members that are mildly unusual together speak for each other. The
 * least of them, times the number of m that were tried, would hold for
 * independent members. Members are not: the result lies half way (of the
 * logarithms) between it and that of m = 1.
 */
#ifndef WORKER_AGGREGATE_H
#define WORKER_AGGREGATE_H

#include <stdint.h>

#include "common/compat.h"

/*
 * Limits of m: values of one partition may move together, detectors look at
 * the same records and are no independent witnesses.
 */
#define AGGREGATE_SERIES 5
#define AGGREGATE_PARTITIONS 5
/* of people only the one who stands out most counts (4.4) */
#define AGGREGATE_PEOPLE 1
#define AGGREGATE_DETECTORS 1

struct aggregate {
	uint64_t n;			/* members */
	uint32_t nleast;		/* used of least */
	double least[AGGREGATE_SERIES]; /* least ln p, ascending */
};

void aggregate_clear(struct aggregate *);
void aggregate_add(struct aggregate *, double ln_p);
/* Of members that are one together: only the least is kept, as of one. */
void aggregate_least(struct aggregate *, double ln_p);
/* ln of the probability of the whole; 0 when it has no member. */
double aggregate_ln_p(const struct aggregate *, uint32_t most);

#endif
