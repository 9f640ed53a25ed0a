/* Owns reading what is left of a damaged results.db into a new one. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "common/disk.h"
#include "common/forecastrow.h"
#include "common/log.h"
#include "common/plotrow.h"
#include "common/resultcause.h"
#include "common/resultrow.h"
#include "common/resultsdb.h"
#include "common/sqlx.h"
#include "worker/answers.h"
#include "worker/quarantine.h"
#include "worker/salvage.h"

#define DIR "results"
#define MARK DIR "/damaged"
#define DB DIR "/" RESULTSDB_FILE

/*
 * Committed at a time, some 10 MB: in one go the WAL would be as large as all
 * of it. Nobody looks at the file before it has its name.
 */
#define BATCH_ROWS 65536

enum table {
	ANSWER,
	BUCKET,
	DETECTOR,
	RECORD,
	INFLUENCE,
	PLOT, /* from here on of version 4: the file may have none */
	ANNOTATION,
	CAUSE,
	FORECAST,
	FORECAST_POINT,
	TABLES
};

/* Rows are read up to the first page that cannot be, from either end. */
static const char *const select_sql[TABLES][2] = {
	{ "SELECT " ANSWER_COLUMNS " FROM answer ORDER BY seq",
	    "SELECT " ANSWER_COLUMNS " FROM answer ORDER BY seq DESC" },
	{ "SELECT " BUCKET_COLUMNS " FROM bucket ORDER BY timestamp",
	    "SELECT " BUCKET_COLUMNS " FROM bucket ORDER BY timestamp DESC" },
	{ "SELECT " DETECTOR_COLUMNS " FROM detector ORDER BY id",
	    "SELECT " DETECTOR_COLUMNS " FROM detector ORDER BY id DESC" },
	{ "SELECT " RECORD_COLUMNS " FROM record r ORDER BY r.id",
	    "SELECT " RECORD_COLUMNS " FROM record r ORDER BY r.id DESC" },
	{ "SELECT " INFLUENCE_COLUMNS " FROM influence ORDER BY id",
	    "SELECT " INFLUENCE_COLUMNS " FROM influence ORDER BY id DESC" },
	{ "SELECT " PLOT_COLUMNS " FROM plot ORDER BY id",
	    "SELECT " PLOT_COLUMNS " FROM plot ORDER BY id DESC" },
	{ "SELECT " ANNOTATION_COLUMNS " FROM annotation ORDER BY id",
	    "SELECT " ANNOTATION_COLUMNS " FROM annotation ORDER BY id DESC" },
	{ "SELECT " CAUSE_COLUMNS " FROM cause ORDER BY record",
	    "SELECT " CAUSE_COLUMNS " FROM cause ORDER BY record DESC" },
	{ "SELECT " FORECAST_COLUMNS " FROM forecast ORDER BY id",
	    "SELECT " FORECAST_COLUMNS " FROM forecast ORDER BY id DESC" },
	{ "SELECT " FORECAST_POINT_COLUMNS " FROM forecast_point ORDER BY id",
	    "SELECT " FORECAST_POINT_COLUMNS
	    " FROM forecast_point ORDER BY id DESC" },
};

