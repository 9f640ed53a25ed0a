/* Owns the SQL of queries and the choice of the way to the rows. */
#include "common/compat.h"

#include <math.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/plotrow.h"
#include "common/resultrow.h"
#include "common/sqlx.h"
#include "query/echosort.h"
#include "query/plan.h"
#include "query/snapnotes.h"

/* Most records of one bucket that expand attaches. */
#define EXPAND_MAX "10000"

struct sort_field {
	const char *name;
	const char *expr;	       /* NULL: no row of this kind has it */
	const struct run_order *order; /* NULL: not kept in runs */
};

static const struct run_order run_score = { "record_by_score", "record_score",
	"min_score", "max_score" };
static const struct run_order run_probability = { "record_by_probability",
	"probability", "min_probability", "max_probability" };

static const struct sort_field bucket_fields[] = {
	{ "timestamp", "timestamp", NULL },
	{ "anomaly_score", "anomaly_score", NULL },
	{ "initial_anomaly_score", "initial_anomaly_score", NULL },
	{ "bucket_span", "bucket_span", NULL },
	{ "event_count", "event_count", NULL },
	{ "is_interim", "is_interim", NULL },
	{ "processing_time_ms", "processing_time_ms", NULL },
	{ "job_id", NULL, NULL }, /* the same in all rows */
	{ "result_type", NULL, NULL },
};

static const struct sort_field record_fields[] = {
	{ "record_score", "r.record_score", &run_score },
	{ "probability", "r.probability", &run_probability },
	{ "timestamp", "r.timestamp", NULL },
	{ "initial_record_score", "r.initial_record_score", NULL },
	{ "multi_bucket_impact", "r.multi_bucket_impact", NULL },
	{ "bucket_span", "r.bucket_span", NULL },
	{ "detector_index", "d.detector_index", NULL },
	{ "is_interim", "r.is_interim", NULL },
	{ "by_field_name", "d.by_field_name", NULL },
	{ "by_field_value", "r.by_field_value", NULL },
	{ "over_field_name", "d.over_field_name", NULL },
	{ "over_field_value", "r.over_field_value", NULL },
	{ "partition_field_name", "d.partition_field_name", NULL },
	{ "partition_field_value", "r.partition_field_value", NULL },
	{ "function", "d.function", NULL },
	{ "function_description", "d.function_description", NULL },
	{ "field_name", "d.field_name", NULL },
	/* Of two numbers the one that comes first in this direction. */
	{ "typical",
	    "CASE WHEN r.typical_2 IS NULL THEN r.typical"
	    " WHEN " P_DESC " THEN max(r.typical, r.typical_2)"
	    " ELSE min(r.typical, r.typical_2) END",
	    NULL },
	{ "actual",
	    "CASE WHEN r.actual_2 IS NULL THEN r.actual"
	    " WHEN " P_DESC " THEN max(r.actual, r.actual_2)"
	    " ELSE min(r.actual, r.actual_2) END",
	    NULL },
	{ "job_id", NULL, NULL },
	{ "result_type", NULL, NULL },
};

static const struct sort_field influence_fields[] = {
	{ "influencer_score", "influencer_score", NULL },
	{ "timestamp", "timestamp", NULL },
	{ "initial_influencer_score", "initial_influencer_score", NULL },
	{ "probability", "probability", NULL },
	{ "influencer_field_name", "influencer_field_name", NULL },
	{ "influencer_field_value", "influencer_field_value", NULL },
	{ "bucket_span", "bucket_span", NULL },
	{ "is_interim", "is_interim", NULL },
	{ "job_id", NULL, NULL },
	{ "result_type", NULL, NULL },
};

static const struct sort_field plot_fields[] = {
	{ "timestamp", "timestamp", NULL },
	{ "model_lower", "model_lower", NULL },
	{ "model_upper", "model_upper", NULL },
	{ "model_median", "model_median", NULL },
	{ "actual", "actual", NULL },
	{ "bucket_span", "bucket_span", NULL },
	{ "by_field_value", "by_field_value", NULL },
	{ "over_field_value", "over_field_value", NULL },
	{ "partition_field_value", "partition_field_value", NULL },
	{ "job_id", NULL, NULL },
	{ "result_type", NULL, NULL },
};

static const struct sort_field annotation_fields[] = {
	{ "timestamp", "timestamp", NULL },
	{ "end_timestamp", "end_timestamp", NULL },
	{ "create_time", "create_time", NULL },
	{ "event", "event", NULL },
	{ "annotation", "annotation", NULL },
	{ "by_field_value", "by_field_value", NULL },
	{ "over_field_value", "over_field_value", NULL },
	{ "partition_field_value", "partition_field_value", NULL },
	{ "job_id", NULL, NULL },
};

