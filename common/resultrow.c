/* Owns the columns of results.db's rows: binding, reading, checksums. */
#include "common/compat.h"

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/resultrow.h"

const char resultrow_insert_bucket[] =
    "INSERT OR REPLACE INTO bucket (" BUCKET_COLUMNS
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const char resultrow_insert_record[] =
    "INSERT INTO record (id, timestamp, bucket_span, detector, is_interim, "
    "probability, multi_bucket_impact, record_score, initial_record_score, "
    "by_field_value, over_field_value, partition_field_value, typical, actual, "
    "typical_2, actual_2, influencers, explanation, crc) VALUES (?1, ?2, ?3, "
    "?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, "
    "?19)";
const char resultrow_insert_influence[] =
    "INSERT INTO influence (" INFLUENCE_COLUMNS
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const char resultrow_insert_detector[] =
    "INSERT INTO detector (" DETECTOR_COLUMNS
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/*
 * A row on its way into a statement or out of it: the columns in their order,
 * summed up as they pass. The sum does not depend on the machine.
 */
struct row {
	sqlite3_stmt *st;
	int col; /* bind: last parameter used; read: next column */
	uint32_t crc;
	bool bad; /* a value that no row may hold */
};

static void
sum_u64(struct row *row, uint64_t v)
{
	v = htobe64(v);
	row->crc = crc32c(row->crc, &v, sizeof(v));
}

static void
sum_f64(struct row *row, double v)
{
	uint64_t u;

	memcpy(&u, &v, sizeof(u));
	sum_u64(row, u);
}

/* No text is this long, so NULL and "" differ. */
#define SUM_NULL UINT64_MAX

static void
sum_bytes(struct row *row, const void *p, size_t len)
{
	sum_u64(row, p == NULL ? SUM_NULL : len);
	if (p != NULL)
		row->crc = crc32c(row->crc, p, len);
}

static void
bind_i64(struct row *row, int64_t v)
{
	sum_u64(row, (uint64_t)v);
	sqlite3_bind_int64(row->st, ++row->col, v);
}

static void
bind_f64(struct row *row, double v)
{
	/* SQLite keeps no minus zero; adding 0 takes the sign away. */
	v += 0.0;
	if (!isfinite(v))
		row->bad = true;
	sum_f64(row, v);
	sqlite3_bind_double(row->st, ++row->col, v);
}

static void
bind_null(struct row *row)
{
	sum_u64(row, SUM_NULL);
	sqlite3_bind_null(row->st, ++row->col);
}

static void
bind_f64_if(struct row *row, bool there, double v)
{
	if (there)
		bind_f64(row, v);
	else
		bind_null(row);
}

static void
bind_text(struct row *row, const char *p, size_t len)
{
	sum_bytes(row, p, len);
	sqlite3_bind_text64(
	    row->st, ++row->col, p, len, SQLITE_STATIC, SQLITE_UTF8);
}

/* Of wb the bytes from one place to another; none are NULL. */
static void
bind_blob(struct row *row, const struct wbuf *wb, size_t from, size_t to)
{
	if (from == to) {
		bind_null(row);
		return;
	}
	sum_bytes(row, wb->data + from, to - from);
	sqlite3_bind_blob64(
	    row->st, ++row->col, wb->data + from, to - from, SQLITE_STATIC);
}

