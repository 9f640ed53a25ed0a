/* Owns the making of an answer from a job's results.db. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/plotrow.h"
#include "common/resultcause.h"
#include "common/resultrow.h"
#include "common/resultsdb.h"
#include "common/sqlx.h"
#include "query/answer.h"
#include "query/cutoff.h"
#include "query/plan.h"
#include "query/print.h"
#include "query/printplot.h"
#include "query/reading.h"
#include "query/snapnotes.h"

struct answer {
	struct reading r;
	sqlite3_stmt *page;
	sqlite3_stmt *causes; /* of a record; NULL: none was asked for yet */
	sqlite3_stmt *expand; /* records of a bucket; NULL: not asked for */
	uint64_t count;	      /* matches */
	uint64_t nrows;	      /* of them on the page */
	struct plan plan;
};

static int
count_read(struct answer *a, const char *sql, uint64_t *n)
{
	sqlite3_stmt *st = sqlx_prepare(a->r.db, sql);
	int rc = 0;

	if (st == NULL)
		return reading_fail(&a->r);
	plan_bind(&a->plan, st);
	if (sqlite3_step(st) == SQLITE_ROW)
		*n = (uint64_t)sqlite3_column_int64(st, 0);
	else
		rc = sqlx_fail(a->r.db, "count");
	sqlite3_finalize(st);
	return rc == -1 ? reading_fail(&a->r) : 0;
}

static sqlite3_stmt *
prepare_bound(struct answer *a, const char *sql)
{
	sqlite3_stmt *st = sqlx_prepare(a->r.db, sql);

	if (st == NULL)
		reading_fail(&a->r);
	else
		plan_bind(&a->plan, st);
	return st;
}

static int
prepare_expand(struct answer *a)
{
	if (a->r.req->kind != QUERY_BUCKETS || !a->r.req->expand)
		return 0;
	a->expand = prepare_bound(a, plan_bucket_records(&a->plan));
	return a->expand == NULL ? -1 : 0;
}

/* The statement of the page, and how many rows it will give. */
static int
prepare_list(struct answer *a)
{
	const struct request *q = a->r.req;
	const char *count = plan_count(&a->plan);
	const char *range = plan_count_range(&a->plan);
	uint64_t in_range;

	if (count_read(a, count, &a->count) == -1)
		return -1;
	in_range = a->count;
	if (range != count && count_read(a, range, &in_range) == -1)
		return -1;
	a->nrows = a->count > q->from ? a->count - q->from : 0;
	if (a->nrows > q->size)
		a->nrows = q->size;
	if (a->nrows == 0)
		return 0;
	plan_choose(&a->plan, a->count, in_range);
	if (plan_wants_cutoff(&a->plan, a->count) &&
	    cutoff_find(&a->plan, a->r.db) == -1)
		return reading_fail(&a->r);
	a->page = prepare_bound(a, plan_page(&a->plan));
	return a->page == NULL ? -1 : 0;
}

static int
prepare_one(struct answer *a)
{
	a->count = a->nrows = 1;
	a->page = prepare_bound(a, plan_one_bucket());
	if (a->page == NULL)
		return -1;
	plan_bind_time(a->page, a->r.req->timestamp_ms);
	return 0;
}

static int
fail_missing(struct answer *a)
{
	return apierr_set(
	    a->r.err, 404, E_NOT_FOUND, "Could not find requested buckets");
}

static bool
is_single(const struct answer *a)
{
	return a->r.req->kind == QUERY_BUCKETS &&
	    a->r.req->timestamp_ms != TIME_UNSET;
}

/* One read transaction: all statements see the same results. */
static int
begin(struct answer *a)
{
	if (sqlx_exec(a->r.db, "BEGIN") == -1 ||
	    resultsdb_tail(a->r.db, &a->plan.tail) == -1)
		return reading_fail(&a->r);
	return detectorlist_load(&a->r.detectors, a->r.db) == -1
	    ? reading_fail(&a->r)
	    : 0;
}

static int
prepare(struct answer *a)
{
	if (plan_init(&a->plan, a->r.req, a->r.db, a->r.err) == -1)
		return -1;
	if (a->r.db == NULL)
		return is_single(a) ? fail_missing(a) : 0;
	if (begin(a) == -1)
		return -1;
	if ((is_single(a) ? prepare_one(a) : prepare_list(a)) == -1)
		return -1;
	return prepare_expand(a);
}

/* Of a population's record; they are borrowed until the next one's. */
static int
causes_read(struct answer *a, int64_t record, struct record_result *r)
{
	int rc;

	if (a->causes == NULL)
		a->causes = sqlx_prepare(a->r.db, resultcause_select);
	if (a->causes == NULL)
		return reading_fail(&a->r);
	sqlite3_reset(a->causes);
	sqlite3_bind_int64(a->causes, 1, record);
	rc = sqlite3_step(a->causes);
	if (rc == SQLITE_DONE)
		return 0;
	if (rc != SQLITE_ROW) {
		errno = sqlx_errno(a->r.db);
		return reading_fail(&a->r);
	}
	return resultcause_read(a->causes, r) == -1
	    ? reading_fail_row(&a->r, "cause", record)
	    : 0;
}

static int
record_print(struct answer *a, sqlite3_stmt *st, struct jsonw *w,
    const struct print_context *c)
{
	const struct detector_row *d =
	    detectorlist_find(&a->r.detectors, resultrow_detector_of(st));
	struct record_result r;

	errno = EBADMSG;
	if (d == NULL || resultrow_read_record(st, d, &r) == -1)
		return reading_fail_row(
		    &a->r, "record", sqlite3_column_int64(st, 0));
	if (r.over_field_name != NULL &&
	    causes_read(a, sqlite3_column_int64(st, 0), &r) == -1)
		return -1;
	print_record(w, c, &r);
	return 0;
}

