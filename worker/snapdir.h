/*
 * The directory of a job's snapshots: which is the newest that is whole, and
 * how a new one comes to be. Paths are relative: the job's directory is the
 * current one. The names are those of common/snapfile.h.
 */
#ifndef WORKER_SNAPDIR_H
#define WORKER_SNAPDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/snapfile.h"
#include "worker/snapshot.h"

/*
 * How many the API may list. Its own retention leaves fewer: eight of the last
 * day, and one for each of nine days before. What is opened and closed all day
 * must not fill the disk before that comes round.
 */
#define SNAPDIR_LISTED_MAX 100

/* One that was found whole, mapped until snapdir_close. */
struct snapdir_file {
	bool passed;  /* newer ones could not be read, and stay */
	uint64_t seq; /* 0: none */
	enum snapfile kind;
	struct snapshot_reader *reader;
	void *map;
	size_t maplen;
};

/* Remove what a worker left that died while it wrote one. */
void snapdir_clean(void);

/*
 * Find the newest whole snapshot of this job, or base of a revert, with a
 * number below limit. What is damaged or another job's is set aside in
 * quarantine/ and logged. Not so a base: what is older than it must not count
 * any more. What the disk cannot read is passed over, and stays where it is.
 *
 * Returns 1: *f is set; 0: there is none, and only f->passed is; -1 with errno
 * (logged); the file stays then: EPROTONOSUPPORT, it is of a format that this
 * program does not read; EUCLEAN, it is a base and damaged; EIO, it is a base
 * that cannot be read.
 */
int snapdir_newest(
    struct snapdir_file *f, const char *job_id, uint64_t limit) MUST_CHECK;
void snapdir_close(struct snapdir_file *f);

/*
 * Set aside a whole file that the job's parts would not take. Returns 0; 1: it
 * could not be read to its end, and stays; or -1 with EUCLEAN or EIO (logged):
 * it is a base, and stays.
 */
int snapdir_refuse(struct snapdir_file *f) MUST_CHECK;

/*
 * The state of this number (0: of none) is used instead of those above it that
 * could not be read: they are set aside, for they would be tried again.
 */
void snapdir_leave_behind(uint64_t seq);

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
int snapdir_finish(uint64_t seq, enum snapfile) MUST_CHECK;
void snapdir_give_up(void);

/*
 * The state that a revert has made, from snapdir_finish(SNAPFILE_REVERT) until
 * it is known to count: which one there is (1, or 0: none), make it a base, or
 * remove it. All last. -1 with errno (logged).
 */
int snapdir_undecided(uint64_t *seq) MUST_CHECK;
int snapdir_decide(uint64_t seq) MUST_CHECK;
int snapdir_undo(uint64_t seq) MUST_CHECK;

/*
 * The id of the snapshot that a base is a copy of: the description in its head.
 * Empty: it has no model. 0, or -1 with errno: it is no base, or damaged.
 */
int snapdir_base_id(uint64_t seq, char dst[SNAPHEAD_ID_BYTES]) MUST_CHECK;

/* The greatest number in any name; 0: none. 0, or -1 with errno (logged). */
int snapdir_greatest(uint64_t *seq) MUST_CHECK;

/* The id of what the newest base is a copy of; empty: there is no base. */
int snapdir_reverted_id(char dst[SNAPHEAD_ID_BYTES]) MUST_CHECK;

/*
 * Remove one that is listed, so that it lasts. The last but one, where the
 * journal begins, only gets another name, and goes with the next snapshot: one
 * bad snapshot is to be no loss. 0, or -1 with errno.
 */
int snapdir_remove(uint64_t seq) MUST_CHECK;

/* The API lists this one: it is no base. */
bool snapdir_is_listed(uint64_t seq);
/* When the newest that is listed was made; TIME_UNSET: none is, or unknown. */
int64_t snapdir_newest_ms(void);

/*
 * Nobody starts from a state before this one any more. Remove the bases of
 * reverts before it, and some snapshots before it when there are more than
 * SNAPDIR_LISTED_MAX (snapthin.h), but none that a user keeps, nor the one that
 * the job was reverted to while the base of that is there.
 */
void snapdir_bound(uint64_t seq);

#endif
