/*
 * Databases with checksums: no flip and no truncation changes an answer. With
 * ANOMD_FLIP_ALL in the environment each byte has its turn (minutes).
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/forecastrow.h"
#include "common/log.h"
#include "common/resultrow.h"
#include "common/resultsdb.h"
#include "common/sqlvfs.h"
#include "common/sqlx.h"
#include "common/verify.h"
#include "tests/random.h"
#include "tests/someresults.h"
#include "worker/forecastdb.h"
#include "worker/salvage.h"

#define DB "results/results.db"
#define WAL "results/results.db-wal"
#define BUCKETS 6

static char jobs[TMPDIR_BYTES];

static void
setup(void)
{
	log_init("test", LOG_LEVEL_ERROR);
	job_enter(jobs);
	cr_assert_eq(mkdir("quarantine", 0700), 0);
	/* Thousands of reports: stderr is looked at by nobody. */
	if (freopen("/dev/null", "w", stderr) == NULL)
		abort();
}

static void
teardown(void)
{
	job_leave(jobs);
}

TestSuite(sqlvfs, .init = setup, .fini = teardown, .timeout = 240);

/* 1 to n. */
static unsigned
up_to(struct random *random, unsigned n)
{
	return 1 + (unsigned)(random_uniform(random) * n);
}

/* A prime, so that all places in a page have their turn; or each byte. */
static size_t
step(void)
{
	return getenv("ANOMD_FLIP_ALL") == NULL ? 23 : 1;
}

static void
write_some(struct writer *w, int from, int to)
{
	for (int i = from; i < to; i++) {
		struct record_result r =
		    some_record(T0 + i * SPAN_MS, 10.0 + i, 0.01 / (i + 1));
		struct bucket_result b =
		    some_bucket(T0 + i * SPAN_MS, 10.0 + i);

		writer_record(w, &r);
		writer_bucket(w, &b);
		writer_commit(w);
	}
}

static void
make_results(void)
{
	struct writer w;

	writer_open(&w);
	write_some(&w, 0, BUCKETS);
	writer_close(&w);
}

struct image {
	uint8_t *p;
	size_t len;
};

static struct image
image_read(const char *path)
{
	FILE *f = fopen(path, "r");
	struct image m = { malloc(1 << 22), 0 };

	cr_assert(f != NULL && m.p != NULL);
	m.len = fread(m.p, 1, 1 << 22, f);
	fclose(f);
	return m;
}

static void
image_write(const char *path, const void *p, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert(fd != -1 && write(fd, p, len) == (ssize_t)len);
	close(fd);
}

static void
byte_put(const char *path, size_t at, uint8_t byte)
{
	int fd = open(path, O_WRONLY);

	cr_assert(fd != -1 && pwrite(fd, &byte, 1, (off_t)at) == 1);
	close(fd);
}

/* Each way to the rows, by table and by index. */
static const char *const ways[] = {
	"SELECT * FROM bucket ORDER BY timestamp",
	"SELECT timestamp, anomaly_score FROM bucket ORDER BY anomaly_score",
	"SELECT timestamp, record_count FROM bucket WHERE record_count > 0",
	"SELECT * FROM record ORDER BY id",
	"SELECT id FROM record ORDER BY timestamp",
	"SELECT count(*) FROM record WHERE is_interim = 1",
	"SELECT count(*) FROM bucket WHERE is_interim = 1",
	"SELECT * FROM detector",
	"SELECT * FROM run",
	"SELECT * FROM influencer",
	"SELECT * FROM cause",
	"SELECT * FROM plot ORDER BY timestamp",
	"SELECT * FROM annotation ORDER BY timestamp",
	"SELECT * FROM forecast ORDER BY forecast_id",
	"SELECT * FROM forecast_point ORDER BY forecast, timestamp",
};