static const struct {
	const struct sort_field *list;
	size_t n;
} fields_of[] = {
	[QUERY_BUCKETS] = { bucket_fields, NELEM(bucket_fields) },
	[QUERY_RECORDS] = { record_fields, NELEM(record_fields) },
	[QUERY_INFLUENCERS] = { influence_fields, NELEM(influence_fields) },
	[QUERY_MODEL_PLOT] = { plot_fields, NELEM(plot_fields) },
	[QUERY_ANNOTATIONS] = { annotation_fields, NELEM(annotation_fields) },
};

static const struct sort_field echo_field = { "",
	ECHOSORT_FUNCTION
	"(" P_SORT ", " P_DESC ", d.by_field_name,"
	" r.by_field_value, d.over_field_name, r.over_field_value,"
	" d.partition_field_name, r.partition_field_value, r.influencers)",
	NULL };
static const struct sort_field influence_echo_field = { "",
	"CASE WHEN influencer_field_name = " P_SORT
	" THEN influencer_field_value END",
	NULL };
/* A field of another kind of result: known, but no row here has it. */
static const struct sort_field foreign_field = { "", NULL, NULL };

/* Ties are broken by these, in the direction of the sort. */
static const char *const record_ties[] = {
	"r.record_score",
	"r.over_field_value",
	"r.partition_field_value",
	"r.by_field_value",
	"d.field_name",
	"d.function",
};
static const char *const bucket_ties[] = { "timestamp" };

#define FROM_DETECTOR " CROSS JOIN detector d ON d.id = r.detector "

static void sql_add(struct plan *, const char *, ...) PRINTF_LIKE(2, 3);

/* The longest statement takes half of the room; tests make all of them. */
static void
sql_add(struct plan *p, const char *fmt, ...)
{
	size_t len = strlen(p->sql);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->sql + len, sizeof(p->sql) - len, fmt, ap);
	va_end(ap);
}

static const struct sort_field *
field_find(const struct sort_field *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

static const struct sort_field *
sort_find(enum query_kind kind, const char *name)
{
	const struct sort_field *found =
	    field_find(fields_of[kind].list, fields_of[kind].n, name);

	for (size_t i = 0; found == NULL && i < NELEM(fields_of); i++)
		if (field_find(fields_of[i].list, fields_of[i].n, name) != NULL)
			found = &foreign_field;
	return found;
}

/* A field of the data: foreign to buckets. */
static int
sort_echo(struct plan *p, sqlite3 *db, struct apierr *e)
{
	bool known = false;

	if (db != NULL && echosort_knows(db, p->req->sort, &known) == -1)
		return apierr_set(
		    e, 500, E_EXCEPTION, "cannot read the results");
	if (!known)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "No mapping found for [%s] in order to sort on",
		    p->req->sort);
	p->sort = p->req->kind == QUERY_RECORDS ? &echo_field
	    : p->req->kind == QUERY_INFLUENCERS ? &influence_echo_field
						: &foreign_field;
	if (p->sort == &echo_field && echosort_register(db) == -1)
		return apierr_set(
		    e, 500, E_EXCEPTION, "cannot read the results");
	return 0;
}

int
plan_init(
    struct plan *p, const struct request *req, sqlite3 *db, struct apierr *e)
{
	*p = (struct plan){ .req = req, .lo = -INFINITY, .hi = INFINITY };
	p->sort = sort_find(req->kind, req->sort);
	return p->sort == NULL ? sort_echo(p, db, e) : 0;
}

static bool
has_score(const struct plan *p)
{
	return p->req->score > 0.0;
}

static bool
has_range(const struct plan *p)
{
	return p->req->start_ms != INT64_MIN || p->req->end_ms != INT64_MAX;
}

static bool
has_filter(const struct plan *p)
{
	return has_score(p) || has_range(p) || p->req->exclude_interim;
}

#define WHERE_BUCKET                                                           \
	" WHERE timestamp >= " P_START " AND timestamp < " P_END               \
	" AND is_interim <= " P_MAX_INTERIM " AND anomaly_score >= " P_SCORE
#define BUCKETS_BY_SCORE "bucket INDEXED BY bucket_by_score"
#define BUCKETS_BY_TIME "bucket NOT INDEXED"

