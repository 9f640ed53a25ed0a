/* results.db: what is written is read, and nothing else is. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/detectorlist.h"
#include "common/log.h"
#include "common/resultrow.h"
#include "common/resultsdb.h"
#include "tests/someresults.h"

static char jobs[TMPDIR_BYTES];

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

TestSuite(resultsdb, .init = setup, .fini = teardown);

/* First column of the first row, through a reader of its own. */
static int64_t
number(const char *sql)
{
	sqlite3 *db = resultsdb_open_reader("results");
	sqlite3_stmt *st;
	int64_t v;

	cr_assert_not_null(db);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK,
	    "%s", sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW, "%s", sqlite3_errmsg(db));
	v = sqlite3_column_int64(st, 0);
	resultsdb_close(db);
	return v;
}

/* Change the file behind the back of everybody. */
static void
tamper(const char *sql)
{
	sqlite3 *db = resultsdb_open_writer("results", false);

	cr_assert_not_null(db);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	resultsdb_close(db);
}

static struct record_result
full_record(void)
{
	struct record_result r = some_record(T0, 94.98554565630553, 2.3e-308);

	r.detector_index = 3;
	r.multi_bucket_impact = -0.0;
	r.by_field_name = "clientip";
	r.by_field_value = text("10.0.0.1");
	r.over_field_name = "user";
	r.over_field_value = text("");
	r.partition_field_name = "region";
	r.partition_field_value = (struct span){ "a\0b\xc3\xa9", 5 };
	r.nvalues = 2;
	r.typical[1] = -7.25;
	r.actual[1] = 1e300;
	r.ninfluencers = 2;
	r.influencer[0] = (struct record_influencer){ "clientip", 2,
		{ { "10.0.0.1", 8 }, { "", 0 } } };
	r.influencer[1] =
	    (struct record_influencer){ "status", 1, { { "200", 3 } } };
	return r;
}

static void
expect_span(struct span got, struct span want)
{
	cr_assert_eq(got.p == NULL, want.p == NULL);
	cr_assert_eq(got.len, want.len);
	if (want.len > 0)
		cr_expect_eq(memcmp(got.p, want.p, want.len), 0);
}

static void
expect_same_influencers(
    const struct record_result *got, const struct record_result *want)
{
	cr_assert_eq(got->ninfluencers, want->ninfluencers);
	for (size_t i = 0; i < want->ninfluencers; i++) {
		const struct record_influencer *g = &got->influencer[i];
		const struct record_influencer *x = &want->influencer[i];

		cr_expect_str_eq(g->field_name, x->field_name);
		cr_assert_eq(g->nvalues, x->nvalues);
		for (size_t k = 0; k < x->nvalues; k++)
			expect_span(g->value[k], x->value[k]);
	}
}

static void
expect_same_record(
    const struct record_result *got, const struct record_result *want)
{
	cr_expect_eq(got->timestamp_ms, want->timestamp_ms);
	cr_expect_eq(got->bucket_span_s, want->bucket_span_s);
	cr_expect_eq(got->detector_index, want->detector_index);
	cr_expect_eq(got->is_interim, want->is_interim);
	cr_expect_eq(got->probability, want->probability);
	cr_expect_eq(got->multi_bucket_impact, want->multi_bucket_impact);
	cr_expect_eq(got->record_score, want->record_score);
	cr_expect_eq(got->initial_record_score, want->initial_record_score);
	cr_expect_str_eq(got->function, want->function);
	cr_expect_str_eq(got->function_description, want->function_description);
	cr_expect_str_eq(got->field_name, want->field_name);
	cr_expect_str_eq(got->by_field_name, want->by_field_name);
	cr_expect_str_eq(got->over_field_name, want->over_field_name);
	cr_expect_str_eq(got->partition_field_name, want->partition_field_name);
	expect_span(got->by_field_value, want->by_field_value);
	expect_span(got->over_field_value, want->over_field_value);
	expect_span(got->partition_field_value, want->partition_field_value);
	cr_assert_eq(got->nvalues, want->nvalues);
	for (size_t i = 0; i < want->nvalues; i++) {
		cr_expect_eq(got->typical[i], want->typical[i]);
		cr_expect_eq(got->actual[i], want->actual[i]);
	}
	expect_same_influencers(got, want);
}

