/* Answers that are errors, are given up, or are too long to be held. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/resultsdb.h"
#include "tests/query_fixture.h"

#define CURE "close and open the job: rows that can be read are kept"

TestSuite(query_errors, .init = query_begin, .fini = query_finish);

Test(query_errors, an_unknown_sort_field_is_refused)
{
	struct request r = request_of(QUERY_RECORDS);

	strlcpy(r.sort, "nonsense", sizeof(r.sort));
	expect_error(&r, 400, E_ILLEGAL_ARGUMENT,
	    "No mapping found for [nonsense] in order to sort on");
	write_example();
	expect_error(&r, 400, E_ILLEGAL_ARGUMENT,
	    "No mapping found for [nonsense] in order to sort on");
	strlcpy(r.sort, "influencers", sizeof(r.sort));
	expect_error(&r, 400, E_ILLEGAL_ARGUMENT,
	    "No mapping found for [influencers] in order to sort on");
	r.kind = QUERY_BUCKETS;
	strlcpy(r.sort, "x' OR 1", sizeof(r.sort));
	expect_error(&r, 400, E_ILLEGAL_ARGUMENT,
	    "No mapping found for [x' OR 1] in order to sort on");
}

static void
tamper(const char *sql)
{
	sqlite3 *db = resultsdb_open_writer("results", false);

	cr_assert_not_null(db);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	resultsdb_close(db);
}

Test(query_errors, a_damaged_row_is_an_error_that_names_it)
{
	struct request r = request_of(QUERY_RECORDS);

	write_many();
	tamper("UPDATE record SET actual = actual + 1 WHERE id = 4711");
	free(ask(&r)); /* it is not on this page */
	r.size = 10000;
	expect_error(&r, 500, E_EXCEPTION,
	    "the results of job [j] are damaged: row [4711] of [record] in "
	    "[j.1/results/results.db] does not match its checksum; " CURE);
	tamper("UPDATE bucket SET event_count = 1 WHERE timestamp = "
	       "1700000100000");
	r = request_of(QUERY_BUCKETS);
	expect_error(&r, 500, E_EXCEPTION,
	    "the results of job [j] are damaged: row [1700000100000] of "
	    "[bucket] in [j.1/results/results.db] does not match its "
	    "checksum; " CURE);
}

/* Found in the first pass, before a byte has left. */
Test(query_errors, a_damaged_row_late_in_a_long_answer_is_an_error_too)
{
	struct request r = request_of(QUERY_RECORDS);
	struct apierr e;

	write_many();
	strlcpy(r.sort, "timestamp", sizeof(r.sort));
	r.desc = false;
	r.size = NRECORDS;
	tamper("UPDATE record SET actual = 1 WHERE id = 9399");
	cr_expect_null(ask_with(&r, 1000, &e));
	cr_expect_eq(e.status, 500);
}

Test(query_errors, a_file_that_is_no_database_is_an_error)
{
	struct request r = request_of(QUERY_RECORDS);
	FILE *f = fopen("results/results.db", "w");

	cr_assert_not_null(f);
	for (int i = 0; i < 1000; i++)
		cr_assert_geq(fputs("no database", f), 0);
	fclose(f);
	expect_error(&r, 500, E_EXCEPTION,
	    "the results of job [j] are damaged: j.1/results.db, byte "
	    "0; " CURE);
}

static bool
give_up(void *arg)
{
	(*(int *)arg)++;
	return true;
}

Test(query_errors, work_is_given_up_when_nobody_waits_for_it)
{
	struct request r = request_of(QUERY_RECORDS);
	struct apierr e;
	struct wbuf wb;
	struct out o;
	int ticks = 0;

	write_many();
	strlcpy(r.sort, "typical", sizeof(r.sort));
	wbuf_init(&wb, 0);
	out_init(&o, OUT_HOLD_MAX, collect, &wb);
	cr_expect_eq(answer_make(&r, query_jobs, give_up, &ticks, &o, &e), -1);
	cr_expect_eq(e.status, 0);
	cr_expect_eq(ticks, 1);
	cr_expect_eq(wb.len, 0);
	out_clear(&o);
	wbuf_clear(&wb);
}

static int64_t
racing_clock(void)
{
	static int64_t us;

	return us += 40 * INT64_C(1000000);
}

Test(query_errors, a_query_that_takes_too_long_is_503)
{
	struct request r = request_of(QUERY_RECORDS);

	write_many();
	strlcpy(r.sort, "typical", sizeof(r.sort));
	clock_fake(NULL, racing_clock);
	expect_error(&r, 503, E_STATUS,
	    "the results of job [j] took longer than [30s] to read; ask for "
	    "less with [start], [end] or a score");
	clock_fake(NULL, NULL);
}

Test(query_errors, an_answer_too_long_to_hold_is_the_same)
{
	struct request r = request_of(QUERY_BUCKETS);
	struct apierr e;
	char *held, *streamed;

	write_many();
	r.expand = true;
	r.size = 10000;
	held = ask(&r);
	streamed = ask_with(&r, 1000, &e);
	cr_assert_not_null(streamed);
	cr_assert_gt(strlen(held), 2 * (size_t)MSG_DATA_MAX);
	cr_expect_str_eq(streamed, held);
	free(held);
	free(streamed);
}
