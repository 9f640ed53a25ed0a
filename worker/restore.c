/* Owns the order of steps when a job is opened. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/restore.h"
#include "worker/salvage.h"
#include "worker/snapdir.h"
#include "worker/spool.h"

#define TELL_US 250000 /* between two messages about progress */

struct restore {
	struct analysis *analysis; /* borrowed */
	struct journal *journal;   /* owned */
	struct peer *peer;	   /* borrowed, like the next */
	struct awaiting *awaiting;
	enum sync_policy policy;
	bool in_entry;
	struct entry_run run;
	uint64_t replayed;    /* entries */
	uint64_t all_bytes;   /* of the journal, to be read */
	int64_t told_us;      /* how far it is */
	bool asked;	      /* results_seq is known */
	uint64_t results_seq; /* last entry whose results are kept */
};

/* Try snapshots from the newest to the oldest; none is fine, too. */
static int
load_snapshot(struct analysis *a, const char *job_id)
{
	uint64_t limit = UINT64_MAX;
	struct snapdir_file f;
	int rc;

	while ((rc = snapdir_newest(&f, job_id, limit)) == 1) {
		if (analysis_load(a, f.reader) == 0) {
			snapdir_close(&f);
			return 0;
		}
		if (errno != EBADMSG) {
			log_warn("snapshot %" PRIu64, f.seq);
			snapdir_close(&f);
			return -1;
		}
		limit = f.seq;
		snapdir_refuse(&f);
	}
	return rc;
}

struct restore *
restore_new(struct analysis *a, const char *job_id, enum sync_policy policy,
    struct peer *peer, struct awaiting *aw)
{
	struct restore *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->analysis = a;
	r->policy = policy;
	r->told_us = clock_mono_us();
	r->peer = peer;
	r->awaiting = aw;
	if (spool_clean() == -1)
		log_warn("spool");
	snapdir_clean();
	if (load_snapshot(a, job_id) == 0)
		r->journal = journal_open(a->applied_seq, policy);
	if (r->journal != NULL)
		r->all_bytes = journal_unread_bytes(r->journal);
	if (r->journal == NULL) {
		int saved = errno;

		free(r);
		errno = saved;
		return NULL;
	}
	return r;
}

void
restore_free(struct restore *r)
{
	if (r == NULL)
		return;
	journal_free(r->journal);
	free(r);
}

/* Asked only where it matters: an idle job keeps its results.db closed. */
static int
ask_results(struct restore *r)
{
	if (r->asked)
		return 0;
	if (results_applied_seq(r->analysis->results, &r->results_seq) == -1)
		return -1;
	r->asked = true;
	return 0;
}

static int
begin_entry(struct restore *r, const struct journal_entry *e, const char *data)
{
	if (ask_results(r) == -1)
		return -1;
	analysis_mute(r->analysis, e->seq <= r->results_seq);
	entry_begin(&r->run, r->analysis, e, data);
	r->in_entry = true;
	r->replayed++;
	return awaiting_found(r->awaiting, r->peer, e);
}

/* This start was asked for, so it is an entry; after a crash there is none. */
static int
write_open(struct restore *r, uint64_t *progress)
{
	struct journal_entry e;

	journal_entry_init(&e, JOURNAL_OPEN);
	e.receipt_ms = clock_wall_ms();
	journal_append(r->journal, &e, NULL);
	if (journal_commit(r->journal) == -1)
		return -1;
	entry_begin(&r->run, r->analysis, &e, NULL);
	return entry_step(&r->run, INT64_MAX, progress);
}

static int
finish(struct restore *r, uint64_t *progress)
{
	uint64_t last = journal_last_seq(r->journal);
	bool closed = journal_is_closed(r->journal);

	analysis_mute(r->analysis, false);
	r->analysis->applied_seq = last;
	/* Where the journal may lag behind the results, or was cut. */
	if ((!closed || r->policy != SYNC_ALWAYS || salvage_is_marked()) &&
	    ask_results(r) == -1)
		return -1;
	if (r->asked && r->results_seq > last) {
		log_warnx("journal: results are there up to entry %" PRIu64
			  ", entries only up to %" PRIu64,
		    r->results_seq, last);
		journal_skip_to(r->journal, r->results_seq);
		r->analysis->applied_seq = r->results_seq;
	}
	if (r->replayed > 0)
		log_info(
		    "entries of the journal done again: %" PRIu64, r->replayed);
	if (awaiting_end(r->awaiting, r->peer) == -1)
		return -1;
	return closed ? write_open(r, progress) : 0;
}

/* Short replays are over before anybody could ask. */
static int
tell_progress(struct restore *r)
{
	struct msg_progress m = { .done_bytes = journal_read_bytes(r->journal),
		.all_bytes = r->all_bytes,
		.entries = r->replayed };
	int64_t now_us = clock_mono_us();

	if (now_us - r->told_us < TELL_US)
		return 0;
	r->told_us = now_us;
	return peer_send(r->peer, MSG_PROGRESS, 0, &m);
}

int
restore_step(struct restore *r, int64_t deadline_us, uint64_t *progress)
{
	struct journal_entry e;
	const char *data;
	int rc;

	if (tell_progress(r) == -1)
		return -1;
	do {
		if (r->in_entry) {
			rc = entry_step(&r->run, deadline_us, progress);
			if (rc == 0)
				rc = awaiting_done(
				    r->awaiting, r->peer, r->analysis, &r->run);
			if (rc != 0)
				return rc;
			r->in_entry = false;
		}
		rc = journal_read(r->journal, &e, &data);
		(*progress)++;
		if (rc == 0)
			return finish(r, progress);
		if (rc == -1 || (rc == 1 && begin_entry(r, &e, data) == -1))
			return -1;
	} while (clock_mono_us() < deadline_us);
	return 1;
}

struct journal *
restore_take_journal(struct restore *r)
{
	struct journal *j = r->journal;

	r->journal = NULL;
	return j;
}