/* Counts without reading rows, but for runs at the ends of the range. */
static const char count_by_score[] =
    "SELECT (SELECT count(*) FROM run u CROSS JOIN record_by_score s"
    " ON s.run = u.run AND s.record_score >= " P_SCORE
    " WHERE u.max_score >= " P_SCORE " AND u.first_ms >= " P_START
    " AND u.last_ms < " P_END ") + "
    "(SELECT count(*) FROM (SELECT s.id FROM run u CROSS JOIN"
    " record_by_score s ON s.run = u.run AND s.record_score >= " P_SCORE
    " WHERE u.max_score >= " P_SCORE " AND u.last_ms >= " P_START
    " AND u.first_ms < " P_END " AND NOT (u.first_ms >= " P_START
    " AND u.last_ms < " P_END ") UNION ALL " SELECT_REST
    ") c CROSS JOIN record r ON r.id = c.id WHERE " WHERE_RECORD ")";

static const char count_by_bucket[] =
    "SELECT coalesce(sum(record_count), 0) FROM bucket"
    " INDEXED BY bucket_records WHERE record_count > 0"
    " AND timestamp >= " P_START " AND timestamp < " P_END
    " AND is_interim <= " P_MAX_INTERIM;

#define WHERE_INFLUENCE                                                        \
	" WHERE influencer_score >= " P_SCORE " AND timestamp >= " P_START     \
	" AND timestamp < " P_END " AND is_interim <= " P_MAX_INTERIM
#define INFLUENCES_BY_SCORE "influence INDEXED BY influence_by_score"
#define INFLUENCES_BY_TIME "influence INDEXED BY influence_by_time"

static const char count_influences[] =
    "SELECT coalesce(sum(influencer_count), 0) FROM bucket"
    " INDEXED BY bucket_influencers WHERE influencer_count > 0"
    " AND timestamp >= " P_START " AND timestamp < " P_END
    " AND is_interim <= " P_MAX_INTERIM;

static const char count_influences_by_score[] =
    "SELECT count(*) FROM " INFLUENCES_BY_SCORE WHERE_INFLUENCE;

/* Of a file that had no such tables they are empty, and have no index. */
#define WHERE_SERIES                                                           \
	" WHERE timestamp >= " P_START " AND timestamp < " P_END               \
	" AND (" P_DETECTOR " = 0 OR detector IN (SELECT id FROM detector"     \
	" WHERE detector_index = " P_DETECTOR " - 1)) AND (" P_BY              \
	" IS NULL OR by_field_value = " P_BY ") AND (" P_PARTITION             \
	" IS NULL OR partition_field_value = " P_PARTITION ")"

static const char count_plots[] = "SELECT count(*) FROM plot" WHERE_SERIES;
static const char count_annotations[] =
    "SELECT count(*) FROM " SNAPNOTES_VIEW WHERE_SERIES;

static const char count_buckets[] = "SELECT count(*) FROM bucket";

const char *
plan_count_range(struct plan *p)
{
	if (p->req->kind == QUERY_RECORDS)
		return count_by_bucket;
	if (p->req->kind == QUERY_INFLUENCERS)
		return count_influences;
	if (p->req->kind == QUERY_MODEL_PLOT)
		return count_plots;
	if (p->req->kind == QUERY_ANNOTATIONS)
		return count_annotations;
	/* Rather too large than slow: only the choice depends on it. */
	return count_buckets;
}

const char *
plan_count(struct plan *p)
{
	if (p->req->kind == QUERY_RECORDS)
		return has_score(p) ? count_by_score : count_by_bucket;
	if (p->req->kind == QUERY_INFLUENCERS)
		return has_score(p) ? count_influences_by_score
				    : count_influences;
	if (p->req->kind == QUERY_MODEL_PLOT)
		return count_plots;
	if (p->req->kind == QUERY_ANNOTATIONS)
		return count_annotations;
	if (!has_filter(p))
		return count_buckets;
	return has_score(p)
	    ? "SELECT count(*) FROM " BUCKETS_BY_SCORE WHERE_BUCKET
	    : "SELECT count(*) FROM " BUCKETS_BY_TIME WHERE_BUCKET;
}

/*
 * In the order of time a walk meets a match every in_range / matches rows, and
 * window of them are wanted; from the order of scores all matches are read and
 * sorted. The smaller of the two.
 */
static bool
score_is_selective(const struct plan *p, uint64_t matches, uint64_t in_range)
{
	double window = (double)p->req->from + p->req->size;
	double m = (double)matches;

	return has_score(p) && m * m <= window * (double)in_range;
}

