/*
 * Days that are like another day of the week: a holiday is like a Sunday, and
 * the eve of one like a Friday. Once a day has gone wrong, its buckets are
 * compared with what is usual on each of the other six; when one of them has
 * been much better for some buckets, it stands in for the rest of the day, or
 * until the day is itself again.
 *
 * The test is a cumulative sum of ln likelihood ratios (Page, Biometrika 41,
 * 1954), which begins at a bucket that is clearly off, so that most days cost
 * nothing.
 */
#ifndef WORKER_LIKEDAY_H
#define WORKER_LIKEDAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/season.h"

#define LIKEDAY_DAYS 7

/* Zeroed: of no day. */
struct likeday {
	int64_t day;		/* of local time, since 1970 */
	uint32_t buckets;	/* since it went wrong; 0: it has not */
	uint32_t as;		/* stands in: so many days before; 0: none */
	float ln[LIKEDAY_DAYS]; /* how much better that day would be */
	float back;		/* the same of the day itself, once one does */
};

/* So many days before that time stands in for it; 0: none does. */
uint32_t likeday_at(const struct likeday *, int64_t time_s);

/*
 * Learn the value of a bucket.
 *
 * week    what is usual at each time of the week
 * value   without level: what the table tells
 * scale   of its errors
 */
void likeday_learn(struct likeday *, const struct season *week, int64_t time_s,
    double value, double scale);

#endif
