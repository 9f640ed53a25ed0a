/*
 * Processing one journal entry, cut in slices. The same code runs when an
 * entry is new and when it is replayed: that is what makes replay exact.
 */
#ifndef WORKER_ENTRY_H
#define WORKER_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "worker/analysis.h"
#include "worker/journal.h"

struct entry_run {
	struct analysis *analysis; /* borrowed */
	struct journal_entry entry;
	const char *data;		  /* borrowed: entry.data_len bytes */
	int (*phase)(struct entry_run *); /* what comes next */
	int64_t deadline_us;
	uint64_t *progress;	     /* borrowed: counts units of work */
	const struct record *record; /* accepted, waits for the engine */
	int64_t time_s;		     /* of that record */
	bool failed;		     /* it broke off: error is set */
	struct apierr error;
};

/*
 * Begin an entry. entry->seq 0: it is none of the journal's (a flush that
 * changes no model). data must stay until the end.
 */
void entry_begin(struct entry_run *, struct analysis *,
    const struct journal_entry *entry, const char *data);

/*
 * Work until the monotonic clock reaches deadline_us. Returns 1: more is left;
 * 0: processed, and its results are committed (an answer alone by
 * results_settle); run->failed tells the fate of the upload; -1 with errno:
 * results could not be kept or memory is out. The analysis is then of no use;
 * replay will repeat the entry.
 */
int entry_step(
    struct entry_run *, int64_t deadline_us, uint64_t *progress) MUST_CHECK;

#endif
