/* Owns the search for the value of the last record of a page. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/sqlx.h"
#include "query/cutoff.h"

/*
 * The best values so far, the worst of them at the root. Values are turned so
 * that greater is better in either direction.
 */
struct heap {
	double *v; /* owned */
	size_t n;
	size_t max;
};

static bool
heap_is_full(const struct heap *h)
{
	return h->n == h->max;
}

static void
heap_sift_up(struct heap *h, size_t i)
{
	while (i > 0 && h->v[(i - 1) / 2] > h->v[i]) {
		double t = h->v[i];

		h->v[i] = h->v[(i - 1) / 2];
		h->v[(i - 1) / 2] = t;
		i = (i - 1) / 2;
	}
}

static void
heap_sift_down(struct heap *h)
{
	size_t i = 0;

	for (;;) {
		size_t least = i;
		double t;

		for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < h->n; k++)
			if (h->v[k] < h->v[least])
				least = k;
		if (least == i)
			return;
		t = h->v[i];
		h->v[i] = h->v[least];
		h->v[least] = t;
		i = least;
	}
}

/* False: v is not among the best, nor is anything worse. */
static bool
heap_offer(struct heap *h, double v)
{
	if (!heap_is_full(h)) {
		h->v[h->n] = v;
		heap_sift_up(h, h->n++);
		return true;
	}
	if (v <= h->v[0])
		return false;
	h->v[0] = v;
	heap_sift_down(h);
	return true;
}

enum { ST_RUNS, ST_WHOLE, ST_PART, ST_REST, ST_MAX };

struct search {
	struct plan *plan;
	struct heap heap;
	double sign; /* -1 when ascending */
	sqlite3_stmt *st[ST_MAX];
};

/*
 * ST_RUNS   runs that overlap the range, most promising first, and whether
 *           all their records are within it
 * ST_WHOLE  values of a run, best first, straight from the order
 * ST_PART   the same of a run of which not every record matches
 * ST_REST   values of the records that are in no run
 */
static void
search_sql(const struct plan *p, int which, char *sql, size_t len)
{
	const struct run_order *o = p->order;
	const char *dir = p->req->desc ? "DESC" : "ASC";

	switch (which) {
	case ST_RUNS:
		snprintf(sql, len,
		    "SELECT run, %s, first_ms >= " P_START
		    " AND last_ms < " P_END
		    " FROM run WHERE last_ms >= " P_START
		    " AND first_ms < " P_END " AND %s >= " P_LO
		    " AND %s <= " P_HI " ORDER BY 2 %s",
		    p->req->desc ? o->max : o->min, o->max, o->min, dir);
		break;
	case ST_WHOLE:
		snprintf(sql, len,
		    "SELECT %s FROM %s WHERE run = " P_RUN " AND %s >= " P_LO
		    " AND %s <= " P_HI " ORDER BY %s %s",
		    o->column, o->table, o->column, o->column, o->column, dir);
		break;
	case ST_PART:
		snprintf(sql, len,
		    "SELECT s.%s FROM %s s CROSS JOIN record r ON r.id = s.id"
		    " WHERE s.run = " P_RUN " AND s.%s >= " P_LO
		    " AND s.%s <= " P_HI " AND " WHERE_RECORD
		    " ORDER BY s.%s %s",
		    o->column, o->table, o->column, o->column, o->column, dir);
		break;
	default:
		snprintf(sql, len,
		    "SELECT r.%s FROM (" SELECT_REST ") c CROSS JOIN record r"
		    " ON r.id = c.id WHERE " WHERE_RECORD,
		    o->column);
		break;
	}
}

static int
search_prepare(struct search *s, sqlite3 *db)
{
	char sql[1024];

	for (int i = 0; i < ST_MAX; i++) {
		search_sql(s->plan, i, sql, sizeof(sql));
		s->st[i] = sqlx_prepare(db, sql);
		if (s->st[i] == NULL)
			return -1;
		plan_bind(s->plan, s->st[i]);
	}
	return 0;
}

/* Offer what a statement gives, in order of goodness or not. */
static int
offer_all(struct search *s, sqlite3_stmt *st, bool ordered)
{
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		double v = s->sign * sqlite3_column_double(st, 0);

		if (!heap_offer(&s->heap, v) && ordered)
			break;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return sqlx_fail(sqlite3_db_handle(st), "look for a cutoff");
	sqlite3_reset(st);
	return 0;
}

static int
offer_runs(struct search *s)
{
	sqlite3_stmt *runs = s->st[ST_RUNS];
	int rc;

	while ((rc = sqlite3_step(runs)) == SQLITE_ROW) {
		double best = s->sign * sqlite3_column_double(runs, 1);
		bool whole = sqlite3_column_int(runs, 2) != 0;
		sqlite3_stmt *st = s->st[whole ? ST_WHOLE : ST_PART];

		if (heap_is_full(&s->heap) && best <= s->heap.v[0])
			return 0;
		sqlite3_bind_int64(st, PAR_RUN, sqlite3_column_int64(runs, 0));
		if (offer_all(s, st, true) == -1)
			return -1;
	}
	if (rc != SQLITE_DONE)
		return sqlx_fail(sqlite3_db_handle(runs), "look for a cutoff");
	return 0;
}

int
cutoff_find(struct plan *p, sqlite3 *db)
{
	struct search s = { .plan = p, .sign = p->req->desc ? 1.0 : -1.0 };
	int rc = -1, saved;

	s.heap.max = (size_t)p->req->from + p->req->size;
	s.heap.v = reallocarray(NULL, s.heap.max, sizeof(*s.heap.v));
	if (s.heap.v == NULL)
		return -1;
	if (search_prepare(&s, db) == 0 &&
	    offer_all(&s, s.st[ST_REST], false) == 0)
		rc = offer_runs(&s);
	if (rc == 0 && heap_is_full(&s.heap)) {
		double v = s.sign * s.heap.v[0];

		if (p->req->desc)
			p->lo = v;
		else
			p->hi = v;
	}
	saved = errno;
	for (int i = 0; i < ST_MAX; i++)
		sqlite3_finalize(s.st[i]);
	free(s.heap.v);
	errno = saved;
	return rc;
}
