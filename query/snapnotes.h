/*
 * Annotations of stored model snapshots (results-and-models 14.2). They are
 * made of the list of snapshots when somebody asks, and kept nowhere: so one is
 * told once, whatever dies in between, and goes with its snapshot.
 */
#ifndef QUERY_SNAPNOTES_H
#define QUERY_SNAPNOTES_H

#include "common/compat.h"
#include "query/reading.h"

/* All annotations of a job, in the connection that snapnotes_add was given. */
#define SNAPNOTES_VIEW "every_annotation"

/*
 * Make the view: what results.db has, and a row for each snapshot that is
 * listed and has results. Returns 0, or -1 with the reading's error set.
 */
int snapnotes_add(struct reading *, const char *jobs_dir) MUST_CHECK;

#endif
