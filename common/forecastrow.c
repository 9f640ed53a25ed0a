/* Owns the columns of forecasts in results.db. */
#include "common/compat.h"

#include <sqlite3.h>

#include "common/forecastrow.h"
#include "common/rowsum.h"
#include "common/sqlx.h"

SCHEMA_DEFINE(forecast_row, FORECAST_ROW_FIELDS);
SCHEMA_DEFINE(forecast_point, FORECAST_POINT_FIELDS);

const char forecastrow_put[] =
    "INSERT OR REPLACE INTO forecast (" FORECAST_COLUMNS
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
const char forecastrow_put_point[] =
    "INSERT INTO forecast_point (" FORECAST_POINT_COLUMNS
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

int
forecastrow_bind(
    sqlite3_stmt *st, const struct forecast_row *r, struct wbuf *wb)
{
	uint32_t crc;

	if (rowsum(&forecast_row_schema, r, wb, &crc) == -1)
		return -1;
	sqlite3_bind_int64(st, 1, r->id);
	sqlx_bind_span(st, 2, r->forecast_id);
	sqlite3_bind_int64(st, 3, r->timestamp);
	sqlite3_bind_int64(st, 4, r->start);
	sqlite3_bind_int64(st, 5, r->end);
	sqlite3_bind_int64(st, 6, r->create);
	if (r->expiry == TIME_UNSET)
		sqlite3_bind_null(st, 7);
	else
		sqlite3_bind_int64(st, 7, r->expiry);
	sqlite3_bind_int(st, 8, r->status);
	sqlite3_bind_double(st, 9, r->progress);
	sqlite3_bind_int64(st, 10, (int64_t)r->record_count);
	sqlite3_bind_int64(st, 11, (int64_t)r->memory_bytes);
	sqlite3_bind_int64(st, 12, (int64_t)r->processing_ms);
	sqlx_bind_span(st, 13, r->messages);
	sqlite3_bind_int64(st, 14, crc);
	return 0;
}

int
forecastrow_bind_point(
    sqlite3_stmt *st, const struct forecast_point *p, struct wbuf *wb)
{
	struct forecast_point row = *p;
	uint32_t crc;

	/* SQLite keeps no minus zero; adding 0 takes the sign away. */
	row.lower += 0.0;
	row.upper += 0.0;
	row.prediction += 0.0;
	if (rowsum(&forecast_point_schema, &row, wb, &crc) == -1)
		return -1;
	sqlite3_bind_int64(st, 1, row.id);
	sqlite3_bind_int64(st, 2, row.forecast);
	sqlite3_bind_int64(st, 3, row.timestamp);
	sqlite3_bind_int64(st, 4, row.bucket_span);
	sqlite3_bind_int64(st, 5, row.detector);
	rowsum_bind_value(st, 6, row.by_field_value);
	rowsum_bind_value(st, 7, row.partition_field_value);
	sqlite3_bind_double(st, 8, row.lower);
	sqlite3_bind_double(st, 9, row.upper);
	sqlite3_bind_double(st, 10, row.prediction);
	sqlite3_bind_int64(st, 11, crc);
	return 0;
}

int
forecastrow_read(sqlite3_stmt *st, struct forecast_row *r, struct wbuf *wb)
{
	r->id = sqlite3_column_int64(st, 0);
	r->forecast_id = sqlx_column_span(st, 1);
	r->timestamp = sqlite3_column_int64(st, 2);
	r->start = sqlite3_column_int64(st, 3);
	r->end = sqlite3_column_int64(st, 4);
	r->create = sqlite3_column_int64(st, 5);
	r->expiry = sqlite3_column_type(st, 6) == SQLITE_NULL
	    ? TIME_UNSET
	    : sqlite3_column_int64(st, 6);
	r->status = (uint8_t)sqlite3_column_int(st, 7);
	r->progress = sqlite3_column_double(st, 8);
	r->record_count = (uint64_t)sqlite3_column_int64(st, 9);
	r->memory_bytes = (uint64_t)sqlite3_column_int64(st, 10);
	r->processing_ms = (uint64_t)sqlite3_column_int64(st, 11);
	r->messages = sqlx_column_span(st, 12);
	return rowsum_check(
	    &forecast_row_schema, r, wb, sqlite3_column_int64(st, 13));
}

int
forecastrow_read_point(
    sqlite3_stmt *st, struct forecast_point *p, struct wbuf *wb)
{
	p->id = sqlite3_column_int64(st, 0);
	p->forecast = sqlite3_column_int64(st, 1);
	p->timestamp = sqlite3_column_int64(st, 2);
	p->bucket_span = sqlite3_column_int64(st, 3);
	p->detector = sqlite3_column_int64(st, 4);
	p->by_field_value = rowsum_value(st, 5);
	p->partition_field_value = rowsum_value(st, 6);
	p->lower = sqlite3_column_double(st, 7);
	p->upper = sqlite3_column_double(st, 8);
	p->prediction = sqlite3_column_double(st, 9);
	return rowsum_check(
	    &forecast_point_schema, p, wb, sqlite3_column_int64(st, 10));
}
