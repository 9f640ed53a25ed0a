/* Owns the sink of results.db: which rows become of what the engine finds. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>

#include "common/resultcause.h"
#include "common/resultrow.h"
#include "common/resultsdb.h"
#include "common/sqlx.h"
#include "worker/plotrows.h"
#include "worker/rescore.h"
#include "worker/resultnames.h"
#include "worker/results_int.h"

#define DROP_ROWS 50 /* of interim results, at a time: less than a ms */

static int
run_of_time(struct results *r, enum results_stmt st, int64_t ms)
{
	sqlite3_bind_int64(r->st[st], 1, ms);
	return sqlx_run(r->st[st]) == -1 ? results_spoil(r) : 0;
}

/* Some of them. Returns 1: there may be more; 0: no more; -1 with errno. */
static int
interim_delete(struct results *r, int64_t from_ms)
{
	for (enum results_stmt st = ST_DROP_RECORDS; st <= ST_DROP_BUCKETS;
	     st++) {
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

/* An answer alone takes away nothing: interim results stand until others. */
static int
rows_begin(struct results *r)
{
	if (results_begin(r) == -1)
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
	return plotrows_forget(r->plots, timestamp_ms) == -1 ? results_spoil(r)
							     : 0;
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
	return record_insert(r, rec) == -1 ? results_spoil(r) : 0;
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
		return results_spoil(r);
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
		return results_spoil(r);
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
	return plotrows_put(r->plots, p) == -1 ? results_spoil(r) : 0;
}

static int
sink_annotation(void *arg, const struct annotation_result *a)
{
	struct results *r = arg;

	if (r->muted)
		return 0;
	if (bucket_enter(r, a->timestamp_ms) == -1)
		return -1;
	return plotrows_annotate(r->plots, a) == -1 ? results_spoil(r) : 0;
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
		return results_spoil(r);
	rc = rescore_step(r->rescore);
	if (rc == 1)
		return 1;
	rescore_free(r->rescore);
	r->rescore = NULL;
	return rc == -1 ? results_spoil(r) : 0;
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
	if (!r->under_way && r->error == 0 && results_file_open(r, false) == -1)
		return errno == ENOENT ? 0 : results_spoil(r);
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
