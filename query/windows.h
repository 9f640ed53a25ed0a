/*
 * The greatest score that each job has in each of the windows of a stretch of
 * time. All windows are equally long and begin at multiples of their length.
 */
#ifndef QUERY_WINDOWS_H
#define QUERY_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

/*
 * Memory is for this many scores, 16 MB, or for one window of all jobs. More
 * windows than WINDOWS_MAX would make a look at those that hold little slow.
 */
#define WINDOWS_SCORES_MAX (2 * 1024 * 1024)
#define WINDOWS_MAX 65536

struct windows {
	size_t njobs;
	size_t n;	 /* windows */
	int64_t span_ms; /* of one */
	int64_t from_ms; /* the beginning of the first */
	int64_t to_ms;	 /* the end of the last */
	double *score;	 /* owned; of a window all jobs; NAN: no bucket */
	uint8_t *state;	 /* owned; of a window; 0: no bucket */
};

/* Both are positive. 0, or -1 with ENOMEM; windows_clear in both cases. */
int windows_init(struct windows *, size_t njobs, int64_t span_ms) MUST_CHECK;
void windows_clear(struct windows *);

/* Begin anew with the window that this time is in. */
void windows_begin(struct windows *, int64_t ms);
/* Add a bucket that begins within. */
void windows_add(
    struct windows *, size_t job, int64_t ms, double score, bool interim);
/* Window i has a bucket; one that is not final. */
bool windows_has(const struct windows *, size_t i);
bool windows_is_interim(const struct windows *, size_t i);
int64_t windows_time(const struct windows *, size_t i);
const double *windows_scores(const struct windows *, size_t i);

/* The multiple of span at or before ms, at or after it; within int64_t. */
int64_t windows_floor(int64_t ms, int64_t span_ms);
int64_t windows_ceil(int64_t ms, int64_t span_ms);

#endif
