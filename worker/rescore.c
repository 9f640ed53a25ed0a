/* Owns the change of scores in rows that were written before. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "common/detectorlist.h"
#include "common/resultrow.h"
#include "common/resultsdb.h"
#include "common/sqlx.h"
#include "worker/rescore.h"

#define STEP_ROWS 32

/* A score is told by its quarter, by points, by its share of the greater. */
#define BAND 25.0
#define POINTS 1.5
#define SHARE 0.33

enum stmt {
	ST_BUCKETS,
	ST_RUNS,
	ST_INFLUENCES,
	ST_OF_RUN,
	ST_OF_TAIL,
	ST_READ_BUCKET,
	ST_READ_INFLUENCE,
	ST_READ_RECORD,
	ST_WRITE_BUCKET,
	ST_WRITE_INFLUENCE,
	ST_WRITE_RECORD,
	ST_LEAVE_RUN,
	ST_ENTER_RUN,
	ST_BOUNDS,
	ST_MAX
};

/* Of lists: ?1 from, ?2 to, both times, ?3 how many; or as it says. */
static const char *const stmt_sql[ST_MAX] = {
	[ST_BUCKETS] = "SELECT timestamp FROM bucket INDEXED BY bucket_records"
		       " WHERE record_count > 0 AND timestamp >= ?1 AND"
		       " timestamp < ?2 AND is_interim = 0"
		       " ORDER BY timestamp DESC LIMIT ?3",
	[ST_RUNS] = "SELECT run FROM run WHERE last_ms >= ?1 AND"
		    " first_ms < ?2 ORDER BY run DESC LIMIT ?3",
	[ST_INFLUENCES] = "SELECT id FROM influence INDEXED BY"
			  " influence_by_time WHERE timestamp = ?1 AND"
			  " is_interim = 0 ORDER BY probability, id LIMIT ?3",
	/* ?1: the run. */
	[ST_OF_RUN] = "SELECT id FROM record_by_probability WHERE run = ?1"
		      " ORDER BY probability, id LIMIT ?3",
	/* ?1: the first id that is in none. */
	[ST_OF_TAIL] = "SELECT id FROM record WHERE id >= ?1 ORDER BY id"
		       " LIMIT ?3",
	[ST_READ_BUCKET] =
	    "SELECT " BUCKET_COLUMNS " FROM bucket WHERE timestamp = ?1",
	[ST_READ_INFLUENCE] =
	    "SELECT " INFLUENCE_COLUMNS " FROM influence WHERE id = ?1",
	[ST_READ_RECORD] =
	    "SELECT " RECORD_COLUMNS " FROM record r WHERE r.id = ?1",
	/* The parameters are those of an insertion. */
	[ST_WRITE_BUCKET] = "UPDATE bucket SET anomaly_score = ?3,"
			    " influencers = ?10, crc = ?11 WHERE timestamp"
			    " = ?1",
	[ST_WRITE_INFLUENCE] = "UPDATE influence SET influencer_score = ?6,"
			       " crc = ?10 WHERE id = ?1",
	[ST_WRITE_RECORD] = "UPDATE record SET record_score = ?8, crc = ?19"
			    " WHERE id = ?1",
	/* ?1: the id, ?2: the score */
	[ST_LEAVE_RUN] = "DELETE FROM record_by_score WHERE run = ?1 >> 12 AND"
			 " record_score = ?2 AND id = ?1",
	[ST_ENTER_RUN] = "INSERT INTO record_by_score VALUES (?1 >> 12, ?2,"
			 " ?1)",
	/* ?1: the run */
	[ST_BOUNDS] = "UPDATE run SET min_score = (SELECT min(record_score)"
		      " FROM record_by_score WHERE run = ?1), max_score ="
		      " (SELECT max(record_score) FROM record_by_score"
		      " WHERE run = ?1) WHERE run = ?1",
};

_Static_assert(RESULTSDB_RUN_SHIFT == 12, "the statements know the shift");

/* Ids or times, as a statement has given them. */
struct numbers {
	int64_t *v; /* owned */
	size_t n;
	size_t max;
	size_t next; /* the first that is not done */
};

struct rescore {
	sqlite3 *db; /* borrowed */
	struct rescorer how;
	sqlite3_stmt *st[ST_MAX];
	struct detectorlist detectors;
	struct wbuf scratch;
	int64_t tail; /* first id that is in no run */
	struct numbers buckets;
	struct numbers runs;
	struct numbers rows; /* of the bucket or run at hand */
	bool of_tail;	     /* it is the tail */
	/* What comes next; NULL: the end. Each returns 0, or -1 with errno. */
	int (*phase)(struct rescore *);
};

static int phase_bucket(struct rescore *);
static int phase_influences(struct rescore *);
static int phase_tail(struct rescore *);
static int phase_run(struct rescore *);
static int phase_records(struct rescore *);

bool
rescore_is_big(double was, double now)
{
	return floor(was / BAND) != floor(now / BAND) ||
	    fabs(now - was) >= POINTS ||
	    fmin(was, now) < SHARE * fmax(was, now);
}

