/*
 * Giving up of series that have had no data for long, so that their memory
 * and their numbers serve others (results-and-models 10). What is not split by
 * a field is never given up.
 */
#ifndef WORKER_PRUNE_H
#define WORKER_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"

struct engine;

/* Give the series up if that is due at the bucket that is being judged. */
bool prune_series(struct engine *, uint32_t series);

/*
 * Time has passed from one bucket's start to another's: each hour for which
 * memory is short makes the window smaller, each other one larger again.
 */
void prune_pass_time(struct engine *, int64_t from_s, int64_t to_s);

#endif
