/* Owns the writing of a job's results.db: transactions, sink, interim rows. */
#include "common/compat.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/resultcause.h"
#include "common/resultrow.h"
#include "common/resultsdb.h"
#include "common/sqlx.h"
#include "worker/plotrows.h"
#include "worker/rescore.h"
#include "worker/resultnames.h"
#include "worker/results.h"
#include "worker/salvage.h"
#include "worker/walfold.h"

#define RESULTS_DIR "results"
#define DROP_ROWS 50 /* of interim results, at a time: less than a ms */

enum stmt {
	ST_BEGIN,
	ST_COMMIT,
	ST_RECORD,
	ST_CAUSE,
	ST_INFLUENCE,
	ST_BUCKET,
	ST_FORGET_RECORDS,
	ST_FORGET_INFLUENCES,
	ST_DROP_RECORDS,
	ST_DROP_INFLUENCES,
	ST_DROP_BUCKETS,
	ST_MAX
};

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

struct results {
	sqlite3 *db; /* NULL: not opened */
	sqlite3_stmt *st[ST_MAX];
	struct resultnames *names;
	struct plotrows *plots;
	struct answers *answers; /* NULL: not asked for yet */
	struct rescore *rescore; /* under way; or NULL */
	struct wbuf scratch;
	bool muted;
	bool drop_owed;	 /* asked for while muted: the next rows begin so */
	int64_t owed_ms; /* from this time on */
	bool inherited;	 /* commits of an earlier process may lack a sync */
	bool under_way;	 /* a transaction is open */
	bool has_rows;	 /* there are results in it, not only answers */
	bool was_open;	 /* before it was borrowed */
	int error;	 /* errno that spoilt what is under way; 0: none */
	uint64_t seq;	 /* last one handed to results_commit */
	uint64_t seq_in; /* the one in the file */
	int64_t next_id; /* of the next record */
	int64_t next_influence;
	int64_t tail;	  /* first id that is in no run */
	int64_t newest;	  /* greatest timestamp that a row may have, ms */
	int64_t now;	  /* bucket whose records are coming, ms */
	unsigned records; /* of that bucket so far */
	unsigned influences;
	struct walfold fold;
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

static int
file_open(struct results *r, bool create)
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

/* What is under way is spoilt; only results_commit clears that. */
static int
spoil(struct results *r)
{
	note_damage();
	if (r->error == 0)
		r->error = errno == 0 ? EIO : errno;
	errno = r->error;
	return -1;
}

static int
run_of_time(struct results *r, enum stmt st, int64_t ms)
{
	sqlite3_bind_int64(r->st[st], 1, ms);
	return sqlx_run(r->st[st]) == -1 ? spoil(r) : 0;
}

/* Some of them. Returns 1: there may be more; 0: no more; -1 with errno. */
static int
interim_delete(struct results *r, int64_t from_ms)
{
	for (enum stmt st = ST_DROP_RECORDS; st <= ST_DROP_BUCKETS; st++) {
		sqlite3_bind_int64(r->st[st], 2, DROP_ROWS);
		if (run_of_time(r, st, from_ms) == -1)
			return -1;
		if (sqlite3_changes(r->db) == DROP_ROWS)
			return 1;
	}
	return 0;
}

/* All of them: only of the buckets that were open before a restart. */
static int
interim_delete_owed(struct results *r)
{
	int more = 1;

	while (more == 1)
		more = interim_delete(r, r->owed_ms);
	return more;
}

static int
transaction_begin(struct results *r)
{
	if (r->error != 0)
		return spoil(r);
	if (r->under_way)
		return 0;
	if (file_open(r, true) == -1 || sqlx_run(r->st[ST_BEGIN]) == -1)
		return spoil(r);
	r->under_way = true;
	r->has_rows = false;
	r->now = TIME_UNSET;
	return 0;
}

/* An answer alone takes away nothing: interim results stand until others. */
static int
rows_begin(struct results *r)
{
	if (transaction_begin(r) == -1)
		return -1;
	if (r->has_rows)
		return 0;
	r->has_rows = true;
	return r->drop_owed ? interim_delete_owed(r) : 0;
}

/*
 * The first that comes of a bucket takes away what was known of it: interim
 * records, or the same ones from before.
 */
static int
bucket_enter(struct results *r, int64_t timestamp_ms)
{
	if (rows_begin(r) == -1)
		return -1;
	if (r->now == timestamp_ms)
		return 0;
	r->now = timestamp_ms;
	r->records = r->influences = 0;
	if (timestamp_ms > r->newest) {
		r->newest = timestamp_ms;
		return 0;
	}
	if (run_of_time(r, ST_FORGET_RECORDS, timestamp_ms) == -1 ||
	    run_of_time(r, ST_FORGET_INFLUENCES, timestamp_ms) == -1)
		return -1;
	return plotrows_forget(r->plots, timestamp_ms) == -1 ? spoil(r) : 0;
}

static int
record_insert(struct results *r, const struct record_result *rec)
{
	int64_t detector;

	if (resultnames_put(r->names, rec, &detector) == -1 ||
	    resultrow_bind_record(r->st[ST_RECORD], r->next_id, detector, rec,
		&r->scratch) == -1 ||
	    sqlx_run(r->st[ST_RECORD]) == -1)
		return -1;
	if (rec->ncauses > 0 &&
	    (resultcause_bind(r->st[ST_CAUSE], r->next_id, rec, &r->scratch) ==
		    -1 ||
		sqlx_run(r->st[ST_CAUSE]) == -1))
		return -1;
	r->next_id++;
	r->records++;
	if (r->next_id - r->tail < RESULTSDB_RUN_ROWS)
		return 0;
	if (resultsdb_add_run(r->db, r->tail >> RESULTSDB_RUN_SHIFT) == -1)
		return -1;
	r->tail += RESULTSDB_RUN_ROWS;
	return 0;
}

static int
sink_record(void *arg, const struct record_result *rec)
{
	struct results *r = arg;

	if (r->muted)
		return 0;
	if (bucket_enter(r, rec->timestamp_ms) == -1)
		return -1;
	return record_insert(r, rec) == -1 ? spoil(r) : 0;
}

static int
sink_influencer(void *arg, const struct influencer_result *in)
{
	struct results *r = arg;

	if (r->muted)
		return 0;
	if (bucket_enter(r, in->timestamp_ms) == -1)
		return -1;
	if (resultrow_bind_influence(
		r->st[ST_INFLUENCE], r->next_influence, in) == -1 ||
	    sqlx_run(r->st[ST_INFLUENCE]) == -1)
		return spoil(r);
	r->next_influence++;
	r->influences++;
	return 0;
}

static int
sink_bucket(void *arg, const struct bucket_result *b)
{
	struct results *r = arg;

	if (r->muted)
		return 0;
	if (bucket_enter(r, b->timestamp_ms) == -1)
		return -1;
	if (resultrow_bind_bucket(r->st[ST_BUCKET], b, r->records,
		r->influences, &r->scratch) == -1 ||
	    sqlx_run(r->st[ST_BUCKET]) == -1)
		return spoil(r);
	r->now = TIME_UNSET;
	return 0;
}

static int
sink_plot(void *arg, const struct plot_result *p)
{
	struct results *r = arg;

	if (r->muted)
		return 0;
	if (bucket_enter(r, p->timestamp_ms) == -1)
		return -1;
	return plotrows_put(r->plots, p) == -1 ? spoil(r) : 0;
}

static int
sink_annotation(void *arg, const struct annotation_result *a)
{
	struct results *r = arg;

	if (r->muted)
		return 0;
	if (bucket_enter(r, a->timestamp_ms) == -1)
		return -1;
	return plotrows_annotate(r->plots, a) == -1 ? spoil(r) : 0;
}

/* In the transaction of the entry that has called for it. */
static int
sink_rescore(void *arg, const struct rescorer *how)
{
	struct results *r = arg;
	int rc;

	if (r->muted)
		return 0;
	if (how->anew) {
		rescore_free(r->rescore);
		r->rescore = NULL;
	}
	if (rows_begin(r) == -1)
		return -1;
	if (r->rescore == NULL &&
	    (r->rescore = rescore_new(r->db, how)) == NULL)
		return spoil(r);
	rc = rescore_step(r->rescore);
	if (rc == 1)
		return 1;
	rescore_free(r->rescore);
	r->rescore = NULL;
	return rc == -1 ? spoil(r) : 0;
}

/*
 * The replayed entry had dropped what there was then. Interim results of a
 * flush after it, which is no entry, may be there still; they stand until the
 * next results come, as they would have without a death.
 */
static void
drop_owe(struct results *r, int64_t from_ms)
{
	if (!r->drop_owed || from_ms < r->owed_ms)
		r->owed_ms = from_ms;
	r->drop_owed = true;
}

static int
sink_drop_interim(void *arg, int64_t from_ms)
{
	struct results *r = arg;

	if (r->muted) {
		drop_owe(r, from_ms);
		return 0;
	}
	if (!r->under_way && r->error == 0 && file_open(r, false) == -1)
		return errno == ENOENT ? 0 : spoil(r);
	if (rows_begin(r) == -1)
		return -1;
	return interim_delete(r, from_ms);
}

void
results_sink(struct results *r, struct result_sink *sink)
{
	sink->record = sink_record;
	sink->influencer = sink_influencer;
	sink->rescore = sink_rescore;
	sink->plot = sink_plot;
	sink->annotation = sink_annotation;
	sink->bucket = sink_bucket;
	sink->drop_interim = sink_drop_interim;
	sink->arg = r;
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
	if (transaction_begin(r) == -1)
		return -1;
	return answers_of(r) == NULL || answers_put(r->answers, a) == -1
	    ? spoil(r)
	    : 0;
}

int
results_find_answer(struct results *r, const struct retry *retry,
    int64_t now_ms, struct kept_answer *a)
{
	int rc;

	if (r->db == NULL && file_open(r, false) == -1)
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
	if (file_open(r, false) == -1)
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
		return file_open(r, false);
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
	if (file_open(r, false) == -1)
		goto fail;
	if (r->seq < r->seq_in)
		r->seq = r->seq_in;
	if (commit_sync(r) == -1)
		goto fail;
	return 0;
fail:
	spoil(r);
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
	return file_open(r, false) == -1 ? NULL : r->db;
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
	return transaction_begin(r) == -1 ? NULL : r->db;
}

int
results_open(struct results *r)
{
	return file_open(r, false);
}
