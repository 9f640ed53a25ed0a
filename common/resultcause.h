/*
 * The causes of a record of a population, as a row of results.db and back.
 * What causes share with their record is not written again.
 */
#ifndef COMMON_RESULTCAUSE_H
#define COMMON_RESULTCAUSE_H

#include <stdint.h>

#include "common/compat.h"
#include "common/results.h"
#include "common/wire.h"

struct sqlite3_stmt;

/* The columns in the order in which the functions below want them. */
#define CAUSE_COLUMNS "record, causes, crc"

/* The insertion of a row, and the causes of record ?1. */
extern const char resultcause_insert[];
extern const char resultcause_select[];

/*
 * Bind all parameters of an insertion; wb has to stay until the statement was
 * stepped. 0, or -1 with EINVAL (a number is not finite, or there are too
 * many), ENOMEM.
 */
int resultcause_bind(struct sqlite3_stmt *, int64_t record,
    const struct record_result *, struct wbuf *wb) MUST_CHECK;

/*
 * Read the row that a statement stands on into the causes of its record.
 * Pointers live until the next step. 0, or -1 with EBADMSG: it is damaged.
 */
int resultcause_read(struct sqlite3_stmt *, struct record_result *) MUST_CHECK;

/*
 * The blob, big-endian: u16 number; of each f64 probability, u8 number of
 * values, so many f64 typical, as many f64 actual, u8 whether there is a by
 * value, if so u32 length and its bytes. Errors are as above.
 */
int resultcause_put(struct wbuf *, const struct record_result *) MUST_CHECK;
int resultcause_get(
    const void *blob, size_t len, struct record_result *) MUST_CHECK;

#endif
