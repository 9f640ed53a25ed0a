/* Owns the making of an answer from the forecasts of a job. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "common/forecastrow.h"
#include "common/sqlx.h"
#include "common/units.h"
#include "query/forecast.h"
#include "query/jsonw.h"
#include "query/reading.h"

#define WHERE_POINT                                                            \
	" FROM forecast_point INDEXED BY forecast_point_by_time"               \
	" WHERE forecast = ?1 AND timestamp >= ?2 AND timestamp < ?3"          \
	" AND (?6 = 0 OR detector IN (SELECT id FROM detector WHERE"           \
	" detector_index = ?6 - 1)) AND (?7 IS NULL OR by_field_value = ?7)"   \
	" AND (?8 IS NULL OR partition_field_value = ?8)"

struct answer {
	struct reading r;
	int64_t id;	/* of the one that is asked for */
	uint64_t count; /* matches: requests, or one and its points */
};

static bool
is_list(const struct answer *a)
{
	return a->r.req->ids[0] == '\0';
}

static int
not_found(struct answer *a)
{
	return apierr_set(a->r.err, 404, E_NOT_FOUND,
	    "No forecast(s) [%s] exists for job [%s]", a->r.req->ids,
	    a->r.req->job_id);
}

/* With the bindings of whatever it has; the others are SQLITE_RANGE. */
static sqlite3_stmt *
prepare(struct answer *a, const char *sql, int64_t limit, int64_t offset)
{
	sqlite3_stmt *st = sqlx_prepare(a->r.db, sql);

	if (st == NULL) {
		reading_fail(&a->r);
		return NULL;
	}
	sqlite3_bind_int64(st, 1, a->id);
	sqlite3_bind_int64(st, 2, a->r.req->start_ms);
	sqlite3_bind_int64(st, 3, a->r.req->end_ms);
	sqlite3_bind_int64(st, 4, limit);
	sqlite3_bind_int64(st, 5, offset);
	sqlite3_bind_int64(st, 6, a->r.req->detector);
	if (a->r.req->by_value != NULL)
		sqlite3_bind_text(st, 7, a->r.req->by_value, -1, SQLITE_STATIC);
	if (a->r.req->partition_value != NULL)
		sqlite3_bind_text(
		    st, 8, a->r.req->partition_value, -1, SQLITE_STATIC);
	return st;
}

static int
number(struct answer *a, const char *sql, uint64_t *n)
{
	sqlite3_stmt *st = prepare(a, sql, 0, 0);
	int rc = 0;

	if (st == NULL)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW)
		*n = (uint64_t)sqlite3_column_int64(st, 0);
	else
		rc = sqlx_fail(a->r.db, "count forecasts");
	sqlite3_finalize(st);
	return rc == -1 ? reading_fail(&a->r) : 0;
}

static int
find(struct answer *a)
{
	sqlite3_stmt *st = sqlx_prepare(a->r.db,
	    "SELECT id, record_count FROM forecast"
	    " WHERE forecast_id = ?1");
	int rc;

	if (st == NULL)
		return reading_fail(&a->r);
	sqlx_bind_span(st, 1, span_of(a->r.req->ids));
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		a->id = sqlite3_column_int64(st, 0);
		a->count = (uint64_t)sqlite3_column_int64(st, 1);
	} else if (rc != SQLITE_DONE)
		sqlx_fail(a->r.db, "look for a forecast");
	sqlite3_finalize(st);
	if (rc == SQLITE_ROW)
		return 0;
	return rc == SQLITE_DONE ? not_found(a) : reading_fail(&a->r);
}

/* Not all points of the forecast are meant. */
static bool
is_narrowed(const struct request *q)
{
	return q->start_ms != TIME_UNSET || q->end_ms != INT64_MAX ||
	    q->detector != 0 || q->by_value != NULL ||
	    q->partition_value != NULL;
}

