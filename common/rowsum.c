/* Owns checksums of rows that are declared as schemas. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>

#include "common/crc32c.h"
#include "common/rowsum.h"
#include "common/sqlx.h"

int
rowsum(const struct schema *schema, const void *row, struct wbuf *wb,
    uint32_t *crc)
{
	wbuf_reset(wb);
	if (schema_encode(schema, row, wb) == -1)
		return -1;
	*crc = crc32c(0, wb->data, wb->len);
	return 0;
}

int
rowsum_check(const struct schema *schema, const void *row, struct wbuf *wb,
    int64_t stored)
{
	uint32_t crc;

	if (rowsum(schema, row, wb, &crc) == -1) {
		if (errno == EINVAL)
			errno = EBADMSG;
		return -1;
	}
	if (crc == stored)
		return 0;
	errno = EBADMSG;
	return -1;
}

void
rowsum_bind_value(sqlite3_stmt *st, int parameter, struct span s)
{
	if (s.p == NULL)
		sqlite3_bind_null(st, parameter);
	else
		sqlx_bind_span(st, parameter, s);
}

struct span
rowsum_value(sqlite3_stmt *st, int column)
{
	if (sqlite3_column_type(st, column) == SQLITE_NULL)
		return (struct span){ NULL, 0 };
	return sqlx_column_span(st, column);
}
