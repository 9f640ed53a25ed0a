/*
 * A consistent copy of a state directory that is in use.
 *
 * Nothing is asked of the daemon, and nothing in its directory is changed. The
 * order makes the copy good: of a job first the snapshots, then the journal,
 * then the results, then the journal again up to its end. So what a snapshot
 * holds is in the results, and what is in the results is in the journal.
 * Files that go away meanwhile let the job be copied once more.
 *
 * The catalogue comes before the jobs. When a job of it is gone by its turn,
 * or was never there, the catalogue is copied anew, and what that adds.
 */
#ifndef CTL_BACKUP_H
#define CTL_BACKUP_H

#include <stddef.h>

#include "common/compat.h"
#include "ctl/manifest.h"

#define BACKUP_CATALOG "catalog.db"
#define BACKUP_JOBS "jobs"
#define BACKUP_RESULTS "results"

struct backup {
	int from; /* the state directory; borrowed */
	int to;	  /* the directory of the backup, empty; borrowed */
	void (*progress)(void *arg, const char *job, size_t done, size_t all);
	void *progress_arg;
	/* A job that is left out, for its files are damaged. */
	void (*failed)(void *arg, const char *job, const char *why);
	struct manifest manifest; /* grows */
	char why[512];
};

/*
 * Copy all but the manifest, which is the caller's to write. Returns 0, or -1
 * with b->why: nothing that is there is a backup then.
 */
int backup_run(struct backup *b) MUST_CHECK;

/*
 * Is a state directory in use? Takes its lock, for as long as the descriptor
 * is open. Returns it; or -1 with errno, EWOULDBLOCK when a daemon has it.
 */
int backup_lock(int dirfd) MUST_CHECK;

#endif
