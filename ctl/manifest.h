/*
 * What a backup consists of: the file manifest.json in its directory, written
 * last. A directory without one is no backup, or one that was never finished.
 *
 *	{"crc32c":"<8 digits>","manifest":{"format":1,"version":"12.0.0",
 *	  "created_ms":...,"left_out":["<job>"],
 *	  "files":[{"path":"catalog.db","size":...,"crc32c":...}]}}
 *
 * The first checksum is of the object behind "manifest", as it stands there.
 */
#ifndef CTL_MANIFEST_H
#define CTL_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "ctl/copy.h"

#define MANIFEST_FILE "manifest.json"
#define MANIFEST_FORMAT 1

struct manifest_file {
	char *path; /* owned; from the backup's directory */
	struct copy_sum sum;
	/* Of the original, while a backup is made: has it changed since? */
	uint64_t inode;
	int64_t changed_ns;
};

/* Zeroed before the first use. */
struct manifest {
	char version[32]; /* of the program that made it */
	int64_t created_ms;
	struct manifest_file *file; /* owned */
	size_t nfiles;
	size_t settled;	 /* so many files are not looked for any more */
	char **left_out; /* owned: jobs that could not be copied */
	size_t nleft_out;
};

void manifest_clear(struct manifest *);

/*
 * A file that is not settled, new or again. NULL with ENOMEM. It lives until
 * the next change.
 */
struct manifest_file *manifest_put(
    struct manifest *, const char *path, const struct copy_sum *);
struct manifest_file *manifest_find(const struct manifest *, const char *path);
/* Forget a file, or with a slash at the end all that are below. */
void manifest_drop(struct manifest *, const char *path);
/* Forget those that are not settled. */
void manifest_rewind(struct manifest *);
/* A job that is not in the backup. Returns 0, or -1 with ENOMEM. */
int manifest_leave_out(struct manifest *, const char *job) MUST_CHECK;

/* Write it to a directory, whole and for good. Returns 0, or -1 with errno. */
int manifest_write(const struct manifest *, int dirfd) MUST_CHECK;

/*
 * Returns 0, or -1 with errno and why: ENOENT, EBADMSG (damaged, of another
 * format, or with a path that leads out of the directory) and others.
 */
int manifest_read(
    struct manifest *, int dirfd, char *why, size_t whylen) MUST_CHECK;

/*
 * Is a file as the manifest says? Returns 0; or -1 with errno and why, EBADMSG
 * when its bytes are others.
 */
int manifest_check(const struct manifest_file *, int dirfd, char *why,
    size_t whylen) MUST_CHECK;

#endif
