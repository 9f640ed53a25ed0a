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
 * 1: *f is set; 0: there is none; -1 with errno (EPROTONOSUPPORT, logged: it is
 * of a format that this program does not read, and stays where it is).
 */
int snapdir_newest(
    struct snapdir_file *f, const char *job_id, uint64_t limit) MUST_CHECK;
void snapdir_close(struct snapdir_file *f);

/* Set aside a whole file that the job's parts would not take. */
void snapdir_refuse(struct snapdir_file *f);

/*
 * Writing takes three steps, so that another process may do the second one.
 *
 * begin   make the file under a name that is none; returns its descriptor
 * fill    have save fill it, and make it last
 * finish  give it its name, which lasts then
 * give_up remove what is unfinished
 *
 * Each returns 0 (begin: a descriptor), or -1 with errno; only finish logs.
 */
typedef int snapdir_save(void *arg, struct snapshot_writer *);
int snapdir_begin(void) MUST_CHECK;
int snapdir_fill(int fd, const struct snapshot_head *,
    const struct model_size *, snapdir_save *, void *arg) MUST_CHECK;
int snapdir_finish(uint64_t seq) MUST_CHECK;
void snapdir_give_up(void);

/* Remove all that are older than this one. */
void snapdir_keep_from(uint64_t seq);

#endif
