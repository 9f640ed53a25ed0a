/*
 * The file of a job's results: its tables, and the opening of it by the worker
 * that writes and by the process that reads.
 *
 * A reader may have no right to write anything: the -wal and -shm files always
 * exist beside the database (persistent WAL), because whoever makes the
 * database makes them first, and closing keeps them.
 *
 * Records are ordered three ways. By time there is an index. By score and by
 * probability an index over all rows would be written to at random, a page for
 * each row; instead each RESULTSDB_RUN_ROWS consecutive ids are sorted once,
 * as a run, and appended. Reading the best N takes a seek into each run that
 * can hold one of them. Rows since the last run and interim rows are in none.
 */
#ifndef COMMON_RESULTSDB_H
#define COMMON_RESULTSDB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"

struct sqlite3;

#define RESULTSDB_FILE "results.db"
#define RESULTSDB_NEW_FILE "new.db" /* until it is complete */
#define RESULTSDB_VERSION 4

/* A recovery takes milliseconds; a lock for longer is a stopped process. */
#define RESULTSDB_BUSY_TIMEOUT_MS 2000

/* Ids [n << SHIFT, (n + 1) << SHIFT) are run n. */
#define RESULTSDB_RUN_SHIFT 12
#define RESULTSDB_RUN_ROWS (1 << RESULTSDB_RUN_SHIFT)

/*
 * Open for writing.
 *
 * dir     directory of the file
 * create  make it when it is not there
 *
 * Returns the database (resultsdb_close), or NULL with errno: ENOENT (not
 * there and not to be made), EBADMSG (damaged, or without checksums of pages),
 * ENOTSUP (made by another version), ENOSPC, ENOMEM, EBUSY, EIO. All but ENOENT
 * are logged.
 */
struct sqlite3 *resultsdb_open_writer(const char *dir, bool create);

/*
 * Open for reading only; needs no right to write. Errors as above; ENOENT also
 * when the writer has not finished making the file.
 */
struct sqlite3 *resultsdb_open_reader(const char *dir);

/*
 * To put a whole file in the place of a damaged one: what can be read of that,
 * unchecked but for the sums of its rows, and an empty database that
 * resultsdb_new_publish gives its name once it is filled and closed. NULL or
 * -1 with errno.
 */
struct sqlite3 *resultsdb_open_damaged(const char *dir);
struct sqlite3 *resultsdb_new_begin(const char *dir);
int resultsdb_new_publish(const char *dir) MUST_CHECK;

/* Rolls back what is under way. A writer's WAL is folded in and emptied. */
void resultsdb_close(struct sqlite3 *); /* NULL is fine */

/* Number of the last entry whose results are in. 0, or -1 with errno. */
int resultsdb_get_seq(struct sqlite3 *, uint64_t *seq) MUST_CHECK;
int resultsdb_put_seq(struct sqlite3 *, uint64_t seq) MUST_CHECK;

/*
 * Sort the ids of a run, all of which have been given out, into the two
 * orders. Within a transaction. 0, or -1 with errno.
 */
int resultsdb_add_run(struct sqlite3 *, int64_t run) MUST_CHECK;

/* The first id that is in no run. 0, or -1 with errno. */
int resultsdb_tail(struct sqlite3 *, int64_t *id) MUST_CHECK;

#endif
