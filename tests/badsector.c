/* Owns the page that cannot be read. */
#include "common/compat.h"

#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/badsector.h"

static char bad_path[128]; /* empty: none */
static size_t bad_at;
static bool is_set;

/* The linker's option --wrap gives these names. */
void *__real_mmap(void *, size_t, int, int, int, off_t);
void *__wrap_mmap(void *, size_t, int, int, int, off_t);

void
badsector_set(const char *path, size_t at)
{
	is_set = true;
	bad_at = at;
	strlcpy(bad_path, path == NULL ? "" : path, sizeof(bad_path));
}

static void
look(void)
{
	char text[160] = "", *space;
	int fd = open("bad-sector", O_RDONLY | O_CLOEXEC);

	bad_path[0] = '\0';
	if (fd == -1)
		return;
	if (read(fd, text, sizeof(text) - 1) == -1 ||
	    (space = strchr(text, ' ')) == NULL)
		abort();
	close(fd);
	*space = '\0';
	strlcpy(bad_path, text, sizeof(bad_path));
	bad_at = strtoul(space + 1, NULL, 10);
}

static bool
is_bad(int fd, struct stat *st)
{
	struct stat bad;
	bool is = false;
	glob_t found;

	if (!is_set)
		look();
	if (bad_path[0] == '\0' || fstat(fd, st) == -1 ||
	    glob(bad_path, 0, NULL, &found) != 0)
		return false;
	for (size_t i = 0; !is && i < found.gl_pathc; i++)
		is = stat(found.gl_pathv[i], &bad) == 0 &&
		    st->st_ino == bad.st_ino && st->st_dev == bad.st_dev;
	globfree(&found);
	return is;
}

/* In its place a page comes that is behind the end of the file. */
void *
__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t at)
{
	char *map = __real_mmap(addr, len, prot, flags, fd, at);
	size_t page = (size_t)sysconf(_SC_PAGESIZE), start;
	struct stat st;

	if (map == MAP_FAILED || fd == -1 || (prot & PROT_WRITE) != 0 ||
	    at != 0 || !is_bad(fd, &st))
		return map;
	start = bad_at / page * page;
	if (start < len &&
	    __real_mmap(map + start, page, PROT_READ, MAP_SHARED | MAP_FIXED,
		fd,
		st.st_size / (off_t)page * (off_t)page + (off_t)page * 16) ==
		MAP_FAILED)
		abort();
	return map;
}