/* One sum over all that can be asked; -1 when something says no. */
static int
answers(uint32_t *sum)
{
	sqlite3 *db = resultsdb_open_reader("results");
	int rc = db == NULL ? -1 : 0;

	*sum = 0;
	for (size_t i = 0; rc == 0 && i < NELEM(ways); i++) {
		sqlite3_stmt *st = NULL;
		int step = SQLITE_ERROR;

		if (sqlite3_prepare_v2(db, ways[i], -1, &st, NULL) == SQLITE_OK)
			while ((step = sqlite3_step(st)) == SQLITE_ROW)
				for (int c = 0; c < sqlite3_column_count(st);
				     c++) {
					const void *p =
					    sqlite3_column_blob(st, c);
					int n = sqlite3_column_bytes(st, c);

					*sum = crc32c(*sum, &n, sizeof(n));
					*sum = crc32c(*sum, p, (size_t)n);
				}
		if (step != SQLITE_DONE)
			rc = -1;
		sqlite3_finalize(st);
	}
	resultsdb_close(db);
	return rc;
}

Test(sqlvfs, each_flipped_byte_of_a_database_is_found_or_changes_nothing)
{
	struct random random = random_seed(4242);
	unsigned refused = 0;
	struct image m;
	uint32_t want, got;

	make_results();
	cr_assert_eq(answers(&want), 0);
	m = image_read(DB);
	for (size_t i = 0; i < m.len; i += i < 100 ? 1 : step()) {
		uint8_t mask = (uint8_t)up_to(&random, 255);

		byte_put(DB, i, m.p[i] ^ mask);
		if (answers(&got) == -1)
			refused++;
		else
			cr_assert_eq(got, want, "byte %zu", i);
		byte_put(DB, i, m.p[i]);
	}
	cr_expect_gt(refused, m.len / step() / 2);
	cr_assert_eq(answers(&got), 0);
	cr_expect_eq(got, want);
	free(m.p);
}

/* Of the last page no row may be needed: then the answers are the same. */
Test(sqlvfs, each_truncation_of_a_database_is_found_or_changes_nothing)
{
	uint32_t want, got;
	struct image m;

	make_results();
	cr_assert_eq(answers(&want), 0);
	m = image_read(DB);
	for (size_t len = 0; len < m.len; len += len < 200 ? 1 : step()) {
		image_write(DB, m.p, len);
		cr_assert(answers(&got) == -1 || got == want, "%zu bytes", len);
	}
	free(m.p);
}

static void
count_report(void *arg, const char *path, uint64_t offset, const char *what)
{
	(void)path;
	(void)what;
	*(uint64_t *)arg = offset;
}

Test(sqlvfs, looking_over_a_database_names_the_damaged_page)
{
	uint64_t at = UINT64_MAX;
	struct image m;

	make_results();
	cr_expect_eq(verify_database(DB, count_report, &at), 0);
	m = image_read(DB);
	for (size_t i = 4096 + 11; i < m.len; i += 1777) {
		byte_put(DB, i, m.p[i] ^ 1);
		/* A page that was never written is all zeros until now. */
		cr_expect_eq(verify_database(DB, count_report, &at), 1);
		cr_expect_eq(at, i / 4096 * 4096);
		byte_put(DB, i, m.p[i]);
	}
	free(m.p);
}

/* As a death leaves it: commits in the WAL, none of them folded in. */
static struct image
make_wal(struct image *db)
{
	struct image wal;
	struct writer w;

	writer_open(&w);
	write_some(&w, 0, BUCKETS);
	*db = image_read(DB);
	wal = image_read(WAL);
	writer_close(&w);
	return wal;
}

static void
put_wal(const struct image *db, const struct image *wal)
{
	unlink("results/results.db-shm");
	image_write(DB, db->p, db->len);
	image_write(WAL, wal->p, wal->len);
}

/*
 * What a writer finds after a death: the number of the last entry, and rows
 * that fit to it; UINT64_MAX when it says that the file is damaged.
 */
static uint64_t
recovered(void)
{
	sqlite3 *db = resultsdb_open_writer("results", false);
	uint64_t seq = UINT64_MAX;
	sqlite3_stmt *st;

	if (db == NULL) {
		cr_assert_eq(errno, EBADMSG);
		return UINT64_MAX;
	}
	cr_assert_eq(resultsdb_get_seq(db, &seq), 0);
	cr_assert_eq(sqlite3_prepare_v2(db,
			 "SELECT count(*) FROM record UNION ALL"
			 " SELECT count(*) FROM bucket",
			 -1, &st, NULL),
	    SQLITE_OK);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
		cr_assert_eq(sqlite3_column_int64(st, 0), (int64_t)seq);
	}
	resultsdb_close(db);
	return seq;
}

