/* How long an answer may take, and whether somebody still waits for it. */
#ifndef QUERY_PATIENCE_H
#define QUERY_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "query/out.h"

/*
 * A query that has not found its page after this time is given up with 503: a
 * page takes milliseconds, and while one is being read the writer's WAL cannot
 * be emptied.
 */
#define ANSWER_MAX_MS 30000

/* Called every few milliseconds while SQLite works. True: give up. */
typedef bool answer_tick(void *arg);

struct sqlite3;

struct patience {
	answer_tick *tick; /* may be NULL */
	void *arg;
	const struct out *out; /* borrowed; what is sent already has time */
	int64_t give_up_us;    /* monotonic */
	bool given_up;	       /* by tick, not for its time */
};

void patience_init(
    struct patience *, answer_tick *tick, void *arg, const struct out *);

/* To be asked every few milliseconds. */
bool patience_ends(struct patience *);

/* SQLite asks while it works on this database, and then fails with EINTR. */
void patience_watch(struct patience *, struct sqlite3 *);

#endif