/* One read transaction: all statements see the same results. */
static int
begin(struct answer *a)
{
	if (a->r.db == NULL)
		return is_list(a) ? 0 : not_found(a);
	if (sqlx_exec(a->r.db, "BEGIN") == -1)
		return reading_fail(&a->r);
	if (is_list(a))
		return number(a,
		    "SELECT count(*) FROM forecast WHERE timestamp >= ?2"
		    " AND timestamp < ?3",
		    &a->count);
	if (detectorlist_load(&a->r.detectors, a->r.db) == -1)
		return reading_fail(&a->r);
	if (find(a) == -1)
		return -1;
	/* counting millions of points takes seconds */
	if (is_narrowed(a->r.req) &&
	    number(a, "SELECT count(*)" WHERE_POINT, &a->count) == -1)
		return -1;
	a->count++; /* what was asked stands before them */
	return 0;
}

static void
print_time(struct answer *a, struct jsonw *w, const char *name, int64_t ms)
{
	char text[UNITS_ISO_BYTES], twin[64];

	if (a->r.req->human) {
		units_iso(text, ms);
		snprintf(twin, sizeof(twin), "%s_string", name);
		jsonw_key_str(w, twin, text);
	}
	jsonw_key_i64(w, name, ms);
}

/* Of what was asked for the API leaves out a time that is the epoch. */
static void
print_ms(struct answer *a, struct jsonw *w, const char *name, int64_t ms)
{
	if (ms != 0 && ms != TIME_UNSET)
		print_time(a, w, name, ms);
}

static void
print_messages(struct jsonw *w, struct span lines)
{
	if (lines.len == 0)
		return;
	jsonw_key(w, "forecast_messages");
	jsonw_begin(w, '[');
	while (lines.len > 0) {
		const char *end = memchr(lines.p, '\n', lines.len);
		size_t n = end == NULL ? lines.len : (size_t)(end - lines.p);

		jsonw_str(w, (struct span){ lines.p, n });
		n += end != NULL;
		lines.p += n;
		lines.len -= n;
	}
	jsonw_end(w, ']');
}

static int
request_print(struct answer *a, sqlite3_stmt *st)
{
	struct jsonw w = { .out = style_row_buffer(&a->r.style) };
	struct forecast_row r;

	if (forecastrow_read(st, &r, &a->r.scratch) == -1)
		return reading_fail_row(
		    &a->r, "forecast", sqlite3_column_int64(st, 0));
	jsonw_begin(&w, '{');
	jsonw_key_str(&w, "job_id", a->r.req->job_id);
	jsonw_key_str(&w, "result_type", "model_forecast_request_stats");
	jsonw_key_span(&w, "forecast_id", r.forecast_id);
	jsonw_key_i64(&w, "processed_record_count", (int64_t)r.record_count);
	print_messages(&w, r.messages);
	print_ms(a, &w, "timestamp", r.timestamp);
	print_ms(a, &w, "forecast_start_timestamp", r.start);
	print_ms(a, &w, "forecast_end_timestamp", r.end);
	print_ms(a, &w, "forecast_create_timestamp", r.create);
	print_ms(a, &w, "forecast_expiry_timestamp", r.expiry);
	jsonw_key_f64(&w, "forecast_progress", r.progress);
	jsonw_key_i64(&w, "processing_time_ms", (int64_t)r.processing_ms);
	jsonw_key_i64(&w, "forecast_memory_bytes", (int64_t)r.memory_bytes);
	jsonw_key_str(&w, "forecast_status", forecast_status_name(r.status));
	jsonw_end(&w, '}');
	return style_row(&a->r.style) == -1 ? reading_fail(&a->r) : 0;
}

