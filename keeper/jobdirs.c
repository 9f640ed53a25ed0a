/* Owns the directories of jobs/ and trash/. */
#include "common/compat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "keeper/jobdirs.h"

/* Files removed at a time: a few milliseconds between two requests. */
#define PURGE_FILES 64

/* No job's directory is nested deeper; who makes one is not followed. */
#define PURGE_DEPTH 16

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static const char *const parts[] = { "spool", "journal", "snapshots",
	"quarantine", "results" };

struct jobdirs {
	int jobs;
	int trash;
	bool stuck; /* something in the trash cannot be removed */
};

static int
dir_ensure(const char *name)
{
	int fd;

	if (mkdir(name, 0700) == -1 && errno != EEXIST) {
		log_warn("%s", name);
		return -1;
	}
	fd = open(name, DIR_FLAGS);
	if (fd == -1)
		log_warn("%s", name);
	return fd;
}

struct jobdirs *
jobdirs_open(void)
{
	struct jobdirs *d = calloc(1, sizeof(*d));
	int saved;

	if (d == NULL)
		return NULL;
	d->jobs = dir_ensure("jobs");
	d->trash = dir_ensure("trash");
	if (d->jobs != -1 && d->trash != -1)
		return d;
	saved = errno;
	jobdirs_close(d);
	errno = saved;
	return NULL;
}

void
jobdirs_close(struct jobdirs *d)
{
	if (d == NULL)
		return;
	if (d->jobs != -1)
		close(d->jobs);
	if (d->trash != -1)
		close(d->trash);
	free(d);
}

void
jobdirs_name(char name[JOBDIR_NAME_BYTES], const char *job_id, size_t idlen,
    uint64_t incarnation)
{
	snprintf(name, JOBDIR_NAME_BYTES, "%.*s.%" PRIu64, (int)idlen, job_id,
	    incarnation);
}

uint64_t
jobdirs_incarnation(const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *error;
	long long n;

	if (dot == NULL || dot == name || dot[1] < '1' || dot[1] > '9')
		return 0;
	n = strtonum(dot + 1, 1, INT64_MAX, &error);
	return error == NULL ? (uint64_t)n : 0;
}

static int
parts_create(int fd)
{
	for (size_t i = 0; i < NELEM(parts); i++)
		if (mkdirat(fd, parts[i], 0700) == -1)
			return -1;
	return fsync(fd);
}

static void
parts_remove(int jobs, const char *name)
{
	int fd = openat(jobs, name, DIR_FLAGS);

	if (fd != -1) {
		for (size_t i = 0; i < NELEM(parts); i++)
			unlinkat(fd, parts[i], AT_REMOVEDIR);
		close(fd);
	}
	unlinkat(jobs, name, AT_REMOVEDIR);
}

int
jobdirs_create(struct jobdirs *d, const char *name)
{
	int fd, rc = -1, saved;

	if (mkdirat(d->jobs, name, 0700) == -1)
		return -1;
	fd = openat(d->jobs, name, DIR_FLAGS);
	if (fd != -1) {
		rc = parts_create(fd);
		saved = errno;
		close(fd);
		errno = saved;
	}
	if (rc == 0 && fsync(d->jobs) == 0)
		return 0;
	saved = errno;
	parts_remove(d->jobs, name);
	errno = saved;
	return -1;
}

int
jobdirs_discard(struct jobdirs *d, const char *name)
{
	/* A link that was put in its place is not what the job has. */
	if (!jobdirs_has(d, name))
		return unlinkat(d->jobs, name, 0) == -1 && errno != ENOENT ? -1
									   : 0;
	if (renameat(d->jobs, name, d->trash, name) == -1)
		return errno == ENOENT ? 0 : -1;
	if (fsync(d->trash) == -1 || fsync(d->jobs) == -1)
		return -1;
	return 0;
}

