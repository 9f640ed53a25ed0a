/*
 * Forecasts as rows of results.db: one for each request, and one for each point
 * that was made for it. A row carries the CRC-32C of its content.
 */
#ifndef COMMON_FORECASTROW_H
#define COMMON_FORECASTROW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "common/totals.h"
#include "common/wire.h"

struct sqlite3_stmt;

#define FORECAST_ID_MAX 64
#define FORECAST_MESSAGES_MAX 8192

/* Times are epoch ms. */
#define FORECAST_ROW_FIELDS(F, S)                                              \
	F(S, I64, id, 0, INFINITY)                                             \
	F(S, STR, forecast_id, 1, FORECAST_ID_MAX)                             \
	F(S, I64, timestamp, -INFINITY,                                        \
	    INFINITY) /* of the data, when asked */                            \
	F(S, I64, start, -INFINITY, INFINITY)                                  \
	F(S, I64, end, -INFINITY, INFINITY)                                    \
	F(S, I64, create, -INFINITY, INFINITY)                                 \
	F(S, I64, expiry, -INFINITY, INFINITY) /* TIME_UNSET: never */         \
	F(S, U8, status, 0, FORECAST_STATUSES - 1)                             \
	F(S, F64, progress, 0, 1)                                              \
	F(S, U64, record_count, 0, INFINITY)                                   \
	F(S, U64, memory_bytes, 0, INFINITY)                                   \
	F(S, U64, processing_ms, 0, INFINITY)                                  \
	F(S, STR, messages, 0, FORECAST_MESSAGES_MAX) /* lines */
SCHEMA_STRUCT(forecast_row, FORECAST_ROW_FIELDS);

#define FORECAST_POINT_FIELDS(F, S)                                            \
	F(S, I64, id, 0, INFINITY)                                             \
	F(S, I64, forecast, 0, INFINITY) /* id of its row */                   \
	F(S, I64, timestamp, -INFINITY, INFINITY)                              \
	F(S, I64, bucket_span, 1, INFINITY) /* s */                            \
	F(S, I64, detector, 0, INFINITY)    /* id of its names */              \
	F(S, BYTES, by_field_value, 0, 65536)                                  \
	F(S, BYTES, partition_field_value, 0, 65536)                           \
	F(S, F64, lower, -INFINITY, INFINITY)                                  \
	F(S, F64, upper, -INFINITY, INFINITY)                                  \
	F(S, F64, prediction, -INFINITY, INFINITY)
SCHEMA_STRUCT(forecast_point, FORECAST_POINT_FIELDS);

/* The columns in the order in which the functions below want them. */
#define FORECAST_COLUMNS                                                       \
	"id, forecast_id, timestamp, start_timestamp, end_timestamp, "         \
	"create_timestamp, expiry_timestamp, status, progress, "               \
	"record_count, memory_bytes, processing_time_ms, messages, crc"
#define FORECAST_POINT_COLUMNS                                                 \
	"id, forecast, timestamp, bucket_span, detector, by_field_value, "     \
	"partition_field_value, forecast_lower, forecast_upper, "              \
	"forecast_prediction, crc"

/* The insertion of a row, in place of the one with its id. */
extern const char forecastrow_put[];
extern const char forecastrow_put_point[];

/*
 * Bind all parameters of an insertion. What the row points to must stay until
 * the statement was stepped. Returns 0, or -1 with EINVAL (out of range) or
 * ENOMEM. wb is scratch memory.
 */
int forecastrow_bind(struct sqlite3_stmt *, const struct forecast_row *,
    struct wbuf *wb) MUST_CHECK;
int forecastrow_bind_point(struct sqlite3_stmt *, const struct forecast_point *,
    struct wbuf *wb) MUST_CHECK;

/*
 * Read the row that a statement stands on. Pointers in it live until the next
 * step. Returns 0, or -1 with EBADMSG when the row is damaged, ENOMEM.
 */
int forecastrow_read(
    struct sqlite3_stmt *, struct forecast_row *, struct wbuf *wb) MUST_CHECK;
int forecastrow_read_point(
    struct sqlite3_stmt *, struct forecast_point *, struct wbuf *wb) MUST_CHECK;

#endif
