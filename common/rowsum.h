/*
 * The checksum of a row of results.db whose fields are declared as a schema:
 * that of its encoding, which is the same everywhere. And values that may be
 * absent, which is not to be empty.
 */
#ifndef COMMON_ROWSUM_H
#define COMMON_ROWSUM_H

#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "common/wire.h"

struct sqlite3_stmt;

/* wb is scratch. 0, or -1 with EINVAL or ENOMEM. */
int rowsum(const struct schema *, const void *row, struct wbuf *wb,
    uint32_t *crc) MUST_CHECK;

/* 0, or -1 with EBADMSG (the row is another one), ENOMEM. */
int rowsum_check(const struct schema *, const void *row, struct wbuf *wb,
    int64_t stored) MUST_CHECK;

/* A span whose p is NULL is NULL in the row. */
void rowsum_bind_value(struct sqlite3_stmt *, int parameter, struct span);
struct span rowsum_value(struct sqlite3_stmt *, int column);

#endif
