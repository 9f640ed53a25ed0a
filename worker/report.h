/*
 * Results as the API knows them, made from what was found and handed to the
 * sink. Of the influencer fields a record names the values that account for
 * it: its own by and partition value, and of others those without which the
 * value would have come nearer to the typical one by at least 0.4 of the way.
 */
#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

#include "common/compat.h"

struct engine;
struct finding;

/* Write one record; notes which influencer fields it names. 0, or -1. */
int report_record(struct engine *, const struct finding *) MUST_CHECK;
/* Write the bucket that is judged, from the scopes of the judge. 0, or -1. */
int report_bucket(struct engine *) MUST_CHECK;

#endif
