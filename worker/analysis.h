/*
 * The parts of one job that turn records into counts and results, held
 * together: made from one configuration, saved to and loaded from one
 * snapshot.
 */
#ifndef WORKER_ANALYSIS_H
#define WORKER_ANALYSIS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/jobconf.h"
#include "common/totals.h"
#include "worker/engine.h"
#include "worker/intake.h"
#include "worker/reader.h"
#include "worker/results.h"
#include "worker/snapshot.h"

struct aside;
struct forecasts;
struct mark;

/* All owned, but for the first two. */
struct analysis {
	struct mark *mark;   /* NULL: what is in hand is not noted */
	struct aside *aside; /* once the job is open */
	struct jobconf *conf;
	struct reader *reader; /* NULL: no upload yet; an idle job has none */
	struct intake *intake;
	struct engine *engine;
	struct results *results;
	struct forecasts *forecasts; /* that are being made */
	uint64_t applied_seq;	     /* last journal entry that was processed */
	uint64_t data_seq;     /* last one that was data or told of time */
	uint64_t snapshot_seq; /* last one in the newest snapshot; 0: none */
	int64_t snapshot_ms;   /* when that was made; TIME_UNSET: none */
	bool muted;	       /* results of what is replayed exist already */
	int64_t log_time_ms;   /* wall clock of the last totals */
};

/* Takes over conf, also when it fails. NULL with ENOMEM. */
struct analysis *analysis_new(struct jobconf *conf);
void analysis_free(struct analysis *);

/*
 * The job's configuration is another one now: what of it takes effect at once
 * does so with the next bucket. 0, or -1 with errno (EBADMSG: it is none).
 */
int analysis_update(struct analysis *, const void *text, size_t len) MUST_CHECK;

/* The reader, made on the first call. NULL with ENOMEM. */
struct reader *analysis_reader(struct analysis *);

/* Results go nowhere while set. */
void analysis_mute(struct analysis *, bool muted);

void analysis_totals(const struct analysis *, struct job_totals *);

/* The job has been given no data and no time yet. */
bool analysis_is_blank(const struct analysis *);

/*
 * Returns 0, or -1 with errno. After a failed load the state is as new, and
 * another snapshot may be tried (EBADMSG), or is lost (ENOMEM).
 */
int analysis_save(const struct analysis *, struct snapshot_writer *) MUST_CHECK;
int analysis_load(struct analysis *, struct snapshot_reader *) MUST_CHECK;

#endif
