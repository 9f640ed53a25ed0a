/* Owns the columns of the model plot and of annotations in results.db. */
#include "common/compat.h"

#include <sqlite3.h>
#include <string.h>

#include "common/plotrow.h"
#include "common/rowsum.h"
#include "common/schema.h"
#include "common/sqlx.h"

const char plotrow_insert_plot[] =
    "INSERT INTO plot (" PLOT_COLUMNS
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const char plotrow_insert_annotation[] =
    "INSERT INTO annotation (" ANNOTATION_COLUMNS
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/* What of a row may be NULL is there. */
#define HAS_BY 0x01u
#define HAS_OVER 0x02u
#define HAS_PARTITION 0x04u
#define HAS_ACTUAL 0x08u

/* The sum of a row is that of its encoding, which is the same everywhere. */
#define PLOT_ROW_FIELDS(F, S)                                                  \
	F(S, I64, id, 0, INFINITY)                                             \
	F(S, I64, timestamp, -INFINITY, INFINITY)                              \
	F(S, I64, bucket_span, 1, INFINITY)                                    \
	F(S, I64, detector, 0, INFINITY)                                       \
	F(S, U8, has, 0, 15)                                                   \
	F(S, BYTES, by, 0, UINT32_MAX)                                         \
	F(S, BYTES, over, 0, UINT32_MAX)                                       \
	F(S, BYTES, partition, 0, UINT32_MAX)                                  \
	F(S, F64, lower, -INFINITY, INFINITY)                                  \
	F(S, F64, upper, -INFINITY, INFINITY)                                  \
	F(S, F64, median, -INFINITY, INFINITY)                                 \
	F(S, F64, actual, -INFINITY, INFINITY)
SCHEMA_STRUCT(plot_row, PLOT_ROW_FIELDS);
SCHEMA_DEFINE(plot_row, PLOT_ROW_FIELDS);

#define ANNOTATION_ROW_FIELDS(F, S)                                            \
	F(S, I64, id, 0, INFINITY)                                             \
	F(S, I64, timestamp, -INFINITY, INFINITY)                              \
	F(S, I64, end, -INFINITY, INFINITY)                                    \
	F(S, I64, create, -INFINITY, INFINITY)                                 \
	F(S, STR, event, 1, 64)                                                \
	F(S, STR, text, 1, 1024)                                               \
	F(S, I64, detector, -1, INFINITY)                                      \
	F(S, U8, has, 0, 7)                                                    \
	F(S, BYTES, by, 0, UINT32_MAX)                                         \
	F(S, BYTES, over, 0, UINT32_MAX)                                       \
	F(S, BYTES, partition, 0, UINT32_MAX)
SCHEMA_STRUCT(annotation_row, ANNOTATION_ROW_FIELDS);
SCHEMA_DEFINE(annotation_row, ANNOTATION_ROW_FIELDS);

static unsigned
has(struct span by, struct span over, struct span partition)
{
	return (by.p == NULL ? 0 : HAS_BY) | (over.p == NULL ? 0 : HAS_OVER) |
	    (partition.p == NULL ? 0 : HAS_PARTITION);
}

void
plotrow_names(const struct plot_result *r, struct detector_row *d)
{
	memset(d, 0, sizeof(*d));
	d->detector_index = r->detector_index;
	d->name[NAME_FUNCTION_DESCRIPTION] = r->model_feature;
	d->name[NAME_BY_FIELD] = r->by_field_name;
	d->name[NAME_OVER_FIELD] = r->over_field_name;
	d->name[NAME_PARTITION_FIELD] = r->partition_field_name;
}

bool
plotrow_annotation_names(
    const struct annotation_result *r, struct detector_row *d)
{
	memset(d, 0, sizeof(*d));
	d->detector_index = r->detector_index;
	d->name[NAME_BY_FIELD] = r->by_field_name;
	d->name[NAME_OVER_FIELD] = r->over_field_name;
	d->name[NAME_PARTITION_FIELD] = r->partition_field_name;
	return r->detector_index >= 0;
}

int
plotrow_bind_plot(sqlite3_stmt *st, int64_t id, int64_t detector,
    const struct plot_result *r, struct wbuf *wb)
{
	/* SQLite keeps no minus zero; adding 0 takes the sign away. */
	struct plot_row row = { id, r->timestamp_ms, r->bucket_span_s, detector,
		(uint8_t)(has(r->by_field_value, r->over_field_value,
			      r->partition_field_value) |
		    (r->has_actual ? HAS_ACTUAL : 0)),
		r->by_field_value, r->over_field_value,
		r->partition_field_value, r->lower + 0.0, r->upper + 0.0,
		r->median + 0.0, r->has_actual ? r->actual + 0.0 : 0 };
	uint32_t crc;

	if (rowsum(&plot_row_schema, &row, wb, &crc) == -1)
		return -1;
	sqlite3_bind_int64(st, 1, row.id);
	sqlite3_bind_int64(st, 2, row.timestamp);
	sqlite3_bind_int64(st, 3, row.bucket_span);
	sqlite3_bind_int64(st, 4, row.detector);
	rowsum_bind_value(st, 5, row.by);
	rowsum_bind_value(st, 6, row.over);
	rowsum_bind_value(st, 7, row.partition);
	sqlite3_bind_double(st, 8, row.lower);
	sqlite3_bind_double(st, 9, row.upper);
	sqlite3_bind_double(st, 10, row.median);
	if (r->has_actual)
		sqlite3_bind_double(st, 11, row.actual);
	else
		sqlite3_bind_null(st, 11);
	sqlite3_bind_int64(st, 12, crc);
	return 0;
}

