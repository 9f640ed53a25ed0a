/* Owns the stages of a worker, from HELLO to an open job. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/zones.h"
#include "worker/answer.h"
#include "worker/forecasts.h"
#include "worker/loop.h"
#include "worker/salvage.h"
#include "worker/session.h"
#include "worker/tending.h"

#define LOCK_FILE "lock"
#define LOCK_RETRY_MS 20
#define REASON_BYTES 512 /* of a reason in the log: it may quote a client */
/* Unsent answers: then stop reading. */
#define OUTPUT_BYTES (4u * 1024 * 1024)
/* Of a busy worker: a block of 2 to 3 ms in this time. It may stay behind. */
#define PACK_PAUSE_US 40000
#define PACK_US 3000 /* left for it in the slice */

struct session *
session_new(int fd)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->lockfd = -1;
	aside_init(&s->aside);
	s->state = IN_START;
	s->peer = peer_new(fd, FROM_WRK);
	if (s->peer == NULL) {
		free(s);
		return NULL;
	}
	uploads_init(&s->uploads, s->peer);
	return s;
}

void
session_free(struct session *s)
{
	uploads_free(&s->uploads);
	mend_free(s->mend);
	chore_free(s->chore);
	expiry_free(s->expiry);
	forecasts_free(s->forecasts);
	results_free(s->results);
	backlog_free(s->backlog);
	snapper_free(s->snapper);
	restore_free(s->restore);
	journal_free(s->journal);
	analysis_free(s->analysis);
	aside_clear(&s->aside);
	mark_free(s->mark);
	peer_free(s->peer);
	if (s->lockfd != -1)
		close(s->lockfd);
	awaiting_clear(&s->awaiting);
	free(s->config);
	free(s->job_id);
	free(s->path);
	free(s);
}

/* Tell the supervisor why this job cannot be opened. Returns -1. */
static int
session_refuse(struct session *s, const struct apierr *e)
{
	const char *reason = e->link[0].reason;
	char text[REASON_BYTES];
	int saved = errno;

	/* The supervisor writes it, with what becomes of the job. */
	s->refused = peer_fail(s->peer, 0, e) == 0;
	if (!s->refused)
		log_warnx("%s",
		    log_escape(text, sizeof(text), reason, strlen(reason)));
	errno = saved;
	return -1;
}

/* What a successor may well have, a moment later. */
static bool
is_passing(int error)
{
	return error == ENOMEM || error == EMFILE || error == ENFILE ||
	    error == EAGAIN;
}

static int
session_fail(struct session *s, const char *what)
{
	int saved = errno, status = is_passing(saved) ? 503 : 500;
	struct apierr e;

	apierr_set(&e, status, status == 503 ? E_STATUS : E_EXCEPTION, "%s: %s",
	    what, strerror(saved));
	return session_refuse(s, &e);
}

/*
 * The disk is full, or a predecessor still hangs in it: nothing to fail a job
 * for. It ends, and a successor does it again when it can. Returns -1.
 */
static int
session_give_way(const char *what)
{
	int saved = errno;

	log_warn("%s", what);
	errno = saved;
	return -1;
}

static bool
is_out_of_room(void)
{
	return errno == ENOSPC || errno == EDQUOT;
}