Test(sqlvfs, a_flip_in_a_wal_is_found_or_takes_the_last_commit_as_a_whole)
{
	struct random random = random_seed(77);
	struct image db, wal = make_wal(&db);
	unsigned found = 0, last = 0;

	put_wal(&db, &wal);
	cr_assert_eq(recovered(), BUCKETS);
	for (size_t i = 0; i < wal.len; i += up_to(&random, 400)) {
		uint8_t mask = (uint8_t)up_to(&random, 255);
		uint64_t seq;

		put_wal(&db, &wal);
		byte_put(WAL, i, wal.p[i] ^ mask);
		seq = recovered();
		found += seq == UINT64_MAX;
		last += seq == BUCKETS - 1;
		cr_assert(seq == UINT64_MAX || seq >= BUCKETS - 1,
		    "byte %zu: entry %ju", i, (uintmax_t)seq);
	}
	cr_expect_gt(found, 0);
	cr_expect_gt(last, 0);
	free(db.p);
	free(wal.p);
}

Test(sqlvfs, a_wal_that_lost_what_is_folded_in_is_found)
{
	struct image db, folded, wal = make_wal(&db);
	uint64_t seq;

	folded = image_read(DB); /* closing has folded all of it in */
	put_wal(&folded, &wal);
	cr_expect_eq(recovered(), BUCKETS);
	/* The last commit is gone from the WAL, and in the database. */
	wal.len -= 4096 + 24;
	put_wal(&folded, &wal);
	seq = recovered();
	cr_expect_eq(seq, UINT64_MAX);
	free(db.p);
	free(folded.p);
	free(wal.p);
}

/* Damage in a page takes at most the rows in it; all others are kept. */
Test(sqlvfs, what_can_be_read_of_a_damaged_database_is_salvaged)
{
	struct msg_salvaged salvaged;
	uint32_t want, got;
	struct image m;

	make_results();
	cr_assert_eq(answers(&want), 0);
	m = image_read(DB);
	for (size_t page = 0; page * 4096 < m.len; page++) {
		sqlite3 *db;
		uint64_t seq;

		image_write(DB, m.p, m.len);
		/* The last byte of a page is its checksum alone. */
		byte_put(DB, page * 4096 + 4095,
		    (uint8_t)(m.p[page * 4096 + 4095] ^ 0x10));
		cr_assert_eq(salvage_results(&salvaged), 1);
		cr_assert_eq(answers(&got), 0, "page %zu", page);
		cr_assert_eq(got, want, "page %zu", page);
		db = resultsdb_open_writer("results", false);
		cr_assert_not_null(db);
		cr_assert_eq(resultsdb_get_seq(db, &seq), 0);
		cr_expect_eq(seq, 0);
		resultsdb_close(db);
	}
	free(m.p);
}

Test(sqlvfs, a_salvage_that_was_cut_off_between_two_names_is_finished)
{
	struct msg_salvaged salvaged;
	uint32_t want, got;

	make_results();
	cr_assert_eq(answers(&want), 0);
	salvage_mark();
	cr_assert_eq(rename(DB, "results/" RESULTSDB_NEW_FILE), 0);
	cr_assert(salvage_is_marked());
	cr_assert_eq(salvage_results(&salvaged), 0);
	cr_expect_not(salvage_is_marked());
	cr_assert_eq(answers(&got), 0);
	cr_expect_eq(got, want);
}

Test(sqlvfs, a_row_that_does_not_match_its_checksum_is_not_salvaged)
{
	struct msg_salvaged salvaged;
	sqlite3 *db;
	int64_t n;
	sqlite3_stmt *st;

	make_results();
	db = resultsdb_open_writer("results", false);
	cr_assert_not_null(db);
	cr_assert_eq(
	    sqlite3_exec(db, "UPDATE record SET record_score = 99 WHERE id = 2",
		NULL, NULL, NULL),
	    SQLITE_OK);
	resultsdb_close(db);
	cr_assert_eq(salvage_results(&salvaged), 1);
	cr_expect_eq(salvaged.dropped, 1);
	cr_expect_not(salvaged.cut);
	db = resultsdb_open_reader("results");
	cr_assert_not_null(db);
	cr_assert_eq(sqlite3_prepare_v2(
			 db, "SELECT count(*) FROM record", -1, &st, NULL),
	    SQLITE_OK);
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	resultsdb_close(db);
	cr_expect_eq(n, BUCKETS - 1);
}

