/*
 * Feeds an engine with records that no reader has read, and keeps the results
 * that it writes. For tests and benchmarks.
 */
#ifndef TESTS_ENGINE_FEED_H
#define TESTS_ENGINE_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/engine.h"

#define FEED_DETECTORS 4
#define FEED_FIELDS 48
#define FEED_TEXT 40

/* What a test asks for; ends with a detector whose function is NULL. */
struct feed_detector {
	const char *function;
	const char *field;
	const char *by;
	const char *partition;
	const char *over;
	bool use_null;
	bool exclude_frequent;
};

struct feed_record {
	struct record_result r; /* its strings: copies below or static */
	char by[FEED_TEXT];
	char over[FEED_TEXT];
	char partition[FEED_TEXT];
	char leader[FEED_TEXT];
	char influencer[2][FEED_TEXT]; /* first value of the first two */
};

struct feed_influencer {
	struct influencer_result r; /* its value: the copy below */
	char value[FEED_TEXT];
};

struct feed {
	struct jobconf conf;
	struct detector detector[FEED_DETECTORS];
	char *influencer[FEED_FIELDS];
	char *field[FEED_FIELDS];
	struct engine *engine;
	struct field_value value[FEED_FIELDS + 1];
	struct record rec;

	struct feed_record *record; /* owned */
	size_t nrecords;
	struct feed_influencer *told; /* owned */
	size_t ninfluencers;
	size_t nrescores; /* runs, and how the last one was to be done */
	struct rescorer rescored;
	int rescore_left;
	struct bucket_result *bucket; /* owned */
	size_t nbuckets;
	size_t ndrops;	   /* calls of drop_interim */
	bool keep_nothing; /* count only */
	size_t fail_after; /* the sink fails after so many results; 0: never */
	size_t nwritten;
};

/*
 * Make a job and start its engine. influencers ends with NULL; may be NULL.
 * More of the configuration may be set in f->conf before feed_start.
 */
void feed_init(struct feed *, int64_t span_s,
    const struct feed_detector *detectors, const char *const *influencers);
void feed_start(struct feed *);
void feed_clear(struct feed *);

/* Set a field of the next record; NULL: absent. It stays set. */
void feed_set(struct feed *, const char *field, const char *text);
/* The number of a field, for feed_put; aborts when there is none. */
size_t feed_field(const struct feed *, const char *field);
void feed_put(struct feed *, size_t field, const char *text, size_t len);

/* Time passes: everything due is done. 0, or -1. */
int feed_advance(struct feed *, int64_t time_s) MUST_CHECK;
/* Interim results of a range, all slices of them. 0, or -1. */
int feed_interim(struct feed *, int64_t start_s, int64_t end_s) MUST_CHECK;
/* A record of the fields that are set. 0, or -1. */
int feed_add(struct feed *, int64_t time_s) MUST_CHECK;

/* Replace the engine by one that is loaded from the snapshot of this one. */
void feed_restart(struct feed *);

/* The record, or bucket, with the highest score; NULL without any. */
const struct feed_record *feed_top_record(const struct feed *);
const struct bucket_result *feed_top_bucket(const struct feed *);

#endif
