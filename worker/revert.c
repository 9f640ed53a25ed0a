/* Owns the steps in which a job's models are set back. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/resultsdb.h"
#include "common/sqlx.h"
#include "worker/analysis.h"
#include "worker/answer.h"
#include "worker/journal.h"
#include "worker/revert.h"
#include "worker/settle.h"
#include "worker/snapdir.h"

#define TURN_ROWS 64 /* removed between two looks at the clock */

enum stmt {
	ST_ANSWERS,
	ST_RECORDS,
	ST_INFLUENCES,
	ST_PLOTS,
	ST_ANNOTATIONS,
	ST_BUCKETS,
	ST_MAX
};

/* ?1: what stays, ?2: rows at a time. */
static const char *const stmt_sql[ST_MAX] = {
	/* Their uploads are taken back, and may come again. */
	[ST_ANSWERS] = "DELETE FROM answer WHERE seq IN (SELECT seq FROM answer"
		       " WHERE seq > ?1 LIMIT ?2)",
	[ST_RECORDS] = "DELETE FROM record WHERE id IN (SELECT id FROM record"
		       " INDEXED BY record_by_time WHERE timestamp > ?1"
		       " LIMIT ?2)",
	[ST_INFLUENCES] = "DELETE FROM influence WHERE id IN (SELECT id FROM"
			  " influence INDEXED BY influence_by_time WHERE"
			  " timestamp > ?1 LIMIT ?2)",
	[ST_PLOTS] = "DELETE FROM plot WHERE id IN (SELECT id FROM plot"
		     " INDEXED BY plot_by_time WHERE timestamp > ?1"
		     " LIMIT ?2)",
	[ST_ANNOTATIONS] = "DELETE FROM annotation WHERE id IN (SELECT id FROM"
			   " annotation INDEXED BY annotation_by_time WHERE"
			   " timestamp > ?1 LIMIT ?2)",
	[ST_BUCKETS] = "DELETE FROM bucket WHERE timestamp IN (SELECT timestamp"
		       " FROM bucket NOT INDEXED WHERE timestamp > ?1"
		       " LIMIT ?2)",
};

struct revert {
	const struct msg_chore *want; /* borrowed */
	const char *job_id;	      /* borrowed */
	uint64_t to_seq;	      /* 0: to no model */
	uint64_t base_seq;  /* above all numbers that were given out */
	int64_t created_ms; /* no later snapshot may have its id */
	int64_t after_ms;   /* results after this bucket may go */
	struct snapinfo empty;
	struct job_totals totals; /* of now */
	struct analysis *analysis;
	struct journal *journal;
	bool pending; /* its file is there, and does not count yet */
	sqlite3 *db;  /* borrowed from the analysis' results */
	sqlite3_stmt *st[ST_MAX];
	/* What comes next; NULL: the end. Each returns 0, or -1 with errno. */
	int (*phase)(struct revert *);
};

static int phase_look(struct revert *);

struct revert *
revert_new(const struct msg_chore *m, const char *job_id,
    const struct snaplist *list, const struct snapinfo *to)
{
	struct revert *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->want = m;
	r->job_id = job_id;
	r->created_ms = TIME_UNSET;
	r->after_ms = TIME_UNSET;
	for (size_t i = 0; i < list->n; i++)
		if (list->item[i].created_ms > r->created_ms)
			r->created_ms = list->item[i].created_ms;
	if (to != NULL) {
		r->to_seq = to->seq;
		r->after_ms = to->latest_result_ms;
	}
	r->phase = phase_look;
	return r;
}

static void
give_back_results(struct revert *r, bool spoilt)
{
	for (size_t i = 0; i < NELEM(r->st); i++) {
		sqlite3_finalize(r->st[i]);
		r->st[i] = NULL;
	}
	if (r->db != NULL)
		results_return(r->analysis->results, spoilt);
	r->db = NULL;
}