/* All that a list statement gives, up to its limit. */
static int
numbers_read(struct rescore *s, struct numbers *list, enum stmt which,
    int64_t from, int64_t limit)
{
	sqlite3_stmt *st = s->st[which];
	int rc;

	list->n = list->next = 0;
	sqlite3_bind_int64(st, 1, from);
	sqlite3_bind_int64(st, 2, s->how.to_ms);
	sqlite3_bind_int64(st, 3, limit);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW && list->n < list->max)
		list->v[list->n++] = sqlite3_column_int64(st, 0);
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		sqlx_fail(s->db, "look for results to score again");
	sqlite3_reset(st);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : -1;
}

static int
numbers_init(struct numbers *list, size_t max)
{
	list->v = reallocarray(NULL, max, sizeof(*list->v));
	list->max = max;
	return list->v == NULL ? -1 : 0;
}

static int
prepare(struct rescore *s)
{
	for (size_t i = 0; i < ST_MAX; i++) {
		s->st[i] = sqlx_prepare(s->db, stmt_sql[i]);
		if (s->st[i] == NULL)
			return -1;
	}
	if (numbers_init(&s->buckets, RESCORE_BUCKETS) == -1 ||
	    numbers_init(&s->runs, RESCORE_ROWS) == -1 ||
	    numbers_init(&s->rows, RESULTSDB_RUN_ROWS) == -1)
		return -1;
	if (resultsdb_tail(s->db, &s->tail) == -1 ||
	    detectorlist_load(&s->detectors, s->db) == -1)
		return -1;
	if (numbers_read(s, &s->buckets, ST_BUCKETS, s->how.from_ms,
		RESCORE_BUCKETS) == -1)
		return -1;
	return numbers_read(s, &s->runs, ST_RUNS, s->how.from_ms, RESCORE_ROWS);
}

struct rescore *
rescore_new(sqlite3 *db, const struct rescorer *how)
{
	struct rescore *s = calloc(1, sizeof(*s));
	int saved;

	if (s == NULL)
		return NULL;
	s->db = db;
	s->how = *how;
	wbuf_init(&s->scratch, 0);
	s->phase = phase_bucket;
	if (prepare(s) == 0)
		return s;
	saved = errno;
	rescore_free(s);
	errno = saved;
	return NULL;
}

void
rescore_free(struct rescore *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < ST_MAX; i++)
		sqlite3_finalize(s->st[i]);
	detectorlist_clear(&s->detectors);
	wbuf_clear(&s->scratch);
	free(s->buckets.v);
	free(s->runs.v);
	free(s->rows.v);
	free(s);
}

/* Its row is to be there: 1; 0: it is not; -1 with errno. */
static int
find_row(struct rescore *s, enum stmt which, int64_t key)
{
	int rc;

	sqlite3_reset(s->st[which]);
	sqlite3_bind_int64(s->st[which], 1, key);
	rc = sqlite3_step(s->st[which]);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return sqlx_fail(s->db, "read a result to score again");
}

/* A statement whose parameters are bound, but for errors of that. */
static int
write_row(struct rescore *s, enum stmt which, int bound)
{
	return bound == -1 || sqlx_run(s->st[which]) == -1 ? -1 : 0;
}

/* The score that is to stand; *now is set when it is worth being written. */
static bool
differs(double was, double made, double *now)
{
	if (made < 0 || !rescore_is_big(was, made))
		return false;
	*now = made;
	return true;
}

/* Each of its influencers, and the greatest of them. */
static int
change_bucket(struct rescore *s, struct bucket_result *b, unsigned records,
    unsigned influencers)
{
	bool big = false;
	double most = 0;

	for (size_t i = 0; i < b->ninfluencers; i++) {
		struct bucket_influencer *in = &b->influencer[i];
		double made = s->how.bucket(s->how.arg, i, in), now;

		big |= differs(in->anomaly_score, made, &now);
		if (made >= 0)
			in->anomaly_score = made;
		most = fmax(most, in->anomaly_score);
	}
	big |= rescore_is_big(b->anomaly_score, most);
	if (!big)
		return 0;
	b->anomaly_score = most;
	return write_row(s, ST_WRITE_BUCKET,
	    resultrow_bind_bucket(
		s->st[ST_WRITE_BUCKET], b, records, influencers, &s->scratch));
}

static int
rescore_bucket(struct rescore *s, int64_t timestamp_ms)
{
	sqlite3_stmt *st = s->st[ST_READ_BUCKET];
	int found = find_row(s, ST_READ_BUCKET, timestamp_ms), rc = 0;
	struct bucket_result b;

	if (found != 1)
		return found;
	if (resultrow_read_bucket(st, &b) == -1)
		return -1;
	if (b.anomaly_score > 0)
		rc = change_bucket(s, &b, (unsigned)sqlite3_column_int(st, 7),
		    (unsigned)sqlite3_column_int(st, 8));
	sqlite3_reset(st);
	return rc;
}

