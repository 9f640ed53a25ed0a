/*
 * The writer of the model plot and of annotations in results.db, in the
 * transactions of worker/results.c.
 */
#ifndef WORKER_PLOTROWS_H
#define WORKER_PLOTROWS_H

#include <stdint.h>

#include "common/compat.h"
#include "common/results.h"

struct plotrows;
struct resultnames;
struct sqlite3;

/* Borrows both. NULL with errno. */
struct plotrows *plotrows_new(struct sqlite3 *, struct resultnames *);
void plotrows_free(struct plotrows *); /* NULL is fine */

/* 0, or -1 with errno. */
int plotrows_put(struct plotrows *, const struct plot_result *) MUST_CHECK;
int plotrows_annotate(
    struct plotrows *, const struct annotation_result *) MUST_CHECK;

/* Remove what there is of a bucket. 0, or -1 with errno. */
int plotrows_forget(struct plotrows *, int64_t timestamp_ms) MUST_CHECK;

#endif
