/* Owns the table of settings in catalog.db. */
#include "common/compat.h"

#include <endian.h>
#include <sqlite3.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "common/sqlx.h"
#include "keeper/settings.h"

int
settings_ensure(sqlite3 *db)
{
	return sqlx_exec(db,
	    "CREATE TABLE IF NOT EXISTS setting ("
	    " name TEXT PRIMARY KEY,"
	    " value TEXT NOT NULL,"
	    " crc INTEGER NOT NULL) WITHOUT ROWID");
}

static uint32_t
sum_span(uint32_t crc, struct span s)
{
	uint64_t len = htobe64(s.len);

	return crc32c(crc32c(crc, &len, sizeof(len)), s.p, s.len);
}

static uint32_t
setting_crc(const struct msg_keep_setting *m)
{
	return sum_span(sum_span(0, m->name), m->value);
}

int
settings_put(sqlite3 *db, const struct msg_keep_setting *m)
{
	sqlite3_stmt *st = sqlx_prepare(
	    db, "INSERT OR REPLACE INTO setting VALUES (?1, ?2, ?3)");
	int rc;

	if (st == NULL)
		return -1;
	sqlx_bind_span(st, 1, m->name);
	sqlx_bind_span(st, 2, m->value);
	sqlite3_bind_int64(st, 3, setting_crc(m));
	rc = sqlx_run(st);
	sqlite3_finalize(st);
	return rc;
}

int
settings_each(sqlite3 *db, settings_each_cb *cb, void *arg)
{
	sqlite3_stmt *st = sqlx_prepare(
	    db, "SELECT name, value, crc FROM setting ORDER BY name");
	int rc, failed = 0;

	if (st == NULL)
		return -1;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW && failed == 0) {
		struct msg_keep_setting m = { sqlx_column_span(st, 0),
			sqlx_column_span(st, 1) };
		char name[128];

		if (sqlite3_column_int64(st, 2) == setting_crc(&m))
			failed = cb(arg, &m);
		else
			log_warnx("setting %s: the row does not match its "
				  "checksum",
			    log_escape(
				name, sizeof(name), m.name.p, m.name.len));
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		failed = sqlx_fail(db, "read settings");
	sqlite3_finalize(st);
	return failed;
}
