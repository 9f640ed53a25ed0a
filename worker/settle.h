/*
 * What a death left of a revert (revert.h): finished, or undone, before
 * anything of the job is loaded. Paths are relative: the job's directory is the
 * current one.
 */
#ifndef WORKER_SETTLE_H
#define WORKER_SETTLE_H

#include "common/compat.h"
#include "worker/results.h"

/*
 * The state that a revert has made counts from the transaction on that has its
 * number in the results. Give it the name of a base then, else remove it.
 * Without such a file nothing is opened. Returns 0, or -1 with errno (logged).
 */
int settle_reverts(struct results *) MUST_CHECK;

#endif