bool
jobdirs_has(struct jobdirs *d, const char *name)
{
	struct stat st;

	return fstatat(d->jobs, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode);
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A stream of its own over the directory below fd. NULL with errno. */
static DIR *
stream_of(int fd, const char *name)
{
	int copy = openat(fd, name, DIR_FLAGS);
	DIR *dir;

	if (copy == -1)
		return NULL;
	dir = fdopendir(copy);
	if (dir == NULL)
		close(copy);
	return dir;
}

static int
each_name(int fd, jobdirs_each_cb *cb, void *arg)
{
	DIR *dir = stream_of(fd, ".");
	struct dirent *de;
	int rc = 0;

	if (dir == NULL)
		return -1;
	while (rc == 0 && (errno = 0, de = readdir(dir)) != NULL)
		if (!is_dots(de->d_name))
			rc = cb(arg, de->d_name);
	if (rc == 0 && errno != 0)
		rc = -1;
	closedir(dir);
	return rc;
}

/* Stops at the first name that is not one of the parts of a job. */
static int
refuse_foreign(void *arg, const char *name)
{
	(void)arg;
	for (size_t i = 0; i < NELEM(parts); i++)
		if (strcmp(name, parts[i]) == 0)
			return 0;
	return -1;
}

static int
refuse_any(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return -1;
}

/* Has it nothing but empty parts? */
static bool
holds_no_file(int fd)
{
	if (each_name(fd, refuse_foreign, NULL) == -1)
		return false;
	for (size_t i = 0; i < NELEM(parts); i++) {
		int part = openat(fd, parts[i], DIR_FLAGS);
		int rc = part == -1 ? 0 : each_name(part, refuse_any, NULL);

		if (part == -1 && errno != ENOENT)
			return false;
		if (part != -1)
			close(part);
		if (rc == -1)
			return false;
	}
	return true;
}

bool
jobdirs_remove_empty(struct jobdirs *d, const char *name)
{
	int fd = openat(d->jobs, name, DIR_FLAGS);
	bool empty;

	if (fd == -1)
		return false;
	empty = holds_no_file(fd);
	close(fd);
	if (empty)
		parts_remove(d->jobs, name);
	return empty;
}

int
jobdirs_each(struct jobdirs *d, jobdirs_each_cb *cb, void *arg)
{
	return each_name(d->jobs, cb, arg);
}

int
jobdirs_each_trash(struct jobdirs *d, jobdirs_each_cb *cb, void *arg)
{
	return each_name(d->trash, cb, arg);
}

/*
 * Empty the directory name below fd, as far as *budget goes; every file and
 * every directory removed costs one. -1 with errno when something stays.
 */
static int
purge_below(int fd, const char *name, int depth, int *budget)
{
	DIR *dir = stream_of(fd, name);
	struct dirent *de;
	int rc = 0;

	if (dir == NULL)
		return -1;
	while (rc == 0 && *budget > 0 && (de = readdir(dir)) != NULL) {
		if (is_dots(de->d_name))
			continue;
		if (unlinkat(dirfd(dir), de->d_name, 0) == 0) {
			(*budget)--;
			continue;
		}
		/* Linux says EISDIR, POSIX EPERM. */
		if (errno != EISDIR && errno != EPERM)
			rc = -1;
		else if (depth == PURGE_DEPTH)
			rc = -1;
		else
			rc = purge_below(
			    dirfd(dir), de->d_name, depth + 1, budget);
		if (rc == -1 || *budget <= 0)
			break;
		rc = unlinkat(dirfd(dir), de->d_name, AT_REMOVEDIR);
		(*budget)--;
	}
	closedir(dir);
	return rc;
}

bool
jobdirs_purge(struct jobdirs *d)
{
	int budget = PURGE_FILES;

	if (d->stuck)
		return false;
	if (purge_below(d->trash, ".", 0, &budget) == -1) {
		log_warn("trash: cannot remove what is left of deleted jobs");
		d->stuck = true;
		return false;
	}
	return budget <= 0;
}