Test(resultsdb, a_record_survives_the_round_trip)
{
	struct record_result want = full_record(), got;
	struct bucket_result b = some_bucket(T0, 1);
	struct detectorlist names = { 0 };
	struct writer w;
	sqlite3_stmt *st;
	sqlite3 *db;

	writer_open(&w);
	writer_record(&w, &want);
	writer_bucket(&w, &b);
	writer_commit(&w);
	writer_close(&w);

	db = resultsdb_open_reader("results");
	cr_assert_not_null(db);
	cr_assert_eq(detectorlist_load(&names, db), 0);
	cr_assert_eq(names.n, 1);
	cr_assert_eq(
	    sqlite3_prepare_v2(
		db, "SELECT " RECORD_COLUMNS " FROM record r", -1, &st, NULL),
	    SQLITE_OK);
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
	cr_assert_eq(resultrow_read_record(st, &names.rows[0], &got), 0);
	expect_same_record(&got, &want);
	detectorlist_clear(&names);
	resultsdb_close(db);
}

Test(resultsdb, a_bucket_survives_the_round_trip)
{
	struct bucket_result want = some_bucket(T0, 12.5), got;
	struct writer w;
	sqlite3_stmt *st;
	sqlite3 *db;

	want.event_count = UINT64_MAX;
	want.is_interim = true;
	want.ninfluencers = 2;
	want.influencer[1] =
	    (struct bucket_influencer){ "host", 1, 2, 3, 1e-300 };
	writer_open(&w);
	writer_bucket(&w, &want);
	writer_commit(&w);
	writer_close(&w);

	db = resultsdb_open_reader("results");
	cr_assert_not_null(db);
	cr_assert_eq(
	    sqlite3_prepare_v2(
		db, "SELECT " BUCKET_COLUMNS " FROM bucket", -1, &st, NULL),
	    SQLITE_OK);
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
	cr_assert_eq(resultrow_read_bucket(st, &got), 0);
	cr_expect_eq(got.timestamp_ms, want.timestamp_ms);
	cr_expect_eq(got.anomaly_score, want.anomaly_score);
	cr_expect_eq(got.event_count, want.event_count);
	cr_expect(got.is_interim);
	cr_assert_eq(got.ninfluencers, 2);
	cr_expect_str_eq(got.influencer[1].influencer_field_name, "host");
	cr_expect_eq(got.influencer[1].probability, 1e-300);
	resultsdb_close(db);
}

Test(resultsdb, numbers_that_are_not_finite_are_refused)
{
	struct record_result r = some_record(T0, NAN, 0.5);
	struct writer w;

	writer_open(&w);
	cr_expect_eq(w.sink.record(w.sink.arg, &r), -1);
	cr_expect_eq(errno, EINVAL);
	r = some_record(T0, 1, 0.5);
	cr_expect_eq(w.sink.record(w.sink.arg, &r), -1, "spoilt until commit");
	cr_expect_eq(results_commit(w.results, 1, false), -1);
	cr_expect_eq(errno, EIO);
	writer_record(&w, &r);
	writer_commit(&w);
	writer_close(&w);
	cr_expect_eq(number("SELECT count(*) FROM record"), 1);
}

