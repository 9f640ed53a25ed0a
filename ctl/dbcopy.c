/* Owns the copying, opening and reviving of databases for backups. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/dbread.h"
#include "common/sqlvfs.h"
#include "common/sqlx.h"
#include "ctl/dbcopy.h"

#define BUSY_TIMEOUT_MS 5000
#define PAGES_A_STEP 4096
#define BUSY_STEPS_MAX 500 /* of 20 ms: longer is a stopped process's lock */

/*
 * By its descriptor: a directory that is renamed meanwhile stays the same, and
 * no link in the path can lead elsewhere.
 */
int
dbcopy_path(char *dst, int dirfd, const char *file)
{
	char name[64];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", dirfd);
	n = readlink(name, dst, PATH_MAX - 1);
	if (n == -1)
		return -1;
	dst[n] = '\0';
	if (strlcat(dst, "/", PATH_MAX) >= PATH_MAX ||
	    strlcat(dst, file, PATH_MAX) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

static sqlite3 *
open_path(const char *path, int flags)
{
	sqlite3 *db = sqlvfs_open(path, flags);

	if (db != NULL)
		sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
	return db;
}

sqlite3 *
dbcopy_open(int dirfd, const char *file)
{
	char path[PATH_MAX];
	struct dbread r;
	sqlite3 *db;

	if (dbcopy_path(path, dirfd, file) == -1)
		return NULL;
	db = dbread_open(path, false, &r);
	if (db != NULL)
		sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
	return db;
}

/* To the end, from one moment: a writer in WAL mode does not disturb it. */
static int
copy_pages(sqlite3 *src, sqlite3 *dst)
{
	const struct timespec pause = { 0, 20 * 1000000 };
	sqlite3_backup *b = sqlite3_backup_init(dst, "main", src, "main");
	int rc, busy = 0;

	if (b == NULL)
		return sqlx_fail(dst, "backup");
	do {
		rc = sqlite3_backup_step(b, PAGES_A_STEP);
		if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED) {
			nanosleep(&pause, NULL);
			if (++busy == BUSY_STEPS_MAX)
				break;
			rc = SQLITE_OK;
		}
	} while (rc == SQLITE_OK);
	if (sqlite3_backup_finish(b) == SQLITE_OK && rc == SQLITE_DONE)
		return 0;
	if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED) {
		errno = EBUSY;
		return -1;
	}
	return sqlx_fail(dst, "backup");
}

static int
make_last(int from, int to, const char *file, struct copy_sum *sum)
{
	int like = openat(from, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int fd = openat(to, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int rc = -1;

	if (like != -1 && fd != -1 && copy_owner(fd, like) == 0 &&
	    fsync(fd) == 0)
		rc = copy_sum_file(to, file, sum);
	if (fd != -1)
		close(fd);
	if (like != -1)
		close(like);
	return rc;
}

/*
 * One read transaction around all steps: else each that finds the database
 * changed would begin again, and never end under a steady writer.
 */
static int
copy_moment(sqlite3 *src, sqlite3 *dst)
{
	int64_t n;
	int rc;

	if (sqlx_exec(src, "PRAGMA query_only=1; BEGIN") == -1 ||
	    sqlx_number(src, "SELECT count(*) FROM sqlite_schema", &n) == -1)
		return -1;
	rc = copy_pages(src, dst);
	if (sqlx_exec(src, "ROLLBACK") == -1)
		return -1;
	return rc;
}

/* Returns 0; 1: it was disturbed, do it again, live; -1 with errno. */
static int
copy_to(const char *from, const char *to, bool live)
{
	struct dbread r;
	sqlite3 *src = dbread_open(from, live, &r), *dst = NULL;
	int rc = -1, saved;

	if (src == NULL || (unlink(to) == -1 && errno != ENOENT))
		goto out;
	sqlite3_busy_timeout(src, BUSY_TIMEOUT_MS);
	dst = open_path(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (dst != NULL && sqlvfs_reserve(dst) == 0 &&
	    sqlx_exec(dst, "PRAGMA temp_store=MEMORY") == 0 &&
	    copy_moment(src, dst) == 0)
		/* So that whoever reads it makes no files beside it. */
		rc = sqlx_exec(dst, "PRAGMA journal_mode=DELETE");
out:
	saved = errno;
	sqlite3_close(dst);
	sqlite3_close(src);
	errno = saved;
	return src != NULL && dbread_is_disturbed(from, &r) ? 1 : rc;
}

int
dbcopy(int from, int to, const char *file, struct copy_sum *sum)
{
	char source[PATH_MAX], copy[PATH_MAX];
	int rc;

	if (dbcopy_path(source, from, file) == -1 ||
	    dbcopy_path(copy, to, file) == -1)
		return -1;
	rc = copy_to(source, copy, false);
	if (rc == 1)
		rc = copy_to(source, copy, true);
	return rc == 0 ? make_last(from, to, file, sum) : -1;
}

int
dbcopy_revive(int dirfd, const char *file)
{
	static const char *const companions[] = { "-wal", "-shm" };
	char path[PATH_MAX], name[64];
	int persist = 1, rc = -1, like, fd;
	int64_t n;
	sqlite3 *db;

	if (dbcopy_path(path, dirfd, file) == -1)
		return -1;
	db = open_path(path, SQLITE_OPEN_READWRITE);
	if (db == NULL)
		return -1;
	if (sqlite3_file_control(
		db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist) != SQLITE_OK)
		sqlx_fail(db, "persistent WAL");
	else if (sqlx_exec(db, "PRAGMA journal_mode=WAL") == 0)
		rc = sqlx_number(db, "SELECT count(*) FROM sqlite_schema", &n);
	if (sqlite3_close(db) != SQLITE_OK || rc == -1)
		return -1;
	like = openat(dirfd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	for (size_t i = 0; like != -1 && rc == 0 && i < NELEM(companions);
	     i++) {
		snprintf(name, sizeof(name), "%.40s%s", file, companions[i]);
		fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd == -1 || copy_owner(fd, like) == -1)
			rc = -1;
		if (fd != -1)
			close(fd);
	}
	if (like == -1)
		return -1;
	close(like);
	return rc;
}
