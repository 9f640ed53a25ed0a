/* Owns the order of all that changes the job, from the seal to the answer. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "worker/awaiting.h"
#include "worker/backlog_int.h"
#include "worker/chore.h"
#include "worker/entry.h"
#include "worker/expiry.h"
#include "worker/forecasts.h"
#include "worker/mark.h"
#include "worker/repost.h"
#include "worker/retrying.h"

#define COMMIT_BYTES (4u * 1024 * 1024) /* written and synced at once */

struct backlog *
backlog_new(struct peer *peer, struct analysis *a, struct journal *j,
    struct snapper *snapper, uint32_t epoch)
{
	struct backlog *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->snapper = snapper;
	b->peer = peer;
	b->analysis = a;
	b->journal = j;
	b->epoch = epoch;
	TAILQ_INIT(&b->tasks);
	return b;
}

void
backlog_remove(struct backlog *b, struct task *t)
{
	TAILQ_REMOVE(&b->tasks, t, link);
	b->n--;
	arrival_free(t->arrival);
	wbuf_clear(&t->data);
	expiry_free(t->expiry);
	followers_clear(&t->followers);
	chore_free(t->chore);
	free(t);
}

void
backlog_free(struct backlog *b)
{
	struct task *t;

	if (b == NULL)
		return;
	while ((t = TAILQ_FIRST(&b->tasks)) != NULL)
		backlog_remove(b, t);
	free(b->run);
	free(b);
}

