/*
 * Requests whose worker died before it could answer them. The supervisor names
 * them to the next one, which answers each when replay comes to its entry. The
 * entry carries a token that is the request's, so that an entry of which the
 * supervisor was never told is found as well.
 */
#ifndef WORKER_AWAITING_H
#define WORKER_AWAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/peer.h"
#include "worker/analysis.h"
#include "worker/entry.h"
#include "worker/journal.h"

#define AWAITING_MAX 1000 /* the supervisor's line is shorter by far */

struct awaiting {
	uint32_t epoch;
	unsigned n;
	struct awaited {
		uint32_t request;
		uint64_t seq; /* 0: not known to be in the journal */
	} * list;	      /* owned */
};

/* Of a request in a life of the supervisor; 0 is nobody's. */
uint64_t awaiting_token(uint32_t epoch, uint32_t request);

/* 0, or -1 with ENOMEM, or EBADMSG: more than can be, or twice. */
int awaiting_add(struct awaiting *, uint32_t request, uint64_t seq) MUST_CHECK;
void awaiting_clear(struct awaiting *);

/*
 * Replay comes to this entry: say that it is kept. Returns 0, or -1 with errno.
 */
int awaiting_found(
    struct awaiting *, struct peer *, const struct journal_entry *) MUST_CHECK;
/* It has been done again: answer whoever awaits it. Returns the same. */
int awaiting_done(struct awaiting *, struct peer *, struct analysis *,
    const struct entry_run *) MUST_CHECK;
/* It is not going to be done: whoever awaits it gets the error. The same. */
int awaiting_fail(struct awaiting *, struct peer *, uint64_t token,
    const struct apierr *) MUST_CHECK;
/*
 * Replay is over. What was known to be kept and has not come up is answered
 * 500: it counts, but its counts are not known any more. Returns the same.
 */
int awaiting_end(struct awaiting *, struct peer *) MUST_CHECK;

#endif
