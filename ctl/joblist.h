/* The jobs that a catalogue speaks of, by the names of their directories. */
#ifndef CTL_JOBLIST_H
#define CTL_JOBLIST_H

#include <stdbool.h>

#include "common/compat.h"

struct sqlite3;

struct joblist {
	char **name; /* owned: "<job_id>.<incarnation>" */
	int n;
};

void joblist_clear(struct joblist *);
bool joblist_has(const struct joblist *, const char *name);
/* Returns 0, or -1 with ENOMEM. */
int joblist_add(struct joblist *, const char *name) MUST_CHECK;
/*
 * Add all that are not deleted. Returns 0, or -1 with errno (some of it
 * logged); EBADMSG: a name is none.
 */
int joblist_read(struct joblist *, struct sqlite3 *catalog) MUST_CHECK;

#endif
