/* Owns the order of steps when a job is opened. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/forecasts.h"
#include "worker/mark.h"
#include "worker/repost.h"
#include "worker/restore.h"
#include "worker/salvage.h"
#include "worker/settle.h"
#include "worker/snapdir.h"
#include "worker/spool.h"

#define TELL_US 250000 /* between two messages about progress */

struct restore {
	struct analysis *analysis; /* borrowed */
	struct journal *journal;   /* owned */
	struct peer *peer;	   /* borrowed, like the next */
	struct awaiting *awaiting;
	enum sync_policy policy;
	bool began;
	uint64_t base_seq; /* of the base that was loaded; 0: it was none */
	bool in_entry;
	struct entry_run run;
	struct aside aside;   /* entries that killed */
	unsigned condemned;   /* signal: the one in hand is being put aside */
	uint64_t replayed;    /* entries */
	uint64_t last_seq;    /* of the entry that was read last */
	uint64_t all_bytes;   /* of the journal, to be read */
	int64_t told_us;      /* how far it is */
	bool asked;	      /* results_seq is known */
	uint64_t results_seq; /* last entry whose results are kept */
};

/*
 * Snapshots that cannot be read, from the newest on, may be whole: what is
 * older takes their place only if nothing is lost by that.
 */
static int
load_instead(uint64_t seq)
{
	if (!journal_reaches(seq)) {
		errno = EIO;
		if (seq == 0)
			log_warn("no model snapshot can be read, and the "
				 "journal does not go back to the beginning");
		else
			log_warn("the newest model snapshots cannot be read, "
				 "and the journal does not go back to the next "
				 "one, %" PRIu64,
			    seq);
		return -1;
	}
	snapdir_leave_behind(seq);
	return 0;
}

