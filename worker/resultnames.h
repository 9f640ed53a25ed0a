/*
 * The names that records share, as results.db keeps them: once each, known by
 * number. The writer's cache of what is already in the file.
 */
#ifndef WORKER_RESULTNAMES_H
#define WORKER_RESULTNAMES_H

#include <stdint.h>

#include "common/compat.h"
#include "common/resultrow.h"
#include "common/results.h"

struct sqlite3;
struct resultnames;

/* Reads what db has. NULL with errno (EBADMSG: a damaged row; logged). */
struct resultnames *resultnames_new(struct sqlite3 *db);
void resultnames_free(struct resultnames *); /* NULL is fine */

/*
 * See that the names of r are in the file, writing those that are not. A
 * transaction that is rolled back takes them out again: make a new cache then.
 *
 * *id  number of the row of table detector
 *
 * Returns 0, or -1 with errno.
 */
int resultnames_put(struct resultnames *, const struct record_result *r,
    int64_t *id) MUST_CHECK;

/* The same of names that no record has. */
int resultnames_put_detector(
    struct resultnames *, struct detector_row *, int64_t *id) MUST_CHECK;

#endif