/* Each column of a record, and of the tables beside it, is under a sum. */
Test(resultsdb, a_changed_column_is_found)
{
	static const char *const columns[] = { "timestamp", "bucket_span",
		"is_interim", "probability", "multi_bucket_impact",
		"record_score", "initial_record_score", "by_field_value",
		"over_field_value", "partition_field_value", "typical",
		"actual", "typical_2", "actual_2", "id" };
	struct record_result rec = full_record(), got;
	struct detectorlist names = { 0 };
	sqlite3_stmt *st;
	struct writer w;
	sqlite3 *db;
	char sql[128];

	writer_open(&w);
	writer_record(&w, &rec);
	writer_commit(&w);
	writer_close(&w);
	db = resultsdb_open_writer("results", false);
	cr_assert_not_null(db);
	cr_assert_eq(detectorlist_load(&names, db), 0);
	for (size_t i = 0; i < NELEM(columns); i++) {
		cr_assert_eq(
		    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
		snprintf(
		    sql, sizeof(sql), "UPDATE record SET %s = 5", columns[i]);
		cr_assert_eq(
		    sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
		cr_assert_eq(sqlite3_prepare_v2(db,
				 "SELECT " RECORD_COLUMNS " FROM record r", -1,
				 &st, NULL),
		    SQLITE_OK);
		cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
		cr_expect_eq(resultrow_read_record(st, &names.rows[0], &got),
		    -1, "%s", columns[i]);
		cr_expect_eq(errno, EBADMSG);
		sqlite3_finalize(st);
		cr_assert_eq(
		    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	}
	detectorlist_clear(&names);
	resultsdb_close(db);
}

Test(resultsdb, a_changed_name_is_found)
{
	struct detectorlist names = { 0 };
	struct writer w;
	sqlite3 *db;

	writer_open(&w);
	write_bucket(&w, T0, 1, false);
	writer_commit(&w);
	writer_close(&w);
	tamper("UPDATE detector SET function = 'mean_'");
	db = resultsdb_open_reader("results");
	cr_assert_not_null(db);
	cr_expect_eq(detectorlist_load(&names, db), -1);
	cr_expect_eq(errno, EBADMSG);
	detectorlist_clear(&names);
	resultsdb_close(db);
}

Test(resultsdb, a_changed_meta_row_refuses_the_file)
{
	struct writer w;

	writer_open(&w);
	write_bucket(&w, T0, 1, false);
	writer_commit(&w);
	writer_close(&w);
	tamper("UPDATE meta SET applied_seq = 77");
	cr_expect_null(resultsdb_open_reader("results"));
	cr_expect_eq(errno, EBADMSG);
}

Test(resultsdb, there_is_no_file_before_the_first_result)
{
	struct writer w;
	uint64_t seq = 99;

	writer_open(&w);
	cr_expect_eq(results_applied_seq(w.results, &seq), 0);
	cr_expect_eq(seq, 0);
	drop_interim(&w, 0);
	cr_expect_eq(results_commit(w.results, 5, true), 0);
	cr_expect_eq(access("results/results.db", F_OK), -1);
	cr_expect_null(resultsdb_open_reader("results"));
	cr_expect_eq(errno, ENOENT);
	writer_close(&w);
}

Test(resultsdb, the_number_is_committed_with_the_results)
{
	struct writer w;
	uint64_t seq;

	writer_open(&w);
	write_bucket(&w, T0, 1, false);
	cr_assert_eq(results_commit(w.results, 41, false), 0);
	write_bucket(&w, T0 + SPAN_MS, 1, false);
	writer_close(&w); /* without a commit */

	writer_open(&w);
	cr_assert_eq(results_applied_seq(w.results, &seq), 0);
	cr_expect_eq(seq, 41);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 1);
	/* Nothing to write: kept for the next commit. */
	cr_assert_eq(results_commit(w.results, 42, false), 0);
	write_bucket(&w, T0 + SPAN_MS, 1, false);
	cr_assert_eq(results_commit(w.results, 43, true), 0);
	cr_assert_eq(results_applied_seq(w.results, &seq), 0);
	cr_expect_eq(seq, 43);
	writer_close(&w);
	cr_expect_eq(number("SELECT applied_seq FROM meta"), 43);
}

static void
put_answer(struct writer *w, uint64_t seq)
{
	struct kept_answer a = { .seq = seq,
		.retry = { seq, 1, 2, 3 },
		.receipt_ms = T0,
		.body = text("counts") };

	cr_assert_eq(results_put_answer(w->results, &a), 0);
	cr_assert_eq(results_end_entry(w->results, seq), 0);
}

/*
 * They wait for one another, and are found all the same; whoever dies before
 * that leaves neither them nor the number, so that replay does them again.
 */
Test(resultsdb, answers_alone_share_a_commit)
{
	struct retry first = { 1, 1, 2, 3 };
	struct kept_answer a;
	struct writer w;

	writer_open(&w);
	put_answer(&w, 1);
	put_answer(&w, 2);
	cr_assert_eq(results_end_entry(w.results, 3), 0);
	cr_expect_eq(results_find_answer(w.results, &first, T0, &a), 1);
	cr_expect_eq(number("SELECT count(*) FROM answer"), 0);
	writer_close(&w);
	cr_expect_eq(number("SELECT count(*) FROM answer"), 0);
	cr_expect_eq(number("SELECT applied_seq FROM meta"), 0);

	writer_open(&w);
	put_answer(&w, 1);
	put_answer(&w, 2);
	cr_assert_eq(results_end_entry(w.results, 3), 0);
	cr_assert_eq(results_settle(w.results), 0);
	cr_expect_eq(number("SELECT count(*) FROM answer"), 2);
	cr_expect_eq(number("SELECT applied_seq FROM meta"), 3);
	writer_close(&w);
}

Test(resultsdb, answers_go_with_the_results_of_the_next_entry)
{
	struct writer w;

	writer_open(&w);
	put_answer(&w, 1);
	write_bucket(&w, T0, 1, false);
	cr_assert_eq(results_end_entry(w.results, 2), 0);
	cr_expect_eq(number("SELECT count(*) FROM answer"), 1);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 1);
	cr_expect_eq(number("SELECT applied_seq FROM meta"), 2);
	put_answer(&w, 3);
	cr_assert_eq(results_settle(w.results), 0);
	cr_expect_eq(number("SELECT applied_seq FROM meta"), 3);
	writer_close(&w);
}

Test(resultsdb, a_muted_sink_writes_nothing)
{
	struct writer w;
	uint64_t seq;

	writer_open(&w);
	write_bucket(&w, T0, 1, false);
	cr_assert_eq(results_commit(w.results, 7, false), 0);
	results_mute(w.results, true);
	write_bucket(&w, T0, 50, false);
	write_bucket(&w, T0 + SPAN_MS, 50, true);
	drop_interim(&w, 0);
	cr_assert_eq(results_commit(w.results, 3, true), 0);
	results_mute(w.results, false);
	writer_close(&w);
	cr_expect_eq(number("SELECT count(*) FROM record"), 1);
	cr_expect_eq(number("SELECT max(record_score) FROM record"), 1);
	writer_open(&w);
	cr_assert_eq(results_applied_seq(w.results, &seq), 0);
	cr_expect_eq(seq, 7);
	writer_close(&w);
}

Test(resultsdb, interim_results_are_replaced)
{
	struct writer w;

	writer_open(&w);
	write_bucket(&w, T0, 10, true);
	write_bucket(&w, T0 + SPAN_MS, 20, true);
	writer_commit(&w);
	write_bucket(&w, T0, 30, true); /* by newer interim ones */
	writer_commit(&w);
	cr_expect_eq(number("SELECT count(*) FROM record"), 2);
	cr_expect_eq(number("SELECT max(record_score) FROM record"), 30);
	write_bucket(&w, T0, 40, false); /* by final ones */
	writer_commit(&w);
	cr_expect_eq(number("SELECT count(*) FROM record"), 2);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 2);
	cr_expect_eq(
	    number("SELECT count(*) FROM record WHERE is_interim = 1"), 1);
	cr_expect_eq(number("SELECT sum(record_count) FROM bucket"), 2);
	writer_close(&w);
}