/* Try snapshots from the newest to the oldest; none is fine, too. */
static int
load_snapshot(struct analysis *a, const char *job_id, uint64_t *base_seq)
{
	uint64_t limit = UINT64_MAX;
	struct snapdir_file f;
	bool passed = false;
	int rc;

	while ((rc = snapdir_newest(&f, job_id, limit)) == 1) {
		passed = passed || f.passed;
		if (analysis_load(a, f.reader) == 0) {
			if (f.kind == SNAPFILE_BASE)
				*base_seq = f.seq;
			limit = f.seq;
			snapdir_close(&f);
			return passed ? load_instead(limit) : 0;
		}
		if (errno != EBADMSG) {
			log_warn("snapshot %" PRIu64, f.seq);
			snapdir_close(&f);
			return -1;
		}
		limit = f.seq;
		rc = snapdir_refuse(&f);
		if (rc == -1)
			return -1;
		passed = passed || rc == 1;
	}
	if (rc == 0 && (passed || f.passed))
		return load_instead(0);
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
	if (aside_load(&r->aside) == -1) {
		free(r);
		return NULL;
	}
	if (spool_clean() == -1)
		log_warn("spool");
	snapdir_clean();
	if (settle_reverts(a->results) == 0 &&
	    load_snapshot(a, job_id, &r->base_seq) == 0)
		r->journal = journal_open(a->applied_seq, policy);
	if (r->journal != NULL)
		r->all_bytes = journal_unread_bytes(r->journal);
	r->last_seq = a->applied_seq;
	if (r->journal == NULL) {
		int saved = errno;

		aside_clear(&r->aside);
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
	aside_clear(&r->aside);
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

/*
 * Entries that are not in the models, though they may have been answered: what
 * was said of them must not be said again to whoever sends them once more.
 */
static int
forget_answers(struct restore *r, uint64_t first, uint64_t last)
{
	if (ask_results(r) == -1)
		return -1;
	if (results_forget_answers(r->analysis->results, first, last) == 0)
		return 0;
	if (errno == RESTORE_DAMAGED) /* it is too late for that */
		errno = EIO;
	return -1;
}

/* The supervisor shows it. */
static int
tell_aside(struct restore *r, const struct aside_record *rec)
{
	char reason[ASIDE_REASON_BYTES];
	struct msg_quarantined m = { .entry = rec->seq,
		.is_upload = rec->type == JOURNAL_UPLOAD,
		.bytes = rec->bytes,
		.receipt_ms = rec->receipt_ms,
		.aside_ms = rec->aside_ms };

	if (!aside_has_file(rec))
		return 0;
	m.reason = span_of(asidelist_reason(reason, rec->seq, rec->signal));
	return peer_send(r->peer, MSG_QUARANTINED, 0, &m);
}

static int
tell_all_aside(struct restore *r)
{
	for (size_t i = 0; i < r->aside.list.n; i++)
		if (tell_aside(r, &r->aside.list.record[i]) == -1)
			return -1;
	return 0;
}

/* It is not done, and whoever waits for it is told why. */
static int
pass_over(struct restore *r, const struct journal_entry *e, unsigned signal)
{
	char reason[ASIDE_REASON_BYTES];
	struct apierr error;

	asidelist_reason(reason, e->seq, signal);
	log_warnx("entry %" PRIu64 " is passed over: %s", e->seq, reason);
	if (forget_answers(r, e->seq, e->seq) == -1)
		return -1;
	apierr_set(&error, 500, E_EXCEPTION, "%s", reason);
	return awaiting_fail(r->awaiting, r->peer, e->token, &error);
}

/* Returns as restore_step. */
static int
put_aside(struct restore *r, int64_t deadline_us)
{
	const struct journal_entry *e = &r->aside.entry;
	int rc = aside_step(&r->aside, r->condemned, deadline_us);

	if (rc != 0)
		return rc;
	/* Not before it is in the list. */
	if (mark_forget(r->analysis->mark, e->seq, e->token) == -1)
		log_warn(MARK_FILE);
	if (tell_aside(r, aside_find(&r->aside, e)) == -1 ||
	    pass_over(r, e, r->condemned) == -1)
		return -1;
	r->condemned = 0;
	return 0;
}

/*
 * Requests that killed before they came into the journal, and were about to be
 * sent again.
 */
static int
fail_condemned(struct restore *r)
{
	struct awaiting *aw = r->awaiting;
	char reason[ASIDE_REASON_BYTES];
	struct apierr error;
	unsigned signal;
	uint64_t token;

	for (unsigned i = aw->n; i-- > 0;) {
		token = awaiting_token(aw->epoch, aw->list[i].request);
		signal = mark_condemns(r->analysis->mark, 0, token);
		if (signal == 0 || aw->list[i].seq != 0)
			continue;
		asidelist_reason(reason, 0, signal);
		log_warnx("%s", reason);
		apierr_set(&error, 500, E_EXCEPTION, "%s", reason);
		if (mark_forget(r->analysis->mark, 0, token) == -1)
			log_warn(MARK_FILE);
		if (awaiting_fail(aw, r->peer, token, &error) == -1)
			return -1;
	}
	return 0;
}

static int
begin_entry(struct restore *r, const struct journal_entry *e, const char *data)
{
	const struct aside_record *rec = aside_find(&r->aside, e);
	uint64_t before = r->last_seq;

	/* First: nobody has been told anything if the file is damaged. */
	if (ask_results(r) == -1)
		return -1;
	r->last_seq = e->seq;
	if (e->seq > before + 1 &&
	    forget_answers(r, before + 1, e->seq - 1) == -1)
		return -1;
	if (repost_kept(&r->aside, r->peer, NULL, e->token) == -1)
		return -1;
	if (rec != NULL)
		return pass_over(r, e, rec->signal);
	r->condemned = mark_condemns(r->analysis->mark, e->seq, e->token);
	if (r->condemned != 0)
		return aside_begin(&r->aside, e, data);
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

	if (results_settle(r->analysis->results) == -1)
		return -1;
	analysis_mute(r->analysis, false);
	r->analysis->applied_seq = last;
	/* Where the journal may lag behind the results, or was cut. */
	if ((!closed || journal_is_doubtful(r->journal) ||
		r->policy != SYNC_ALWAYS || salvage_is_marked()) &&
	    ask_results(r) == -1)
		return -1;
	/* 0: of a salvaged one nobody knows how far it was. */
	if (r->asked && (r->results_seq > last || r->results_seq == 0) &&
	    forget_answers(r, last + 1, UINT64_MAX) == -1)
		return -1;
	if (r->asked && r->results_seq > last) {
		log_warnx("journal: results are there up to entry %" PRIu64
			  ", entries only up to %" PRIu64,
		    r->results_seq, last);
		journal_skip_to(r->journal, r->results_seq);
		r->analysis->applied_seq = r->results_seq;
	}
	if (r->asked)
		forecasts_settle(r->analysis->forecasts, r->peer);
	if (r->replayed > 0)
		log_info(
		    "entries of the journal done again: %" PRIu64, r->replayed);
	if (fail_condemned(r) == -1 || awaiting_end(r->awaiting, r->peer) == -1)
		return -1;
	if (closed && write_open(r, progress) == -1)
		return -1;
	/* What a revert took back, once there is a segment behind it. */
	if (r->base_seq != 0)
		journal_trim(r->journal, r->base_seq);
	return 0;
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

	if ((!r->began && tell_all_aside(r) == -1) || tell_progress(r) == -1)
		return -1;
	r->began = true;
	do {
		(*progress)++;
		if (r->condemned != 0 && (rc = put_aside(r, deadline_us)) != 0)
			return rc;
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

void
restore_take_aside(struct restore *r, struct aside *a)
{
	*a = r->aside;
	aside_init(&r->aside);
}
