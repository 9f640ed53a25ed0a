/*
 * Which series of a partition go together: what each of them remembers of its
 * errors, and the few others it is compared with.
 *
 * An error is in scales, as the model sees it. Of the last PAIRS_SEEN buckets
 * a series keeps on which side of its forecast it was. Two series are likely
 * to go together when these sides do so more than chance has it; that costs a
 * few words of memory and no more than counting bits. Such a candidate takes a
 * place among the nearest, and only what comes afterwards tells its
 * correlation: it is not that for which it was chosen.
 *
 * All of it follows from the values and their buckets. A series is known by
 * its number, which another may have later; so each has a birthday, too.
 */
#ifndef WORKER_PAIRS_H
#define WORKER_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/model.h"
#include "worker/snapshot.h"
#include "worker/tail.h"

/* Buckets of which sides are kept: a correlation of a half stands out. */
#define PAIRS_SEEN 256
#define PAIRS_WORDS (PAIRS_SEEN / 64)
/* Others that a series is compared with. */
#define PAIRS_NEAR 3
/* Pairs of a job, candidates and others (results-and-models 7.1). */
#define PAIRS_MOST 5000

/* The other of a pair, and sums of products of errors, fading. */
struct pair {
	uint32_t other; /* its number, */
	int64_t born;	/* and when it began to be remembered */
	double n;	/* buckets with both */
	double xx;	/* of the series by itself, */
	double yy;	/* of the other, */
	double xy;	/* of both */
};

struct paired {
	int64_t born;	/* number of its first bucket */
	int64_t newest; /* and of the last one that it knows */
	/* By the number of the bucket: whether, and where it was. */
	uint64_t there[PAIRS_WORDS];
	uint64_t above[PAIRS_WORDS];
	uint32_t entry; /* scratch: its own of together.h, in newest */
	uint32_t nnear;
	struct pair near[PAIRS_NEAR];
	struct tail tail[SIDES]; /* of surprises by what goes with it */
	double told[SIDES];	 /* as in the model */
};

/* To be embedded; zeroed is empty. */
struct pairs {
	struct paired **of; /* owned; [room]; by number of the series */
	uint32_t room;
	uint32_t npaired; /* of these */
	uint32_t npairs;  /* places that are taken among the nearest */
};

void pairs_clear(struct pairs *); /* frees; empty afterwards */

/*
 * Bytes that are allocated for a table of series that has so much room, and
 * has been made as large.
 */
size_t pairs_bytes(const struct pairs *, uint32_t room);

/* Make the table as large as that of series. 0, or -1 with ENOMEM. */
int pairs_reserve(struct pairs *, uint32_t room) MUST_CHECK;
/* Begin to remember a series that is not known. NULL with ENOMEM. */
struct paired *pairs_add(struct pairs *, uint32_t series, int64_t bucket);
/* NULL: nothing is known of it. */
struct paired *pairs_of(const struct pairs *, uint32_t series);
/* The series is given up, or memory is short. */
void pairs_forget(struct pairs *, uint32_t series);

/* In this bucket, later than all before, the error was so many scales. */
void paired_note(struct paired *, int64_t bucket, double z);

/*
 * How much more the sides of two that were noted in the same bucket go
 * together, or against each other, than those of strangers do: in standard
 * deviations of chance, >= 0. 0 while too little is known.
 */
double paired_likeness(const struct paired *, const struct paired *);

/* The series has it among its nearest. */
bool paired_has(const struct paired *, uint32_t other, int64_t born);
/* Take it up as a candidate, if there is a place. */
void paired_take(struct pairs *, struct paired *, uint32_t other, int64_t born);
/* What is in this place goes; the last one comes there. */
void paired_drop(struct pairs *, struct paired *, uint32_t place);

/* Errors of both in a bucket. */
void pair_learn(struct pair *, double x, double y);
/*
 * The share of the variance of x that y tells, 0..1: the squared correlation.
 */
double pair_share(const struct pair *);
/* Enough is known to say whether they go together; and they do. */
bool pair_is_known(const struct pair *);
bool pair_holds(const struct pair *);
/*
 * What y lets expect of x, and how far it is off: mean and standard deviation
 * of the next x, by the regression of x on y (a bivariate normal distribution
 * around zero, with unknown coefficients).
 */
double pair_expects(const struct pair *, double y, double *off);

/* All of them. 0, or -1 with errno; load wants it empty. */
int pairs_save(const struct pairs *, struct snapshot_writer *) MUST_CHECK;
int pairs_load(
    struct pairs *, uint32_t nseries, struct snapshot_reader *) MUST_CHECK;

#endif
