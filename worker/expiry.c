/* Owns the removal of old results, and when that of snapshots comes. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/sqlx.h"
#include "worker/expiry.h"
#include "worker/forecastdel.h"
#include "worker/snapexpiry.h"

#define DAY_MS INT64_C(86400000)
#define TURN_RECORDS 64	   /* between two looks at the clock */
#define TURN_PAGES 32	   /* the same */
#define COMMIT_ROWS 1000   /* in one transaction, and the rest of a bucket */
#define PAGES_AT_ONCE 4096 /* given back in one request: 16 MB */

enum stmt {
	ST_OLDEST,
	ST_RECORDS,
	ST_INFLUENCES,
	ST_PLOTS,
	ST_ANNOTATIONS,
	ST_BUCKET,
	ST_RUNS,
	ST_MAX
};

static const char *const stmt_sql[ST_MAX] = {
	[ST_OLDEST] = "SELECT timestamp FROM bucket NOT INDEXED"
		      " WHERE timestamp < ?1 ORDER BY timestamp LIMIT 1",
	[ST_RECORDS] = "DELETE FROM record WHERE id IN (SELECT id FROM record"
		       " INDEXED BY record_by_time WHERE timestamp <= ?1"
		       " ORDER BY timestamp LIMIT ?2)",
	[ST_INFLUENCES] = "DELETE FROM influence WHERE id IN"
			  " (SELECT id FROM influence INDEXED BY"
			  " influence_by_time WHERE timestamp <= ?1"
			  " ORDER BY timestamp LIMIT ?2)",
	[ST_PLOTS] = "DELETE FROM plot WHERE id IN (SELECT id FROM plot"
		     " INDEXED BY plot_by_time WHERE timestamp <= ?1"
		     " ORDER BY timestamp LIMIT ?2)",
	[ST_ANNOTATIONS] = "DELETE FROM annotation WHERE id IN"
			   " (SELECT id FROM annotation INDEXED BY"
			   " annotation_by_time WHERE timestamp <= ?1"
			   " ORDER BY timestamp LIMIT ?2)",
	[ST_BUCKET] = "DELETE FROM bucket WHERE timestamp = ?1",
	/* The last one stays: it says which ids were given out. */
	[ST_RUNS] = "DELETE FROM run WHERE last_ms < ?1"
		    " AND run < (SELECT max(run) FROM run)",
};

struct expiry {
	struct results *results; /* borrowed */
	struct msg_expire want;
	const char *job_id; /* borrowed */
	struct snapexpiry snapshots;
	struct forecastdel forecasts;
	sqlite3 *db; /* borrowed from results while a file is there */
	sqlite3_stmt *st[ST_MAX];
	int (*phase)(struct expiry *); /* what comes next; NULL: the end */
	int64_t cutoff_ms;	       /* what is before it goes */
	int64_t bucket_ms;	       /* the one that is being removed */
	bool under_way;		       /* a transaction is open */
	unsigned uncommitted;	       /* rows in it */
	uint64_t rows;		       /* removed in all */
	unsigned pages;		       /* given back */
	bool more;
	bool failed;
};

static int phase_snapshots(struct expiry *);
static int phase_snapshot(struct expiry *);
static int phase_forecasts(struct expiry *);
static int phase_open(struct expiry *);
static int phase_bucket(struct expiry *);
static int phase_records(struct expiry *);
static int phase_influences(struct expiry *);
static int phase_plots(struct expiry *);
static int phase_annotations(struct expiry *);
static int phase_orphans(struct expiry *);
static int phase_runs(struct expiry *);
static int phase_pages(struct expiry *);

struct expiry *
expiry_new(
    struct results *results, const struct msg_expire *want, const char *job_id)
{
	struct expiry *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->results = results;
	x->want = *want;
	x->job_id = job_id;
	x->phase = phase_snapshots;
	return x;
}

