/*
 * The comparison of people by its formulas (doc/engine.md, "Population"): every
 * value that was ever seen is kept, and all that is known of a crowd is summed
 * up from them anew for each bucket. Shares nothing with worker/crowd.c. For
 * tests.
 */
#ifndef TESTS_SLOW_CROWD_H
#define TESTS_SLOW_CROWD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compat.h"

#define SLOW_SCALES 3 /* as it is, root, logarithm */

/* What was seen of one of the people in a bucket, and what was said of it. */
struct slow_seen {
	int bucket; /* number of it in time */
	int who;
	int nth;     /* of the buckets that the crowd has known */
	bool learnt; /* there was something to compare it with */
	double x;
	double typical;
	double z;
	double own;
	double run;
	double row;	    /* buckets in a row in which he exceeded, with it */
	double surprise[2]; /* up, down */
	double run_surprise[2];
	double ln_p[2];
	double run_ln_p[2];
	double weight[2], excess[2]; /* as which it was learnt */
	double run_weight[2], run_excess[2];
};

/* What a bucket has taught. */
struct slow_bucket {
	int bucket;
	int n;
	int weighed;
	double size[SLOW_SCALES];
	double worth[SLOW_SCALES];
	int scale; /* that was chosen in it */
};

struct slow_crowd {
	bool counts;		/* else real numbers */
	double keep;		/* of what is known, for each bucket */
	struct slow_seen *seen; /* owned */
	size_t nseen;
	struct slow_bucket *bucket; /* owned */
	size_t nbuckets;
	/* Of the bucket at hand: */
	bool known;
	double bound;
	double median; /* of all */
	double learnt_middle;
};

/* Where the middle was expected. */
struct slow_forecast {
	bool known;
	double middle, low, high;
};

void slow_init(struct slow_crowd *, bool counts, double keep);
void slow_clear(struct slow_crowd *);

/*
 * A bucket of n people, no more than 511. What is said of them are the last n
 * of seen, in this order.
 */
void slow_judge(struct slow_crowd *, int bucket, int n, const int *who,
    const double *x, const struct slow_forecast *);

/* ln p of the member seen[i]; side: 1 up, -1 down, 0 both */
double slow_ln_p(const struct slow_crowd *, const struct slow_seen *, int side);

#endif
