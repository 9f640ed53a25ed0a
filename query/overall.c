/*
 * Owns the making of overall buckets from the buckets of several jobs. Time is
 * gone through in stretches, so that memory is bounded however much of it there
 * is; within a stretch the jobs' results are opened in turn, never two at once.
 */
#include "common/compat.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/joblist.h"
#include "common/log.h"
#include "common/resultrow.h"
#include "common/resultsdb.h"
#include "common/sqlvfs.h"
#include "common/sqlx.h"
#include "query/combine.h"
#include "query/fault.h"
#include "query/overall.h"
#include "query/print.h"
#include "query/style.h"
#include "query/windows.h"

/* Scores to be combined between two looks at the clock: under 1 ms. */
#define TICK_SCORES 50000
#define NO_MORE INT64_MAX

struct source {
	const struct joblist_entry *job; /* borrowed */
	int64_t next_ms; /* no bucket of it before that is wanted still */
};

struct overall {
	const struct request *req; /* borrowed */
	const char *jobs_dir;	   /* borrowed */
	struct source *source;	   /* owned */
	struct windows windows;
	struct combine combined;
	struct patience patience;
	struct out *out; /* borrowed */
	bool is_damaged;
	uint32_t damaged;   /* which */
	struct apierr *err; /* borrowed */
};

static int
out_of_memory(struct overall *o)
{
	return apierr_set(o->err, 503, E_STATUS, "out of memory");
}

/*
 * A job that is deleted has its directory moved away before a file of it goes:
 * what could be read until then is all that there is.
 */
static bool
is_gone(const struct overall *o, const char *directory)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s", o->jobs_dir, directory) <
	    (int)sizeof(path) &&
	    access(path, F_OK) == -1 && errno == ENOENT;
}

/*
 * A job's results cannot be read, for errno, or (table not NULL) for a row of
 * that id. 0 when the job is gone, else -1.
 */
static int
fail(struct overall *o, struct source *s, const char *table, int64_t id)
{
	char directory[JOBLIST_DIRECTORY_BYTES];
	int saved = errno;

	if (o->patience.given_up)
		return -1;
	joblist_directory(directory, s->job->id, s->job->incarnation);
	if (is_gone(o, directory)) {
		s->next_ms = NO_MORE;
		return 0;
	}
	errno = saved;
	if (errno == EBADMSG) {
		o->is_damaged = true;
		o->damaged = (uint32_t)(s - o->source);
	}
	return table == NULL
	    ? fault_set(o->err, s->job->id, directory)
	    : fault_set_row(o->err, s->job->id, directory, table, id);
}

/* The client wants no more, or it takes too long. */
static int
fail_late(struct overall *o)
{
	if (o->patience.given_up)
		return -1;
	return apierr_set(o->err, 503, E_STATUS,
	    "the results of [%zu] jobs took longer than [%ds] to read; ask for "
	    "less with [start], [end] or fewer jobs",
	    o->req->njobs, ANSWER_MAX_MS / 1000);
}

static int
sources_init(struct overall *o)
{
	const struct request *q = o->req;

	o->source = reallocarray(NULL, q->njobs, sizeof(*o->source));
	if (o->source == NULL)
		return -1;
	for (size_t i = 0; i < q->njobs; i++)
		o->source[i] = (struct source){ &q->jobs[i],
			windows_ceil(q->start_ms, q->span_ms) };
	return 0;
}

static sqlite3_stmt *
buckets_prepare(const struct overall *o, const struct source *s, sqlite3 *db)
{
	sqlite3_stmt *st = sqlx_prepare(db,
	    "SELECT " BUCKET_COLUMNS " FROM bucket WHERE timestamp >= ?1"
	    " AND timestamp < ?2 AND is_interim <= ?3 ORDER BY timestamp");

	if (st == NULL)
		return NULL;
	sqlite3_bind_int64(st, 1, s->next_ms);
	sqlite3_bind_int64(
	    st, 2, windows_floor(o->req->end_ms, o->req->span_ms));
	sqlite3_bind_int(st, 3, o->req->exclude_interim ? 0 : 1);
	return st;
}

