/*
 * The forecasts of a job in its results.db, as their writer needs them. All of
 * it goes on within a transaction of the caller's, but for what only reads.
 */
#ifndef WORKER_FORECASTDB_H
#define WORKER_FORECASTDB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/forecastrow.h"
#include "common/totals.h"

struct sqlite3;

/* A row with memory of its own. */
struct forecast_entry {
	struct forecast_row row; /* its texts point to the next two */
	char id[FORECAST_ID_MAX + 1];
	char messages[FORECAST_MESSAGES_MAX + 1];
};

/* Each returns 0, or -1 with errno (logged), unless it says more. */

/* Write the row. With id 0 it gets one that no point has. */
int forecastdb_put(struct sqlite3 *, struct forecast_row *) MUST_CHECK;
/* Returns 1: *e is set; 0: there is none. */
int forecastdb_find(struct sqlite3 *, struct span forecast_id,
    struct forecast_entry *e) MUST_CHECK;
/* The next one after this id, from -1 on. Returns the same. */
int forecastdb_next(
    struct sqlite3 *, int64_t after, struct forecast_entry *e) MUST_CHECK;
/* The same of those that are not over. */
int forecastdb_unfinished(
    struct sqlite3 *, int64_t after, struct forecast_entry *e) MUST_CHECK;
int forecastdb_remove(struct sqlite3 *, int64_t id) MUST_CHECK;
/*
 * Remove some points: of this forecast, or with -1 of those that have no row
 * or have failed.
 * Returns how many.
 */
int forecastdb_remove_points(struct sqlite3 *, int64_t id) MUST_CHECK;

/* "\n" between them; one that has no place is left out. */
void forecast_entry_say(struct forecast_entry *, const char *text, size_t len);

#endif