static int
influencer_print(
    struct answer *a, struct jsonw *w, const struct print_context *c)
{
	struct influencer_result r;

	if (resultrow_read_influence(a->page, &r) == -1)
		return reading_fail_row(
		    &a->r, "influence", sqlite3_column_int64(a->page, 0));
	print_influencer(w, c, &r);
	return 0;
}

static int
plot_print(struct answer *a, struct jsonw *w, const struct print_context *c)
{
	const struct detector_row *d =
	    detectorlist_find(&a->r.detectors, plotrow_plot_detector(a->page));
	struct plot_result r;

	errno = EBADMSG;
	if (d == NULL || plotrow_read_plot(a->page, d, &r, &a->r.scratch) == -1)
		return reading_fail_row(
		    &a->r, "plot", sqlite3_column_int64(a->page, 0));
	print_plot(w, c, &r);
	return 0;
}

static int
annotation_print(
    struct answer *a, struct jsonw *w, const struct print_context *c)
{
	int64_t id = plotrow_annotation_detector(a->page);
	const struct detector_row *d =
	    id == -1 ? NULL : detectorlist_find(&a->r.detectors, id);
	struct annotation_result r;

	errno = EBADMSG;
	if ((id != -1 && d == NULL) ||
	    plotrow_read_annotation(a->page, d, &r, &a->r.scratch) == -1)
		return reading_fail_row(
		    &a->r, "annotation", sqlite3_column_int64(a->page, 0));
	print_annotation(w, c, &r);
	return 0;
}

/* The member "records" of a bucket, if it has some. */
static int
expand_print(struct answer *a, int64_t timestamp_ms, struct jsonw *w,
    const struct print_context *c)
{
	bool any = false;
	int rc;

	sqlite3_reset(a->expand);
	plan_bind_time(a->expand, timestamp_ms);
	while ((rc = sqlite3_step(a->expand)) == SQLITE_ROW) {
		if (!any) {
			jsonw_key(w, "records");
			jsonw_begin(w, '[');
			any = true;
		}
		if (record_print(a, a->expand, w, c) == -1)
			return -1;
	}
	if (rc != SQLITE_DONE) {
		sqlx_fail(a->r.db, "read the records of a bucket");
		return reading_fail(&a->r);
	}
	if (any)
		jsonw_end(w, ']');
	return 0;
}

static int
bucket_print(struct answer *a, struct jsonw *w, const struct print_context *c)
{
	struct bucket_result b;

	errno = EBADMSG;
	if (resultrow_read_bucket(a->page, &b) == -1)
		return reading_fail_row(
		    &a->r, "bucket", sqlite3_column_int64(a->page, 0));
	print_bucket_head(w, c, &b);
	if (a->expand != NULL && b.ninfluencers > 0 &&
	    expand_print(a, b.timestamp_ms, w, c) == -1)
		return -1;
	print_bucket_tail(w, c, &b);
	return 0;
}

static int
row_write(struct answer *a)
{
	struct print_context c = { a->r.req->job_id, a->r.req->human };
	struct jsonw w = { .out = style_row_buffer(&a->r.style) };
	int rc;

	if (a->r.req->kind == QUERY_BUCKETS)
		rc = bucket_print(a, &w, &c);
	else if (a->r.req->kind == QUERY_INFLUENCERS)
		rc = influencer_print(a, &w, &c);
	else if (a->r.req->kind == QUERY_MODEL_PLOT)
		rc = plot_print(a, &w, &c);
	else if (a->r.req->kind == QUERY_ANNOTATIONS)
		rc = annotation_print(a, &w, &c);
	else
		rc = record_print(a, a->page, &w, &c);
	if (rc == -1)
		return -1;
	return style_row(&a->r.style) == -1 ? reading_fail(&a->r) : 0;
}

static int
rows_write(struct answer *a)
{
	int rc = SQLITE_DONE;
	uint64_t n = 0;

	if (a->page != NULL)
		sqlite3_reset(a->page);
	while (a->page != NULL && (rc = sqlite3_step(a->page)) == SQLITE_ROW) {
		if (row_write(a) == -1)
			return -1;
		n++;
	}
	if (rc != SQLITE_DONE) {
		sqlx_fail(a->r.db, "read a page");
		return reading_fail(&a->r);
	}
	if (n == 0 && is_single(a))
		return fail_missing(a);
	return 0;
}

static int
text_write(void *arg)
{
	struct answer *a = arg;
	if (style_begin(&a->r.style, a->count, a->nrows) == -1)
		return reading_fail(&a->r);
	if (rows_write(a) == -1)
		return -1;
	return style_end(&a->r.style) == -1 ? reading_fail(&a->r) : 0;
}

int
answer_make(const struct request *req, const char *jobs_dir, answer_tick *tick,
    void *arg, struct out *o, struct apierr *e)
{
	struct answer a = { .count = 0 };
	int rc = reading_begin(&a.r, req, jobs_dir, tick, arg, o, e);

	if (rc == 0 && a.r.db != NULL && req->kind == QUERY_ANNOTATIONS)
		rc = snapnotes_add(&a.r, jobs_dir);
	if (rc == 0)
		rc = prepare(&a);
	if (rc == 0)
		rc = reading_write(&a.r, text_write, &a);
	sqlite3_finalize(a.page);
	sqlite3_finalize(a.expand);
	sqlite3_finalize(a.causes);
	return reading_end(&a.r, rc);
}
