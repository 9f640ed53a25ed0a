/* Owns the way from a failure of SQLite to errno and the log. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "common/log.h"
#include "common/sqlx.h"

int
sqlx_errno(sqlite3 *db)
{
	int sys = sqlite3_system_errno(db);

	if (sqlite3_extended_errcode(db) == SQLITE_IOERR_DATA)
		return EBADMSG;
	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	case SQLITE_INTERRUPT:
		return EINTR;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return EBADMSG;
	default:
		return sys == ENOSPC || sys == EDQUOT ? ENOSPC : EIO;
	}
}

int
sqlx_fail(sqlite3 *db, const char *what)
{
	const char *file = sqlite3_db_filename(db, "main");
	int e = sqlx_errno(db);

	if (e != EINTR)
		log_warnx("%s: %s: %s", file == NULL ? "database" : file, what,
		    sqlite3_errmsg(db));
	errno = e;
	return -1;
}

/* A whole statement would hide in a log line what went wrong. */
static int
statement_fail(sqlite3 *db, const char *sql)
{
	char verb[16];
	size_t n = strcspn(sql, " ;");

	strlcpy(verb, sql, n + 1 < sizeof(verb) ? n + 1 : sizeof(verb));
	log_debug("%s", sql);
	return sqlx_fail(db, verb);
}

int
sqlx_exec(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return statement_fail(db, sql);
	return 0;
}

sqlite3_stmt *
sqlx_prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;

	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st,
		NULL) != SQLITE_OK) {
		statement_fail(db, sql);
		return NULL;
	}
	return st;
}

int
sqlx_run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	if (rc != SQLITE_DONE)
		statement_fail(sqlite3_db_handle(st), sqlite3_sql(st));
	if (sqlite3_reset(st) != SQLITE_OK || rc != SQLITE_DONE)
		return -1;
	return 0;
}

void
sqlx_bind_span(sqlite3_stmt *st, int i, struct span s)
{
	sqlite3_bind_text64(
	    st, i, s.p == NULL ? "" : s.p, s.len, SQLITE_STATIC, SQLITE_UTF8);
}

struct span
sqlx_column_span(sqlite3_stmt *st, int i)
{
	/* The length is that of the form that was asked for last. */
	const void *p = sqlite3_column_blob(st, i);

	return (struct span){ p == NULL ? "" : p,
		(size_t)sqlite3_column_bytes(st, i) };
}

int
sqlx_number(sqlite3 *db, const char *sql, int64_t *v)
{
	sqlite3_stmt *st = sqlx_prepare(db, sql);
	int rc = 0;

	*v = 0;
	if (st == NULL)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW)
		*v = sqlite3_column_int64(st, 0);
	else
		rc = sqlx_fail(db, sql);
	sqlite3_finalize(st);
	return rc;
}
