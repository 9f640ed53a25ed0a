/*
 * The directory of a job's snapshots: which is the newest that is whole, and
 * how a new one comes to be. Files are named by the last entry in them. Paths
 * are relative: the job's directory is the current one.
 */
#ifndef WORKER_SNAPDIR_H
#define WORKER_SNAPDIR_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/snapshot.h"

#define SNAPDIR_KEEP 2 /* so that one bad snapshot is no loss */

/* One that was found whole, mapped until snapdir_close. */
struct snapdir_file {
	uint64_t seq; /* 0: none */
	struct snapshot_reader *reader;
	void *map;
	size_t maplen;
};

/* Remove what a worker left that died while it wrote one. */
void snapdir_clean(void);

/*
 * Find the newest whole snapshot of this job with a number below limit. What
 * is damaged or another job's is set aside in quarantine/ and logged. Returns
 * 1: *f is set; 0: there is none; -1 with errno.
 */
int snapdir_newest(
    struct snapdir_file *f, const char *job_id, uint64_t limit) MUST_CHECK;
void snapdir_close(struct snapdir_file *f);

/* Set aside a whole file that the job's parts would not take. */
void snapdir_refuse(struct snapdir_file *f);

/*
 * Write a snapshot: save fills it, then it is made to last and takes its name.
 * Returns 0, or -1 with errno (logged); nothing is left behind then.
 */
int snapdir_write(const struct snapshot_head *head,
    int (*save)(void *arg, struct snapshot_writer *), void *arg) MUST_CHECK;

/*
 * Keep the newest SNAPDIR_KEEP whole ones. Returns the number of the oldest
 * one kept when there are that many: entries up to it are needed no more; else
 * 0.
 */
uint64_t snapdir_prune(const char *job_id);

#endif
