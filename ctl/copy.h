/*
 * Copying files of a state directory: with owner and mode, on disk when the
 * call returns, with a checksum of what was copied. No symbolic link is ever
 * followed: other processes can write where these files are.
 */
#ifndef CTL_COPY_H
#define CTL_COPY_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

struct copy_sum {
	uint64_t size; /* bytes */
	uint32_t crc;  /* CRC-32C of them */
};

/* A directory below another one, for reading. Returns it, or -1 with errno. */
int copy_open_dir(int at, const char *name) MUST_CHECK;

/*
 * Make a directory like the one that is open as like. It may be there. Returns
 * it, open, or -1 with errno.
 */
int copy_make_dir(int at, const char *name, int like) MUST_CHECK;

/*
 * Copy a regular file up to its present end; what is there of that name is
 * replaced. Returns 0 with *sum set; or -1 with errno, EINVAL when it is no
 * regular file. A file that was removed meanwhile is ENOENT.
 */
int copy_file(int from, const char *name, int to, const char *as,
    struct copy_sum *sum) MUST_CHECK;

/*
 * Read a file to its end. Returns 0 with *sum set, or -1 with errno as above.
 */
int copy_sum_file(int at, const char *path, struct copy_sum *sum) MUST_CHECK;

/* Give a file the owner and mode of another. Returns 0, or -1 with errno. */
int copy_owner(int fd, int like) MUST_CHECK;

/*
 * Remove a directory with all that is in it; one that is not there is no
 * fault. Returns 0, or -1 with errno.
 */
int copy_remove_tree(int at, const char *name) MUST_CHECK;

/*
 * Names in a directory that do not begin with a dot, sorted. Returns how many,
 * or -1 with errno. copy_free_names() frees them.
 */
int copy_names(int dirfd, char ***names) MUST_CHECK;
void copy_free_names(char **names, int n);

#endif
