/* Owns interim results: of buckets that are still open. */
#include "common/compat.h"

#include <errno.h>

#include "common/clock.h"
#include "worker/engine_int.h"

/* Whether the bucket that starts then ends behind, and begins before. */
static bool
is_within(const struct engine *e, int64_t at_s, int64_t start_s, int64_t end_s)
{
	return (start_s == TIME_UNSET || at_s + e->span_s > start_s) &&
	    (end_s == TIME_UNSET || at_s < end_s);
}

/* 1: there is more; 0: all open buckets are done; -1 with errno. */
static int
interim_step(struct engine *e, int64_t start_s, int64_t end_s)
{
	int more;

	if (e->judge.phase == JUDGE_IDLE) {
		if (e->interim_s > e->target_s)
			return 0;
		if (is_within(e, e->interim_s, start_s, end_s)) {
			e->interim_left = true;
			judge_begin(
			    e, engine_bucket(e, e->interim_s), true, false);
		} else {
			e->interim_s += e->span_s;
		}
		return 1;
	}
	more = judge_step(e);
	if (more == -1)
		judge_abandon(e);
	if (more != 0)
		return more;
	e->interim_s += e->span_s;
	return 1;
}

/* Returns 1: to be called again; 0: e->interim_s is set; -1 with errno. */
static int
interim_begin(struct engine *e)
{
	int more;

	if (engine_is_busy(e)) {
		errno = EBUSY;
		return -1;
	}
	more = engine_drop_interim(e);
	if (more == 0)
		e->interim_s = e->next_s;
	return more;
}

int
engine_interim(struct engine *e, int64_t start_s, int64_t end_s)
{
	int64_t stop = clock_mono_us() + ENGINE_SLICE_US;
	int rc;

	if (e->target_s == TIME_UNSET)
		return 0;
	do {
		if (e->interim_s != TIME_UNSET)
			rc = interim_step(e, start_s, end_s);
		else if ((rc = interim_begin(e)) == 0)
			rc = 1;
	} while (rc == 1 && clock_mono_us() < stop);
	if (rc != 1)
		e->interim_s = TIME_UNSET;
	if (rc == -1)
		e->interim_left = true; /* they go with the next ones */
	if (rc == 0 && start_s == TIME_UNSET && end_s == TIME_UNSET)
		e->news = false;
	return rc;
}
