/* Owns the copying, reading and removing of single files and trees. */
#include "common/compat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/disk.h"
#include "ctl/copy.h"

#define PIECE_BYTES (1 << 20)
#define DEPTH_MAX 8 /* of a tree that is removed; ours have 4 */

static int
close_failed(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

int
copy_open_dir(int at, const char *name)
{
	return openat(
	    at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int
copy_owner(int fd, int like)
{
	struct stat want, have;

	if (fstat(like, &want) == -1 || fstat(fd, &have) == -1)
		return -1;
	/* Only root may give a file away; others have no need to try. */
	if ((want.st_uid != have.st_uid || want.st_gid != have.st_gid) &&
	    fchown(fd, want.st_uid, want.st_gid) == -1)
		return -1;
	return fchmod(fd, want.st_mode & 07777);
}

int
copy_make_dir(int at, const char *name, int like)
{
	int fd;

	if (mkdirat(at, name, 0700) == -1 && errno != EEXIST)
		return -1;
	fd = copy_open_dir(at, name);
	if (fd != -1 && copy_owner(fd, like) == -1)
		return close_failed(fd);
	return fd;
}

/* ---- files ---- */

/* Opening a pipe would wait for its other end: not with O_NONBLOCK. */
static int
open_regular(int at, const char *path, struct stat *st)
{
	int fd =
	    openat(at, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1)
		return -1;
	if (fstat(fd, st) == -1)
		return close_failed(fd);
	if (!S_ISREG(st->st_mode)) {
		errno = EINVAL;
		return close_failed(fd);
	}
	return fd;
}

/*
 * Reads up to end bytes and writes them to out, unless that is -1. A file that
 * became shorter meanwhile ends there.
 */
static int
pass(int in, int out, uint64_t end, struct copy_sum *sum)
{
	uint8_t *piece = malloc(PIECE_BYTES);
	int rc = -1;

	*sum = (struct copy_sum){ 0 };
	if (piece == NULL)
		return -1;
	while (sum->size < end) {
		uint64_t left = end - sum->size;
		size_t want = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
		ssize_t n = read(in, piece, want);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			goto out;
		if (n == 0)
			break;
		if (out != -1 &&
		    disk_write_at(out, piece, (size_t)n, sum->size) == -1)
			goto out;
		sum->crc = crc32c(sum->crc, piece, (size_t)n);
		sum->size += (uint64_t)n;
	}
	rc = 0;
out:
	free(piece);
	return rc;
}

int
copy_file(
    int from, const char *name, int to, const char *as, struct copy_sum *sum)
{
	struct stat st;
	int in = open_regular(from, name, &st), out;

	if (in == -1)
		return -1;
	if (unlinkat(to, as, 0) == -1 && errno != ENOENT)
		return close_failed(in);
	out = openat(
	    to, as, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out == -1)
		return close_failed(in);
	if (pass(in, out, (uint64_t)st.st_size, sum) == -1 ||
	    copy_owner(out, in) == -1 || fsync(out) == -1) {
		close_failed(out);
		return close_failed(in);
	}
	close(in);
	return close(out);
}

int
copy_sum_file(int at, const char *path, struct copy_sum *sum)
{
	struct stat st;
	int fd = open_regular(at, path, &st);

	if (fd == -1)
		return -1;
	if (pass(fd, -1, UINT64_MAX, sum) == -1)
		return close_failed(fd);
	return close(fd);
}

/* ---- directories ---- */

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes a directory of its own: reading moves the position of the other. */
static DIR *
open_stream(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd != -1 ? fdopendir(fd) : NULL;

	if (dir == NULL && fd != -1)
		close_failed(fd);
	return dir;
}

int
copy_names(int dirfd, char ***names)
{
	DIR *dir = open_stream(dirfd);
	struct dirent *de;
	char **all = NULL;
	int n = 0;

	if (dir == NULL)
		return -1;
	while ((errno = 0, de = readdir(dir)) != NULL) {
		char **grown;

		if (de->d_name[0] == '.')
			continue;
		grown = reallocarray(all, (size_t)n + 1, sizeof(*all));
		if (grown == NULL)
			break;
		all = grown;
		all[n] = strdup(de->d_name);
		if (all[n] == NULL)
			break;
		n++;
	}
	if (errno != 0) {
		int saved = errno;

		copy_free_names(all, n);
		closedir(dir);
		errno = saved;
		return -1;
	}
	closedir(dir);
	if (n > 1)
		qsort(all, (size_t)n, sizeof(*all), compare_names);
	*names = all;
	return n;
}

void
copy_free_names(char **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static int
remove_below(int at, const char *name, int depth)
{
	char **names = NULL;
	int fd, n, rc = 0;

	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (depth == DEPTH_MAX) {
		errno = ELOOP;
		return -1;
	}
	fd = copy_open_dir(at, name);
	if (fd == -1)
		return -1;
	n = copy_names(fd, &names);
	if (n == -1)
		return close_failed(fd);
	for (int i = 0; rc == 0 && i < n; i++)
		rc = remove_below(fd, names[i], depth + 1);
	copy_free_names(names, n);
	if (rc == -1)
		return close_failed(fd);
	close(fd);
	return unlinkat(at, name, AT_REMOVEDIR);
}

int
copy_remove_tree(int at, const char *name)
{
	return remove_below(at, name, 0);
}