/* More than SQLite's cache holds, and the same pages again and again. */
Test(sqlvfs, a_transaction_that_outgrows_the_cache_reads_what_it_wrote)
{
	sqlite3 *db;

	make_results();
	db = resultsdb_open_writer("results", false);
	cr_assert_not_null(db);
	cr_assert_eq(sqlite3_exec(db,
			 "PRAGMA cache_size = 10; BEGIN;"
			 "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB);"
			 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
			 " SELECT i + 1 FROM n WHERE i < 3000)"
			 " INSERT INTO t SELECT i, zeroblob(300) FROM n;"
			 "UPDATE t SET v = randomblob(300);"
			 "UPDATE t SET v = zeroblob(310);"
			 "COMMIT; PRAGMA integrity_check",
			 NULL, NULL, NULL),
	    SQLITE_OK, "%s", sqlite3_errmsg(db));
	resultsdb_close(db);
	cr_expect_eq(verify_database(DB, count_report, &(uint64_t){ 0 }), 0);
}

static void
put_forecasts(sqlite3 *db)
{
	struct forecast_row f = { .forecast_id = text("kept"),
		.status = FORECAST_FINISHED,
		.progress = 1,
		.record_count = 2 };
	struct forecast_point p = { .bucket_span = SPAN_MS / 1000,
		.detector = 1,
		.partition_field_value = text("a") };
	sqlite3_stmt *st = NULL;
	struct wbuf wb;

	wbuf_init(&wb, 0);
	cr_assert_eq(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(forecastdb_put(db, &f), 0);
	cr_assert_eq(
	    sqlite3_prepare_v2(db, forecastrow_put_point, -1, &st, NULL),
	    SQLITE_OK);
	/* The last one is of a forecast that there is not. */
	for (p.id = 1; p.id <= 3; p.id++) {
		p.forecast = p.id == 3 ? f.id + 1 : f.id;
		p.timestamp = T0 + p.id * SPAN_MS;
		cr_assert_eq(forecastrow_bind_point(st, &p, &wb), 0);
		cr_assert_eq(sqlite3_step(st), SQLITE_DONE);
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	wbuf_clear(&wb);
	cr_assert_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
}

static int64_t
count_of(sqlite3 *db, const char *sql)
{
	int64_t n = -1;

	cr_assert_eq(sqlx_number(db, sql, &n), 0);
	return n;
}

Test(sqlvfs, forecasts_are_salvaged_with_their_points)
{
	struct msg_salvaged salvaged;
	sqlite3 *db;

	make_results();
	db = resultsdb_open_writer("results", false);
	cr_assert_not_null(db);
	put_forecasts(db);
	resultsdb_close(db);
	cr_assert_eq(salvage_results(&salvaged), 1);
	cr_expect_eq(salvaged.dropped, 0);
	db = resultsdb_open_reader("results");
	cr_assert_not_null(db);
	cr_expect_eq(count_of(db,
			 "SELECT count(*) FROM forecast WHERE"
			 " forecast_id = 'kept' AND record_count = 2"),
	    1);
	cr_expect_eq(count_of(db, "SELECT count(*) FROM forecast_point"), 2);
	resultsdb_close(db);
}

Test(sqlvfs, a_forecast_that_does_not_match_its_checksum_is_not_salvaged)
{
	struct msg_salvaged salvaged;
	sqlite3 *db;

	make_results();
	db = resultsdb_open_writer("results", false);
	cr_assert_not_null(db);
	put_forecasts(db);
	cr_assert_eq(sqlite3_exec(db,
			 "UPDATE forecast SET progress = 0.5;"
			 "UPDATE forecast_point SET forecast_upper = 9"
			 " WHERE id = 1",
			 NULL, NULL, NULL),
	    SQLITE_OK);
	resultsdb_close(db);
	cr_assert_eq(salvage_results(&salvaged), 1);
	cr_expect_eq(salvaged.dropped, 2);
	db = resultsdb_open_reader("results");
	cr_assert_not_null(db);
	cr_expect_eq(count_of(db, "SELECT count(*) FROM forecast"), 0);
	/* Nobody can ask for what is left of it. */
	cr_expect_eq(count_of(db, "SELECT count(*) FROM forecast_point"), 0);
	resultsdb_close(db);
}
