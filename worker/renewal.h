/*
 * When the scores of earlier results are made again, and what they become
 * (results-and-models 4.7): their raw scores against the history of now, and
 * the largest of it.
 *
 * Decided by the time and the number of results alone, so that a replay does
 * it at the same buckets: at once when the loudest bucket of a scope is
 * clearly louder than all before; else after six hours of data, once there
 * are so many new results that all that is looked at is no more than four
 * times as much.
 */
#ifndef WORKER_RENEWAL_H
#define WORKER_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/snapshot.h"

struct engine;
struct jobconf;

/* To be embedded; zeroed is new but for window_s, which is renewal_init's. */
struct renewal {
	int64_t window_s; /* results of so long ago are scored again */
	double keep;	  /* what a bucket leaves of load */
	bool began;
	int64_t since_s; /* bucket of the last time */
	double written;	 /* scores since then */
	double load;	 /* about how many there are in the window */
	bool louder;	 /* the bucket at hand is */
	bool under_way;
	bool at_close; /* engine_renew has begun */
	int64_t now_s; /* what is scored again begins before */
};

void renewal_init(struct renewal *, const struct jobconf *);

/*
 * A bucket became final with so many scores: is it time? Then renewal_step is
 * to be called until it returns 0, or -1 with errno of the sink, after which
 * the same step may be tried again.
 */
bool renewal_is_due(struct renewal *, int64_t bucket_s, uint64_t scores);
int renewal_step(struct engine *) MUST_CHECK;

/* A scope's raw score of this bucket, over its largest, faded, of before. */
void renewal_note(struct renewal *, double raw, double peak);

/* 0, or -1 with errno. */
int renewal_save(const struct renewal *, struct snapshot_writer *) MUST_CHECK;
int renewal_load(struct renewal *, struct snapshot_reader *) MUST_CHECK;

#endif