static void
choose_records(struct plan *p, uint64_t matches, uint64_t in_range)
{
	bool by_time =
	    p->sort->expr != NULL && strcmp(p->sort->expr, "r.timestamp") == 0;

	if (p->sort->order != NULL &&
	    (!has_score(p) || p->sort->order == &run_score))
		p->order = p->sort->order;
	else if (by_time ? score_is_selective(p, matches, in_range)
			 : has_score(p))
		p->order = &run_score;
	if (p->order == &run_score)
		p->lo = p->req->score;
}

/* So many rows of a range of time are rather read and sorted. */
#define NARROW 100000

static void
choose_influences(struct plan *p, uint64_t matches, uint64_t in_range)
{
	if (strcmp(p->req->sort, "timestamp") == 0)
		p->by_score = score_is_selective(p, matches, in_range);
	else if (has_range(p) && in_range <= NARROW)
		p->by_score = false;
	else
		p->by_score = has_score(p) ||
		    strcmp(p->req->sort, "influencer_score") == 0;
}

void
plan_choose(struct plan *p, uint64_t matches, uint64_t in_range)
{
	if (p->req->kind == QUERY_RECORDS)
		choose_records(p, matches, in_range);
	else if (p->req->kind == QUERY_INFLUENCERS)
		choose_influences(p, matches, in_range);
	else if (strcmp(p->req->sort, "timestamp") == 0)
		p->by_score = score_is_selective(p, matches, in_range);
	else
		p->by_score =
		    has_score(p) || strcmp(p->req->sort, "anomaly_score") == 0;
}

bool
plan_wants_cutoff(const struct plan *p, uint64_t matches)
{
	return p->order != NULL && p->order == p->sort->order &&
	    matches > (uint64_t)p->req->from + p->req->size;
}

static void
add_order(struct plan *p, const char *expr, bool desc)
{
	sql_add(p, "%s %s NULLS LAST, ", expr, desc ? "DESC" : "ASC");
}

/*
 * Times and scores are never NULL, and SQLite uses no index for NULLS LAST in
 * the ascending direction.
 */
static void
add_plain_order(struct plan *p, const char *expr, bool desc)
{
	sql_add(p, "%s %s, ", expr, desc ? "DESC" : "ASC");
}

static bool
is_indexed(const char *expr)
{
	return strcmp(expr, "timestamp") == 0 ||
	    strcmp(expr, "anomaly_score") == 0 ||
	    strcmp(expr, "influencer_score") == 0 ||
	    strcmp(expr, "is_interim") == 0 || strcmp(expr, "r.timestamp") == 0;
}

/* The last key makes the order of equal rows the same on every page. */
static void
add_order_by(struct plan *p, const char *first, bool desc,
    const char *const *ties, size_t nties, const char *last)
{
	sql_add(p, " ORDER BY ");
	if (first != NULL) {
		if (is_indexed(first))
			add_plain_order(p, first, desc);
		else
			add_order(p, first, desc);
	}
	for (size_t i = 0; i < nties; i++) {
		if (first != NULL && strcmp(first, ties[i]) == 0)
			continue;
		if (is_indexed(ties[i]))
			add_plain_order(p, ties[i], desc);
		else
			add_order(p, ties[i], desc);
	}
	sql_add(p, "%s", last);
}

static void
add_runs(struct plan *p)
{
	const struct run_order *o = p->order;

	sql_add(p,
	    "(SELECT s.id FROM run u CROSS JOIN %s s ON s.run = u.run"
	    " AND s.%s >= " P_LO " AND s.%s <= " P_HI " WHERE u.%s >= " P_LO
	    " AND u.%s <= " P_HI " AND u.last_ms >= " P_START
	    " AND u.first_ms < " P_END " UNION ALL " SELECT_TAIL
	    " AND %s >= " P_LO " AND %s <= " P_HI " UNION ALL " SELECT_INTERIM
	    ") c CROSS JOIN record r ON r.id = c.id",
	    o->table, o->column, o->column, o->max, o->min, o->column,
	    o->column);
}

static void
page_records(struct plan *p)
{
	sql_add(p, "SELECT " RECORD_COLUMNS " FROM ");
	if (p->order != NULL)
		add_runs(p);
	else
		sql_add(p, "record r INDEXED BY record_by_time");
	sql_add(p, FROM_DETECTOR "WHERE " WHERE_RECORD);
	if (p->order != NULL)
		sql_add(p, " AND r.%s >= " P_LO " AND r.%s <= " P_HI,
		    p->order->column, p->order->column);
	add_order_by(p, p->sort->expr, p->req->desc, record_ties,
	    NELEM(record_ties), "r.id");
}

