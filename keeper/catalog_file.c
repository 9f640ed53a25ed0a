/* Owns the files of the catalogue: which is opened, and what is whole. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/disk.h"
#include "common/log.h"
#include "common/sqlvfs.h"
#include "common/sqlx.h"
#include "common/verify.h"
#include "keeper/catalog.h"
#include "keeper/catalog_file.h"
#include "keeper/catalog_schema.h"
#include "keeper/jobdirs.h"

#define NEW_FILE "catalog.db.new"

#define COPY_BUSY_MS 100

/* Of more damaged ones the last is replaced: a bound. */
#define DAMAGED_MAX 9
#define PATH_BYTES 64

void
catalog_file_close(sqlite3 *db)
{
	int saved = errno;

	if (db != NULL && sqlite3_close(db) != SQLITE_OK)
		sqlx_fail(db, "close");
	errno = saved;
}

static int
remove_file(const char *path)
{
	return unlink(path) == -1 && errno != ENOENT ? -1 : 0;
}

/* ---- looking over ---- */

static void
log_report(void *arg, const char *path, uint64_t offset, const char *what)
{
	(void)arg;
	log_warnx("%s: damaged at byte %ju: %s", path, (uintmax_t)offset, what);
}

/*
 * All that is wrong with it, and what SQLite would pass over without a word: an
 * empty file, which is a new database to it, and a WAL that is wrong before its
 * end. Returns as sqlvfs_probe.
 */
static int
file_look(const char *path)
{
	int rc = sqlvfs_probe(path), n;

	if (rc == -1)
		return -1;
	n = rc == 1 ? verify_wal(path, log_report, NULL)
		    : verify_checksums(path, log_report, NULL);
	if (n > 0)
		errno = EBADMSG;
	return n == 0 ? rc : -1;
}

/* The order within. */
static int
integrity_check(sqlite3 *db)
{
	sqlite3_stmt *st = sqlx_prepare(db, "PRAGMA integrity_check(1)");
	const char *text = NULL;
	int rc = -1;

	if (st == NULL)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW)
		text = (const char *)sqlite3_column_text(st, 0);
	if (text != NULL && strcmp(text, "ok") == 0) {
		rc = 0;
	} else if (text == NULL) {
		sqlx_fail(db, "check");
	} else {
		log_warnx(
		    "%s is damaged: %s", sqlite3_db_filename(db, "main"), text);
		errno = EBADMSG;
	}
	sqlite3_finalize(st);
	return rc;
}

/*
 * The catalogue lasts at each change and lies in its file alone. The copy need
 * not be synced: it is wanted only when the other is damaged. Nor is it worth
 * waiting for whoever locks it.
 */
static int
db_setup(sqlite3 *db, bool is_copy)
{
	char sql[160];

	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, is_copy ? COPY_BUSY_MS : CATALOG_BUSY_MS);
	snprintf(sql, sizeof(sql),
	    "PRAGMA journal_mode=WAL;"
	    "PRAGMA synchronous=%s;"
	    "PRAGMA foreign_keys=ON;"
	    "PRAGMA temp_store=MEMORY",
	    is_copy ? "NORMAL" : "FULL");
	return sqlx_exec(db, sql) == -1 || integrity_check(db) == -1
	    ? -1
	    : catalog_schema_ensure(db);
}

/* Returns NULL with errno (logged). */
static sqlite3 *
db_open(const char *path, bool is_copy)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
		sqlvfs_name()) != SQLITE_OK)
		sqlx_fail(db, "open");
	else if (db_setup(db, is_copy) == 0)
		return db;
	catalog_file_close(db);
	return NULL;
}

sqlite3 *
catalog_file_open_copy(void)
{
	int rc = file_look(CATALOG_COPY);

	if (rc == -1 && errno != ENOENT && errno != EBADMSG)
		log_warn(CATALOG_COPY);
	if (rc == 1) {
		/* It never was without checksums. */
		log_report(NULL, CATALOG_COPY, 0, "not the head of a copy");
		errno = EBADMSG;
	}
	return rc == 0 ? db_open(CATALOG_COPY, true) : NULL;
}

/* ---- writing files anew ---- */

