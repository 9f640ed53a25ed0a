/* Causes of records as bytes, and as rows of results.db. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/resultcause.h"
#include "common/resultsdb.h"
#include "common/sqlx.h"
#include "tests/someresults.h"

static struct record_result
with_causes(int64_t timestamp_ms)
{
	struct record_result r = some_record(timestamp_ms, 80, 1e-9);

	r.over_field_name = "user";
	r.over_field_value = text("eve");
	r.nvalues = 0;
	r.ncauses = 2;
	r.cause[0] = (struct record_cause){ .probability = 1e-9,
		.by_field_value = text("mail"),
		.nvalues = 1,
		.typical = { 3.5 },
		.actual = { 900 } };
	r.cause[1] = (struct record_cause){ .probability = 0.01,
		.nvalues = 2,
		.typical = { 1, 2 },
		.actual = { -1, -2 } };
	return r;
}

static void
expect_causes(const struct record_result *got)
{
	struct record_result r = with_causes(T0);

	cr_assert_eq(got->ncauses, 2);
	cr_expect_eq(got->cause[0].by_field_value.len, 4);
	cr_expect_eq(memcmp(got->cause[0].by_field_value.p, "mail", 4), 0);
	cr_expect_null(got->cause[1].by_field_value.p);
	for (size_t i = 0; i < 2; i++) {
		const struct record_cause *a = &got->cause[i];
		const struct record_cause *b = &r.cause[i];

		cr_expect_eq(a->probability, b->probability);
		cr_assert_eq(a->nvalues, b->nvalues);
		cr_expect_arr_eq(
		    a->typical, b->typical, a->nvalues * sizeof(a->typical[0]));
		cr_expect_arr_eq(
		    a->actual, b->actual, a->nvalues * sizeof(a->actual[0]));
	}
}

Test(resultcause, comes_back_as_it_was_and_no_part_of_it_is_taken)
{
	struct record_result r = with_causes(T0), got = { 0 };
	struct wbuf wb;
	void *exact;

	wbuf_init(&wb, 0);
	cr_assert_eq(resultcause_put(&wb, &r), 0);
	cr_assert_eq(resultcause_get(wb.data, wb.len, &got), 0);
	expect_causes(&got);
	for (size_t len = 0; len < wb.len; len++) {
		exact = malloc(len > 0 ? len : 1);
		cr_assert_not_null(exact);
		memcpy(exact, wb.data, len);
		cr_expect_eq(resultcause_get(exact, len, &got), -1);
		cr_expect_eq(errno, EBADMSG);
		cr_expect_eq(got.ncauses, 0);
		free(exact);
	}
	wbuf_clear(&wb);
}

Test(resultcause, refuses_what_no_row_may_hold)
{
	struct record_result r = with_causes(T0);
	struct wbuf wb;

	wbuf_init(&wb, 0);
	r.cause[1].typical[1] = NAN;
	cr_expect_eq(resultcause_put(&wb, &r), -1);
	cr_expect_eq(errno, EINVAL);
	r = with_causes(T0);
	r.ncauses = RESULT_MAX_CAUSES + 1;
	cr_expect_eq(resultcause_put(&wb, &r), -1);
	cr_expect_eq(errno, EINVAL);
	r = with_causes(T0);
	r.cause[0].nvalues = RESULT_MAX_VALUES + 1;
	cr_expect_eq(resultcause_put(&wb, &r), -1);
	cr_expect_eq(errno, EINVAL);
	wbuf_clear(&wb);
}

static void
write_two(void)
{
	struct record_result r = with_causes(T0);
	struct record_result other = some_record(T0, 10, 0.001);
	struct bucket_result b = some_bucket(T0, 80);
	struct writer w;

	writer_open(&w);
	cr_assert_eq(w.sink.record(w.sink.arg, &other), 0);
	cr_assert_eq(w.sink.record(w.sink.arg, &r), 0);
	cr_assert_eq(w.sink.bucket(w.sink.arg, &b), 0);
	writer_commit(&w);
	writer_close(&w);
}

/* The bucket that is written again takes the place of what was. */
Test(resultcause, lives_as_long_as_its_record)
{
	char dir[TMPDIR_BYTES];
	struct record_result got = { 0 };
	sqlite3_stmt *st;
	sqlite3 *db;
	int64_t n;

	tmpdir_enter(dir);
	write_two();
	write_two();
	db = resultsdb_open_reader("results");
	cr_assert_not_null(db);
	cr_assert_eq(sqlx_number(db, "SELECT count(*) FROM cause", &n), 0);
	cr_expect_eq(n, 1);
	st = sqlx_prepare(db,
	    "SELECT " CAUSE_COLUMNS " FROM cause WHERE record ="
	    " (SELECT id FROM record WHERE over_field_value = 'eve')");
	cr_assert_not_null(st);
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
	cr_assert_eq(resultcause_read(st, &got), 0);
	expect_causes(&got);
	sqlite3_finalize(st);
	/* of another record's, or with another bit, it is damaged */
	st = sqlx_prepare(db, "SELECT record + 1, causes, crc FROM cause");
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
	cr_expect_eq(resultcause_read(st, &got), -1);
	cr_expect_eq(errno, EBADMSG);
	sqlite3_finalize(st);
	resultsdb_close(db);
	cr_assert_eq(chdir("/"), 0);
	tmpdir_purge(dir);
}