static const char *const insert_sql[TABLES] = {
	"INSERT OR IGNORE INTO answer (" ANSWER_COLUMNS
	") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	"INSERT OR IGNORE INTO bucket (" BUCKET_COLUMNS
	") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	"INSERT OR IGNORE INTO detector (" DETECTOR_COLUMNS
	") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	"INSERT OR IGNORE INTO record (id, timestamp, bucket_span, detector,"
	" is_interim, probability, multi_bucket_impact, record_score,"
	" initial_record_score, by_field_value, over_field_value,"
	" partition_field_value, typical, actual, typical_2, actual_2,"
	" influencers, explanation, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
	" ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
	"INSERT OR IGNORE INTO influence (" INFLUENCE_COLUMNS
	") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	"INSERT OR IGNORE INTO plot (" PLOT_COLUMNS
	") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	"INSERT OR IGNORE INTO annotation (" ANNOTATION_COLUMNS
	") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	"INSERT OR IGNORE INTO cause (" CAUSE_COLUMNS ") VALUES (?1, ?2, ?3)",
	"INSERT OR IGNORE INTO forecast (" FORECAST_COLUMNS
	") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
	" ?14)",
	"INSERT OR IGNORE INTO forecast_point (" FORECAST_POINT_COLUMNS
	") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
};

struct salvage {
	sqlite3 *from; /* owned */
	sqlite3 *to;   /* owned */
	sqlite3_stmt *influencer;
	struct wbuf scratch;
	uint64_t kept;
	int64_t batch;	  /* rows that are not committed yet */
	uint64_t dropped; /* rows that do not match their checksum */
	bool cut;	  /* pages could not be read */
};

int
salvage_mark(void)
{
	int fd = open(MARK, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	int rc = fd == -1 ? -1 : disk_sync_dir(DIR);
	int saved = errno;

	if (rc == -1)
		log_warn(MARK);
	if (fd != -1)
		close(fd);
	errno = saved;
	return rc;
}

bool
salvage_is_marked(void)
{
	int saved = errno;
	bool is = access(MARK, F_OK) == 0;

	errno = saved;
	return is;
}

/* The names of influencers have no row sums: they come from the records. */
static int
influencers_add(struct salvage *s, const struct record_result *r)
{
	for (size_t i = 0; i < r->ninfluencers; i++) {
		sqlite3_bind_text(s->influencer, 1, r->influencer[i].field_name,
		    -1, SQLITE_STATIC);
		if (sqlx_run(s->influencer) == -1)
			return -1;
	}
	return 0;
}

static int
row_check(struct salvage *s, enum table t, sqlite3_stmt *st)
{
	struct detector_row d = { 0 };
	struct annotation_result note;
	struct forecast_point point;
	struct forecast_row f;
	struct plot_result p;
	struct influencer_result in;
	struct record_result r;
	struct bucket_result b;
	struct kept_answer a;

	switch (t) {
	case ANSWER:
		return answers_read_row(st, &a);
	case BUCKET:
		return resultrow_read_bucket(st, &b);
	case DETECTOR:
		return resultrow_read_detector(st, &d);
	case RECORD:
		d.id = resultrow_detector_of(st);
		if (resultrow_read_record(st, &d, &r) == -1)
			return -1;
		return influencers_add(s, &r);
	case CAUSE:
		return resultcause_read(st, &r);
	case INFLUENCE:
		return resultrow_read_influence(st, &in);
	case PLOT:
		return plotrow_read_plot(st, NULL, &p, &s->scratch);
	case ANNOTATION:
		return plotrow_read_annotation(st, NULL, &note, &s->scratch);
	case FORECAST:
		return forecastrow_read(st, &f, &s->scratch);
	case FORECAST_POINT:
		return forecastrow_read_point(st, &point, &s->scratch);
	case TABLES:
		break;
	}
	errno = EINVAL;
	return -1;
}

static int
batch_count(struct salvage *s, int64_t rows)
{
	s->batch += rows;
	if (s->batch < BATCH_ROWS)
		return 0;
	s->batch = 0;
	return sqlx_exec(s->to, "COMMIT; BEGIN");
}

static int
row_copy(struct salvage *s, sqlite3_stmt *in, sqlite3_stmt *out)
{
	for (int i = 0; i < sqlite3_column_count(in); i++)
		sqlite3_bind_value(out, i + 1, sqlite3_column_value(in, i));
	if (sqlx_run(out) == -1)
		return -1;
	s->kept += (uint64_t)sqlite3_changes(s->to);
	return batch_count(s, 1);
}

/* Returns 0: to the end; 1: as far as it could be read; -1 with errno. */
static int
table_scan(struct salvage *s, enum table t, const char *sql, sqlite3_stmt *out)
{
	sqlite3_stmt *in = NULL;
	int rc = 1;

	if (sqlite3_prepare_v2(s->from, sql, -1, &in, NULL) != SQLITE_OK)
		return 1;
	while ((rc = sqlite3_step(in)) == SQLITE_ROW) {
		if (row_check(s, t, in) == -1) {
			if (errno != EBADMSG)
				break;
			s->dropped++;
			continue;
		}
		if (row_copy(s, in, out) == -1)
			break;
	}
	sqlite3_finalize(in);
	if (rc == SQLITE_ROW)
		return -1;
	return rc == SQLITE_DONE ? 0 : 1;
}

static int
table_copy(struct salvage *s, enum table t)
{
	sqlite3_stmt *out = sqlx_prepare(s->to, insert_sql[t]);
	int rc = out == NULL ? -1 : table_scan(s, t, select_sql[t][0], out);

	if (rc == 1) {
		s->cut = true;
		rc = table_scan(s, t, select_sql[t][1], out);
	}
	sqlite3_finalize(out);
	return rc == -1 ? -1 : 0;
}

/*
 * A row whose detector is lost has no names: it is no use. Nor is a cause
 * without its record, or the point of a forecast that nobody knows of.
 */
static int
drop_nameless(struct salvage *s)
{
	static const char *const sql[] = {
		"DELETE FROM record WHERE detector NOT IN"
		" (SELECT id FROM detector)",
		"DELETE FROM plot WHERE detector NOT IN"
		" (SELECT id FROM detector)",
		"DELETE FROM annotation WHERE detector NOT IN"
		" (SELECT id FROM detector)",
		"DELETE FROM cause WHERE record NOT IN"
		" (SELECT id FROM record)",
		"DELETE FROM forecast_point WHERE detector NOT IN"
		" (SELECT id FROM detector) OR forecast NOT IN"
		" (SELECT id FROM forecast)",
	};

	for (size_t i = 0; i < NELEM(sql); i++) {
		if (sqlx_exec(s->to, sql[i]) == -1)
			return -1;
		s->kept -= (uint64_t)sqlite3_changes(s->to);
	}
	return 0;
}

static int
records_settle(struct salvage *s)
{
	int64_t next;

	if (drop_nameless(s) == -1)
		return -1;
	if (sqlx_number(s->to, "SELECT coalesce(max(id) + 1, 0) FROM record",
		&next) == -1)
		return -1;
	for (int64_t run = 0; run < next >> RESULTSDB_RUN_SHIFT; run++)
		if (resultsdb_add_run(s->to, run) == -1 ||
		    batch_count(s, RESULTSDB_RUN_ROWS) == -1)
			return -1;
	return 0;
}

/* A file of an older version lacks some: nothing is lost of those. */
static bool
has_table(const struct salvage *s, enum table t)
{
	static const char *const names[TABLES] = {
		[PLOT] = "plot",
		[ANNOTATION] = "annotation",
		[CAUSE] = "cause",
		[FORECAST] = "forecast",
		[FORECAST_POINT] = "forecast_point",
	};
	sqlite3_stmt *st = NULL;
	bool has = true;

	if (sqlite3_prepare_v2(s->from,
		"SELECT 1 FROM sqlite_schema WHERE name = ?1", -1, &st,
		NULL) == SQLITE_OK) {
		sqlite3_bind_text(st, 1, names[t], -1, SQLITE_STATIC);
		has = sqlite3_step(st) != SQLITE_DONE;
	}
	sqlite3_finalize(st);
	return has;
}

static int
copy_all(struct salvage *s)
{
	int rc = 0;

	s->influencer =
	    sqlx_prepare(s->to, "INSERT OR IGNORE INTO influencer VALUES (?1)");
	if (s->influencer == NULL || sqlx_exec(s->to, "BEGIN") == -1)
		return -1;
	for (enum table t = ANSWER; rc == 0 && t < TABLES; t++) {
		if (t < PLOT || has_table(s, t))
			rc = table_copy(s, t);
	}
	if (rc == 0)
		rc = records_settle(s);
	return rc == -1 ? -1 : sqlx_exec(s->to, "COMMIT");
}

/*
 * The new file is complete by now. A death between the two names leaves the
 * mark and no results.db, from which the next start goes on; so the database
 * goes before its WAL.
 */
static int
publish(void)
{
	if (access(DB, F_OK) == 0)
		quarantine_move(DB, "results", 0, "damaged");
	if (access(DB, F_OK) == 0) {
		errno = EIO;
		return -1;
	}
	if (access(DB "-wal", F_OK) == 0)
		quarantine_move(
		    DB "-wal", "results-wal", 0, "of the damaged results.db");
	return resultsdb_new_publish(DIR);
}

static int
finish(void)
{
	if (publish() == -1) {
		log_warn("results.db cannot be salvaged");
		return -1;
	}
	if (unlink(MARK) == -1 && errno != ENOENT)
		log_warn(MARK);
	return 0;
}

static void
report(const struct salvage *s, struct msg_salvaged *m)
{
	*m = (struct msg_salvaged){ s->kept, s->dropped, s->cut };
	log_warnx("results.db was damaged: rows kept: %" PRIu64
		  ", rows that do not match their checksum: %" PRIu64 "%s; the "
		  "journal is replayed from the snapshot on",
	    s->kept, s->dropped,
	    s->cut ? ", some pages could not be read at all" : "");
}

int
salvage_results(struct msg_salvaged *m)
{
	struct salvage s = { 0 };
	int rc = -1, saved;

	if (access(DB, F_OK) == -1 &&
	    access(DIR "/" RESULTSDB_NEW_FILE, F_OK) == 0) {
		log_warnx("results.db was damaged: the file that its rows "
			  "were read into takes its place");
		return finish();
	}
	wbuf_init(&s.scratch, 0);
	(void)salvage_mark(); /* which most often is there already */
	log_warnx("results.db is damaged: its rows are read into a new file");
	s.from = resultsdb_open_damaged(DIR);
	s.to = resultsdb_new_begin(DIR);
	if (s.from == NULL)
		s.cut = true;
	if (s.to != NULL)
		rc = s.from == NULL ? 0 : copy_all(&s);
	saved = errno;
	wbuf_clear(&s.scratch);
	resultsdb_close(s.to);
	resultsdb_close(s.from);
	errno = saved;
	if (rc == 0 && finish() == 0) {
		report(&s, m);
		return 1;
	}
	if (rc == 0)
		return -1;
	log_warn("results.db cannot be salvaged");
	return -1;
}
