/*
 * The look at a series that others give: once all series of a bucket are
 * judged by their own past, those of detectors with multivariate_by_fields
 * are asked whether they did what those did that they go with (pairs.h). Only
 * of final buckets: of others more may come.
 *
 * For a pair whose errors x and y have the correlation r the errors of x given
 * y are
 *
 *	e = (x - b y) / s,  b = sum xy / sum yy,
 *	s^2 = (1 - r^2) mean xx (1 + 1/n + y^2 / sum yy)
 *
 * (regression with unknown coefficients: Draper and Smith, Applied Regression
 * Analysis, 1966), at least 0.1 scales wide. The same is asked of the errors
 * of the slow forecasts, and the nearer one counts, so that the way back is
 * not odd. Then comes a tail (tail.h) of e's own. Of those that are about as
 * sure the one that speaks for x is heard: one of three that leaves the other
 * two is odd, and they are not. Who is odd by itself is no witness.
 */
#ifndef WORKER_TOGETHER_H
#define WORKER_TOGETHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/jobconf.h"

struct engine;
struct engine_detector;
struct finding;
struct model;
struct outlook;
struct together_entry;

/* Of the bucket at hand; empty between buckets. Zeroed is empty. */
struct together {
	struct together_entry *entry; /* owned */
	uint32_t n;
	uint32_t cap;
	uint32_t *order; /* owned; [n]; entries, one partition after another */
	uint32_t *first; /* owned; [partitions + 1]; where each begins there */
};

/* Whether the series of the detector are to be asked. */
bool together_is_for(const struct engine *, const struct engine_detector *);

/*
 * While a series is judged: room for it (0, or -1 with ENOMEM), then what its
 * model says before it learns, then what it would tell by itself, if it may
 * tell at all.
 */
int together_reserve(struct engine *, uint32_t series) MUST_CHECK;
void together_see(struct engine *, const struct model *, const struct outlook *,
    enum function_side);
void together_note(struct engine *, const struct finding *, bool speaks);

/*
 * All have been noted: some of them have their say. 1: there are more; 0; -1
 * with ENOMEM.
 */
int together_step(struct engine *) MUST_CHECK;

void together_clear(struct together *);

#endif
