/* Owns the list of the names of time zones. */
#include "common/compat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/zones.h"

#define DIR_OF_ZONES "/usr/share/zoneinfo"
#define DEPTH_MAX 4 /* "America/Argentina/Buenos_Aires" is 3 */
#define NAME_MAX_BYTES 128

struct zones {
	char **name; /* owned, sorted */
	size_t n, cap;
};

/*
 * Links to the zone of the machine, and copies of all zones with leap seconds
 * or without: not names that IANA gives.
 */
static bool
is_foreign(const char *path)
{
	static const char *const names[] = { "localtime", "posixrules", "posix",
		"right" };

	for (size_t i = 0; i < NELEM(names); i++)
		if (strcmp(path, names[i]) == 0)
			return true;
	return false;
}

/* What names of zones are made of; so none begins with a dot either. */
static bool
is_name(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				      "_+-";

	return *s != '\0' && s[strspn(s, allowed)] == '\0';
}

static int
add_name(struct zones *z, const char *name)
{
	char **grown;

	if (z->n == z->cap) {
		size_t cap = z->cap == 0 ? 256 : z->cap * 2;

		grown = reallocarray(z->name, cap, sizeof(*grown));
		if (grown == NULL)
			return -1;
		z->name = grown;
		z->cap = cap;
	}
	z->name[z->n] = strdup(name);
	if (z->name[z->n] == NULL)
		return -1;
	z->n++;
	return 0;
}

const char *
zones_dir(void)
{
	const char *dir = getenv("TZDIR");

	return dir != NULL && *dir != '\0' ? dir : DIR_OF_ZONES;
}

bool
zones_is_zone(int fd)
{
	char magic[4];

	return read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
	    memcmp(magic, "TZif", sizeof(magic)) == 0;
}

static int walk(struct zones *, int dirfd, const char *prefix, int depth);

/* Takes fd. */
static int
look_at(struct zones *z, int fd, const char *path, int depth)
{
	struct stat st;
	int rc = 0;

	if (fstat(fd, &st) == -1) {
		close(fd);
		return 0;
	}
	if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
		return walk(z, fd, path, depth + 1);
	if (S_ISREG(st.st_mode) && zones_is_zone(fd))
		rc = add_name(z, path);
	close(fd);
	return rc;
}

/*
 * Takes dirfd. Names that link to a zone are names of it. A directory that is
 * a link might lead round in a circle: the depth ends that.
 */
static int
walk(struct zones *z, int dirfd, const char *prefix, int depth)
{
	DIR *dir = fdopendir(dirfd);
	struct dirent *de;
	int rc = 0;

	if (dir == NULL) {
		close(dirfd);
		return -1;
	}
	while (rc == 0 && z->n < ZONES_MAX && (de = readdir(dir)) != NULL) {
		char path[NAME_MAX_BYTES];
		int n, fd;

		n = snprintf(path, sizeof(path), "%s%s%s", prefix,
		    *prefix == '\0' ? "" : "/", de->d_name);
		if (!is_name(de->d_name) || n >= (int)sizeof(path) ||
		    is_foreign(path))
			continue;
		fd = openat(
		    dirfd, de->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd != -1)
			rc = look_at(z, fd, path, depth);
	}
	closedir(dir);
	return rc;
}

static int
compare_names(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

struct zones *
zones_load(const char *dir)
{
	struct zones *z = calloc(1, sizeof(*z));
	int fd;

	if (z == NULL)
		return NULL;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || walk(z, fd, "", 1) == -1) {
		int saved = errno;

		zones_free(z);
		errno = saved;
		return NULL;
	}
	if (z->n == ZONES_MAX)
		log_warnx("%s: only %d zones are known", dir, ZONES_MAX);
	if (z->n > 0)
		qsort(z->name, z->n, sizeof(*z->name), compare_names);
	return z;
}

void
zones_free(struct zones *z)
{
	if (z == NULL)
		return;
	for (size_t i = 0; i < z->n; i++)
		free(z->name[i]);
	free(z->name);
	free(z);
}

size_t
zones_count(const struct zones *z)
{
	return z == NULL ? 0 : z->n;
}

bool
zones_has(const struct zones *z, const char *name)
{
	if (strcmp(name, "UTC") == 0)
		return true;
	return zones_count(z) > 0 &&
	    bsearch(&name, z->name, z->n, sizeof(*z->name), compare_names) !=
	    NULL;
}