static void
page_buckets(struct plan *p)
{
	sql_add(p, "SELECT " BUCKET_COLUMNS " FROM %s" WHERE_BUCKET,
	    p->by_score ? BUCKETS_BY_SCORE : BUCKETS_BY_TIME);
	add_order_by(p, p->sort->expr, p->req->desc, bucket_ties,
	    NELEM(bucket_ties), "timestamp");
}

/*
 * The API has no order among equals; this one is that of the index, walked
 * either way.
 */
static void
page_influences(struct plan *p)
{
	static const char *const by_score[] = { "timestamp", "is_interim" };
	const char *sort = p->sort->expr;
	bool scores = sort != NULL && strcmp(sort, "influencer_score") == 0;

	sql_add(p, "SELECT " INFLUENCE_COLUMNS " FROM %s" WHERE_INFLUENCE,
	    p->by_score ? INFLUENCES_BY_SCORE : INFLUENCES_BY_TIME);
	add_order_by(p, sort, p->req->desc, by_score,
	    scores ? NELEM(by_score) : 0, p->req->desc ? "id DESC" : "id");
}

/* Within a bucket in the order of series, which is that of the ids. */
static void
page_series(struct plan *p, const char *columns, const char *table)
{
	sql_add(p, "SELECT %s FROM %s" WHERE_SERIES, columns, table);
	add_order_by(p, p->sort->expr, p->req->desc, bucket_ties,
	    NELEM(bucket_ties), "id");
}

const char *
plan_page(struct plan *p)
{
	p->sql[0] = '\0';
	if (p->req->kind == QUERY_RECORDS)
		page_records(p);
	else if (p->req->kind == QUERY_INFLUENCERS)
		page_influences(p);
	else if (p->req->kind == QUERY_MODEL_PLOT)
		page_series(p, PLOT_COLUMNS, "plot");
	else if (p->req->kind == QUERY_ANNOTATIONS)
		page_series(p, ANNOTATION_COLUMNS, SNAPNOTES_VIEW);
	else
		page_buckets(p);
	sql_add(p, " LIMIT " P_LIMIT " OFFSET " P_OFFSET);
	return p->sql;
}

const char *
plan_one_bucket(void)
{
	return "SELECT " BUCKET_COLUMNS
	       " FROM bucket WHERE timestamp = " P_START;
}

const char *
plan_bucket_records(struct plan *p)
{
	p->sql[0] = '\0';
	sql_add(p,
	    "SELECT " RECORD_COLUMNS
	    " FROM record r INDEXED BY record_by_time" FROM_DETECTOR
	    "WHERE r.timestamp = " P_START
	    " AND r.is_interim <= " P_MAX_INTERIM);
	add_order_by(p, "r.probability", false, record_ties, NELEM(record_ties),
	    "r.id LIMIT " EXPAND_MAX);
	return p->sql;
}

/* A parameter that the statement does not have is SQLITE_RANGE: meant so. */
void
plan_bind(const struct plan *p, sqlite3_stmt *st)
{
	const struct request *q = p->req;

	sqlite3_bind_int64(st, PAR_START, q->start_ms);
	sqlite3_bind_int64(st, PAR_END, q->end_ms);
	sqlite3_bind_int(st, PAR_MAX_INTERIM, q->exclude_interim ? 0 : 1);
	sqlite3_bind_double(st, PAR_SCORE, q->score);
	sqlite3_bind_int64(st, PAR_TAIL, p->tail);
	sqlite3_bind_double(st, PAR_LO, p->lo);
	sqlite3_bind_double(st, PAR_HI, p->hi);
	sqlite3_bind_int64(st, PAR_LIMIT, q->size);
	sqlite3_bind_int64(st, PAR_OFFSET, q->from);
	sqlite3_bind_text(st, PAR_SORT, q->sort, -1, SQLITE_STATIC);
	sqlite3_bind_int(st, PAR_DESC, q->desc);
	sqlite3_bind_int64(st, PAR_DETECTOR, q->detector);
	if (q->by_value != NULL)
		sqlite3_bind_text(st, PAR_BY, q->by_value, -1, SQLITE_STATIC);
	if (q->partition_value != NULL)
		sqlite3_bind_text(
		    st, PAR_PARTITION, q->partition_value, -1, SQLITE_STATIC);
}

void
plan_bind_time(sqlite3_stmt *st, int64_t timestamp_ms)
{
	sqlite3_bind_int64(st, PAR_START, timestamp_ms);
}