static int
rescore_influence(struct rescore *s, int64_t id)
{
	sqlite3_stmt *st = s->st[ST_READ_INFLUENCE];
	int found = find_row(s, ST_READ_INFLUENCE, id), rc = 0;
	struct influencer_result r;

	if (found != 1)
		return found;
	if (resultrow_read_influence(st, &r) == -1)
		return -1;
	if (differs(r.influencer_score, s->how.influencer(s->how.arg, &r),
		&r.influencer_score))
		rc = write_row(s, ST_WRITE_INFLUENCE,
		    resultrow_bind_influence(
			s->st[ST_WRITE_INFLUENCE], id, &r));
	sqlite3_reset(st);
	return rc;
}

static int
move_in_run(struct rescore *s, int64_t id, double was, double now)
{
	const double score[2] = { was, now };

	for (enum stmt st = ST_LEAVE_RUN; st <= ST_ENTER_RUN; st++) {
		sqlite3_bind_int64(s->st[st], 1, id);
		sqlite3_bind_double(s->st[st], 2, score[st - ST_LEAVE_RUN]);
		if (sqlx_run(s->st[st]) == -1)
			return -1;
	}
	return 0;
}

static int
change_record(struct rescore *s, int64_t id, const struct detector_row *d,
    struct record_result *r)
{
	double was = r->record_score;

	if (!differs(was, s->how.record(s->how.arg, r), &r->record_score))
		return 0;
	if (write_row(s, ST_WRITE_RECORD,
		resultrow_bind_record(
		    s->st[ST_WRITE_RECORD], id, d->id, r, &s->scratch)) == -1)
		return -1;
	return s->of_tail ? 0 : move_in_run(s, id, was, r->record_score);
}

static int
rescore_record(struct rescore *s, int64_t id)
{
	sqlite3_stmt *st = s->st[ST_READ_RECORD];
	int found = find_row(s, ST_READ_RECORD, id), rc = 0;
	const struct detector_row *d;
	struct record_result r;

	if (found != 1)
		return found;
	d = detectorlist_find(&s->detectors, resultrow_detector_of(st));
	errno = EBADMSG;
	if (d == NULL || resultrow_read_record(st, d, &r) == -1)
		return -1;
	if (!r.is_interim && r.timestamp_ms >= s->how.from_ms &&
	    r.timestamp_ms < s->how.to_ms)
		rc = change_record(s, id, d, &r);
	sqlite3_reset(st);
	return rc;
}

/* Of so many places each may have that many of the rows. */
static int64_t
share_of(size_t places)
{
	return places < RESCORE_ROWS ? RESCORE_ROWS / (int64_t)places : 1;
}

/* The phases. */

static int
phase_bucket(struct rescore *s)
{
	int64_t at;

	if (s->buckets.next == s->buckets.n) {
		s->phase = phase_tail;
		return 0;
	}
	at = s->buckets.v[s->buckets.next];
	if (rescore_bucket(s, at) == -1 ||
	    numbers_read(
		s, &s->rows, ST_INFLUENCES, at, share_of(s->buckets.n)) == -1)
		return -1;
	s->buckets.next++;
	s->phase = phase_influences;
	return 0;
}

static int
rescore_rows(struct rescore *s, int (*one)(struct rescore *, int64_t))
{
	size_t stop = s->rows.next + STEP_ROWS;

	for (; s->rows.next < s->rows.n && s->rows.next < stop; s->rows.next++)
		if (one(s, s->rows.v[s->rows.next]) == -1)
			return -1;
	return 0;
}

static int
phase_influences(struct rescore *s)
{
	if (rescore_rows(s, rescore_influence) == -1)
		return -1;
	if (s->rows.next == s->rows.n)
		s->phase = phase_bucket;
	return 0;
}

/* The newest records are in no run, and fewer than one has. */
static int
phase_tail(struct rescore *s)
{
	s->of_tail = true;
	s->phase = phase_records;
	return numbers_read(
	    s, &s->rows, ST_OF_TAIL, s->tail, RESULTSDB_RUN_ROWS);
}

static int
phase_run(struct rescore *s)
{
	s->of_tail = false;
	if (s->runs.next == s->runs.n) {
		s->phase = NULL;
		return 0;
	}
	s->phase = phase_records;
	return numbers_read(s, &s->rows, ST_OF_RUN, s->runs.v[s->runs.next],
	    share_of(s->runs.n));
}

static int
phase_records(struct rescore *s)
{
	if (rescore_rows(s, rescore_record) == -1)
		return -1;
	if (s->rows.next < s->rows.n)
		return 0;
	s->phase = phase_run;
	if (s->of_tail)
		return 0;
	sqlite3_bind_int64(s->st[ST_BOUNDS], 1, s->runs.v[s->runs.next++]);
	return sqlx_run(s->st[ST_BOUNDS]);
}

int
rescore_step(struct rescore *s)
{
	if (s->phase != NULL && s->phase(s) == -1)
		return -1;
	return s->phase != NULL;
}
