/* Owns the causes of records in results.db. */
#include "common/compat.h"

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/resultcause.h"

const char resultcause_insert[] =
    "INSERT OR REPLACE INTO cause (" CAUSE_COLUMNS ") VALUES (?1, ?2, ?3)";
const char resultcause_select[] =
    "SELECT " CAUSE_COLUMNS " FROM cause WHERE record = ?1";

static int
put_values(struct wbuf *wb, const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(v[i])) {
			errno = EINVAL;
			return -1;
		}
		(void)wire_put_f64(wb, v[i]);
	}
	return 0;
}

int
resultcause_put(struct wbuf *wb, const struct record_result *r)
{
	if (r->ncauses > RESULT_MAX_CAUSES) {
		errno = EINVAL;
		return -1;
	}
	wire_put_u16(wb, (uint16_t)r->ncauses);
	for (size_t i = 0; i < r->ncauses; i++) {
		const struct record_cause *c = &r->cause[i];

		if (c->nvalues > RESULT_MAX_VALUES ||
		    c->by_field_value.len > UINT32_MAX) {
			errno = EINVAL;
			return -1;
		}
		if (put_values(wb, &c->probability, 1) == -1)
			return -1;
		wire_put_u8(wb, (uint8_t)c->nvalues);
		if (put_values(wb, c->typical, c->nvalues) == -1 ||
		    put_values(wb, c->actual, c->nvalues) == -1)
			return -1;
		wire_put_u8(wb, c->by_field_value.p != NULL);
		if (c->by_field_value.p == NULL)
			continue;
		wire_put_u32(wb, (uint32_t)c->by_field_value.len);
		wire_put_bytes(wb, c->by_field_value.p, c->by_field_value.len);
	}
	if (!wb->bad)
		return 0;
	errno = ENOMEM;
	return -1;
}

static int
get_values(struct rbuf *rb, double *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (wire_get_f64(rb, &v[i]) == -1 || !isfinite(v[i]))
			return -1;
	}
	return 0;
}

static int
get_cause(struct rbuf *rb, struct record_cause *c)
{
	const uint8_t *p;
	uint32_t len;
	uint8_t n, has_by;

	memset(c, 0, sizeof(*c));
	if (get_values(rb, &c->probability, 1) == -1 ||
	    wire_get_u8(rb, &n) == -1 || n > RESULT_MAX_VALUES)
		return -1;
	c->nvalues = n;
	if (get_values(rb, c->typical, n) == -1 ||
	    get_values(rb, c->actual, n) == -1 ||
	    wire_get_u8(rb, &has_by) == -1 || has_by > 1)
		return -1;
	if (has_by == 0)
		return 0;
	if (wire_get_u32(rb, &len) == -1 || wire_get_bytes(rb, &p, len) == -1)
		return -1;
	c->by_field_value = (struct span){ (const char *)p, len };
	return 0;
}

int
resultcause_get(const void *blob, size_t len, struct record_result *r)
{
	struct rbuf rb;
	uint16_t n;

	r->ncauses = 0;
	rbuf_init(&rb, blob, len);
	if (wire_get_u16(&rb, &n) == -1 || n > RESULT_MAX_CAUSES)
		goto bad;
	for (; r->ncauses < n; r->ncauses++) {
		if (get_cause(&rb, &r->cause[r->ncauses]) == -1)
			goto bad;
	}
	if (rb.left == 0)
		return 0;
bad:
	r->ncauses = 0;
	errno = EBADMSG;
	return -1;
}

/* The sum does not depend on the machine. */
static uint32_t
sum_of(int64_t record, const void *blob, size_t len)
{
	uint64_t id = htobe64((uint64_t)record);

	return crc32c(crc32c(0, &id, sizeof(id)), blob, len);
}

int
resultcause_bind(sqlite3_stmt *st, int64_t record,
    const struct record_result *r, struct wbuf *wb)
{
	wbuf_reset(wb);
	if (resultcause_put(wb, r) == -1)
		return -1;
	if (sqlite3_bind_int64(st, 1, record) == SQLITE_OK &&
	    sqlite3_bind_blob64(st, 2, wb->data, wb->len, SQLITE_STATIC) ==
		SQLITE_OK &&
	    sqlite3_bind_int64(st, 3, sum_of(record, wb->data, wb->len)) ==
		SQLITE_OK)
		return 0;
	errno = EINVAL;
	return -1;
}

int
resultcause_read(sqlite3_stmt *st, struct record_result *r)
{
	int64_t record = sqlite3_column_int64(st, 0);
	const void *blob = sqlite3_column_blob(st, 1);
	size_t len = (size_t)sqlite3_column_bytes(st, 1);

	if (sqlite3_column_type(st, 1) != SQLITE_BLOB || blob == NULL ||
	    sqlite3_column_int64(st, 2) != sum_of(record, blob, len)) {
		errno = EBADMSG;
		return -1;
	}
	return resultcause_get(blob, len, r);
}
