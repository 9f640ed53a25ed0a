/* Owns the opening, making and closing of results.db. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/disk.h"
#include "common/log.h"
#include "common/resultsdb.h"
#include "common/resultsdb_schema.h"
#include "common/sqlvfs.h"
#include "common/sqlx.h"
#include "common/verify.h"
#include "common/wire.h"

#define NEW_FILE RESULTSDB_NEW_FILE
#define VERSION_BEFORE 3 /* which is upgraded */

static uint32_t
meta_crc(uint64_t version, uint64_t seq)
{
	uint64_t v[2] = { htobe64(version), htobe64(seq) };

	return crc32c(0, v, sizeof(v));
}

/* dir/file into dst; -1 with ENAMETOOLONG. */
static int
path_join(char dst[PATH_MAX], const char *dir, const char *file)
{
	int n = snprintf(dst, PATH_MAX, "%s/%s", dir, file);

	if (n < 0 || n >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

static sqlite3 *
file_open(const char *path, int flags)
{
	const char *vfs = sqlvfs_name();
	sqlite3 *db = NULL;
	int saved;

	if (vfs == NULL)
		return NULL;
	if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, vfs) !=
	    SQLITE_OK) {
		if (db == NULL) {
			errno = ENOMEM;
			return NULL;
		}
		sqlx_fail(db, "open");
		sqlite3_close(db);
		return NULL;
	}
	/* SQLite tries again for reading alone, and forgets why. */
	if ((flags & SQLITE_OPEN_READWRITE) != 0 &&
	    sqlite3_db_readonly(db, "main") == 1) {
		if (access(path, W_OK) == 0)
			errno = EIO;
		log_warn("%s: cannot be opened for writing", path);
		saved = errno;
		sqlite3_close(db);
		errno = saved;
		return NULL;
	}
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, RESULTSDB_BUSY_TIMEOUT_MS);
	return db;
}

/* journal_mode answers with a row, so it cannot go through sqlx_exec alone. */
static int
writer_setup(sqlite3 *db)
{
	int persist = 1;

	if (sqlx_exec(db,
		"PRAGMA journal_mode=WAL;"
		"PRAGMA synchronous=NORMAL;"
		"PRAGMA temp_store=MEMORY;"
		"PRAGMA journal_size_limit=16777216") == -1)
		return -1;
	if (sqlite3_file_control(
		db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist) != SQLITE_OK)
		return sqlx_fail(db, "persistent WAL");
	return 0;
}

static int
schema_create(sqlite3 *db)
{
	char sql[256];

	snprintf(sql, sizeof(sql), "INSERT INTO meta VALUES (1, %d, 0, %u)",
	    RESULTSDB_VERSION, meta_crc(RESULTSDB_VERSION, 0));
	if (sqlx_exec(db, "BEGIN IMMEDIATE") == -1 ||
	    resultsdb_schema_create(db) == -1 || sqlx_exec(db, sql) == -1)
		return -1;
	return sqlx_exec(db, "COMMIT");
}

static sqlite3 *
close_failed(sqlite3 *db)
{
	int saved = errno;

	resultsdb_close(db);
	errno = saved;
	return NULL;
}

static const char *const companions[] = { "-wal", "-shm", "" };

/* Give the three files of a database their name, the database itself last. */
static int
files_publish(const char *dir)
{
	for (size_t i = 0; i < NELEM(companions); i++) {
		char name[32], from[PATH_MAX], to[PATH_MAX];

		snprintf(name, sizeof(name), NEW_FILE "%s", companions[i]);
		if (path_join(from, dir, name) == -1)
			return -1;
		snprintf(
		    name, sizeof(name), RESULTSDB_FILE "%s", companions[i]);
		if (path_join(to, dir, name) == -1)
			return -1;
		/* Where this was cut off before, companions have moved. */
		if (rename(from, to) == -1 &&
		    (errno != ENOENT || companions[i][0] == '\0'))
			return -1;
	}
	return disk_sync_dir(dir);
}

static void
files_discard(const char *dir)
{
	for (size_t i = 0; i < NELEM(companions); i++) {
		char name[32], path[PATH_MAX];

		snprintf(name, sizeof(name), NEW_FILE "%s", companions[i]);
		if (path_join(path, dir, name) == 0)
			unlink(path);
	}
}

/*
 * Made under another name and renamed when complete and closed, so that no
 * reader ever meets a database without tables or without its -wal.
 */
sqlite3 *
resultsdb_new_begin(const char *dir)
{
	char path[PATH_MAX];
	sqlite3 *db;

	files_discard(dir);
	if (path_join(path, dir, NEW_FILE) == -1)
		return NULL;
	db = file_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (db == NULL)
		return NULL;
	if (sqlvfs_reserve(db) == 0 &&
	    sqlx_exec(db, "PRAGMA auto_vacuum=INCREMENTAL") == 0 &&
	    writer_setup(db) == 0 && schema_create(db) == 0)
		return db;
	return close_failed(db);
}