/* The model_feature is what the names call the function. */
static int
point_print(struct answer *a, sqlite3_stmt *st)
{
	struct jsonw w = { .out = style_row_buffer(&a->r.style) };
	const struct detector_row *d;
	struct forecast_point p;

	errno = EBADMSG;
	if (forecastrow_read_point(st, &p, &a->r.scratch) == -1 ||
	    (d = detectorlist_find(&a->r.detectors, p.detector)) == NULL)
		return reading_fail_row(
		    &a->r, "forecast_point", sqlite3_column_int64(st, 0));
	jsonw_begin(&w, '{');
	jsonw_key_str(&w, "job_id", a->r.req->job_id);
	jsonw_key_str(&w, "forecast_id", a->r.req->ids);
	jsonw_key_str(&w, "result_type", "model_forecast");
	jsonw_key_i64(&w, "bucket_span", p.bucket_span);
	jsonw_key_i64(&w, "detector_index", d->detector_index);
	print_time(a, &w, "timestamp", p.timestamp);
	if (d->name[NAME_PARTITION_FIELD] != NULL)
		jsonw_key_str(
		    &w, "partition_field_name", d->name[NAME_PARTITION_FIELD]);
	jsonw_key_span(&w, "partition_field_value", p.partition_field_value);
	if (d->name[NAME_BY_FIELD] != NULL)
		jsonw_key_str(&w, "by_field_name", d->name[NAME_BY_FIELD]);
	jsonw_key_span(&w, "by_field_value", p.by_field_value);
	if (d->name[NAME_FUNCTION_DESCRIPTION] != NULL)
		jsonw_key_str(
		    &w, "model_feature", d->name[NAME_FUNCTION_DESCRIPTION]);
	jsonw_key_f64(&w, "forecast_lower", p.lower);
	jsonw_key_f64(&w, "forecast_upper", p.upper);
	jsonw_key_f64(&w, "forecast_prediction", p.prediction);
	jsonw_end(&w, '}');
	return style_row(&a->r.style) == -1 ? reading_fail(&a->r) : 0;
}

static int
rows_write(struct answer *a, const char *sql, uint64_t limit, uint64_t offset,
    int (*print)(struct answer *, sqlite3_stmt *))
{
	sqlite3_stmt *st = prepare(a, sql, (int64_t)limit, (int64_t)offset);
	int rc;

	if (st == NULL)
		return -1;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		if (print(a, st) == -1)
			break;
	if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
		sqlx_fail(a->r.db, "read forecasts");
		reading_fail(&a->r);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

static int
one_write(struct answer *a, uint64_t nrows)
{
	uint64_t from = a->r.req->from;

	if (from == 0 && nrows > 0) {
		if (rows_write(a,
			"SELECT " FORECAST_COLUMNS
			" FROM forecast WHERE id = ?1",
			0, 0, request_print) == -1)
			return -1;
		nrows--;
		from = 1;
	}
	return rows_write(a,
	    "SELECT " FORECAST_POINT_COLUMNS WHERE_POINT
	    " ORDER BY timestamp, id LIMIT ?4 OFFSET ?5",
	    nrows, from - 1, point_print);
}

static int
text_write(void *arg)
{
	struct answer *a = arg;
	const struct request *q = a->r.req;
	uint64_t nrows = a->count > q->from ? a->count - q->from : 0;
	int rc = 0;

	if (nrows > q->size)
		nrows = q->size;
	if (style_begin(&a->r.style, a->count, nrows) == -1)
		return reading_fail(&a->r);
	if (nrows > 0 && is_list(a))
		rc = rows_write(a,
		    "SELECT " FORECAST_COLUMNS
		    " FROM forecast WHERE timestamp >= ?2 AND timestamp < ?3"
		    " ORDER BY id LIMIT ?4 OFFSET ?5",
		    nrows, q->from, request_print);
	else if (nrows > 0)
		rc = one_write(a, nrows);
	if (rc == -1)
		return -1;
	return style_end(&a->r.style) == -1 ? reading_fail(&a->r) : 0;
}

int
forecast_answer(const struct request *req, const char *jobs_dir,
    answer_tick *tick, void *arg, struct out *o, struct apierr *e)
{
	struct answer a = { .id = 0 };
	int rc = reading_begin(&a.r, req, jobs_dir, tick, arg, o, e);

	if (rc == 0)
		rc = begin(&a);
	if (rc == 0)
		rc = reading_write(&a.r, text_write, &a);
	return reading_end(&a.r, rc);
}