/* Under a name that it gives up when it is whole. */
static int
write_new(sqlite3 *db)
{
	int fd, rc, saved;

	if (remove_file(NEW_FILE) == -1 ||
	    sqlx_exec(db, "VACUUM INTO '" NEW_FILE "'") == -1)
		return -1;
	fd = open(NEW_FILE, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	rc = fsync(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

static int
name_new(const char *path)
{
	return rename(NEW_FILE, path) == -1 ? -1 : disk_sync_dir(".");
}

/*
 * The WAL of the old one must not meet the new one, nor may the old one be seen
 * without its WAL: so the old one goes first.
 */
int
catalog_file_copy(sqlite3 *db)
{
	if (write_new(db) == 0 && remove_file(CATALOG_COPY) == 0 &&
	    remove_file(CATALOG_COPY "-wal") == 0 &&
	    remove_file(CATALOG_COPY "-shm") == 0 &&
	    name_new(CATALOG_COPY) == 0)
		return 0;
	log_warn(CATALOG_COPY);
	return -1;
}

/* A catalogue without checksums is written anew with them. */
static int
convert(void)
{
	sqlite3 *db = NULL;
	int rc = -1;

	if (sqlite3_open_v2(CATALOG_FILE, &db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
		sqlvfs_name_unchecked()) == SQLITE_OK &&
	    integrity_check(db) == 0 && sqlvfs_reserve(db) == 0)
		rc = sqlx_exec(
		    db, "PRAGMA temp_store=MEMORY; PRAGMA journal_mode=DELETE");
	else
		sqlx_fail(db, "convert");
	if (rc == 0)
		rc = write_new(db);
	catalog_file_close(db);
	if (rc == -1 || name_new(CATALOG_FILE) == -1)
		return -1;
	log_info(CATALOG_FILE ": written anew with checksums");
	return 0;
}

/*
 * A new one is made under another name as well: half of it would look like
 * damage. A WAL without its database is of no use to anybody.
 */
static int
make_new(void)
{
	sqlite3 *db = NULL;
	int rc = -1;

	if (remove_file(NEW_FILE) == -1 ||
	    remove_file(CATALOG_FILE "-wal") == -1)
		return -1;
	if (sqlite3_open_v2(NEW_FILE, &db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
		    SQLITE_OPEN_NOMUTEX,
		sqlvfs_name()) != SQLITE_OK)
		sqlx_fail(db, "open");
	else if (sqlvfs_reserve(db) == 0 &&
	    sqlx_exec(db, "PRAGMA temp_store=MEMORY") == 0)
		rc = catalog_schema_ensure(db);
	catalog_file_close(db);
	return rc == -1 ? -1 : name_new(CATALOG_FILE);
}

/* ---- the catalogue ---- */

static int
is_job_name(void *arg, const char *name)
{
	(void)arg;
	return jobdirs_incarnation(name) != 0;
}

/*
 * Jobs without a catalogue: a new one would make them look deleted. Returns 0,
 * or -1 with errno (some of it logged).
 */
static int
make_first(void)
{
	int rc = disk_each("jobs", is_job_name, NULL);

	if (rc == 0 || (rc == -1 && errno == ENOENT))
		return make_new();
	if (rc == 1) {
		log_warnx(CATALOG_FILE " and " CATALOG_COPY " are missing, "
				       "but jobs/ has jobs: bring one of them "
				       "back, restore a backup with anomctl "
				       "restore, or move jobs/ away to begin "
				       "anew");
		errno = EBADMSG;
	}
	return -1;
}

/* Returns NULL with errno (logged); ENOENT: it is gone, and its copy is not. */
static sqlite3 *
main_open(void)
{
	int rc = file_look(CATALOG_FILE);

	if (rc == -1 && errno == ENOENT && access(CATALOG_COPY, F_OK) == -1)
		rc = make_first();
	else if (rc == 1)
		rc = convert();
	if (rc == 0)
		return db_open(CATALOG_FILE, false);
	log_warn(CATALOG_FILE);
	return NULL;
}

/* For whoever wants to look; with its WAL, so that it can be opened. */
static void
set_aside(void)
{
	char to[PATH_BYTES], wal[PATH_BYTES + sizeof("-wal")];

	snprintf(to, sizeof(to), CATALOG_DAMAGED);
	for (int i = 1; access(to, F_OK) == 0 && i <= DAMAGED_MAX; i++)
		snprintf(to, sizeof(to), CATALOG_DAMAGED ".%d", i);
	snprintf(wal, sizeof(wal), "%s-wal", to);
	if (rename(CATALOG_FILE, to) == 0)
		log_warnx(CATALOG_FILE ": moved to %s", to);
	else if (errno != ENOENT)
		log_warn("%s", to);
	if (rename(CATALOG_FILE "-wal", wal) == -1 && errno != ENOENT)
		log_warn("%s", wal);
}

/* A death on the way leaves no catalogue, and the copy: it is done again. */
static int
take_copy(sqlite3 *copy, int64_t number)
{
	if (write_new(copy) == 0) {
		set_aside();
		if (remove_file(CATALOG_FILE "-wal") == 0 &&
		    remove_file(CATALOG_FILE "-shm") == 0 &&
		    name_new(CATALOG_FILE) == 0) {
			log_warnx(CATALOG_FILE ": made from " CATALOG_COPY
					       ", which has the changes up "
					       "to number %" PRId64,
			    number);
			return 0;
		}
	}
	log_warn(CATALOG_FILE);
	return -1;
}

/* Is the copy to be taken? db: NULL: the catalogue cannot be read. */
static bool
is_behind(sqlite3 *db, int64_t number)
{
	int64_t have;

	if (db == NULL)
		return true;
	if (catalog_schema_change(db, &have) == 0 && have >= number)
		return false;
	log_warnx(CATALOG_FILE ": its last changes are lost: it has those up "
			       "to number %" PRId64 ", " CATALOG_COPY
			       " up to %" PRId64,
	    have, number);
	return true;
}

sqlite3 *
catalog_file_open(void)
{
	sqlite3 *db, *copy;
	int64_t number;
	int rc = 0;

	if (sqlvfs_name() == NULL)
		return NULL;
	db = main_open();
	if (db == NULL && errno != EBADMSG && errno != ENOENT)
		return NULL;
	copy = catalog_file_open_copy();
	if (copy == NULL && db == NULL) {
		log_warnx(CATALOG_FILE " cannot be read, and there is no "
				       "whole " CATALOG_COPY);
		errno = EBADMSG;
	}
	if (copy == NULL)
		return db;
	if (catalog_schema_change(copy, &number) == -1)
		rc = db == NULL ? -1 : 0;
	else if (is_behind(db, number)) {
		catalog_file_close(db);
		db = NULL;
		rc = take_copy(copy, number);
	}
	catalog_file_close(copy);
	return db == NULL && rc == 0 ? main_open() : db;
}
