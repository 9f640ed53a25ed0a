/* Owns the writing of a job's results.db: its opening, and transactions. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/resultcause.h"
#include "common/resultrow.h"
#include "common/resultsdb.h"
#include "common/sqlx.h"
#include "worker/plotrows.h"
#include "worker/rescore.h"
#include "worker/resultnames.h"
#include "worker/results_int.h"
#include "worker/salvage.h"

#define RESULTS_DIR "results"

static const char *const stmt_sql[ST_MAX] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_RECORD] = resultrow_insert_record,
	[ST_CAUSE] = resultcause_insert,
	[ST_INFLUENCE] = resultrow_insert_influence,
	[ST_BUCKET] = resultrow_insert_bucket,
	[ST_FORGET_RECORDS] = "DELETE FROM record WHERE timestamp = ?1",
	[ST_FORGET_INFLUENCES] = "DELETE FROM influence WHERE timestamp = ?1",
	/* ?2: how many at a time. */
	[ST_DROP_RECORDS] =
	    "DELETE FROM record WHERE id IN (SELECT id FROM record WHERE"
	    " is_interim = 1 AND timestamp >= ?1 LIMIT ?2)",
	[ST_DROP_INFLUENCES] =
	    "DELETE FROM influence WHERE id IN (SELECT id FROM influence WHERE"
	    " is_interim = 1 AND timestamp >= ?1 LIMIT ?2)",
	[ST_DROP_BUCKETS] =
	    "DELETE FROM bucket WHERE timestamp IN (SELECT timestamp FROM "
	    "bucket"
	    " WHERE is_interim = 1 AND timestamp >= ?1 LIMIT ?2)",
};

struct results *
results_new(void)
{
	struct results *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->now = TIME_UNSET;
	wbuf_init(&r->scratch, 0);
	return r;
}

static void
file_close(struct results *r)
{
	for (size_t i = 0; i < ST_MAX; i++) {
		sqlite3_finalize(r->st[i]);
		r->st[i] = NULL;
	}
	rescore_free(r->rescore);
	r->rescore = NULL;
	plotrows_free(r->plots);
	r->plots = NULL;
	resultnames_free(r->names);
	r->names = NULL;
	answers_free(r->answers);
	r->answers = NULL;
	resultsdb_close(r->db);
	r->db = NULL;
	r->under_way = false;
}

void
results_free(struct results *r)
{
	if (r == NULL)
		return;
	file_close(r);
	wbuf_clear(&r->scratch);
	free(r);
}

/* Where the ids go on: never inside a run, whose rows are sorted already. */
static int
positions_read(struct results *r)
{
	if (resultsdb_tail(r->db, &r->tail) == -1 ||
	    sqlx_number(r->db, "SELECT coalesce(max(id) + 1, 0) FROM record",
		&r->next_id) == -1 ||
	    sqlx_number(r->db, "SELECT coalesce(max(id) + 1, 0) FROM influence",
		&r->next_influence) == -1 ||
	    sqlx_number(r->db,
		"SELECT max((SELECT coalesce(max(timestamp), "
		"~0x7fffffffffffffff)"
		" FROM record), (SELECT coalesce(max(timestamp),"
		" ~0x7fffffffffffffff) FROM bucket))",
		&r->newest) == -1)
		return -1;
	if (r->next_id < r->tail)
		r->next_id = r->tail;
	return 0;
}

static int
statements_prepare(struct results *r)
{
	for (size_t i = 0; i < ST_MAX; i++) {
		r->st[i] = sqlx_prepare(r->db, stmt_sql[i]);
		if (r->st[i] == NULL)
			return -1;
	}
	return 0;
}

/* For the next start, which replays; errno is left as it is. */
static void
note_damage(void)
{
	int saved = errno;

	if (saved == EBADMSG)
		(void)salvage_mark();
	errno = saved;
}

int
results_file_open(struct results *r, bool create)
{
	if (r->db != NULL)
		return 0;
	r->db = resultsdb_open_writer(RESULTS_DIR, create);
	if (r->db == NULL) {
		note_damage();
		return -1;
	}
	walfold_begin(&r->fold, r->db);
	r->names = resultnames_new(r->db);
	if (r->names != NULL)
		r->plots = plotrows_new(r->db, r->names);
	if (r->plots == NULL || statements_prepare(r) == -1 ||
	    positions_read(r) == -1 ||
	    resultsdb_get_seq(r->db, &r->seq_in) == -1) {
		int saved = errno;

		note_damage();
		file_close(r);
		errno = saved;
		return -1;
	}
	return 0;
}

int
results_spoil(struct results *r)
{
	note_damage();
	if (r->error == 0)
		r->error = errno == 0 ? EIO : errno;
	errno = r->error;
	return -1;
}

int
results_begin(struct results *r)
{
	if (r->error != 0)
		return results_spoil(r);
	if (r->under_way)
		return 0;
	if (results_file_open(r, true) == -1 || sqlx_run(r->st[ST_BEGIN]) == -1)
		return results_spoil(r);
	r->under_way = true;
	r->has_rows = false;
	r->now = TIME_UNSET;
	return 0;
}

void
results_mute(struct results *r, bool muted)
{
	r->muted = muted;
}

