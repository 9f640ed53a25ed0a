/*
 * What a job's quarantine holds, as its worker says it: entries of the journal
 * that workers died of. A job that has some is not well, until somebody has
 * looked.
 */
#ifndef SUPERVISOR_QUARANTINED_H
#define SUPERVISOR_QUARANTINED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/compat.h"
#include "common/msg.h"

/* Shown and counted; a job with more has the rest in its directory. */
#define QUARANTINED_MAX 1000

struct job;
struct json_object;

struct quarantined {
	TAILQ_ENTRY(quarantined) link;
	uint64_t entry;
	bool is_upload;
	bool confirmed; /* by the present worker */
	uint64_t bytes;
	int64_t receipt_ms;
	int64_t aside_ms; /* since when; wall clock */
	char reason[257];
};
TAILQ_HEAD(quarantined_list, quarantined);

void quarantined_init(struct job *);
void quarantined_clear(struct job *);
/* A worker has started, and will name all there are; it is ready. */
void quarantined_begin(struct job *);
void quarantined_end(struct job *);
/*
 * Returns 1: it is a new one; 0: it was known; -1 with errno: it is not shown,
 * for lack of memory, or there are too many.
 */
int quarantined_add(struct job *, const struct msg_quarantined *) MUST_CHECK;

/* One is there no more. */
void quarantined_remove(struct job *, uint64_t entry);

/* {"health":"red","count":1,"entries":[...]}; NULL: there are none. */
struct json_object *quarantined_json(const struct job *);

#endif