/* The windows take a job's buckets up to the one at to_ms or behind it. */
static int
buckets_take(
    struct overall *o, struct source *s, sqlite3_stmt *st, int64_t to_ms)
{
	struct bucket_result b;
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (resultrow_read_bucket(st, &b) == -1)
			return fail(
			    o, s, "bucket", sqlite3_column_int64(st, 0));
		if (b.timestamp_ms >= to_ms) {
			s->next_ms = b.timestamp_ms;
			return 0;
		}
		windows_add(&o->windows, (size_t)(s - o->source),
		    b.timestamp_ms, b.anomaly_score, b.is_interim);
	}
	if (rc != SQLITE_DONE) {
		sqlx_fail(sqlite3_db_handle(st), "read buckets");
		return fail(o, s, NULL, 0);
	}
	s->next_ms = NO_MORE;
	return 0;
}

static int
source_read(struct overall *o, struct source *s, int64_t to_ms)
{
	char directory[JOBLIST_DIRECTORY_BYTES], dir[PATH_MAX];
	sqlite3_stmt *st;
	sqlite3 *db;
	int rc;

	if (patience_ends(&o->patience))
		return fail_late(o);
	joblist_directory(directory, s->job->id, s->job->incarnation);
	if (snprintf(dir, sizeof(dir), "%s/%s/results", o->jobs_dir,
		directory) >= (int)sizeof(dir))
		return apierr_set(o->err, 500, E_EXCEPTION,
		    "the path of the job is too long");
	sqlvfs_forget_damage(); /* of another job */
	db = resultsdb_open_reader(dir);
	if (db == NULL && errno == ENOENT) {
		s->next_ms = NO_MORE;
		return 0;
	}
	if (db == NULL)
		return fail(o, s, NULL, 0);
	patience_watch(&o->patience, db);
	st = buckets_prepare(o, s, db);
	rc = st == NULL ? fail(o, s, NULL, 0) : buckets_take(o, s, st, to_ms);
	sqlite3_finalize(st);
	resultsdb_close(db);
	return rc;
}

static int
fail_combine(struct overall *o)
{
	if (errno == E2BIG)
		return apierr_set(o->err, 400, E_STATUS,
		    "Unable to return more than [%d] results; please use "
		    "parameters [start] and [end] to limit the time range",
		    COMBINE_BUCKETS_MAX);
	if (errno == EOVERFLOW)
		return apierr_set(o->err, 400, E_STATUS,
		    "Unable to return more than [%d] scores of jobs; please "
		    "use parameters [start] and [end] to limit the time range",
		    COMBINE_SCORES_MAX);
	return out_of_memory(o);
}

static int
windows_combine(struct overall *o)
{
	const struct windows *w = &o->windows;
	size_t scores = 0;

	for (size_t i = 0; i < w->n; i++) {
		if (!windows_has(w, i))
			continue;
		if (combine_window(&o->combined, windows_time(w, i),
			windows_scores(w, i), windows_is_interim(w, i)) == -1)
			return fail_combine(o);
		scores += w->njobs;
		if (scores < TICK_SCORES)
			continue;
		scores = 0;
		if (patience_ends(&o->patience))
			return fail_late(o);
	}
	return 0;
}

/* The first bucket of any job that no stretch has had. */
static int64_t
next_time(const struct overall *o)
{
	int64_t ms = NO_MORE;

	for (size_t i = 0; i < o->req->njobs; i++)
		if (o->source[i].next_ms < ms)
			ms = o->source[i].next_ms;
	return ms;
}

/*
 * Stretches begin where there is something: time without is skipped. Where the
 * first begins is asked for, or it is looked for.
 */