Test(resultsdb, interim_results_are_dropped_from_a_time_on)
{
	struct writer w;

	writer_open(&w);
	write_bucket(&w, T0, 1, false);
	write_bucket(&w, T0 + SPAN_MS, 1, true);
	write_bucket(&w, T0 + 2 * SPAN_MS, 1, true);
	writer_commit(&w);
	drop_interim(&w, T0 + 2 * SPAN_MS);
	writer_commit(&w);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 2);
	drop_interim(&w, INT64_MIN);
	writer_commit(&w);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 1);
	cr_expect_eq(number("SELECT count(*) FROM record"), 1);
	writer_close(&w);
}

/*
 * A flush for interim results is not journaled, so replay ends before it: what
 * it wrote must not survive the next results because replay dropped nothing.
 */
Test(resultsdb, what_was_dropped_while_muted_goes_with_the_next_write)
{
	struct writer w;

	writer_open(&w);
	write_bucket(&w, T0, 1, false);
	cr_assert_eq(results_commit(w.results, 1, false), 0);
	write_bucket(&w, T0 + SPAN_MS, 2, true);
	cr_assert_eq(results_commit(w.results, 1, false), 0);
	writer_close(&w);

	writer_open(&w);
	results_mute(w.results, true);
	drop_interim(&w, INT64_MIN);
	results_mute(w.results, false);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 2);
	write_bucket(&w, T0 + 5 * SPAN_MS, 3, false);
	cr_assert_eq(results_commit(w.results, 2, false), 0);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 2);
	cr_expect_eq(
	    number("SELECT count(*) FROM record WHERE is_interim = 1"), 0);
	write_bucket(&w, T0 + 6 * SPAN_MS, 3, true);
	cr_assert_eq(results_commit(w.results, 2, false), 0);
	write_bucket(&w, T0 + 7 * SPAN_MS, 3, true);
	cr_assert_eq(results_commit(w.results, 2, false), 0);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 4);
	writer_close(&w);
}

