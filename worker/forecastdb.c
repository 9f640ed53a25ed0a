/* Owns the SQL of forecasts, as the worker writes them. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/sqlx.h"
#include "worker/forecastdb.h"

#define TURN_POINTS 500 /* removed at once */

static int
new_id(sqlite3 *db, int64_t *id)
{
	return sqlx_number(db,
	    "SELECT 1 + max((SELECT coalesce(max(id), 0) FROM forecast),"
	    " (SELECT coalesce(max(forecast), 0) FROM forecast_point))",
	    id);
}

int
forecastdb_put(sqlite3 *db, struct forecast_row *row)
{
	sqlite3_stmt *st;
	struct wbuf wb;
	int rc = -1;

	if (row->id == 0 && new_id(db, &row->id) == -1)
		return -1;
	st = sqlx_prepare(db, forecastrow_put);
	if (st == NULL)
		return -1;
	wbuf_init(&wb, 0);
	if (forecastrow_bind(st, row, &wb) == 0)
		rc = sqlx_run(st);
	wbuf_clear(&wb);
	sqlite3_finalize(st);
	return rc;
}

static int
entry_read(sqlite3_stmt *st, struct forecast_entry *e)
{
	struct wbuf wb;
	int rc;

	wbuf_init(&wb, 0);
	rc = forecastrow_read(st, &e->row, &wb);
	wbuf_clear(&wb);
	if (rc == -1)
		return -1;
	memcpy(e->id, e->row.forecast_id.p, e->row.forecast_id.len);
	e->id[e->row.forecast_id.len] = '\0';
	memcpy(e->messages, e->row.messages.p, e->row.messages.len);
	e->messages[e->row.messages.len] = '\0';
	e->row.forecast_id = span_of(e->id);
	e->row.messages = span_of(e->messages);
	return 1;
}

/* Takes the statement, which has its bindings. */
static int
entry_step(sqlite3 *db, sqlite3_stmt *st, struct forecast_entry *e)
{
	int rc = sqlite3_step(st), saved;

	if (rc == SQLITE_ROW)
		rc = entry_read(st, e);
	else if (rc == SQLITE_DONE)
		rc = 0;
	else
		rc = sqlx_fail(db, "read a forecast");
	saved = errno;
	sqlite3_finalize(st);
	errno = saved;
	return rc;
}

int
forecastdb_find(sqlite3 *db, struct span forecast_id, struct forecast_entry *e)
{
	sqlite3_stmt *st = sqlx_prepare(db,
	    "SELECT " FORECAST_COLUMNS " FROM forecast WHERE forecast_id = ?1");

	if (st == NULL)
		return -1;
	sqlx_bind_span(st, 1, forecast_id);
	return entry_step(db, st, e);
}

int
forecastdb_next(sqlite3 *db, int64_t after, struct forecast_entry *e)
{
	sqlite3_stmt *st = sqlx_prepare(db,
	    "SELECT " FORECAST_COLUMNS
	    " FROM forecast WHERE id > ?1 ORDER BY id LIMIT 1");

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, after);
	return entry_step(db, st, e);
}

int
forecastdb_unfinished(sqlite3 *db, int64_t after, struct forecast_entry *e)
{
	sqlite3_stmt *st = sqlx_prepare(db,
	    "SELECT " FORECAST_COLUMNS
	    " FROM forecast WHERE id > ?1 AND status IN (?2, ?3)"
	    " ORDER BY id LIMIT 1");

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, after);
	sqlite3_bind_int(st, 2, FORECAST_STARTED);
	sqlite3_bind_int(st, 3, FORECAST_SCHEDULED);
	return entry_step(db, st, e);
}

/* A statement with one number, or two. Returns how many rows it changed. */
static int
run(sqlite3 *db, const char *sql, int64_t a, int64_t b)
{
	sqlite3_stmt *st = sqlx_prepare(db, sql);
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, a);
	sqlite3_bind_int64(st, 2, b); /* SQLITE_RANGE: it has but one */
	rc = sqlx_run(st) == -1 ? -1 : sqlite3_changes(db);
	sqlite3_finalize(st);
	return rc;
}

int
forecastdb_remove(sqlite3 *db, int64_t id)
{
	return run(db, "DELETE FROM forecast WHERE id = ?1", id, 0) == -1 ? -1
									  : 0;
}

int
forecastdb_remove_points(sqlite3 *db, int64_t id)
{
	if (id != -1)
		return run(db,
		    "DELETE FROM forecast_point WHERE id IN (SELECT id FROM"
		    " forecast_point WHERE forecast = ?1 LIMIT ?2)",
		    id, TURN_POINTS);
	/* From one forecast to the next by the index: there are few of them. */
	return run(db,
	    "WITH RECURSIVE f(id) AS (SELECT min(forecast) FROM forecast_point"
	    " UNION ALL SELECT (SELECT min(forecast) FROM forecast_point"
	    " WHERE forecast > f.id) FROM f WHERE f.id IS NOT NULL)"
	    "DELETE FROM forecast_point WHERE id IN (SELECT id FROM"
	    " forecast_point WHERE forecast = (SELECT f.id FROM f WHERE f.id"
	    " NOT IN (SELECT id FROM forecast WHERE status <> ?2) LIMIT 1)"
	    " LIMIT ?1)",
	    TURN_POINTS, FORECAST_FAILED);
}

void
forecast_entry_say(struct forecast_entry *e, const char *text, size_t len)
{
	size_t has = strlen(e->messages);

	if (has + len + 1 >= sizeof(e->messages))
		return;
	if (has > 0)
		e->messages[has++] = '\n';
	memcpy(e->messages + has, text, len);
	e->messages[has + len] = '\0';
	e->row.messages = span_of(e->messages);
}
