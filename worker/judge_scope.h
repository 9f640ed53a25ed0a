/*
 * The last that is said of a bucket: its scopes, and the bucket itself. What
 * they were like becomes the history of later ones.
 */
#ifndef WORKER_JUDGE_SCOPE_H
#define WORKER_JUDGE_SCOPE_H

#include "common/compat.h"

struct engine;

/* A step of the judge (judge.h): writes the bucket, and sets what is next. */
int judge_step_bucket(struct engine *) MUST_CHECK;

#endif