/* Of the file, which is open. NULL with errno. */
static struct answers *
answers_of(struct results *r)
{
	if (r->answers == NULL)
		r->answers = answers_new(r->db);
	return r->answers;
}

int
results_put_answer(struct results *r, const struct kept_answer *a)
{
	if (results_begin(r) == -1)
		return -1;
	return answers_of(r) == NULL || answers_put(r->answers, a) == -1
	    ? results_spoil(r)
	    : 0;
}

int
results_find_answer(struct results *r, const struct retry *retry,
    int64_t now_ms, struct kept_answer *a)
{
	int rc;

	if (r->db == NULL && results_file_open(r, false) == -1)
		return errno == ENOENT ? 0 : -1;
	rc = answers_of(r) == NULL ? -1
				   : answers_find(r->answers, retry, now_ms, a);
	if (rc == -1)
		note_damage();
	return rc;
}

int
results_forget_answers(struct results *r, uint64_t first, uint64_t last)
{
	if (results_file_open(r, false) == -1)
		return errno == ENOENT ? 0 : -1;
	if (answers_of(r) != NULL &&
	    answers_forget(r->answers, first, last) == 0)
		return 0;
	note_damage();
	return -1;
}

/* At the start: one that is to be salvaged is not opened before. */
static int
open_unmarked(struct results *r)
{
	if (!salvage_is_marked())
		return results_file_open(r, false);
	errno = EBADMSG;
	return -1;
}

int
results_applied_seq(struct results *r, uint64_t *seq)
{
	*seq = 0;
	if (r->db == NULL) {
		if (open_unmarked(r) == -1) {
			if (errno == ENOENT)
				return 0;
			if (errno != EBADMSG)
				errno = EIO;
			return -1;
		}
		r->inherited = true;
		*seq = r->seq_in;
		/* A job that gets no data needs no open database. */
		file_close(r);
		return 0;
	}
	*seq = r->seq_in;
	return 0;
}

/*
 * Forget the transaction and everything known about the file. Reported once;
 * what follows starts with a freshly opened file.
 */
static int
commit_fail(struct results *r)
{
	int e = r->error == ENOSPC ? ENOSPC : EIO;

	log_warnx("results are not kept: %s",
	    e == ENOSPC ? "no space left on device" : "see above");
	file_close(r);
	r->error = 0;
	errno = e;
	return -1;
}

static int
transaction_commit(struct results *r)
{
	if (r->seq != r->seq_in && resultsdb_put_seq(r->db, r->seq) == -1)
		return -1;
	if (sqlx_run(r->st[ST_COMMIT]) == -1)
		return -1;
	r->under_way = false;
	if (r->has_rows)
		r->drop_owed = false;
	r->has_rows = false;
	r->seq_in = r->seq;
	return 0;
}

/*
 * A second commit, of the number alone, that syncs the WAL and thereby all
 * earlier commits: the level cannot be changed while a transaction is open.
 */
static int
commit_sync(struct results *r)
{
	if (sqlx_exec(r->db, "PRAGMA synchronous=FULL; BEGIN IMMEDIATE") == -1)
		return -1;
	r->under_way = true;
	if (resultsdb_put_seq(r->db, r->seq) == -1 ||
	    transaction_commit(r) == -1)
		return -1;
	return sqlx_exec(r->db, "PRAGMA synchronous=NORMAL");
}

int
results_commit(struct results *r, uint64_t seq, bool durable)
{
	if (r->error != 0)
		return commit_fail(r);
	if (!r->muted)
		r->seq = seq;
	if (r->under_way && transaction_commit(r) == -1)
		goto fail;
	if (!durable || (r->db == NULL && !r->inherited))
		return 0;
	if (results_file_open(r, false) == -1)
		goto fail;
	if (r->seq < r->seq_in)
		r->seq = r->seq_in;
	if (commit_sync(r) == -1)
		goto fail;
	return 0;
fail:
	results_spoil(r);
	return commit_fail(r);
}

void
results_give_up(struct results *r)
{
	file_close(r);
	r->error = 0;
	r->has_rows = false;
}

static bool
has_only_answers(const struct results *r)
{
	return r->error == 0 && r->under_way && !r->has_rows;
}

int
results_end_entry(struct results *r, uint64_t seq)
{
	if (r->muted || !has_only_answers(r))
		return results_commit(r, seq, false);
	r->seq = seq;
	return 0;
}

int
results_settle(struct results *r)
{
	return has_only_answers(r) ? results_commit(r, r->seq, false) : 0;
}

struct sqlite3 *
results_borrow(struct results *r)
{
	if (r->under_way || r->error != 0) {
		errno = EBUSY;
		return NULL;
	}
	r->was_open = r->db != NULL;
	return results_file_open(r, false) == -1 ? NULL : r->db;
}

/* Closing rolls back; the next write opens the file again. */
void
results_return(struct results *r, bool spoilt)
{
	if (spoilt || !r->was_open)
		file_close(r);
}

int
results_detector(
    struct results *r, const struct record_result *names, int64_t *id)
{
	return resultnames_put(r->names, names, id);
}

struct sqlite3 *
results_join(struct results *r)
{
	return results_begin(r) == -1 ? NULL : r->db;
}

int
results_open(struct results *r)
{
	return results_file_open(r, false);
}
