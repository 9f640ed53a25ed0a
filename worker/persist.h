/*
 * What the supervisor hears of snapshots: the answers to its requests for one,
 * and unasked that there is a new one. When they are taken: snapper.h.
 */
#ifndef WORKER_PERSIST_H
#define WORKER_PERSIST_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/peer.h"
#include "worker/snapper.h"

#define PERSIST_ASKED_MAX                                                      \
	100 /* requests at a time; as in the line of a job                     \
	     */

struct persist {
	struct peer *peer;	 /* borrowed */
	struct snapper *snapper; /* borrowed */
	uint32_t asked[PERSIST_ASKED_MAX];
	size_t nasked;
	size_t nserved; /* the first of them: by the child that is at work */
};

void persist_init(struct persist *, struct peer *, struct snapper *);

/*
 * After a start: tell of the snapshot that was found, for the worker that made
 * it may have died before it could. Returns 0, or -1 with errno.
 */
int persist_announce(struct persist *) MUST_CHECK;

/* SNAPSHOT came. Returns 0, or -1 with EBADMSG: too many. */
int persist_ask(struct persist *, uint32_t request) MUST_CHECK;

/*
 * Between two entries: finish a snapshot, begin one, and tell. Returns 0, or -1
 * with errno: the channel.
 */
int persist_step(struct persist *) MUST_CHECK;

#endif