void
revert_free(struct revert *r)
{
	if (r == NULL)
		return;
	give_back_results(r, true);
	snapinfo_clear(&r->empty);
	journal_free(r->journal);
	analysis_free(r->analysis);
	free(r);
}

static void
raise(uint64_t *seq, uint64_t n)
{
	if (n > *seq)
		*seq = n;
}

/* The phases. */

static int phase_number(struct revert *);
static int phase_load(struct revert *);
static int phase_file(struct revert *);
static int phase_begin(struct revert *);
static int phase_remove(struct revert *);
static int phase_commit(struct revert *);
static int phase_name(struct revert *);

/*
 * All that has a number: snapshots, bases, entries, results. Of files their
 * names are enough: a damaged base is what a revert may cure.
 */
static int
phase_look(struct revert *r)
{
	struct jobconf *conf;
	struct apierr e;

	conf = jobconf_restore(
	    r->job_id, r->want->config.p, r->want->config.len, &e);
	if (conf == NULL) {
		log_warnx("configuration: %s", e.link[0].reason);
		errno = EINVAL;
		return -1;
	}
	r->analysis = analysis_new(conf);
	if (r->analysis == NULL || settle_reverts(r->analysis->results) == -1 ||
	    snapdir_greatest(&r->base_seq) == -1)
		return -1;
	snapdir_clean();
	r->journal = journal_open(r->base_seq, SYNC_ALWAYS);
	r->phase = phase_number;
	return r->journal == NULL ? -1 : 0;
}

static int
phase_number(struct revert *r)
{
	struct journal_entry e;
	const char *data;
	uint64_t seq;
	int rc = journal_read(r->journal, &e, &data);

	if (rc != 0)
		return rc == -1 ? -1 : 0;
	raise(&r->base_seq, journal_last_seq(r->journal));
	if (results_applied_seq(r->analysis->results, &seq) == -1)
		return -1;
	raise(&r->base_seq, seq);
	r->base_seq++;
	r->phase = phase_load;
	return 0;
}

/* The one that was asked for: not its neighbour if it is damaged. */
static int
load(struct revert *r)
{
	struct snapdir_file f;
	int rc = snapdir_newest(&f, r->job_id, r->to_seq + 1);

	if (rc == 1 && f.seq == r->to_seq) {
		rc = analysis_load(r->analysis, f.reader);
	} else if (rc != -1) {
		errno = f.passed ? EIO : EBADMSG;
		rc = -1;
	}
	snapdir_close(&f);
	return rc;
}

static int
phase_load(struct revert *r)
{
	struct job_totals present;
	struct rbuf rb;

	rbuf_init(&rb, r->want->totals.p, r->want->totals.len);
	if (job_totals_decode(&rb, &present) == -1 || rb.left != 0) {
		errno = EINVAL;
		return -1;
	}
	if (r->to_seq != 0 && load(r) == -1)
		return -1;
	intake_keep_counts(r->analysis->intake, &present.counts);
	r->phase = phase_file;
	return 0;
}

static int
save(void *arg, struct snapshot_writer *w)
{
	return analysis_save(arg, w);
}

static int
phase_file(struct revert *r)
{
	const char *id = r->want->snapshot_id.p;
	struct snapshot_head head = { .applied_seq = r->base_seq,
		.created_ms = r->created_ms,
		.job_id = span_of(r->job_id),
		.description = span_of(r->to_seq == 0 ? "" : id),
		.min_version = span_of(SNAPHEAD_MIN_VERSION),
		.latest_result_ms = r->after_ms };
	int fd = snapdir_begin(), rc = -1;

	if (fd == -1)
		return -1;
	analysis_totals(r->analysis, &r->totals);
	head.latest_record_ms = r->totals.counts.latest_record_timestamp;
	if (snapdir_fill(fd, &head, &r->totals.size, save, r->analysis) == 0 &&
	    snapdir_finish(r->base_seq, SNAPFILE_REVERT) == 0)
		rc = 0;
	else
		snapdir_give_up();
	close(fd);
	r->pending = true;
	if (rc == -1)
		return -1;
	head.description = span_of("No model");
	r->phase = phase_begin;
	return snapinfo_init(&r->empty, &head, &r->totals.size, NULL);
}