int64_t
plotrow_plot_detector(sqlite3_stmt *st)
{
	return sqlite3_column_int64(st, 3);
}

int
plotrow_read_plot(sqlite3_stmt *st, const struct detector_row *names,
    struct plot_result *r, struct wbuf *wb)
{
	struct plot_row row = { sqlite3_column_int64(st, 0),
		sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2),
		sqlite3_column_int64(st, 3), 0, rowsum_value(st, 4),
		rowsum_value(st, 5), rowsum_value(st, 6),
		sqlite3_column_double(st, 7), sqlite3_column_double(st, 8),
		sqlite3_column_double(st, 9), sqlite3_column_double(st, 10) };

	memset(r, 0, sizeof(*r));
	r->has_actual = sqlite3_column_type(st, 10) != SQLITE_NULL;
	row.has = (uint8_t)(has(row.by, row.over, row.partition) |
	    (r->has_actual ? HAS_ACTUAL : 0));
	if (rowsum_check(
		&plot_row_schema, &row, wb, sqlite3_column_int64(st, 11)) == -1)
		return -1;
	r->timestamp_ms = row.timestamp;
	r->bucket_span_s = row.bucket_span;
	r->by_field_value = row.by;
	r->over_field_value = row.over;
	r->partition_field_value = row.partition;
	r->lower = row.lower;
	r->upper = row.upper;
	r->median = row.median;
	r->actual = row.actual;
	if (names == NULL)
		return 0;
	r->detector_index = names->detector_index;
	r->model_feature = names->name[NAME_FUNCTION_DESCRIPTION];
	r->by_field_name = names->name[NAME_BY_FIELD];
	r->over_field_name = names->name[NAME_OVER_FIELD];
	r->partition_field_name = names->name[NAME_PARTITION_FIELD];
	return 0;
}

int
plotrow_bind_annotation(sqlite3_stmt *st, int64_t id, int64_t detector,
    const struct annotation_result *r, struct wbuf *wb)
{
	struct annotation_row row = { id, r->timestamp_ms, r->timestamp_ms,
		r->create_ms, span_of(r->event), span_of(r->text), detector,
		(uint8_t)has(r->by_field_value, r->over_field_value,
		    r->partition_field_value),
		r->by_field_value, r->over_field_value,
		r->partition_field_value };
	uint32_t crc;

	if (rowsum(&annotation_row_schema, &row, wb, &crc) == -1)
		return -1;
	sqlite3_bind_int64(st, 1, row.id);
	sqlite3_bind_int64(st, 2, row.timestamp);
	sqlite3_bind_int64(st, 3, row.end);
	sqlite3_bind_int64(st, 4, row.create);
	sqlx_bind_span(st, 5, row.event);
	sqlx_bind_span(st, 6, row.text);
	if (detector == -1)
		sqlite3_bind_null(st, 7);
	else
		sqlite3_bind_int64(st, 7, detector);
	rowsum_bind_value(st, 8, row.by);
	rowsum_bind_value(st, 9, row.over);
	rowsum_bind_value(st, 10, row.partition);
	sqlite3_bind_int64(st, 11, crc);
	return 0;
}

int64_t
plotrow_annotation_detector(sqlite3_stmt *st)
{
	return sqlite3_column_type(st, 6) == SQLITE_NULL
	    ? -1
	    : sqlite3_column_int64(st, 6);
}

int
plotrow_read_annotation(sqlite3_stmt *st, const struct detector_row *names,
    struct annotation_result *r, struct wbuf *wb)
{
	struct annotation_row row = { sqlite3_column_int64(st, 0),
		sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2),
		sqlite3_column_int64(st, 3), sqlx_column_span(st, 4),
		sqlx_column_span(st, 5), plotrow_annotation_detector(st), 0,
		rowsum_value(st, 7), rowsum_value(st, 8), rowsum_value(st, 9) };

	memset(r, 0, sizeof(*r));
	row.has = (uint8_t)has(row.by, row.over, row.partition);
	if (rowsum_check(&annotation_row_schema, &row, wb,
		sqlite3_column_int64(st, 10)) == -1)
		return -1;
	r->timestamp_ms = row.timestamp;
	r->create_ms = row.create;
	r->event = row.event.p;
	r->text = row.text.p;
	r->detector_index = names == NULL ? -1 : names->detector_index;
	r->by_field_value = row.by;
	r->over_field_value = row.over;
	r->partition_field_value = row.partition;
	if (names == NULL)
		return 0;
	r->by_field_name = names->name[NAME_BY_FIELD];
	r->over_field_name = names->name[NAME_OVER_FIELD];
	r->partition_field_name = names->name[NAME_PARTITION_FIELD];
	return 0;
}