/*
 * Replay has dropped, and the interim results that a flush behind that wrote
 * are the newest there are: an answer that is kept does not take them away.
 */
Test(resultsdb, an_answer_leaves_interim_results)
{
	struct writer w;

	writer_open(&w);
	write_bucket(&w, T0, 1, false);
	write_bucket(&w, T0 + SPAN_MS, 2, true);
	cr_assert_eq(results_commit(w.results, 2, false), 0);
	writer_close(&w);

	writer_open(&w);
	results_mute(w.results, true);
	drop_interim(&w, INT64_MIN);
	results_mute(w.results, false);
	put_answer(&w, 3);
	cr_assert_eq(results_commit(w.results, 3, true), 0);
	cr_expect_eq(number("SELECT count(*) FROM answer"), 1);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 2);
	write_bucket(&w, T0 + 5 * SPAN_MS, 3, false);
	cr_assert_eq(results_commit(w.results, 4, false), 0);
	cr_expect_eq(
	    number("SELECT count(*) FROM bucket WHERE is_interim = 1"), 0);
	writer_close(&w);
}

/* Syncs of the WAL, by whoever. */
static unsigned wal_syncs;

int
fdatasync(int fd)
{
	char link[64], path[256] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) > 4 &&
	    strstr(path, RESULTSDB_FILE "-wal") != NULL)
		wal_syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

/*
 * A snapshot ends the replay of what it holds, also where all of it was
 * committed by a worker that died. A reader keeps SQLite from folding the WAL
 * in, and so from syncing it, whenever the file is closed.
 */
