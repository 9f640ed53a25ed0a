/*
 * A look at a journal that changes nothing in it: for tools, which may come
 * while a worker writes, and for those who look at what a dead one has left.
 */
#ifndef WORKER_JOURNAL_WALK_H
#define WORKER_JOURNAL_WALK_H

#include <stdbool.h>

#include "common/compat.h"
#include "worker/journal.h"

struct journal_walk {
	/* An entry that counts. data: valid during the call. 0 goes on. */
	int (*entry)(
	    void *arg, const struct journal_entry *e, const char *data);
	/*
	 * What follows in a segment cannot be read, or entries are missing in
	 * front of it. at: bytes from its start. is_end: half an entry at the
	 * very end, which is what a death leaves and was never answered.
	 */
	void (*damage)(void *arg, const char *path, size_t at, const char *why,
	    bool is_end);
	void *arg;
};

/*
 * Go through all entries in their order. The directory of the job is the
 * current one. Returns what entry() returned last, 0 at the end, or -1 with
 * errno: the directory or a segment cannot be read.
 */
int journal_walk(const struct journal_walk *) MUST_CHECK;

#endif
