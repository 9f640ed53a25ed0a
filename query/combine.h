/*
 * Overall buckets: what the scores of several jobs in the same windows of time
 * come to (results-and-models 3.2).
 */
#ifndef QUERY_COMBINE_H
#define QUERY_COMBINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

#define COMBINE_BUCKETS_MAX 10000 /* in an answer, as the API has it */
/* Scores of jobs in all of them together: 48 MB, and 250 MB of text. */
#define COMBINE_SCORES_MAX (4 * 1024 * 1024)

struct overall_bucket {
	int64_t timestamp_ms;
	double overall_score;
	bool is_interim;
	size_t first; /* its scores in combine.score and combine.job */
	size_t n;     /* how many; at least one */
};

struct combine {
	size_t njobs;
	uint32_t top_n;	  /* at least 1 */
	double least;	  /* overall score that a window must have */
	int64_t group_ms; /* length of an overall bucket */
	size_t n;
	struct overall_bucket *bucket; /* owned; rising in time */
	double *score;		       /* owned; the greatest of a job */
	uint32_t *job;		       /* owned; whose, rising in a bucket */
	size_t nscores;
	size_t buckets_cap, scores_cap;
	struct overall_bucket open; /* n 0: none */
	double *open_score;	    /* owned; of all jobs; NAN: none */
	double *sorted;		    /* owned; scratch */
};

/* 0, or -1 with ENOMEM; combine_clear in both cases. */
int combine_init(struct combine *, size_t njobs, uint32_t top_n, double least,
    int64_t group_ms) MUST_CHECK;
void combine_clear(struct combine *);

/*
 * Add a window that has a bucket; they come rising in time.
 *
 * score  of all jobs; NAN: it has no bucket there
 *
 * Returns 0, or -1 with errno: E2BIG (more than COMBINE_BUCKETS_MAX), EOVERFLOW
 * (more than COMBINE_SCORES_MAX), ENOMEM.
 */
int combine_window(struct combine *, int64_t timestamp_ms, const double *score,
    bool interim) MUST_CHECK;
/* There is no other window. As above. */
int combine_end(struct combine *) MUST_CHECK;

#endif