Test(resultsdb, durable_commit_covers_what_a_dead_writer_committed)
{
	sqlite3 *reader;
	struct writer w;
	uint64_t seq;

	writer_open(&w);
	write_bucket(&w, T0, 1, false);
	cr_assert_eq(results_commit(w.results, 1, false), 0);
	reader = resultsdb_open_reader("results");
	cr_assert_not_null(reader);
	cr_assert_eq(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM bucket",
			 NULL, NULL, NULL),
	    SQLITE_OK);
	writer_close(&w);

	writer_open(&w);
	cr_assert_eq(results_applied_seq(w.results, &seq), 0);
	cr_expect_eq(seq, 1);
	wal_syncs = 0;
	cr_assert_eq(results_commit(w.results, 2, true), 0);
	cr_expect_gt(wal_syncs, 0);
	resultsdb_close(reader);
	writer_close(&w);
	cr_expect_eq(number("SELECT applied_seq FROM meta"), 2);
}

/*
 * Every final record is either in both orders or after the last run; whatever
 * was dropped, replaced, or cut off by a restart in between.
 */
Test(resultsdb, runs_hold_every_final_record_once)
{
	struct writer w;
	int64_t ms = T0;

	for (int round = 0; round < 3; round++) {
		writer_open(&w);
		for (int i = 0; i < 2500; i++, ms += SPAN_MS)
			write_bucket(&w, ms, i % 100, false);
		for (int i = 0; i < 900; i++)
			write_bucket(&w, ms + i * SPAN_MS, 1, true);
		writer_commit(&w);
		drop_interim(&w, ms);
		writer_commit(&w);
		/* A final bucket that comes again. */
		write_bucket(&w, T0 + SPAN_MS, 99, false);
		writer_commit(&w);
		writer_close(&w);
	}
	cr_expect_eq(number("SELECT count(*) FROM record"), 7500);
	cr_expect_geq(number("SELECT count(*) FROM run"), 1);
	cr_expect_eq(number("SELECT count(*) FROM record WHERE"
			    " (id >> 12) <= (SELECT max(run) FROM run)"),
	    number("SELECT count(*) FROM record_by_score"));
	cr_expect_eq(number("SELECT count(*) FROM record_by_probability"),
	    number("SELECT count(*) FROM record_by_score"));
	cr_expect_eq(number("SELECT count(*) FROM record_by_score s"
			    " LEFT JOIN record r ON r.id = s.id AND"
			    " r.record_score = s.record_score AND"
			    " s.run = r.id >> 12 WHERE r.id IS NULL"),
	    0);
	cr_expect_eq(number("SELECT count(*) FROM run u JOIN record_by_score s"
			    " ON s.run = u.run WHERE s.record_score NOT BETWEEN"
			    " u.min_score AND u.max_score"),
	    0);
}

Test(resultsdb, a_creation_that_was_cut_off_is_begun_again)
{
	struct writer w;
	FILE *f = fopen("results/new.db", "w");

	cr_assert_not_null(f);
	cr_assert_geq(fputs("half a database", f), 0);
	fclose(f);
	writer_open(&w);
	write_bucket(&w, T0, 1, false);
	writer_commit(&w);
	writer_close(&w);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 1);
	cr_expect_eq(access("results/new.db", F_OK), -1);
}

Test(resultsdb, blobs_cut_anywhere_are_refused)
{
	struct record_result rec = full_record(), got;
	struct bucket_result b = some_bucket(T0, 1);
	struct wbuf wb;

	wbuf_init(&wb, 0);
	cr_assert_eq(resultrow_put_influencers(&wb, &rec), 0);
	for (size_t len = 0; len < wb.len; len++) {
		uint8_t *exact = malloc(len + 1);

		memcpy(exact, wb.data, len);
		cr_expect_eq(resultrow_get_influencers(exact, len, &got), -1);
		free(exact);
	}
	cr_expect_eq(resultrow_get_influencers(wb.data, wb.len, &got), 0);
	wbuf_reset(&wb);
	cr_assert_eq(resultrow_put_bucket_influencers(&wb, &b), 0);
	for (size_t len = 0; len < wb.len; len++) {
		uint8_t *exact = malloc(len + 1);

		memcpy(exact, wb.data, len);
		cr_expect_eq(
		    resultrow_get_bucket_influencers(exact, len, &b), -1);
		free(exact);
	}
	wbuf_clear(&wb);
}
