/* The tables of results.db: for resultsdb.c only. */
#ifndef COMMON_RESULTSDB_SCHEMA_H
#define COMMON_RESULTSDB_SCHEMA_H

#include "common/compat.h"

struct sqlite3;

/* All tables; in a transaction of the caller. 0, or -1 with errno. */
int resultsdb_schema_create(struct sqlite3 *) MUST_CHECK;

/* The same of those that version 3 did not have. */
int resultsdb_schema_add(struct sqlite3 *) MUST_CHECK;

/*
 * For a reader of such a file, which cannot add them: empty ones that only
 * this connection sees.
 */
int resultsdb_schema_pretend(struct sqlite3 *) MUST_CHECK;

#endif