int
resultsdb_new_publish(const char *dir)
{
	int saved;

	if (files_publish(dir) == 0)
		return 0;
	saved = errno;
	log_warn("%s: cannot name %s", dir, RESULTSDB_FILE);
	errno = saved;
	return -1;
}

static int
file_create(const char *dir)
{
	sqlite3 *db = resultsdb_new_begin(dir);

	if (db == NULL)
		return -1;
	resultsdb_close(db);
	return resultsdb_new_publish(dir);
}

/* The row of meta: 0, or -1 with EBADMSG when it is damaged. */
static int
meta_read(sqlite3 *db, uint64_t *version, uint64_t *seq)
{
	sqlite3_stmt *st = sqlx_prepare(
	    db, "SELECT version, applied_seq, crc FROM meta WHERE id = 1");
	int rc;

	if (st == NULL)
		return -1;
	rc = sqlite3_step(st);
	if (rc != SQLITE_ROW) {
		if (rc != SQLITE_DONE)
			sqlx_fail(db, "read meta");
		else
			errno = EBADMSG;
		sqlite3_finalize(st);
		return -1;
	}
	*version = (uint64_t)sqlite3_column_int64(st, 0);
	*seq = (uint64_t)sqlite3_column_int64(st, 1);
	rc = (uint32_t)sqlite3_column_int64(st, 2) == meta_crc(*version, *seq)
	    ? 0
	    : -1;
	sqlite3_finalize(st);
	if (rc == -1) {
		log_warnx("%s: meta: checksum mismatch",
		    sqlite3_db_filename(db, "main"));
		errno = EBADMSG;
	}
	return rc;
}

static int
version_check(sqlite3 *db, uint64_t *version)
{
	uint64_t seq;

	if (meta_read(db, version, &seq) == -1)
		return -1;
	if (*version == RESULTSDB_VERSION || *version == VERSION_BEFORE)
		return 0;
	log_warnx("%s: version %ju, this program reads %d",
	    sqlite3_db_filename(db, "main"), (uintmax_t)*version,
	    RESULTSDB_VERSION);
	errno = ENOTSUP;
	return -1;
}

/* A file of the version before gets the tables that it lacks, or is closed. */
static int
upgrade(sqlite3 *db, uint64_t version)
{
	uint64_t seq;

	if (version == RESULTSDB_VERSION)
		return 0;
	if (sqlx_exec(db, "BEGIN IMMEDIATE") == -1 ||
	    resultsdb_get_seq(db, &seq) == -1 ||
	    resultsdb_schema_add(db) == -1 || resultsdb_put_seq(db, seq) == -1)
		return -1;
	return sqlx_exec(db, "COMMIT");
}

/* Say what a walk over the WAL has found. */
static void
log_report(void *arg, const char *path, uint64_t offset, const char *what)
{
	(void)arg;
	log_warnx("%s: damaged at byte %ju: %s", path, (uintmax_t)offset, what);
}

/* What SQLite would pass over: an empty file, one of another kind, a WAL. */
static int
file_check(const char *path, bool writer)
{
	int rc = sqlvfs_probe(path);

	if (rc == -1 && errno != ENOENT && errno != EBADMSG)
		log_warn("%s", path);
	if (rc == 1)
		log_warnx(
		    "%s: made by a version without checksums of pages", path);
	if (rc == 0 && writer) {
		rc = verify_wal(path, log_report, NULL);
		if (rc == -1)
			log_warn("%s-wal", path);
	}
	if (rc > 0) {
		errno = EBADMSG;
		rc = -1;
	}
	return rc;
}

/*
 * The number in the file alone, without its WAL; 0 when it cannot be told. It
 * is greater than the one with the WAL when that has lost commits which were
 * folded in: then pages of several ages stand side by side.
 */
