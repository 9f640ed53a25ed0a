/* Owns opening databases for a look. */
#include "common/compat.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/dbread.h"
#include "common/sqlvfs.h"
#include "common/sqlx.h"

static bool
has_wal(const char *path)
{
	char wal[PATH_MAX];

	return snprintf(wal, sizeof(wal), "%s-wal", path) >= (int)sizeof(wal) ||
	    access(wal, F_OK) == 0 || errno != ENOENT;
}

/* As the URI of SQLite, in which three characters have a meaning. */
static void
uri_make(char *uri, size_t size, const char *path, const char *query)
{
	size_t n = (size_t)snprintf(uri, size, "file:");

	for (const char *p = path; *p != '\0' && n < size; p++)
		n += (size_t)snprintf(uri + n, size - n,
		    *p == '?' || *p == '#' || *p == '%' ? "%%%02x" : "%c",
		    (unsigned char)*p);
	strlcat(uri, query, size);
}

sqlite3 *
dbread_open(const char *path, bool live, struct dbread *r)
{
	char uri[PATH_MAX * 3 + 64];

	*r = (struct dbread){ 0 };
	/* SQLite says the same of a missing file as of a broken one. */
	if (stat(path, &r->was) == -1)
		return NULL;
	r->alone = !live && !has_wal(path);
	uri_make(uri, sizeof(uri), path, r->alone ? "?immutable=1" : "");
	return sqlvfs_open(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

bool
dbread_is_disturbed(const char *path, const struct dbread *r)
{
	struct stat now;

	if (!r->alone)
		return false;
	return stat(path, &now) == -1 || has_wal(path) ||
	    now.st_ino != r->was.st_ino || now.st_size != r->was.st_size ||
	    now.st_mtim.tv_sec != r->was.st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != r->was.st_mtim.tv_nsec;
}
