/*
 * What every use of SQLite here has in common: failures become errno and one
 * line in the log that names the file.
 */
#ifndef COMMON_SQLX_H
#define COMMON_SQLX_H

#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"

struct sqlite3;
struct sqlite3_stmt;

/*
 * The errno that stands for the last failure of db: ENOSPC (no room, quota),
 * ENOMEM, EBUSY (locked by another process for too long), EINTR (given up by
 * the progress handler), EBADMSG (not a database, or damaged), else EIO.
 */
int sqlx_errno(struct sqlite3 *db);

/* Log the last failure of db and what it happened at; set errno; return -1. */
int sqlx_fail(struct sqlite3 *db, const char *what);

/* Run SQL without results. 0, or -1 with errno as above (logged). */
int sqlx_exec(struct sqlite3 *, const char *sql) MUST_CHECK;

/* NULL with errno as above (logged). */
struct sqlite3_stmt *sqlx_prepare(struct sqlite3 *, const char *sql);

/*
 * Step a statement that gives no rows to its end and reset it. Bindings stay.
 * 0, or -1 with errno as above (logged).
 */
int sqlx_run(struct sqlite3_stmt *) MUST_CHECK;

/* Bind a text; the bytes stay the caller's until the statement has run. */
void sqlx_bind_span(struct sqlite3_stmt *, int i, struct span);
/* A column's bytes, never NULL; they live until the next step or reset. */
struct span sqlx_column_span(struct sqlite3_stmt *, int i);

/* The first column of the only row of a query. Errors as above. */
int sqlx_number(struct sqlite3 *, const char *sql, int64_t *v) MUST_CHECK;

#endif
