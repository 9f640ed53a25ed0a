/*
 * The rows of a results.db's table detector, in memory: the names that records
 * share. There is about one for each detector of the job.
 */
#ifndef COMMON_DETECTORLIST_H
#define COMMON_DETECTORLIST_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/resultrow.h"

struct sqlite3;

struct detectorlist {
	size_t n;
	struct detector_row *rows; /* owned, names too */
	int64_t last_id;	   /* greatest id; 0 when empty */
};

/*
 * Fill an empty list from db. 0, or -1 with errno (logged; EBADMSG: a damaged
 * row); what was read stays in the list.
 */
int detectorlist_load(struct detectorlist *, struct sqlite3 *db) MUST_CHECK;
void detectorlist_clear(struct detectorlist *);

/* Adds a copy. 0, or -1 with ENOMEM. */
int detectorlist_add(
    struct detectorlist *, const struct detector_row *) MUST_CHECK;

/* NULL when there is none. */
const struct detector_row *detectorlist_find(
    const struct detectorlist *, int64_t id);
/* The row that has the detector index and names of this one. */
const struct detector_row *detectorlist_match(
    const struct detectorlist *, const struct detector_row *);

#endif