static uint64_t
folded_seq(const char *path)
{
	const char *vfs = sqlvfs_name_unchecked();
	char uri[3 * PATH_MAX + 32], *p = uri + 5;
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	uint64_t seq = 0;

	strlcpy(uri, "file:", sizeof(uri));
	for (const char *c = path; *c != '\0'; c++, p += strlen(p))
		snprintf(p, 4, strchr("%?#", *c) == NULL ? "%c" : "%%%02x", *c);
	strlcat(uri, "?immutable=1", sizeof(uri));
	if (vfs != NULL &&
	    sqlite3_open_v2(uri, &db,
		SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
		vfs) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, "SELECT version, applied_seq, crc FROM meta",
		-1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW) {
		seq = (uint64_t)sqlite3_column_int64(st, 1);
		if (sqlite3_column_int64(st, 2) !=
		    meta_crc((uint64_t)sqlite3_column_int64(st, 0), seq))
			seq = 0;
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	return seq;
}

static int
wal_check(sqlite3 *db, const char *path)
{
	uint64_t seq, folded = folded_seq(path);

	if (resultsdb_get_seq(db, &seq) == -1)
		return -1;
	if (folded <= seq)
		return 0;
	log_warnx("%s-wal: damaged: it ends at entry %ju, and entry %ju is in "
		  "the database already",
	    path, (uintmax_t)seq, (uintmax_t)folded);
	errno = EBADMSG;
	return -1;
}

sqlite3 *
resultsdb_open_damaged(const char *dir)
{
	const char *vfs = sqlvfs_name_unchecked();
	char path[PATH_MAX];
	sqlite3 *db = NULL;

	if (vfs == NULL || path_join(path, dir, RESULTSDB_FILE) == -1)
		return NULL;
	if (sqlite3_open_v2(path, &db,
		SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, vfs) == SQLITE_OK)
		return db;
	sqlite3_close(db);
	errno = EBADMSG;
	return NULL;
}

sqlite3 *
resultsdb_open_writer(const char *dir, bool create)
{
	char path[PATH_MAX];
	uint64_t version;
	sqlite3 *db;

	if (path_join(path, dir, RESULTSDB_FILE) == -1)
		return NULL;
	if (access(path, F_OK) == -1) {
		if (errno != ENOENT || !create || file_create(dir) == -1)
			return NULL;
	}
	if (file_check(path, true) == -1)
		return NULL;
	db = file_open(path, SQLITE_OPEN_READWRITE);
	if (db == NULL)
		return NULL;
	if (version_check(db, &version) == -1 || wal_check(db, path) == -1 ||
	    writer_setup(db) == -1 || upgrade(db, version) == -1)
		return close_failed(db);
	return db;
}

/*
 * Other programs take the -wal with them when they are done with a database,
 * and a reader without the right to write cannot make it again.
 */
static void
explain_failure(const char *dir)
{
	char path[PATH_MAX];

	if (path_join(path, dir, RESULTSDB_FILE "-wal") == 0 &&
	    access(path, F_OK) == -1)
		log_warnx(
		    "%s is missing; opening the job makes it again", path);
}

sqlite3 *
resultsdb_open_reader(const char *dir)
{
	char path[PATH_MAX];
	uint64_t version;
	struct stat st;
	sqlite3 *db;

	if (path_join(path, dir, RESULTSDB_FILE) == -1 ||
	    lstat(path, &st) == -1)
		return NULL;
	/* Opening a pipe would wait for its other end, and others for us. */
	if (!S_ISREG(st.st_mode)) {
		log_warnx("%s is no file", path);
		errno = EBADMSG;
		return NULL;
	}
	if (file_check(path, false) == -1)
		return NULL;
	db = file_open(path, SQLITE_OPEN_READONLY);
	if (db == NULL)
		return NULL;
	if (sqlx_exec(db,
		"PRAGMA temp_store=MEMORY;"
		"PRAGMA cache_size=-16384") == -1 ||
	    version_check(db, &version) == -1 ||
	    (version != RESULTSDB_VERSION &&
		resultsdb_schema_pretend(db) == -1) ||
	    sqlx_exec(db, "PRAGMA query_only=1") == -1) {
		int saved = errno;

		explain_failure(dir);
		errno = saved;
		return close_failed(db);
	}
	return db;
}

void
resultsdb_close(sqlite3 *db)
{
	sqlite3_stmt *st;

	if (db == NULL)
		return;
	while ((st = sqlite3_next_stmt(db, NULL)) != NULL)
		sqlite3_finalize(st);
	if (sqlite3_close(db) != SQLITE_OK)
		sqlx_fail(db, "close");
}

int
resultsdb_get_seq(sqlite3 *db, uint64_t *seq)
{
	uint64_t version;

	return meta_read(db, &version, seq);
}

int
resultsdb_put_seq(sqlite3 *db, uint64_t seq)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	    "UPDATE meta SET version = %d, applied_seq = %jd, crc = %u"
	    " WHERE id = 1",
	    RESULTSDB_VERSION, (intmax_t)seq, meta_crc(RESULTSDB_VERSION, seq));
	return sqlx_exec(db, sql);
}

int
resultsdb_tail(sqlite3 *db, int64_t *id)
{
	int64_t run;

	if (sqlx_number(
		db, "SELECT coalesce(max(run) + 1, 0) FROM run", &run) == -1)
		return -1;
	*id = run << RESULTSDB_RUN_SHIFT;
	return 0;
}

#define OF_RUN                                                                 \
	" FROM record WHERE is_interim = 0 AND id >= ?1 << 12 AND"             \
	" id < (?1 + 1) << 12"
static const char *const run_sql[] = {
	"INSERT INTO run SELECT ?1, min(timestamp), max(timestamp),"
	" min(record_score), max(record_score), min(probability),"
	" max(probability)" OF_RUN,
	"INSERT INTO record_by_score SELECT ?1, record_score, id" OF_RUN
	" ORDER BY record_score, id",
	"INSERT INTO record_by_probability SELECT ?1, probability, id" OF_RUN
	" ORDER BY probability, id",
};

int
resultsdb_add_run(sqlite3 *db, int64_t run)
{
	for (size_t i = 0; i < NELEM(run_sql); i++) {
		sqlite3_stmt *st = sqlx_prepare(db, run_sql[i]);
		int rc;

		if (st == NULL)
			return -1;
		sqlite3_bind_int64(st, 1, run);
		rc = sqlx_run(st);
		sqlite3_finalize(st);
		if (rc == -1)
			return -1;
	}
	return 0;
}
