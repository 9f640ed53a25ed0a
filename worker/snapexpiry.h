/*
 * Taking old snapshots away, as the API has it (results-and-models 14.1): by
 * their age against the newest. Beside what is retained the one stays that the
 * job was last reverted to.
 */
#ifndef WORKER_SNAPEXPIRY_H
#define WORKER_SNAPEXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/msg.h"
#include "common/snaplist.h"

struct snapexpiry {
	struct snaplist list;
	bool *goes; /* owned; of each in the list */
	size_t next;
};

/*
 * Which of them are to go.
 *
 * list    oldest first
 * days    what is older than so many before the newest goes
 * daily   of what is older than so many days, the first of each 24 hours stays,
 *         counted from where days begins
 * active  the id of one that stays
 * goes    receives a yes or no for each
 */
void snapexpiry_choose(const struct snaplist *list, uint32_t days,
    uint32_t daily, const char *active, bool *goes);

/*
 * Look at those of the job in the current directory. Returns 0, or -1 with
 * errno (logged). snapexpiry_clear in both cases, and of one that is zero.
 */
int snapexpiry_begin(struct snapexpiry *, const struct msg_expire *,
    const char *job_id) MUST_CHECK;
void snapexpiry_clear(struct snapexpiry *);

/* Remove the next. Returns 1: done so; 0: none is left; -1 with errno. */
int snapexpiry_step(struct snapexpiry *) MUST_CHECK;

#endif
