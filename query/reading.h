/*
 * What every answer from a job's results.db has in common: the database, the
 * client's patience, the style and the errors. To be embedded as the first
 * member of what an answer is made with.
 */
#ifndef QUERY_READING_H
#define QUERY_READING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/detectorlist.h"
#include "common/wire.h"
#include "query/out.h"
#include "query/patience.h"
#include "query/request.h"
#include "query/style.h"

struct sqlite3;

struct reading {
	const struct request *req; /* borrowed */
	struct sqlite3 *db;	   /* NULL: there are no results yet */
	struct detectorlist detectors;
	struct style style;
	struct out *out; /* borrowed */
	struct patience patience;
	struct wbuf scratch;
	bool damaged;	    /* results.db is */
	struct apierr *err; /* borrowed */
};

/*
 * Open what is there. r is zeroed before; reading_end is called in any case.
 * Returns 0, or -1 with *e set.
 */
int reading_begin(struct reading *, const struct request *,
    const char *jobs_dir, answer_tick *tick, void *arg, struct out *,
    struct apierr *e) MUST_CHECK;

/*
 * Turn errno into the client's error. A row that was reported already by
 * reading_fail_row keeps its text. Returns -1.
 */
int reading_fail(struct reading *);
/* The row of a table could not be read. Returns -1. */
int reading_fail_row(struct reading *, const char *table, int64_t id);

/*
 * Write the text; once more if it is so long that it was not kept.
 *
 * text  writes it; returns 0, or -1 after reading_fail
 *
 * Returns 0, or -1.
 */
int reading_write(
    struct reading *, int (*text)(void *arg), void *arg) MUST_CHECK;

/*
 * Close and free all, then send what is left. rc is that of all before; returns
 * as answer_make.
 */
int reading_end(struct reading *, int rc) MUST_CHECK;

#endif
