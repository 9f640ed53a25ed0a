/*
 * The worker, but for three inputs of which it dies: a record, an interval of
 * interim results, and an upload that names an interval to be reset. So a test
 * can have the real program crash at a known place.
 */
#include "common/compat.h"

#include <stdlib.h>

#include "worker/arrival.h"
#include "worker/engine.h"

#define DEADLY_S 1403999999 /* seconds since the epoch, of all three */

/* The linker's option --wrap gives these names. */
int __real_engine_add(struct engine *, int64_t, const struct record *);
int __wrap_engine_add(struct engine *, int64_t, const struct record *);
int __real_engine_interim(struct engine *, int64_t, int64_t);
int __wrap_engine_interim(struct engine *, int64_t, int64_t);
int __real_arrival_decode(
    struct arrival *, int64_t, uint64_t *, struct apierr *);
int __wrap_arrival_decode(
    struct arrival *, int64_t, uint64_t *, struct apierr *);

int
__wrap_engine_add(struct engine *e, int64_t time_s, const struct record *rec)
{
	if (time_s == DEADLY_S)
		abort();
	return __real_engine_add(e, time_s, rec);
}

int
__wrap_engine_interim(struct engine *e, int64_t start_s, int64_t end_s)
{
	if (start_s == DEADLY_S)
		abort();
	return __real_engine_interim(e, start_s, end_s);
}

int
__wrap_arrival_decode(struct arrival *a, int64_t deadline_us,
    uint64_t *progress, struct apierr *e)
{
	if (a->reset_start_s == DEADLY_S)
		abort();
	return __real_arrival_decode(a, deadline_us, progress, e);
}
