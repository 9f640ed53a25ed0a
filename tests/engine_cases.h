/*
 * What tests of the engine begin with: detectors, and records of no great
 * variety. Each aborts when the engine refuses one.
 */
#ifndef TESTS_ENGINE_CASES_H
#define TESTS_ENGINE_CASES_H

#include <stddef.h>
#include <stdint.h>

#include "tests/engine_feed.h"

#define SPAN 600
#define T0 1454020200 /* the start of a bucket, s */

extern const struct feed_detector count_all[];
extern const struct feed_detector mean_v[];
extern const struct feed_detector mean_split[];
extern const char *const both_split[];

/* A record with this value in a field. */
void add_value(struct feed *, int64_t time_s, const char *field, double v);
/* n records of one time. */
void add_times(struct feed *, int64_t time_s, int n);
/* n buckets of `each` records. Returns the start of the next one. */
int64_t add_buckets(struct feed *, int64_t time_s, int n, int each);
/* A started engine that counts all records. */
void start_counting(struct feed *);
size_t buckets_scoring(const struct feed *, double least);
/* For clock_fake: then an engine has many slices. */
int64_t each_look_takes_400_us(void);

#endif
