/* The tables of catalog.db, and what brings an older one up to date. */
#ifndef KEEPER_CATALOG_SCHEMA_H
#define KEEPER_CATALOG_SCHEMA_H

#include <stdint.h>

#include "common/compat.h"

#define CATALOG_VERSION 4

struct sqlite3;

/* Checksum of the only row of the table meta. */
uint32_t catalog_meta_crc(uint64_t version, uint64_t last_incarnation);

/*
 * Make the tables that are missing, and count changes from now on. 0, or -1
 * with errno (logged): EBADMSG: what the catalogue says of itself is damaged;
 * EPROTONOSUPPORT: a later version has made it.
 */
int catalog_schema_ensure(struct sqlite3 *) MUST_CHECK;

/*
 * Number of the last change, of which each statement makes at least one. 0, or
 * -1 with errno (logged).
 */
int catalog_schema_change(struct sqlite3 *, int64_t *number) MUST_CHECK;

/*
 * A checksum of all that the tables hold. 0, or -1 with errno (logged).
 */
int catalog_schema_sum(struct sqlite3 *, uint32_t *sum) MUST_CHECK;

#endif