static struct task *
task_add(struct backlog *b, uint32_t request, enum journal_type type)
{
	struct task *t;

	if (b->n >= BACKLOG_MAX) {
		errno = EBADMSG;
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	b->n++;
	t->request = request;
	t->stage = TASK_WHOLE;
	journal_entry_init(&t->entry, type);
	t->entry.token = awaiting_token(b->epoch, request);
	followers_init(&t->followers);
	wbuf_init(&t->data, 0);
	TAILQ_INSERT_TAIL(&b->tasks, t, link);
	return t;
}

static struct retry
task_retry(const struct task *t)
{
	const struct journal_entry *e = &t->entry;

	return (
	    struct retry){ e->key_hi, e->key_lo, e->digest_hi, e->digest_lo };
}

/*
 * An upload of this key may be in the line, or have been answered before.
 * Returns 1: this one is or will be answered like it; 0: it is new; or -1.
 */
static int
repeats(struct backlog *b, const struct arrival *a, int64_t receipt_ms)
{
	struct task *t;

	if (!retry_is_set(&a->retry))
		return 0;
	TAILQ_FOREACH (t, &b->tasks, link) {
		struct retry known = task_retry(t);
		int rc;

		if (!retry_has_key_of(&known, &a->retry))
			continue;
		if (retry_has_digest_of(&known, &a->retry))
			rc = followers_add(&t->followers, a->request);
		else
			rc = retrying_refuse(b->peer, a->request);
		return rc == -1 ? -1 : 1;
	}
	return retrying_answer(
	    b->analysis->results, b->peer, a->request, &a->retry, receipt_ms);
}

int
backlog_add_upload(struct backlog *b, struct arrival *a, int64_t receipt_ms)
{
	int known = repeats(b, a, receipt_ms);
	struct task *t;

	if (known == 1)
		arrival_free(a);
	if (known != 0)
		return known == 1 ? 0 : -1;
	t = task_add(b, a->request, JOURNAL_UPLOAD);
	if (t == NULL)
		return -1;
	t->stage = TASK_ARRIVING;
	t->arrival = a;
	t->entry.receipt_ms = receipt_ms;
	t->entry.reset_start_s = a->reset_start_s;
	t->entry.reset_end_s = a->reset_end_s;
	t->entry.key_hi = a->retry.key_hi;
	t->entry.key_lo = a->retry.key_lo;
	t->entry.digest_hi = a->retry.digest_hi;
	t->entry.digest_lo = a->retry.digest_lo;
	return 0;
}

int
backlog_add_flush(
    struct backlog *b, uint32_t request, const struct msg_flush *m)
{
	struct task *t = task_add(b, request, JOURNAL_FLUSH);

	if (t == NULL)
		return -1;
	t->entry.receipt_ms = m->receipt_ms;
	t->entry.calc_interim = m->calc_interim;
	t->entry.start_s = m->start_s;
	t->entry.end_s = m->end_s;
	t->entry.advance_time_s = m->advance_time_s;
	t->entry.skip_time_s = m->skip_time_s;
	return 0;
}

int
backlog_add_forecast(
    struct backlog *b, uint32_t request, const struct msg_forecast *m)
{
	struct task *t = task_add(b, request, JOURNAL_FORECAST);

	if (t == NULL)
		return -1;
	if (schema_encode(&msg_forecast_schema, m, &t->data) == -1) {
		backlog_remove(b, t);
		return -1;
	}
	t->entry.receipt_ms = m->receipt_ms;
	t->entry.data_len = t->data.len;
	t->entry.data_crc = crc32c(0, t->data.data, t->data.len);
	return 0;
}

int
backlog_add_expire(struct backlog *b, uint32_t request,
    const struct msg_expire *m, const char *job_id)
{
	struct task *t = task_add(b, request, JOURNAL_FLUSH);

	if (t == NULL)
		return -1;
	t->expiry = expiry_new(b->analysis->results, m, job_id);
	if (t->expiry != NULL) {
		expiry_use(t->expiry, b->analysis->forecasts);
		return 0;
	}
	backlog_remove(b, t);
	return -1;
}

int
backlog_add_chore(struct backlog *b, uint32_t request,
    const struct msg_chore *m, const char *job_id)
{
	struct task *t = task_add(b, request, JOURNAL_FLUSH);

	if (t == NULL)
		return -1;
	t->chore = chore_new(m, job_id, request);
	if (t->chore != NULL) {
		chore_use(
		    t->chore, b->analysis->results, b->analysis->forecasts);
		return 0;
	}
	backlog_remove(b, t);
	return -1;
}

int
backlog_add_close(struct backlog *b)
{
	return task_add(b, 0, JOURNAL_CLOSE) == NULL ? -1 : 0;
}

int
backlog_add_interim(struct backlog *b)
{
	struct task *t = task_add(b, 0, JOURNAL_FLUSH);

	if (t == NULL)
		return -1;
	t->entry.calc_interim = true;
	t->entry.token = BACKLOG_INTERIM_TOKEN;
	return 0;
}

bool
backlog_makes_interim(const struct backlog *b)
{
	return backlog_has_token(b, BACKLOG_INTERIM_TOKEN);
}

bool
backlog_has_token(const struct backlog *b, uint64_t token)
{
	const struct task *t;

	TAILQ_FOREACH (t, &b->tasks, link)
		if (token != 0 && t->entry.token == token)
			return true;
	return false;
}

bool
backlog_is_busy(const struct backlog *b)
{
	return !TAILQ_EMPTY(&b->tasks);
}

bool
backlog_is_between(const struct backlog *b)
{
	return b->run == NULL && !b->expiring;
}

bool
backlog_is_waiting(const struct backlog *b)
{
	const struct task *t = TAILQ_FIRST(&b->tasks);

	return t != NULL && t->entry.type == JOURNAL_CLOSE &&
	    (snapper_is_running(b->snapper) ||
		forecasts_are_made(b->analysis->forecasts));
}

bool
backlog_is_closed(const struct backlog *b)
{
	return b->closed;
}

size_t
backlog_pending(const struct backlog *b)
{
	const struct task *t;
	size_t n = 0;

	TAILQ_FOREACH (t, &b->tasks, link)
		if (t->stage == TASK_ARRIVING)
			n += arrival_pending(t->arrival);
	return n;
}

unsigned
backlog_windows(const struct backlog *b)
{
	const struct task *t;
	unsigned n = 0;

	TAILQ_FOREACH (t, &b->tasks, link)
		if (t->stage == TASK_ARRIVING)
			n += t->arrival->windowed;
	return n;
}

/*
 * What the next snapshot could not make room for is taken in any case, when
 * nothing is before it: an upload that is larger than the quota's half.
 */
static bool
has_room(const struct backlog *b, const struct task *t, uint64_t len)
{
	return snapper_has_room(b->snapper, len) ||
	    (t == TAILQ_FIRST(&b->tasks) && !snapper_has_news(b->snapper));
}

bool
backlog_has_room(const struct backlog *b)
{
	return has_room(b, NULL, 0);
}

int
backlog_fail(struct backlog *b, struct task *t, const struct apierr *e)
{
	int rc = peer_fail(b->peer, t->request, e);

	if (rc == 0)
		rc = followers_fail(&t->followers, b->peer, e);
	backlog_remove(b, t);
	return rc;
}

/* Returns 1: it is still arriving; else as backlog_work. */
static int
task_decode(
    struct backlog *b, struct task *t, int64_t deadline_us, uint64_t *progress)
{
	struct apierr e;
	int rc;

	mark_take(b->analysis->mark, 0, t->entry.token);
	rc = arrival_decode(t->arrival, deadline_us, progress, &e);
	mark_drop(b->analysis->mark);
	if (rc == 1)
		return 1;
	if (rc == 0)
		rc = arrival_finish(t->arrival, &e);
	if (rc == -1)
		return backlog_fail(b, t, &e);
	t->entry.data_len = spool_bytes(t->arrival->spool);
	t->entry.data_crc = spool_crc(t->arrival->spool);
	t->stage = TASK_WHOLE;
	return 0;
}

static int
decode_tasks(struct backlog *b, int64_t deadline_us, uint64_t *progress)
{
	struct task *t, *next;

	TAILQ_FOREACH_SAFE (t, &b->tasks, link, next) {
		if (t->stage == TASK_ARRIVING &&
		    task_decode(b, t, deadline_us, progress) == -1)
			return -1;
		if (clock_mono_us() >= deadline_us)
			break;
	}
	return 0;
}

/*
 * A flush for interim results alone changes no model: nothing to repeat. Nor
 * does a removal of results (expiry.h) or a chore (chore.h).
 */
static bool
task_needs_journal(const struct task *t)
{
	if (t->expiry != NULL || t->chore != NULL)
		return false;
	if (t->entry.type == JOURNAL_FLUSH)
		return t->entry.advance_time_s != TIME_UNSET ||
		    t->entry.skip_time_s != TIME_UNSET;
	return t->entry.type == JOURNAL_UPLOAD ||
	    t->entry.type == JOURNAL_FORECAST;
}

static int
task_fail_quota(struct backlog *b, struct task *t)
{
	struct apierr e;

	arrival_over_quota(&e);
	return backlog_fail(b, t, &e);
}

static int
task_fail_disk(struct backlog *b, struct task *t, int error)
{
	struct apierr e;

	arrival_not_kept(&e, error);
	return backlog_fail(b, t, &e);
}

/* The journal has it. Whoever sent it is told, and need not keep it longer. */
static int
task_kept(struct backlog *b, struct task *t)
{
	struct msg_kept m = { .seq = t->entry.seq };

	t->stage = TASK_KEPT;
	if (repost_kept(
		b->analysis->aside, b->peer, b->journal, t->entry.token) == -1)
		return -1;
	return peer_send(b->peer, MSG_KEPT, t->request, &m);
}

/* End the journal's batch and settle the tasks in it. */
static int
commit_queued(struct backlog *b)
{
	int error = journal_commit(b->journal) == -1 ? errno : 0;
	struct task *t, *next;

	TAILQ_FOREACH_SAFE (t, &b->tasks, link, next) {
		if (t->stage != TASK_QUEUED)
			continue;
		if ((error == 0 ? task_kept(b, t)
				: task_fail_disk(b, t, error)) == -1)
			return -1;
	}
	return 0;
}

/* A large upload: its spool file becomes a segment. */
static int
task_adopt(struct backlog *b, struct task *t)
{
	struct spool *s = t->arrival->spool;
	const char *data;

	/* Mapped first: the descriptor is the journal's afterwards. */
	if (spool_data(s, &data) == -1 ||
	    journal_adopt(b->journal, &t->entry, spool_path(s), spool_fd(s)) ==
		-1)
		return task_fail_disk(b, t, errno);
	spool_moved(s);
	return task_kept(b, t);
}

int
backlog_data(const struct task *t, const char **data)
{
	*data = (const char *)t->data.data;
	return t->arrival == NULL ? 0 : spool_data(t->arrival->spool, data);
}

static int
task_append(struct backlog *b, struct task *t)
{
	const char *data;

	if (backlog_data(t, &data) == -1)
		return task_fail_disk(b, t, errno);
	journal_append(b->journal, &t->entry, data);
	t->stage = TASK_QUEUED;
	return 0;
}

/*
 * Bring all that is whole into the journal, in order, with one sync for those
 * that go together. What still arrives holds up those behind it.
 */
static int
commit_tasks(struct backlog *b)
{
	struct task *t, *next;
	uint64_t bytes = 0;

	TAILQ_FOREACH_SAFE (t, &b->tasks, link, next) {
		if (t->stage == TASK_ARRIVING || bytes >= COMMIT_BYTES)
			break;
		if (t->stage != TASK_WHOLE)
			continue;
		if (!task_needs_journal(t)) {
			t->stage = TASK_KEPT;
			continue;
		}
		if (t->arrival != NULL && !has_room(b, t, t->entry.data_len)) {
			if (task_fail_quota(b, t) == -1)
				return -1;
			continue;
		}
		bytes += t->entry.data_len;
		if (t->arrival != NULL && spool_is_file(t->arrival->spool)) {
			if (commit_queued(b) == -1 || task_adopt(b, t) == -1)
				return -1;
		} else if (task_append(b, t) == -1) {
			return -1;
		}
	}
	return commit_queued(b);
}

static bool
wants_gap(const struct backlog *b)
{
	return snapper_wants_gap(b->snapper) ||
	    forecasts_want_gap(b->analysis->forecasts);
}

int
backlog_work(struct backlog *b, int64_t deadline_us, uint64_t *progress)
{
	int64_t half_us = clock_mono_us();
	struct task *t;
	int rc = 0;

	/* Neither may bomb after bomb keep whole uploads from their turn. */
	half_us += (deadline_us - half_us) / 2;
	if (decode_tasks(b, half_us, progress) == -1 || commit_tasks(b) == -1)
		return -1;
	while (rc == 0 && (t = TAILQ_FIRST(&b->tasks)) != NULL &&
	    t->stage == TASK_KEPT) {
		rc = backlog_run(b, t, deadline_us, progress);
		if (clock_mono_us() >= deadline_us || backlog_is_waiting(b) ||
		    (backlog_is_between(b) && wants_gap(b)))
			break;
	}
	if (rc == -1)
		return -1;
	/* Before the answers leave; in the midst of an entry they can wait. */
	return b->run == NULL ? results_settle(b->analysis->results) : 0;
}
