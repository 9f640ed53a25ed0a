/* Owns what the limit of memory allows. */
#include "common/compat.h"

#include "worker/engine_int.h"
#include "worker/memory.h"

/* Share of the limit above which the status warns. */
#define MEMORY_SOFT 0.6
/*
 * And below which there is room for what is given up first. What that gives
 * back must not be enough to begin anew.
 */
#define MEMORY_PLENTY 0.4
/* Once refused, memory is allowed again below this share. */
#define MEMORY_AGAIN 0.98

uint64_t
memory_limit(const struct engine *e)
{
	return e->conf->model_memory_limit_mb * 1024 * 1024;
}

bool
memory_is_ample(const struct engine *e)
{
	return (double)engine_bytes(e) <= MEMORY_SOFT * (double)memory_limit(e);
}

bool
memory_is_plenty(const struct engine *e)
{
	return (double)engine_bytes(e) <=
	    MEMORY_PLENTY * (double)memory_limit(e);
}

bool
memory_allows(struct engine *e, struct bucket *b, size_t cost)
{
	uint64_t limit = memory_limit(e), bytes = engine_bytes(e) + cost;

	if (e->size.memory_status == MEMORY_HARD_LIMIT)
		limit = (uint64_t)(MEMORY_AGAIN * (double)limit);
	if (bytes <= limit)
		return true;
	if (!b->refused) {
		b->refused = true;
		e->size.bucket_allocation_failures_count++;
	}
	e->size.model_bytes_exceeded =
	    bytes > memory_limit(e) ? bytes - memory_limit(e) : cost;
	e->size.memory_status = MEMORY_HARD_LIMIT;
	return false;
}
