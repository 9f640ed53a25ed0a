/*
 * The directories of the jobs: jobs/<job_id>.<incarnation>, and trash/ where
 * deleted ones wait until their files are removed. No symbolic link is ever
 * followed: workers can write there.
 */
#ifndef KEEPER_JOBDIRS_H
#define KEEPER_JOBDIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

struct jobdirs;

/* "<64 characters>.<20 digits>" and NUL. */
#define JOBDIR_NAME_BYTES 88

/*
 * Make what is not there of jobs/ and trash/ (mode 0700) in the current
 * directory, and open them. NULL with errno (logged).
 */
struct jobdirs *jobdirs_open(void);
void jobdirs_close(struct jobdirs *); /* NULL is fine */

void jobdirs_name(char name[JOBDIR_NAME_BYTES], const char *job_id,
    size_t idlen, uint64_t incarnation);

/* The incarnation in a name; 0 when it is no such name. */
uint64_t jobdirs_incarnation(const char *name);

/*
 * Make the directory of a new job, with all that belongs in it, durably. 0,
 * or -1 with errno; then nothing is left of it.
 */
int jobdirs_create(struct jobdirs *, const char *name) MUST_CHECK;

/*
 * Move a directory to the trash, durably. A directory that is not there counts
 * as moved. 0, or -1 with errno.
 */
int jobdirs_discard(struct jobdirs *, const char *name) MUST_CHECK;

/* Is there such a directory? A link to one is none. */
bool jobdirs_has(struct jobdirs *, const char *name);

/* Remove one that holds no file. False: it does, and stays, or cannot go. */
bool jobdirs_remove_empty(struct jobdirs *, const char *name);

/* Call cb for each name in jobs/ or in trash/. 0, or -1 with errno. */
typedef int jobdirs_each_cb(void *arg, const char *name);
int jobdirs_each(struct jobdirs *, jobdirs_each_cb *, void *arg) MUST_CHECK;
int jobdirs_each_trash(
    struct jobdirs *, jobdirs_each_cb *, void *arg) MUST_CHECK;

/*
 * Remove some of the files in the trash. True when there are more. What cannot
 * be removed is logged once and left until the next start.
 */
bool jobdirs_purge(struct jobdirs *);

#endif