static int
bind_end(struct row *row)
{
	if (row->bad) {
		errno = EINVAL;
		return -1;
	}
	if (sqlite3_bind_int64(row->st, ++row->col, row->crc) != SQLITE_OK) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

int
resultrow_bind_bucket(sqlite3_stmt *st, const struct bucket_result *b,
    unsigned record_count, unsigned influencer_count, struct wbuf *wb)
{
	struct row row = { .st = st };

	wbuf_reset(wb);
	if (b->ninfluencers > 0 &&
	    resultrow_put_bucket_influencers(wb, b) == -1)
		return -1;
	bind_i64(&row, b->timestamp_ms);
	bind_i64(&row, b->bucket_span_s);
	bind_f64(&row, b->anomaly_score);
	bind_f64(&row, b->initial_anomaly_score);
	bind_i64(&row, (int64_t)b->event_count);
	bind_i64(&row, b->is_interim);
	bind_i64(&row, (int64_t)b->processing_time_ms);
	bind_i64(&row, record_count);
	bind_i64(&row, influencer_count);
	bind_blob(&row, wb, 0, wb->len);
	return bind_end(&row);
}

int
resultrow_bind_record(sqlite3_stmt *st, int64_t id, int64_t detector,
    const struct record_result *r, struct wbuf *wb)
{
	struct row row = { .st = st };
	size_t why_at;

	if (r->nvalues > RESULT_MAX_VALUES) {
		errno = EINVAL;
		return -1;
	}
	wbuf_reset(wb);
	if (r->ninfluencers > 0 && resultrow_put_influencers(wb, r) == -1)
		return -1;
	why_at = wb->len;
	if (r->why.has != 0 && explanation_put(wb, &r->why) == -1)
		return -1;
	bind_i64(&row, id);
	bind_i64(&row, r->timestamp_ms);
	bind_i64(&row, r->bucket_span_s);
	bind_i64(&row, detector);
	bind_i64(&row, r->is_interim);
	bind_f64(&row, r->probability);
	bind_f64(&row, r->multi_bucket_impact);
	bind_f64(&row, r->record_score);
	bind_f64(&row, r->initial_record_score);
	bind_text(&row, r->by_field_value.p, r->by_field_value.len);
	bind_text(&row, r->over_field_value.p, r->over_field_value.len);
	bind_text(
	    &row, r->partition_field_value.p, r->partition_field_value.len);
	bind_f64_if(&row, r->nvalues > 0, r->typical[0]);
	bind_f64_if(&row, r->nvalues > 0, r->actual[0]);
	bind_f64_if(&row, r->nvalues > 1, r->typical[1]);
	bind_f64_if(&row, r->nvalues > 1, r->actual[1]);
	bind_blob(&row, wb, 0, why_at);
	bind_blob(&row, wb, why_at, wb->len);
	return bind_end(&row);
}

int
resultrow_bind_influence(
    sqlite3_stmt *st, int64_t id, const struct influencer_result *r)
{
	struct row row = { .st = st };

	bind_i64(&row, id);
	bind_i64(&row, r->timestamp_ms);
	bind_i64(&row, r->bucket_span_s);
	bind_i64(&row, r->is_interim);
	bind_f64(&row, r->probability);
	bind_f64(&row, r->influencer_score);
	bind_f64(&row, r->initial_influencer_score);
	bind_text(&row, r->field_name, strlen(r->field_name));
	bind_text(&row, r->field_value.p, r->field_value.len);
	return bind_end(&row);
}

int
resultrow_bind_detector(sqlite3_stmt *st, const struct detector_row *d)
{
	struct row row = { .st = st };

	bind_i64(&row, d->id);
	bind_i64(&row, d->detector_index);
	for (size_t i = 0; i < NAME_COUNT; i++)
		bind_text(&row, d->name[i],
		    d->name[i] == NULL ? 0 : strlen(d->name[i]));
	return bind_end(&row);
}

void
detector_row_of(const struct record_result *r, struct detector_row *row)
{
	row->detector_index = r->detector_index;
	row->name[NAME_FUNCTION] = r->function;
	row->name[NAME_FUNCTION_DESCRIPTION] = r->function_description;
	row->name[NAME_FIELD] = r->field_name;
	row->name[NAME_BY_FIELD] = r->by_field_name;
	row->name[NAME_OVER_FIELD] = r->over_field_name;
	row->name[NAME_PARTITION_FIELD] = r->partition_field_name;
}

static int64_t
read_i64(struct row *row)
{
	int64_t v = sqlite3_column_int64(row->st, row->col++);

	sum_u64(row, (uint64_t)v);
	return v;
}

static double
read_f64(struct row *row)
{
	double v = sqlite3_column_double(row->st, row->col++);

	if (!isfinite(v))
		row->bad = true;
	sum_f64(row, v);
	return v;
}

/* False, and *v untouched, when the column is NULL. */
static bool
read_f64_if(struct row *row, double *v)
{
	if (sqlite3_column_type(row->st, row->col) == SQLITE_NULL) {
		sum_u64(row, SUM_NULL);
		row->col++;
		return false;
	}
	*v = read_f64(row);
	return true;
}

static struct span
read_bytes(struct row *row)
{
	int type = sqlite3_column_type(row->st, row->col);
	struct span s = { NULL, 0 };

	if (type == SQLITE_TEXT)
		s.p = (const char *)sqlite3_column_text(row->st, row->col);
	else if (type == SQLITE_BLOB)
		s.p = sqlite3_column_blob(row->st, row->col);
	if (s.p != NULL)
		s.len = (size_t)sqlite3_column_bytes(row->st, row->col);
	row->col++;
	sum_bytes(row, s.p, s.len);
	return s;
}

static int
read_end(struct row *row)
{
	int64_t crc = sqlite3_column_int64(row->st, row->col++);

	if (row->bad || crc != row->crc) {
		errno = EBADMSG;
		return -1;
	}
	return 0;
}

int
resultrow_read_bucket(sqlite3_stmt *st, struct bucket_result *b)
{
	struct row row = { .st = st };
	struct span blob;

	b->timestamp_ms = read_i64(&row);
	b->bucket_span_s = read_i64(&row);
	b->anomaly_score = read_f64(&row);
	b->initial_anomaly_score = read_f64(&row);
	b->event_count = (uint64_t)read_i64(&row);
	b->is_interim = read_i64(&row) != 0;
	b->processing_time_ms = (uint64_t)read_i64(&row);
	read_i64(&row); /* of records and influencers: for counting only */
	read_i64(&row);
	blob = read_bytes(&row);
	b->ninfluencers = 0;
	if (read_end(&row) == -1)
		return -1;
	if (blob.p == NULL)
		return 0;
	return resultrow_get_bucket_influencers(blob.p, blob.len, b);
}

static void
record_names(struct record_result *r, const struct detector_row *d)
{
	r->detector_index = d->detector_index;
	r->function = d->name[NAME_FUNCTION];
	r->function_description = d->name[NAME_FUNCTION_DESCRIPTION];
	r->field_name = d->name[NAME_FIELD];
	r->by_field_name = d->name[NAME_BY_FIELD];
	r->over_field_name = d->name[NAME_OVER_FIELD];
	r->partition_field_name = d->name[NAME_PARTITION_FIELD];
}

int
resultrow_read_record(
    sqlite3_stmt *st, const struct detector_row *d, struct record_result *r)
{
	struct row row = { .st = st };
	struct span blob, why;

	record_names(r, d);
	read_i64(&row); /* id */
	r->timestamp_ms = read_i64(&row);
	r->bucket_span_s = read_i64(&row);
	if (read_i64(&row) != d->id)
		row.bad = true;
	r->is_interim = read_i64(&row) != 0;
	r->probability = read_f64(&row);
	r->multi_bucket_impact = read_f64(&row);
	r->record_score = read_f64(&row);
	r->initial_record_score = read_f64(&row);
	r->by_field_value = read_bytes(&row);
	r->over_field_value = read_bytes(&row);
	r->partition_field_value = read_bytes(&row);
	r->nvalues = 0;
	if (read_f64_if(&row, &r->typical[0]))
		r->nvalues = 1;
	read_f64_if(&row, &r->actual[0]);
	if (read_f64_if(&row, &r->typical[1]))
		r->nvalues = 2;
	read_f64_if(&row, &r->actual[1]);
	blob = read_bytes(&row);
	why = read_bytes(&row);
	r->ninfluencers = 0;
	r->why.has = 0;
	r->ncauses = 0; /* they have a row of their own */
	if (read_end(&row) == -1 ||
	    (why.p != NULL && explanation_get(why.p, why.len, &r->why) == -1))
		return -1;
	if (blob.p == NULL)
		return 0;
	return resultrow_get_influencers(blob.p, blob.len, r);
}

int
resultrow_read_influence(sqlite3_stmt *st, struct influencer_result *r)
{
	struct row row = { .st = st };

	read_i64(&row); /* id */
	r->timestamp_ms = read_i64(&row);
	r->bucket_span_s = read_i64(&row);
	r->is_interim = read_i64(&row) != 0;
	r->probability = read_f64(&row);
	r->influencer_score = read_f64(&row);
	r->initial_influencer_score = read_f64(&row);
	r->field_name = read_bytes(&row).p;
	r->field_value = read_bytes(&row);
	if (r->field_name == NULL || r->field_value.p == NULL)
		row.bad = true;
	return read_end(&row);
}

int
resultrow_read_detector(sqlite3_stmt *st, struct detector_row *d)
{
	struct row row = { .st = st };

	d->id = read_i64(&row);
	d->detector_index = (int)read_i64(&row);
	for (size_t i = 0; i < NAME_COUNT; i++)
		d->name[i] = read_bytes(&row).p;
	return read_end(&row);
}

int64_t
resultrow_detector_of(sqlite3_stmt *st)
{
	return sqlite3_column_int64(st, 3);
}
