/*
 * Results as the API knows them, made from what was found and handed to the
 * sink.
 */
#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

#include "common/compat.h"

struct engine;
struct culprit;
struct finding;

/* Write one record. 0, or -1. */
int report_record(struct engine *, const struct finding *) MUST_CHECK;
/* Write what was found of one influencer value, if it is wanted. 0, or -1. */
int report_influencer(struct engine *, const struct culprit *) MUST_CHECK;
/* Write the bucket that is judged, from the scopes of the judge. 0, or -1. */
int report_bucket(struct engine *) MUST_CHECK;

#endif
