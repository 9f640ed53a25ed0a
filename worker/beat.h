/*
 * Interim results that nobody has asked for: of an open job that has nothing
 * else to do, a while after the last ones, when records have come since. They
 * take a place in the line like a flush, which is in no journal, and only a
 * tenth of the time at the most, so that a job with many series keeps up.
 */
#ifndef WORKER_BEAT_H
#define WORKER_BEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/analysis.h"
#include "worker/backlog.h"

/* To be embedded; zeroed never beats. */
struct beat {
	struct analysis *analysis; /* borrowed */
	int64_t interval_us;	   /* 0: never */
	int64_t began_us;
	int64_t ended_us;
	bool under_way;
};

/*
 * The job is open. When workers have died of interim results that were made by
 * themselves, none are until the next start (logged).
 */
void beat_init(struct beat *, struct analysis *, uint64_t interval_s);

/* Milliseconds until beat_work is to be called, or -1: nothing is new. */
int beat_timer_ms(const struct beat *, const struct backlog *);

/*
 * Put what is due into the line, which should have nothing else in it. Returns
 * 0, or -1 with ENOMEM.
 */
int beat_work(struct beat *, struct backlog *) MUST_CHECK;

#endif