void
expiry_use(struct expiry *x, struct forecasts *f)
{
	x->forecasts = (struct forecastdel){ .results = x->results,
		.forecasts = f,
		.job_id = x->job_id,
		.expired_ms = clock_wall_ms() };
}

void
expiry_free(struct expiry *x)
{
	if (x == NULL)
		return;
	for (size_t i = 0; i < ST_MAX; i++)
		sqlite3_finalize(x->st[i]);
	snapexpiry_clear(&x->snapshots);
	if (x->db != NULL)
		results_return(x->results, x->failed || x->under_way);
	free(x);
}

static int
commit(struct expiry *x)
{
	if (!x->under_way)
		return 0;
	x->under_way = false;
	x->uncommitted = 0;
	return sqlx_exec(x->db, "COMMIT");
}

static int
begin(struct expiry *x)
{
	if (x->under_way)
		return 0;
	if (sqlx_exec(x->db, "BEGIN IMMEDIATE") == -1)
		return -1;
	x->under_way = true;
	return 0;
}

/* Run a statement that removes rows; *n receives how many. */
static int
remove_rows(struct expiry *x, enum stmt st, int64_t ms, unsigned *n)
{
	sqlite3_bind_int64(x->st[st], 1, ms);
	if (begin(x) == -1 || sqlx_run(x->st[st]) == -1)
		return -1;
	*n = (unsigned)sqlite3_changes(x->db);
	return 0;
}

static void
count_rows(struct expiry *x, unsigned n)
{
	x->rows += n;
	x->uncommitted += n;
}

static int
statements_prepare(struct expiry *x)
{
	for (size_t i = 0; i < ST_MAX; i++) {
		x->st[i] = sqlx_prepare(x->db, stmt_sql[i]);
		if (x->st[i] == NULL)
			return -1;
	}
	for (enum stmt st = ST_RECORDS; st <= ST_ANNOTATIONS; st++)
		sqlite3_bind_int(x->st[st], 2, TURN_RECORDS);
	return 0;
}

/* The phases. Each returns 0, or -1 with errno; x->phase is what follows. */

static int
phase_snapshots(struct expiry *x)
{
	x->phase = phase_snapshot;
	if (!x->want.snapshots)
		return 0;
	return snapexpiry_begin(&x->snapshots, &x->want, x->job_id);
}

static int
phase_snapshot(struct expiry *x)
{
	int rc = snapexpiry_step(&x->snapshots);

	if (rc == 0)
		x->phase = phase_forecasts;
	return rc == -1 ? -1 : 0;
}

/* Those whose time is over by the wall clock: no model knows them. */
static int
phase_forecasts(struct expiry *x)
{
	uint64_t progress = 0;
	struct apierr e;
	int rc = 0;

	if (x->want.forecasts)
		rc = forecastdel_step(
		    &x->forecasts, clock_mono_us(), &progress, &e);
	if (rc == 1)
		return 0;
	x->rows += x->forecasts.gone;
	x->phase = x->want.results_stay ? NULL : phase_open;
	return rc;
}

static int
phase_open(struct expiry *x)
{
	int64_t latest;

	x->phase = NULL;
	x->db = results_borrow(x->results);
	if (x->db == NULL)
		return errno == ENOENT ? 0 : -1;
	if (sqlx_number(x->db,
		"SELECT coalesce(max(timestamp), ~0x7fffffffffffffff)"
		" FROM bucket",
		&latest) == -1 ||
	    statements_prepare(x) == -1)
		return -1;
	if (latest == INT64_MIN)
		return 0;
	x->cutoff_ms = latest - (int64_t)x->want.retention_days * DAY_MS;
	x->phase = phase_bucket;
	return 0;
}