static int
phase_begin(struct revert *r)
{
	r->db = results_borrow(r->analysis->results);
	if (r->db == NULL && errno == ENOENT) {
		r->phase = phase_name;
		return 0;
	}
	if (r->db == NULL)
		return -1;
	for (size_t i = 0; i < ST_MAX; i++) {
		r->st[i] = sqlx_prepare(r->db, stmt_sql[i]);
		if (r->st[i] == NULL)
			return -1;
		sqlite3_bind_int64(r->st[i], 1, r->after_ms);
		sqlite3_bind_int(r->st[i], 2, TURN_ROWS);
	}
	sqlite3_bind_int64(r->st[ST_ANSWERS], 1, (int64_t)r->to_seq);
	r->phase = phase_remove;
	return sqlx_exec(r->db, "PRAGMA synchronous=FULL; BEGIN IMMEDIATE");
}

static int
phase_remove(struct revert *r)
{
	for (size_t i = 0; i < ST_MAX; i++) {
		if (i != ST_ANSWERS && !r->want->delete_results)
			continue;
		if (sqlx_run(r->st[i]) == -1)
			return -1;
		if (sqlite3_changes(r->db) > 0)
			return 0;
	}
	r->phase = phase_commit;
	return 0;
}

/* From here on it has happened: settle.h. */
static int
phase_commit(struct revert *r)
{
	if (resultsdb_put_seq(r->db, r->base_seq) == -1 ||
	    sqlx_exec(r->db, "COMMIT") == -1)
		return -1;
	give_back_results(r, true);
	r->phase = phase_name;
	return 0;
}

static int
phase_name(struct revert *r)
{
	r->phase = NULL;
	if (snapdir_decide(r->base_seq) == -1)
		return -1;
	r->pending = false;
	log_info("models were set back to snapshot %s", r->want->snapshot_id.p);
	return 0;
}

/* What was begun is undone; a commit that failed may have happened, though. */
static void
undo(struct revert *r)
{
	int saved = errno;

	give_back_results(r, true);
	if (r->pending && settle_reverts(r->analysis->results) == -1)
		log_warnx("the next start of the job settles its revert");
	r->pending = false;
	errno = saved;
}

static int
fail(struct revert *r, struct apierr *e)
{
	const char *id = r->want->snapshot_id.p;

	log_warn("revert to snapshot %s", id);
	undo(r);
	if (errno == ENOSPC || errno == EDQUOT)
		return apierr_set(e, 503, E_STATUS,
		    "job [%s] cannot be reverted to model snapshot [%s]: no "
		    "space left on the disk",
		    r->job_id, id);
	if ((errno == EBADMSG || errno == EUCLEAN) && r->phase == phase_load)
		return apierr_set(e, 500, E_EXCEPTION,
		    "job [%s] cannot be reverted to model snapshot [%s]: it is "
		    "damaged",
		    r->job_id, id);
	return apierr_set(e, 500, E_EXCEPTION,
	    "job [%s] cannot be reverted to model snapshot [%s]: %s", r->job_id,
	    id, strerror(errno));
}

int
revert_step(
    struct revert *r, int64_t deadline_us, uint64_t *progress, struct apierr *e)
{
	while (r->phase != NULL) {
		if (r->phase(r) == -1)
			return fail(r, e);
		(*progress)++;
		if (r->phase != NULL && clock_mono_us() >= deadline_us)
			return 1;
	}
	return 0;
}

int
revert_tell_totals(const struct revert *r, struct peer *p)
{
	return answer_totals(p, r->analysis);
}

const struct snapinfo *
revert_empty(const struct revert *r)
{
	return &r->empty;
}
