/* Owns the doing of what is first in the line, to its answer. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>

#include "worker/answer.h"
#include "worker/backlog_int.h"
#include "worker/chore.h"
#include "worker/closing.h"
#include "worker/entry.h"
#include "worker/expiry.h"
#include "worker/forecasts.h"
#include "worker/mark.h"

static int
task_close_end(struct backlog *b, struct task *t)
{
	char id[SNAPHEAD_ID_BYTES];
	struct msg_closed m;

	if (closing_write(b->analysis, b->snapper, id) == -1)
		return -1;
	m.model_snapshot_id = span_of(id);
	if (answer_totals(b->peer, b->analysis) == -1 ||
	    peer_send(b->peer, MSG_CLOSED, t->request, &m) == -1)
		return -1;
	backlog_remove(b, t);
	b->closed = true;
	return 0;
}

/* Nobody has asked for it. */
static bool
is_of_itself(const struct task *t)
{
	return t->entry.token == BACKLOG_INTERIM_TOKEN;
}

/*
 * There was no room for what nobody has asked for. It has taught the models
 * nothing, so that all goes on once the results have given it up.
 */
static bool
can_do_without(struct backlog *b, const struct task *t)
{
	int saved = errno;
	bool can = is_of_itself(t) && (saved == ENOSPC || saved == EDQUOT);

	if (can)
		results_give_up(b->analysis->results);
	errno = saved;
	return can;
}

static int
task_answer(struct backlog *b, struct task *t)
{
	int rc;

	if (is_of_itself(t)) {
		backlog_remove(b, t);
		return 0;
	}
	rc = answer_entry(b->peer, t->request, b->analysis, b->run);
	if (rc == 0)
		rc = followers_answer(&t->followers, b->peer, b->run);
	backlog_remove(b, t);
	return rc;
}

/* Begin with the first task. Its number is 0 when the journal has it not. */
static int
task_begin(struct backlog *b, const struct task *t)
{
	const char *data;

	if (backlog_data(t, &data) == -1)
		return -1;
	b->run = malloc(sizeof(*b->run));
	if (b->run == NULL)
		return -1;
	entry_begin(b->run, b->analysis, &t->entry, data);
	return 0;
}

/* The job goes on whatever becomes of it. Returns as backlog_run. */
static int
task_expire(
    struct backlog *b, struct task *t, int64_t deadline_us, uint64_t *progress)
{
	uint32_t request = t->request;
	struct msg_expired m;
	struct apierr e;
	int rc;

	/* It has transactions of its own. */
	if (results_settle(b->analysis->results) == -1)
		return -1;
	mark_take(b->analysis->mark, 0, t->entry.token);
	rc = expiry_step(t->expiry, deadline_us, progress, &m);
	mark_drop(b->analysis->mark);
	b->expiring = rc == 1;
	if (rc == 1)
		return 1;
	if (rc == -1) {
		expiry_error(&e, errno);
		return backlog_fail(b, t, &e);
	}
	backlog_remove(b, t); /* and what it has borrowed */
	/* Forecasts may have gone: whoever is answered may ask how many. */
	if (forecasts_tell(b->analysis->forecasts, b->peer) == -1)
		return -1;
	return peer_send(b->peer, MSG_EXPIRED, request, &m);
}

/* As task_expire. */
static int
task_chore(
    struct backlog *b, struct task *t, int64_t deadline_us, uint64_t *progress)
{
	int rc;

	if (results_settle(b->analysis->results) == -1)
		return -1;
	rc = chore_step(t->chore, b->peer, deadline_us, progress);
	b->expiring = rc == 1;
	if (rc != 1)
		backlog_remove(b, t);
	return rc;
}

/*
 * A snapshot must not be ahead of what was said of the entries in it: replay
 * answers what a death has cut off, and does not come to those any more.
 */
static bool
answers_have_left(const struct backlog *b)
{
	return peer_queued(b->peer) == 0;
}

/* As backlog_run. */
static int
task_close(
    struct backlog *b, struct task *t, int64_t deadline_us, uint64_t *progress)
{
	int rc;

	if (b->run == NULL) {
		forecasts_close(b->analysis->forecasts);
		/* Both would write to one file; who has asked is answered. */
		if (snapper_is_running(b->snapper) ||
		    snapper_is_asked(b->snapper) ||
		    forecasts_are_made(b->analysis->forecasts) ||
		    !answers_have_left(b))
			return 1;
		closing_begin(b->journal, &t->entry);
		if (task_begin(b, t) == -1)
			return -1;
	}
	rc = entry_step(b->run, deadline_us, progress);
	if (rc == 1)
		return 1;
	free(b->run);
	b->run = NULL;
	return rc == -1 ? -1 : task_close_end(b, t);
}

int
backlog_run(
    struct backlog *b, struct task *t, int64_t deadline_us, uint64_t *progress)
{
	int rc;

	if (t->expiry != NULL)
		return task_expire(b, t, deadline_us, progress);
	if (t->chore != NULL)
		return task_chore(b, t, deadline_us, progress);
	if (t->entry.type == JOURNAL_CLOSE)
		return task_close(b, t, deadline_us, progress);
	if (b->run == NULL && task_begin(b, t) == -1)
		return -1;
	rc = entry_step(b->run, deadline_us, progress);
	if (rc == 1)
		return 1;
	if (rc == 0 || can_do_without(b, t))
		rc = task_answer(b, t);
	free(b->run);
	b->run = NULL;
	return rc;
}
