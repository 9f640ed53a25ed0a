/* Owns the schema of catalog.db. */
#include "common/compat.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "common/sqlx.h"
#include "keeper/catalog.h"
#include "keeper/catalog_schema.h"
#include "keeper/settings.h"
#include "keeper/userdb.h"

static const char jobs_sql[] =
    "CREATE TABLE meta ("
    " id INTEGER PRIMARY KEY CHECK (id = 1),"
    " version INTEGER NOT NULL,"
    " last_incarnation INTEGER NOT NULL,"
    " crc INTEGER NOT NULL);"
    "CREATE TABLE job ("
    " incarnation INTEGER PRIMARY KEY,"
    " job_id TEXT NOT NULL,"
    " config TEXT NOT NULL,"
    " create_time_ms INTEGER NOT NULL,"
    " finished_time_ms INTEGER NOT NULL,"
    " model_snapshot_id TEXT NOT NULL,"
    " wanted_open INTEGER NOT NULL,"
    " totals BLOB NOT NULL,"
    " deleted INTEGER NOT NULL,"
    " crc INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX job_live ON job (job_id) WHERE deleted = 0;";

/* Of the catalogue and its copy, the one with more changes is the newer. */
static const char change_sql[] = "CREATE TABLE change ("
				 " id INTEGER PRIMARY KEY CHECK (id = 1),"
				 " number INTEGER NOT NULL);"
				 "INSERT INTO change VALUES (1, 0);";

/*
 * What each version adds to the one before it: an older catalogue is brought
 * up to date in place, a new one goes through all of them.
 */
static const char *const steps[CATALOG_VERSION] = { jobs_sql, userdb_schema,
	"", /* room for checksums of pages: see catalog_file.c */
	change_sql };

uint32_t
catalog_meta_crc(uint64_t version, uint64_t last)
{
	uint64_t v[2] = { htobe64(version), htobe64(last) };

	return crc32c(0, v, sizeof(v));
}

/* Of an empty file it is 0. */
static int
version_read(sqlite3 *db, int64_t *version, int64_t *last)
{
	int64_t n, crc;

	*version = *last = 0;
	if (sqlx_number(db, "SELECT count(*) FROM sqlite_schema", &n) == -1)
		return -1;
	if (n == 0)
		return 0;
	if (sqlx_number(db, "SELECT version FROM meta", version) == -1 ||
	    sqlx_number(db, "SELECT last_incarnation FROM meta", last) == -1 ||
	    sqlx_number(db, "SELECT crc FROM meta", &crc) == -1)
		return -1;
	if (crc != catalog_meta_crc((uint64_t)*version, (uint64_t)*last) ||
	    *version < 1) {
		log_warnx("%s: meta: checksum mismatch",
		    sqlite3_db_filename(db, "main"));
		errno = EBADMSG;
		return -1;
	}
	if (*version <= CATALOG_VERSION)
		return 0;
	log_warnx(CATALOG_FILE ": version %" PRId64 ", this program reads %d",
	    *version, CATALOG_VERSION);
	errno = EPROTONOSUPPORT;
	return -1;
}

/* In one transaction: a version is there as a whole or not at all. */
static int
steps_take(sqlite3 *db)
{
	int64_t version, last;
	char sql[160];

	if (version_read(db, &version, &last) == -1)
		return -1;
	if (version == CATALOG_VERSION)
		return 0;
	if (version > 0)
		log_info(CATALOG_FILE ": brought from version %d to %d",
		    (int)version, CATALOG_VERSION);
	snprintf(sql, sizeof(sql),
	    "INSERT OR REPLACE INTO meta VALUES (1, %d, %" PRId64 ", %u)",
	    CATALOG_VERSION, last,
	    catalog_meta_crc(CATALOG_VERSION, (uint64_t)last));
	if (sqlx_exec(db, "BEGIN IMMEDIATE") == -1)
		return -1;
	for (int64_t i = version; i < CATALOG_VERSION; i++)
		if (sqlx_exec(db, steps[i]) == -1)
			return -1;
	return sqlx_exec(db, sql) == -1 ? -1 : sqlx_exec(db, "COMMIT");
}

/* ---- what is done with every table ---- */

/* Returns 0, or -1 with errno (logged). */
typedef int table_cb(sqlite3 *, const char *table, void *arg);

static int
each_table(sqlite3 *db, table_cb *cb, void *arg)
{
	sqlite3_stmt *st = sqlx_prepare(db,
	    "SELECT name FROM sqlite_schema WHERE type = 'table'"
	    " AND name NOT LIKE 'sqlite_%' AND name <> 'change' ORDER BY name");
	int rc, failed = 0;

	if (st == NULL)
		return -1;
	while (failed == 0 && (rc = sqlite3_step(st)) != SQLITE_DONE) {
		char table[64];

		if (rc != SQLITE_ROW) {
			failed = sqlx_fail(db, "list the tables");
			break;
		}
		strlcpy(table, (const char *)sqlite3_column_text(st, 0),
		    sizeof(table));
		failed = cb(db, table, arg);
	}
	sqlite3_finalize(st);
	return failed;
}

/* Triggers of this connection alone: they are no part of the file. */
static int
count_changes(sqlite3 *db, const char *table, void *arg)
{
	static const char *const verbs[] = { "INSERT", "UPDATE", "DELETE" };
	char sql[256];

	(void)arg;
	for (size_t i = 0; i < NELEM(verbs); i++) {
		snprintf(sql, sizeof(sql),
		    "CREATE TEMP TRIGGER IF NOT EXISTS \"%s_%s\" AFTER %s ON"
		    " main.\"%s\" BEGIN"
		    " UPDATE change SET number = number + 1; END",
		    table, verbs[i], verbs[i], table);
		if (sqlx_exec(db, sql) == -1)
			return -1;
	}
	return 0;
}

static uint32_t
sum_column(sqlite3_stmt *st, int i, uint32_t crc)
{
	int type = sqlite3_column_type(st, i);
	struct span s = sqlx_column_span(st, i);
	uint64_t head[2] = { (uint64_t)type, s.len };

	return crc32c(crc32c(crc, head, sizeof(head)), s.p, s.len);
}

static int
sum_table(sqlite3 *db, const char *table, void *arg)
{
	uint32_t *sum = arg;
	sqlite3_stmt *st;
	char sql[128];
	int rc;

	snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\" ORDER BY 1", table);
	st = sqlx_prepare(db, sql);
	if (st == NULL)
		return -1;
	*sum = crc32c(*sum, table, strlen(table));
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(st); i++)
			*sum = sum_column(st, i, *sum);
	if (rc != SQLITE_DONE)
		sqlx_fail(db, "read a table");
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

int
catalog_schema_ensure(sqlite3 *db)
{
	if (steps_take(db) == -1 || settings_ensure(db) == -1)
		return -1;
	return each_table(db, count_changes, NULL);
}

int
catalog_schema_change(sqlite3 *db, int64_t *number)
{
	return sqlx_number(db, "SELECT number FROM change", number);
}

int
catalog_schema_sum(sqlite3 *db, uint32_t *sum)
{
	*sum = 0;
	return each_table(db, sum_table, sum);
}
