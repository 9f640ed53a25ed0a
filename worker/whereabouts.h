/*
 * People of a population by when or where they are: each by how usual his
 * times, or places, are among all that were seen of anybody (dial.h,
 * places.h), and by what is usual for himself (haunts.h).
 *
 * A surprise u = -ln p of the others counts u / (1 + w) where somebody was
 * about there in w buckets before, of which the oddest of his events speaks,
 * less ln of their number. All people's past surprises together (tail.h) say
 * how unlikely that is, and it is never less than what was seen can say
 * (special.h). All of a bucket are judged by what was known before it.
 */
#ifndef WORKER_WHEREABOUTS_H
#define WORKER_WHEREABOUTS_H

#include "common/compat.h"
#include "worker/people.h"

extern const struct people_kind whereabouts_kind;

struct whereabouts;
void whereabouts_free(struct whereabouts *); /* NULL is fine */

#endif