/* The oldest bucket; between two of them it can be told how far it came. */
static int
phase_bucket(struct expiry *x)
{
	sqlite3_stmt *st = x->st[ST_OLDEST];
	int rc;

	if (x->uncommitted >= COMMIT_ROWS && commit(x) == -1)
		return -1;
	sqlite3_bind_int64(st, 1, x->cutoff_ms);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		x->bucket_ms = sqlite3_column_int64(st, 0);
	else if (rc != SQLITE_DONE)
		sqlx_fail(x->db, "look for old results");
	sqlite3_reset(st);
	if (rc == SQLITE_DONE) {
		x->phase = phase_orphans;
	} else if (rc == SQLITE_ROW && x->rows >= x->want.max_rows) {
		x->more = true;
		x->phase = NULL;
	} else {
		x->phase = phase_records;
	}
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

/* Rows of the bucket, until there are none; then go on with the next. */
static int
remove_kind(struct expiry *x, enum stmt st, int (*next)(struct expiry *))
{
	unsigned n;

	if (remove_rows(x, st, x->bucket_ms, &n) == -1)
		return -1;
	count_rows(x, n);
	if (n < TURN_RECORDS)
		x->phase = next;
	return 0;
}

static int
phase_records(struct expiry *x)
{
	return remove_kind(x, ST_RECORDS, phase_influences);
}

static int
phase_influences(struct expiry *x)
{
	return remove_kind(x, ST_INFLUENCES, phase_plots);
}

static int
phase_plots(struct expiry *x)
{
	return remove_kind(x, ST_PLOTS, phase_annotations);
}

static int
phase_annotations(struct expiry *x)
{
	unsigned n;

	if (remove_kind(x, ST_ANNOTATIONS, NULL) == -1)
		return -1;
	if (x->phase != NULL)
		return 0;
	if (remove_rows(x, ST_BUCKET, x->bucket_ms, &n) == -1)
		return -1;
	count_rows(x, n);
	x->phase = phase_bucket;
	return 0;
}

/* What has no bucket: there should be none. */
static int
phase_orphans(struct expiry *x)
{
	bool more = false;

	for (enum stmt st = ST_RECORDS; st <= ST_ANNOTATIONS; st++) {
		unsigned n;

		if (remove_rows(x, st, x->cutoff_ms - 1, &n) == -1)
			return -1;
		count_rows(x, n);
		more |= n == TURN_RECORDS;
	}
	if (!more)
		x->phase = phase_runs;
	return 0;
}

static int
phase_runs(struct expiry *x)
{
	unsigned n;

	if (remove_rows(x, ST_RUNS, x->cutoff_ms, &n) == -1 || commit(x) == -1)
		return -1;
	x->phase = phase_pages;
	return 0;
}

/* Hand free pages back to the file system. */
static int
phase_pages(struct expiry *x)
{
	int64_t left;
	char sql[64];

	if (sqlx_number(x->db, "PRAGMA freelist_count", &left) == -1)
		return -1;
	x->more = left > 0 && x->pages >= PAGES_AT_ONCE;
	if (left == 0 || x->more) {
		x->phase = NULL;
		return 0;
	}
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", TURN_PAGES);
	x->pages += TURN_PAGES;
	return sqlx_exec(x->db, sql);
}

int
expiry_step(struct expiry *x, int64_t deadline_us, uint64_t *progress,
    struct msg_expired *m)
{
	while (x->phase != NULL) {
		if (x->phase(x) == -1) {
			x->failed = true;
			return -1;
		}
		(*progress)++;
		if (x->phase != NULL && clock_mono_us() >= deadline_us)
			return 1;
	}
	if (commit(x) == -1) {
		x->failed = true;
		return -1;
	}
	*m = (struct msg_expired){ .rows = x->rows, .more = x->more };
	return 0;
}

void
expiry_error(struct apierr *e, int error)
{
	if (error == ENOSPC || error == EDQUOT)
		apierr_set(e, 503, E_STATUS,
		    "old results and snapshots cannot be removed: no space "
		    "left on the disk");
	else
		apierr_set(e, 500, E_EXCEPTION,
		    "old results and snapshots cannot be removed: %s",
		    strerror(error));
}
