/* Owns the finding and judging of directories that a user names. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/copy.h"
#include "ctl/manifest.h"
#include "ctl/place.h"

const char *
place_state_dir(const char *given)
{
	return given != NULL ? given : LOCALSTATEDIR "/lib/anomd";
}

int
place_open(const char *path, char *why, size_t whylen)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		snprintf(why, whylen, "%s: %s%s", path, strerror(errno),
		    errno == EACCES ? "; be root or the user that anomd runs as"
				    : "");
	return fd;
}

/* Takes fd over. Returns it if one of the files is there, else -1 with why. */
static int
check_state(int fd, const char *path, const char *const *files, char *why,
    size_t whylen)
{
	int error = ENOENT;

	if (fd == -1)
		return -1;
	for (; *files != NULL; files++) {
		if (faccessat(fd, *files, F_OK, 0) == 0)
			return fd;
		error = errno;
	}
	snprintf(why, whylen,
	    "%s is no state directory of anomd: catalog.db: %s", path,
	    strerror(error));
	close(fd);
	return -1;
}

int
place_open_state(const char *path, char *why, size_t whylen)
{
	static const char *const files[] = { "catalog.db", NULL };

	return check_state(
	    place_open(path, why, whylen), path, files, why, whylen);
}

int
place_open_any(const char *path, char *why, size_t whylen)
{
	static const char *const files[] = { "jobs", "catalog.db.copy",
		"catalog.db", NULL };

	return check_state(
	    place_open(path, why, whylen), path, files, why, whylen);
}

bool
place_is_empty(int dirfd, const char *const *except)
{
	char **names = NULL;
	int n = copy_names(dirfd, &names);
	bool empty = n != -1;

	for (int i = 0; i < n; i++) {
		bool known = false;

		for (const char *const *e = except; *e != NULL; e++)
			known |= strcmp(*e, names[i]) == 0;
		/* What a file system makes for itself is nobody's. */
		if (!known && strcmp(names[i], "lost+found") != 0)
			empty = false;
	}
	copy_free_names(names, n == -1 ? 0 : n);
	return empty;
}

/* By its parents up to the root: links in a path can hide it. */
static bool
is_below(int dirfd, int above)
{
	struct stat want, at, before = { 0 };
	int fd = dup(dirfd), up;
	bool found = true; /* when in doubt */

	if (fstat(above, &want) == -1)
		goto out;
	while (fd != -1 && fstat(fd, &at) == 0) {
		if (at.st_dev == want.st_dev && at.st_ino == want.st_ino)
			break;
		if (at.st_dev == before.st_dev && at.st_ino == before.st_ino) {
			found = false; /* the root is its own parent */
			break;
		}
		before = at;
		up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = up;
	}
out:
	if (fd != -1)
		close(fd);
	return found;
}

int
place_make_empty(const char *path, int state, const char *state_dir, char *why,
    size_t whylen)
{
	static const char *const none[] = { NULL };
	bool made = mkdir(path, 0700) == 0;
	int fd;

	if (!made && errno != EEXIST) {
		snprintf(why, whylen, "%s: %s", path, strerror(errno));
		return -1;
	}
	fd = place_open(path, why, whylen);
	if (fd == -1)
		return -1;
	if (is_below(fd, state)) {
		snprintf(why, whylen,
		    "%s is in the state directory %s: a backup belongs "
		    "elsewhere, best on another disk",
		    path, state_dir);
		if (made)
			(void)rmdir(path);
	} else if (!place_is_empty(fd, none)) {
		snprintf(why, whylen, "%s %s", path,
		    faccessat(fd, MANIFEST_FILE, F_OK, 0) == 0
			? "has a backup already: name another directory"
			: "is not empty, and has no finished backup: remove "
			  "it, or name another directory");
	} else {
		return fd;
	}
	close(fd);
	return -1;
}
