/* results.db of the version before: read as it is, and upgraded by a writer. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <sqlite3.h>
#include <stdio.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "common/resultsdb.h"
#include "common/sqlx.h"
#include "tests/someresults.h"

static char jobs[TMPDIR_BYTES];

static const char *const added[] = { "cause", "plot", "annotation", "forecast",
	"forecast_point" };

static void
setup(void)
{
	log_init("test", LOG_LEVEL_ERROR);
	job_enter(jobs);
}

static void
teardown(void)
{
	job_leave(jobs);
}

TestSuite(resultsdb_upgrade, .init = setup, .fini = teardown);

/* Version 3 had none of the tables that were added, and no trigger of theirs.
 */
static void
make_version_3(uint64_t seq)
{
	uint64_t sum[2] = { htobe64(3), htobe64(seq) };
	sqlite3 *db = resultsdb_open_writer("results", false);
	char sql[128];

	cr_assert_not_null(db);
	cr_assert_eq(sqlx_exec(db, "DROP TRIGGER cause_forget"), 0);
	for (size_t i = 0; i < NELEM(added); i++) {
		snprintf(sql, sizeof(sql), "DROP TABLE %s", added[i]);
		cr_assert_eq(sqlx_exec(db, sql), 0);
	}
	snprintf(sql, sizeof(sql), "UPDATE meta SET version = 3, crc = %u",
	    crc32c(0, sum, sizeof(sum)));
	cr_assert_eq(sqlx_exec(db, sql), 0);
	resultsdb_close(db);
}

static uint64_t
write_rows(void)
{
	struct writer w;
	uint64_t seq = 0;
	sqlite3 *db;

	writer_open(&w);
	for (int i = 0; i < 3; i++)
		write_bucket(&w, T0 + i * SPAN_MS, 1, false);
	writer_commit(&w);
	writer_close(&w);
	db = resultsdb_open_reader("results");
	cr_assert_not_null(db);
	cr_assert_eq(resultsdb_get_seq(db, &seq), 0);
	resultsdb_close(db);
	return seq;
}

static int64_t
count(sqlite3 *db, const char *table)
{
	char sql[64];
	int64_t n = -1;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	cr_assert_eq(sqlx_number(db, sql, &n), 0, "%s", table);
	return n;
}

Test(resultsdb_upgrade, a_reader_sees_what_there_is_and_empty_tables)
{
	sqlite3 *db;

	make_version_3(write_rows());
	db = resultsdb_open_reader("results");
	cr_assert_not_null(db);
	cr_expect_eq(count(db, "bucket"), 3);
	for (size_t i = 0; i < NELEM(added); i++)
		cr_expect_eq(count(db, added[i]), 0);
	resultsdb_close(db);
}

Test(resultsdb_upgrade, a_writer_adds_the_tables_and_keeps_the_rows)
{
	uint64_t seq = write_rows(), after = 0;
	int64_t version = 0;
	sqlite3 *db;

	make_version_3(seq);
	for (int i = 0; i < 2; i++) {
		db = resultsdb_open_writer("results", false);
		cr_assert_not_null(db);
		cr_expect_eq(count(db, "bucket"), 3);
		for (size_t k = 0; k < NELEM(added); k++)
			cr_expect_eq(count(db, added[k]), 0);
		cr_assert_eq(
		    sqlx_number(db, "SELECT version FROM meta", &version), 0);
		cr_expect_eq(version, RESULTSDB_VERSION);
		cr_assert_eq(resultsdb_get_seq(db, &after), 0);
		cr_expect_eq(after, seq);
		resultsdb_close(db);
	}
}

Test(resultsdb_upgrade, the_cause_of_a_record_goes_with_it)
{
	sqlite3 *db;

	make_version_3(write_rows());
	db = resultsdb_open_writer("results", false);
	cr_assert_not_null(db);
	cr_assert_eq(
	    sqlx_exec(db, "INSERT INTO cause SELECT id, x'00', 0 FROM record"),
	    0);
	cr_expect_eq(count(db, "cause"), count(db, "record"));
	cr_expect_gt(count(db, "cause"), 0);
	cr_assert_eq(sqlx_exec(db, "DELETE FROM record"), 0);
	cr_expect_eq(count(db, "cause"), 0);
	resultsdb_close(db);
}
