/*
 * Looking a file over without changing it: what `anomctl verify` is made of.
 * The files of the worker are in worker/verify.h.
 */
#ifndef COMMON_VERIFY_H
#define COMMON_VERIFY_H

#include <stdint.h>

#include "common/compat.h"

/*
 * Called for each thing that is wrong.
 *
 * offset  byte of the file where the damaged part begins
 * what    one line for people, without the path; lives until the call returns
 */
typedef void verify_report_cb(
    void *arg, const char *path, uint64_t offset, const char *what);

/*
 * A database of ours (results.db, catalog.db): the checksum of each page of
 * the file and of each frame of the WAL beside it, then the order within. A
 * page that is in the WAL as well may be half written in the file. The database
 * is opened for reading only and may be in use.
 *
 * Returns the number of reports, or -1 with errno: it cannot be looked at.
 */
int verify_database(
    const char *path, verify_report_cb *report, void *arg) MUST_CHECK;

/* The same without the order within, which takes most of the time. */
int verify_checksums(
    const char *path, verify_report_cb *report, void *arg) MUST_CHECK;

/*
 * Of that the WAL alone, which must not be in use: SQLite reads one up to the
 * first frame that is wrong, and says nothing of commits that come after it.
 * The last commit may lack any of its parts after a loss of power, and is no
 * report.
 *
 * db_path  of the database: its WAL is this and "-wal"; there may be none
 */
int verify_wal(
    const char *db_path, verify_report_cb *report, void *arg) MUST_CHECK;

#endif