static int
read_all(struct overall *o)
{
	bool known = o->req->start_ms != INT64_MIN;
	int64_t ms;

	for (size_t i = 0; i < o->req->njobs && !known; i++)
		if (source_read(o, &o->source[i], INT64_MIN) == -1)
			return -1;
	while ((ms = next_time(o)) != NO_MORE) {
		windows_begin(&o->windows, ms);
		for (size_t i = 0; i < o->req->njobs; i++)
			if (o->source[i].next_ms < o->windows.to_ms &&
			    source_read(o, &o->source[i], o->windows.to_ms) ==
				-1)
				return -1;
		if (windows_combine(o) == -1)
			return -1;
	}
	return combine_end(&o->combined) == -1 ? fail_combine(o) : 0;
}

static void
bucket_print(
    const struct overall *o, struct jsonw *w, const struct overall_bucket *b)
{
	struct print_context c = { .human = o->req->human };

	jsonw_begin(w, '{');
	print_time(w, &c, b->timestamp_ms);
	jsonw_key_i64(w, "bucket_span", o->combined.group_ms / 1000);
	jsonw_key_f64(w, "overall_score", b->overall_score);
	jsonw_key(w, "jobs");
	jsonw_begin(w, '[');
	for (size_t i = b->first; i < b->first + b->n; i++) {
		const struct source *s = &o->source[o->combined.job[i]];

		jsonw_begin(w, '{');
		jsonw_key_str(w, "job_id", s->job->id);
		jsonw_key_f64(w, "max_anomaly_score", o->combined.score[i]);
		jsonw_end(w, '}');
	}
	jsonw_end(w, ']');
	jsonw_key_bool(w, "is_interim", b->is_interim);
	jsonw_key_str(w, "result_type", "overall_bucket");
	jsonw_end(w, '}');
}

static int
text_write(struct overall *o)
{
	struct style style;
	bool late = false;
	int rc;

	style_init(&style, o->req, o->out);
	rc = style_begin(&style, o->combined.n, o->combined.n);
	for (size_t i = 0; rc == 0 && !late && i < o->combined.n; i++) {
		struct jsonw w = { .out = style_row_buffer(&style) };

		bucket_print(o, &w, &o->combined.bucket[i]);
		rc = style_row(&style);
		late = rc == 0 && patience_ends(&o->patience);
	}
	if (rc == 0 && !late)
		rc = style_end(&style);
	style_clear(&style);
	if (late)
		return fail_late(o);
	return rc == -1 ? out_of_memory(o) : 0;
}

/* A long one is made twice: once for its length, once to be sent. */
static int
write_all(struct overall *o)
{
	if (text_write(o) == -1)
		return -1;
	if (out_must_repeat(o->out)) {
		out_again(o->out);
		if (text_write(o) == -1)
			goto broken;
	}
	if (out_finish(o->out) == 0)
		return 0;
broken:
	/* Parts of it may have gone out: no error can take their place. */
	o->err->status = 0;
	log_warnx(
	    "overall buckets of %zu jobs: an answer broke off", o->req->njobs);
	return -1;
}

int
overall_answer(const struct request *req, const char *jobs_dir,
    answer_tick *tick, void *arg, struct out *out, struct apierr *e,
    uint32_t *damaged)
{
	struct overall o = {
		.req = req, .jobs_dir = jobs_dir, .out = out, .err = e
	};
	int rc = -1;

	e->status = 0;
	patience_init(&o.patience, tick, arg, out);
	if (sources_init(&o) == -1 ||
	    windows_init(&o.windows, req->njobs, req->span_ms) == -1 ||
	    combine_init(&o.combined, req->njobs, req->top_n, req->score,
		req->bucket_span_ms) == -1)
		out_of_memory(&o);
	else if (read_all(&o) == 0)
		rc = write_all(&o);
	windows_clear(&o.windows);
	combine_clear(&o.combined);
	free(o.source);
	*damaged = o.damaged;
	if (rc == -1)
		errno = o.is_damaged ? EBADMSG : EIO;
	return rc;
}
