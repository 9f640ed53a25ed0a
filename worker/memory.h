/*
 * The memory of a job's models against its limit (results-and-models 10).
 * Every figure is a function of the numbers of elements, so that a job that
 * is replayed decides as it did.
 *
 * Above MEMORY_SOFT of the limit series get no tables of seasons any more, and
 * the window within which a series must have data shrinks by the hour, so that
 * what is rarely seen makes room. At the limit no new series are made; those
 * that are known go on.
 */
#ifndef WORKER_MEMORY_H
#define WORKER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

struct bucket;
struct engine;

/* Bytes that models may take. */
uint64_t memory_limit(const struct engine *);

/*
 * Whether so many bytes more are allowed for a new series. If not, the bucket
 * is counted as one in which memory was refused.
 */
bool memory_allows(struct engine *, struct bucket *, size_t cost);

/* Whether models that are there may grow. */
bool memory_is_ample(const struct engine *);
/* The same of what is the first to go when memory is short. */
bool memory_is_plenty(const struct engine *);

#endif
