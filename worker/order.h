/*
 * The median of values, as they come: a histogram of at most so many bins.
 *
 * A bin is a range of the bits of a double, which have the order of the values
 * once the sign is seen to: to begin with a bin is one value, and the median
 * is exact. When there is no bin left, each two neighbours become one. So a
 * bin is the same part of a power of two everywhere: which bins there are, and
 * how wide, follows from the values and not from their order, and a part can
 * be taken out of the whole.
 *
 * Beyond ORDER_BINS different values the median is interpolated within its
 * bin, so it errs by less than the bin's width. At least half of the bins are
 * in use then: values within one power of two (256 to 512) err by less than
 * 1/128 of it, values that span k powers of two by less than k/128.
 */
#ifndef WORKER_ORDER_H
#define WORKER_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/snapshot.h"

#define ORDER_FIRST_BINS 4 /* that it begins with */
#define ORDER_BINS 256	   /* of all values of a bucket: 4 KB */
#define ORDER_PART_BINS 64 /* of those that came with an influencer's value */

struct order_bin {
	uint64_t key; /* the bits above the shift */
	double n;     /* values in it */
};

struct order {
	double n;
	uint32_t shift;
	uint32_t nbins;
	uint32_t room;
	struct order_bin bin[]; /* keys ascend */
};

/*
 * Add a value; NULL is an empty one, and it may move.
 *
 * most  ORDER_BINS or ORDER_PART_BINS, always the same; or less, if it is to
 *       get coarser rather than to grow beyond that: ORDER_FIRST_BINS at the
 *       least, and a power of two times that
 *
 * Returns 0, or -1 with ENOMEM.
 */
int order_add(struct order **, double value, uint32_t most) MUST_CHECK;

/* n > 0. Of an even number of values: the mean of the two in the middle. */
double order_median(const struct order *);

/* The median of a less its part b. false: nothing is left. */
bool order_median_without(
    const struct order *a, const struct order *b, double *median);

size_t order_bytes(const struct order *); /* NULL: 0 */

/* 0, or -1 with errno. What is loaded is *o, which is NULL before. */
int order_save(const struct order *, struct snapshot_writer *) MUST_CHECK;
int order_load(
    struct order **o, uint32_t most, struct snapshot_reader *) MUST_CHECK;

#endif