/* A link in its place leads out of the state directory. */
static int
enter_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc, saved;

	if (fd == -1)
		return -1;
	rc = fchdir(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

static int
session_enter_directory(struct session *s)
{
	/* Clients read the reason: it says nothing of where things are. */
	if (enter_directory(s->path) == -1)
		return session_fail(s, "directory of the job");
	s->lockfd =
	    open(LOCK_FILE, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lockfd == -1)
		return session_fail(s, LOCK_FILE);
	s->lock_deadline_us =
	    clock_mono_us() + (int64_t)LOOP_LOCK_WAIT_MS * 1000;
	s->stage = SESSION_LOCKING;
	return 0;
}

int
session_hello(struct session *s, const struct msg_hello *m)
{
	char name[sizeof("anomd-worker[]") + MSG_ID_MAX];

	errno = EBADMSG;
	if (s->stage != SESSION_GREETING || m->job_id.len == 0 ||
	    m->path.p[0] != '/')
		return -1;
	if (m->version != MSG_VERSION) {
		log_warnx("supervisor speaks version %u, this is version %u",
		    (unsigned)m->version, MSG_VERSION);
		return -1;
	}
	s->job_id = span_dup(m->job_id);
	s->path = span_dup(m->path);
	if (s->job_id == NULL || s->path == NULL)
		return -1;
	snprintf(name, sizeof(name), "anomd-worker[%s]", s->job_id);
	log_init(name, (enum log_level)m->log_level);
	s->awaiting.epoch = m->epoch;
	s->crash = m->crash;
	s->results_damaged = m->results_damaged;
	s->policy = (enum sync_policy)m->sync_policy;
	s->journal_quota = m->journal_quota_bytes;
	s->interim_interval_s = m->interim_interval_s;
	s->uploads.max_bytes = m->max_expanded_bytes;
	s->uploads.flush = s->policy == SYNC_ALWAYS;
	return session_enter_directory(s);
}

/* Kept as it is: it is a stranger's text, and the sandbox comes first. */
int
session_config(struct session *s, const uint8_t *text, size_t len)
{
	if (s->stage == SESSION_GREETING || s->stage > SESSION_SANDBOXED ||
	    s->config != NULL || s->tends) {
		errno = EBADMSG;
		return -1;
	}
	s->config = malloc(len);
	if (s->config == NULL)
		return -1;
	memcpy(s->config, text, len);
	s->config_len = len;
	return 0;
}

int
session_update(struct session *s, const uint8_t *text, size_t len)
{
	char *copy;

	if (s->tends || (s->config == NULL && s->analysis == NULL)) {
		errno = EBADMSG;
		return -1;
	}
	if (s->config != NULL) { /* it may be read again */
		copy = malloc(len);
		if (copy == NULL)
			return -1;
		memcpy(copy, text, len);
		free(s->config);
		s->config = copy;
		s->config_len = len;
	}
	return s->analysis == NULL ? 0
				   : analysis_update(s->analysis, text, len);
}

int
session_await(struct session *s, uint32_t request, const struct msg_await *m)
{
	if (s->stage == SESSION_GREETING || s->stage > SESSION_SANDBOXED ||
	    s->config != NULL || s->tends) {
		errno = EBADMSG;
		return -1;
	}
	return awaiting_add(&s->awaiting, request, m->seq);
}

int
session_expire(struct session *s, uint32_t request, const struct msg_expire *m)
{
	if (s->stage == SESSION_OPEN)
		return backlog_add_expire(s->backlog, request, m, s->job_id);
	if (s->stage == SESSION_GREETING || s->stage == SESSION_RESTORING ||
	    s->config != NULL || s->asked) {
		errno = EBADMSG;
		return -1;
	}
	s->tends = s->asked = true;
	s->ask = *m;
	s->ask_request = request;
	return 0;
}

int
session_chore(struct session *s, uint32_t request, const struct msg_chore *m)
{
	if (s->stage == SESSION_OPEN && m->kind != CHORE_REVERT)
		return backlog_add_chore(s->backlog, request, m, s->job_id);
	if (s->stage == SESSION_GREETING || s->stage == SESSION_RESTORING ||
	    s->stage == SESSION_OPEN || s->config != NULL || s->asked) {
		errno = EBADMSG;
		return -1;
	}
	s->chore = chore_new(m, s->job_id, request);
	if (s->chore == NULL)
		return -1;
	s->tends = s->asked = true;
	return 0;
}

static int
work_locking(struct session *s)
{
	const struct sandbox_path paths[] = {
		{ .path = s->path, .writable = true },
		{ .path = zones_dir() },
	};
	/* a job that names no zone does without zone data */
	size_t npaths = access(zones_dir(), R_OK | X_OK) == 0 ? 2 : 1;

	if (flock(s->lockfd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK)
			return session_fail(s, "lock of the job's directory");
		if (clock_mono_us() >= s->lock_deadline_us)
			return session_give_way("lock of the job's directory");
		s->progress++; /* it waits within bounds of its own */
		return 0;
	}
	if (sandbox_enter(SANDBOX_WORKER, paths, npaths) == -1)
		return session_fail(s, "sandbox");
	s->stage = SESSION_SANDBOXED;
	return 0;
}

static int
session_mend(struct session *s)
{
	s->mended = true;
	s->mend = mend_begin(s->lockfd);
	if (s->mend == NULL)
		return session_give_way("a process for results.db");
	s->stage = SESSION_MENDING;
	return 0;
}

/* The damage was met on the way: what was begun is begun again behind it. */
static int
session_mend_late(struct session *s)
{
	restore_free(s->restore);
	s->restore = NULL;
	analysis_free(s->analysis);
	s->analysis = NULL;
	return session_mend(s);
}

/*
 * Nobody asks a job without entries to be replayed for its results; whoever
 * sets one back has no way to begin again, and so looks first.
 */
static bool
is_to_mend_first(const struct session *s)
{
	if (s->mended)
		return false;
	if (s->tends)
		return s->chore != NULL && chore_reverts(s->chore);
	return mend_is_due();
}

/* Of a failure right before: other files have damage of that errno, too. */
static bool
is_mendable(const struct session *s)
{
	int saved = errno;
	bool is = saved == RESTORE_DAMAGED && !s->mended && salvage_is_marked();

	errno = saved;
	return is;
}

static int
work_mending(struct session *s)
{
	int rc = mend_step(s->mend, &s->progress), saved;
	struct msg_salvaged m;

	if (rc == 1)
		return 0;
	if (rc == 0 && mend_has_salvaged(s->mend, &m) &&
	    peer_send(s->peer, MSG_SALVAGED, 0, &m) == -1)
		return -1;
	saved = errno;
	mend_free(s->mend);
	s->mend = NULL;
	errno = saved;
	/* What is asked for meets the same fault, and is answered so. */
	if (rc == -1 && s->tends)
		rc = 0;
	if (rc == -1 && (is_out_of_room() || errno == EINTR))
		return session_give_way("results.db cannot be put in order");
	if (rc == -1)
		return session_fail(s, "results.db cannot be put in order");
	s->stage = SESSION_SANDBOXED;
	return 0;
}

/*
 * A query has met what no worker reads. Without the mark READY would say that
 * the results are in order; what is asked of a closed job meets the damage, or
 * does not need the place.
 */
static int
session_mark_damage(struct session *s)
{
	if (!s->results_damaged)
		return 0;
	s->results_damaged = false;
	if (salvage_mark() == -1 && !s->tends)
		return session_give_way("damage of results.db");
	return 0;
}

/* Restarts would not help, and would lose nothing: the files stay. */
static int
session_fail_unread(struct session *s)
{
	return session_fail(s,
	    "a file of the job cannot be read or written; the log names it, "
	    "and RECOVERY in anomd(8) the cure");
}

static int
work_sandboxed(struct session *s)
{
	struct jobconf *conf;
	struct apierr e;

	if (s->config == NULL && !s->tends)
		return 0;
	if (session_mark_damage(s) == -1)
		return -1;
	if (is_to_mend_first(s))
		return session_mend(s);
	if (s->tends) {
		s->stage = SESSION_TENDING;
		return 0;
	}
	conf = jobconf_restore(s->job_id, s->config, s->config_len, &e);
	if (conf == NULL)
		return session_refuse(s, &e);
	s->analysis = analysis_new(conf);
	if (s->analysis == NULL)
		return session_fail(s, "analysis");
	/* Without it the job is as good, but for the next crash. */
	if (s->mark == NULL)
		s->mark = mark_open(s->crash);
	s->analysis->mark = s->mark;
	s->restore = restore_new(
	    s->analysis, s->job_id, s->policy, s->peer, &s->awaiting);
	if (s->restore == NULL && is_mendable(s))
		return session_mend_late(s);
	if (s->restore == NULL && errno == EUCLEAN)
		return session_fail(s,
		    "the state after a revert is damaged, which the log names: "
		    "revert to a model snapshot again, or reset the job");
	if (s->restore == NULL && errno == EIO)
		return session_fail_unread(s);
	if (s->restore == NULL)
		return session_fail(s, "state of the job");
	s->stage = SESSION_RESTORING;
	return 0;
}

static int
session_ready(struct session *s)
{
	struct msg_ready m = { .version = MSG_VERSION };

	s->journal = restore_take_journal(s->restore);
	restore_take_aside(s->restore, &s->aside);
	s->analysis->aside = &s->aside;
	restore_free(s->restore);
	s->restore = NULL;
	s->snapper = snapper_new(s->analysis, s->journal, s->job_id, s->lockfd);
	if (s->snapper == NULL)
		return -1;
	snapper_set_quota(s->snapper, s->journal_quota);
	persist_init(&s->persist, s->peer, s->snapper);
	beat_init(&s->beat, s->analysis, s->interim_interval_s);
	s->backlog = backlog_new(
	    s->peer, s->analysis, s->journal, s->snapper, s->awaiting.epoch);
	/* Totals first: whoever hears that the job is open may ask for them. */
	if (s->backlog == NULL || answer_totals(s->peer, s->analysis) == -1 ||
	    peer_send(s->peer, MSG_READY, 0, &m) == -1 ||
	    persist_announce(&s->persist) == -1)
		return -1;
	free(s->config);
	s->config = NULL;
	s->state = IN_OPEN;
	s->stage = SESSION_OPEN;
	return 0;
}

static int
work_restoring(struct session *s, int64_t deadline_us)
{
	int rc = restore_step(s->restore, deadline_us, &s->progress);

	if (rc == -1 && errno == EPROTONOSUPPORT)
		return session_fail(s,
		    "the journal was written by another version, which the "
		    "log names: open the job with that one");
	if (rc == -1 && is_mendable(s))
		return session_mend_late(s);
	if (rc == -1 && is_out_of_room())
		return session_give_way("replay");
	/* Too late to begin again here: the next worker mends it first. */
	if (rc == -1 && salvage_is_marked())
		return session_give_way("replay: results.db is damaged");
	if (rc == -1 && errno == EIO)
		return session_fail_unread(s);
	if (rc == -1)
		return session_fail(
		    s, "what the journal has cannot be done again");
	return rc == 1 ? 0 : session_ready(s);
}

/* Returns 0, or -1 with errno. */
static int
work_snapshot(struct session *s)
{
	if (!backlog_is_between(s->backlog) || backlog_is_closed(s->backlog))
		return 0;
	return persist_step(&s->persist);
}

/*
 * Compress old segments: all the time when there is nothing else to do, a
 * small share of it when there is; and never while a snapshot is written or
 * the job is being closed, which will make most of them superfluous.
 */
static bool
packs_now(const struct session *s, int64_t now_us)
{
	if (s->stage != SESSION_OPEN || s->state != IN_OPEN ||
	    snapper_is_running(s->snapper) || !journal_packs(s->journal))
		return false;
	return now_us - s->packed_us >= PACK_PAUSE_US ||
	    (!backlog_is_busy(s->backlog) && !uploads_is_busy(&s->uploads));
}

/* Returns 0, or -1 with errno. */
static int
work_beat(struct session *s)
{
	return s->state == IN_OPEN ? beat_work(&s->beat, s->backlog) : 0;
}

/* Between two entries, and for no longer than they would take. */
static int
work_forecasts(struct session *s, int64_t deadline_us)
{
	if (!backlog_is_between(s->backlog) || backlog_is_closed(s->backlog))
		return 0;
	forecasts_step(s->analysis->forecasts, deadline_us, &s->progress);
	return forecasts_tell(s->analysis->forecasts, s->peer);
}

static int
work_open(struct session *s, int64_t deadline_us)
{
	int64_t now_us = clock_mono_us();
	bool packs = packs_now(s, now_us);

	if (packs)
		deadline_us -= PACK_US;
	journal_tick(s->journal);
	if (uploads_decode(&s->uploads, now_us + (deadline_us - now_us) / 2,
		&s->progress) == -1 ||
	    work_snapshot(s) == -1 || work_beat(s) == -1 ||
	    backlog_work(s->backlog, deadline_us, &s->progress) == -1 ||
	    work_snapshot(s) == -1 || work_forecasts(s, deadline_us) == -1)
		return is_out_of_room()
		    ? session_give_way("a request waits for room")
		    : session_fail(s, "a request cannot be finished");
	if (backlog_is_closed(s->backlog))
		s->ended = true;
	else if (packs) {
		journal_pack(s->journal);
		s->packed_us = clock_mono_us();
	}
	return 0;
}

int
session_work(struct session *s, int64_t deadline_us)
{
	if (session_is_runnable(s))
		s->active_us = clock_mono_us();
	switch (s->stage) {
	case SESSION_GREETING:
		return 0;
	case SESSION_LOCKING:
		return work_locking(s);
	case SESSION_SANDBOXED:
		return work_sandboxed(s);
	case SESSION_MENDING:
		return work_mending(s);
	case SESSION_RESTORING:
		return work_restoring(s, deadline_us);
	case SESSION_OPEN:
		return work_open(s, deadline_us);
	case SESSION_TENDING:
		return tending_work(s, deadline_us);
	}
	return 0;
}

bool
session_is_runnable(const struct session *s)
{
	switch (s->stage) {
	case SESSION_GREETING:
	case SESSION_LOCKING:
	case SESSION_MENDING: /* its child is at work */
		return false;
	case SESSION_SANDBOXED:
		return s->config != NULL || s->tends;
	case SESSION_RESTORING:
		return true;
	case SESSION_OPEN:
		return (backlog_is_busy(s->backlog) &&
			   !backlog_is_waiting(s->backlog)) ||
		    uploads_is_busy(&s->uploads) ||
		    forecasts_are_busy(s->analysis->forecasts);
	case SESSION_TENDING:
		return s->asked;
	}
	return false;
}

bool
session_has_room(const struct session *s)
{
	size_t pending = uploads_pending(&s->uploads);

	if (s->backlog != NULL)
		pending += backlog_pending(s->backlog);
	return pending < LOOP_PENDING_BYTES &&
	    peer_queued(s->peer) < OUTPUT_BYTES;
}

/* The nearer one; -1 is never. */
static int
sooner(int a_ms, int b_ms)
{
	return a_ms == -1 || (b_ms != -1 && b_ms < a_ms) ? b_ms : a_ms;
}

int
session_timer_ms(struct session *s)
{
	int timer_ms;

	if (s->stage == SESSION_LOCKING)
		return LOCK_RETRY_MS;
	if (s->stage == SESSION_MENDING)
		return MEND_LOOK_MS;
	if (s->stage != SESSION_OPEN)
		return -1;
	if (packs_now(s, clock_mono_us()))
		return 0;
	timer_ms =
	    sooner(journal_tick(s->journal), snapper_timer_ms(s->snapper));
	timer_ms = sooner(timer_ms, forecasts_timer_ms(s->analysis->forecasts));
	if (s->state != IN_OPEN)
		return timer_ms;
	return sooner(timer_ms, beat_timer_ms(&s->beat, s->backlog));
}
