/* Owns the way of a worker to an open job: lock, sandbox, mending, replay. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sandbox.h"
#include "common/zones.h"
#include "worker/answer.h"
#include "worker/loop.h"
#include "worker/salvage.h"
#include "worker/session_int.h"

#define LOCK_FILE "lock"

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

int
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
session_work_locking(struct session *s)
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

int
session_work_mending(struct session *s)
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
	if (rc == -1 && (session_is_out_of_room() || errno == EINTR))
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

int
session_work_sandboxed(struct session *s)
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

int
session_work_restoring(struct session *s, int64_t deadline_us)
{
	int rc = restore_step(s->restore, deadline_us, &s->progress);

	if (rc == -1 && errno == EPROTONOSUPPORT)
		return session_fail(s,
		    "the journal was written by another version, which the "
		    "log names: open the job with that one");
	if (rc == -1 && is_mendable(s))
		return session_mend_late(s);
	if (rc == -1 && session_is_out_of_room())
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
