/* Owns the end of answers that take too long or that nobody wants. */
#include "common/compat.h"

#include <sqlite3.h>

#include "common/clock.h"
#include "query/patience.h"

/* Instructions of SQLite between two looks at the clock: about 1 ms. */
#define TICK_INSTRUCTIONS 20000

void
patience_init(
    struct patience *p, answer_tick *tick, void *arg, const struct out *out)
{
	*p = (struct patience){
		.tick = tick,
		.arg = arg,
		.out = out,
		.give_up_us = clock_mono_us() + ANSWER_MAX_MS * (int64_t)1000,
	};
}

bool
patience_ends(struct patience *p)
{
	if (p->tick != NULL && p->tick(p->arg)) {
		p->given_up = true;
		return true;
	}
	return !p->out->streaming && clock_mono_us() > p->give_up_us;
}

static int
progress_cb(void *arg)
{
	return patience_ends(arg);
}

void
patience_watch(struct patience *p, sqlite3 *db)
{
	sqlite3_progress_handler(db, TICK_INSTRUCTIONS, progress_cb, p);
}
