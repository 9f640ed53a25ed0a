/* A job's directory for a test: made, entered, and removed with all in it. */
#ifndef TESTS_TMPDIR_H
#define TESTS_TMPDIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMPDIR_BYTES 32

static const char *const tmpdir_parts[] = { "spool", "journal", "snapshots",
	"quarantine", "results" };

static inline void
tmpdir_enter(char *path)
{
	snprintf(path, TMPDIR_BYTES, "/tmp/anomd-test-XXXXXX");
	if (mkdtemp(path) == NULL || chdir(path) == -1)
		abort();
	for (size_t i = 0; i < sizeof(tmpdir_parts) / sizeof(*tmpdir_parts);
	     i++)
		if (mkdir(tmpdir_parts[i], 0700) == -1)
			abort();
}

/* Remove the files of dir and call itself for its directories. */
static inline void
tmpdir_purge(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	char path[512];

	if (d == NULL)
		return;
	while ((de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, de->d_name) >=
		    (int)sizeof(path))
			abort();
		if (unlink(path) == -1)
			tmpdir_purge(path);
	}
	closedir(d);
	rmdir(dir);
}

/* Remove the files of the current directory whose names begin so. */
static inline void
tmpdir_remove(const char *prefix)
{
	DIR *d = opendir(".");
	struct dirent *de;

	if (d == NULL)
		abort();
	while ((de = readdir(d)) != NULL)
		if (strncmp(de->d_name, prefix, strlen(prefix)) == 0 &&
		    unlink(de->d_name) == -1)
			abort();
	closedir(d);
}

/* Number of files in a directory. */
static inline int
tmpdir_count(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	int n = 0;

	if (d == NULL)
		return -1;
	while ((de = readdir(d)) != NULL)
		n += de->d_name[0] != '.';
	closedir(d);
	return n;
}

#endif
