/* Old results go, whole buckets at a time, and nothing else does. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/resultsdb.h"
#include "tests/someresults.h"
#include "tests/worker_fixture.h"
#include "worker/expiry.h"

#define DAY_MS INT64_C(86400000)
#define BUCKETS_A_DAY 288 /* of SPAN_MS */

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

TestSuite(expiry, .init = setup, .fini = teardown);
TestSuite(expiring, .init = worker_begin, .fini = worker_finish);

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
	sqlite3_finalize(st);
	resultsdb_close(db);
	return v;
}

/* n buckets from the first on, each with so many records. */
static void
write_buckets(struct writer *w, int first, int n, int records)
{
	for (int i = first; i < first + n; i++) {
		int64_t ms = T0 + i * SPAN_MS;
		struct bucket_result b = some_bucket(ms, i % 100);

		for (int r = 0; r < records; r++) {
			struct record_result rec =
			    some_record(ms, (i + r) % 100, 0.001 * (r % 7 + 1));

			writer_record(w, &rec);
		}
		writer_bucket(w, &b);
	}
	writer_commit(w);
}

/* One request to its end. Returns how many slices of 0 length it took. */
static unsigned
expire(
    struct writer *w, uint32_t days, uint32_t max_rows, struct msg_expired *m)
{
	struct msg_expire want = { .retention_days = days,
		.max_rows = max_rows };
	struct expiry *x = expiry_new(w->results, &want, JOB_ID);
	uint64_t progress = 0;
	unsigned n = 1;
	int rc;

	cr_assert_not_null(x);
	while ((rc = expiry_step(x, 0, &progress, m)) == 1)
		n++;
	cr_assert_eq(rc, 0);
	cr_expect_geq(progress, n - 1);
	expiry_free(x);
	return n;
}

Test(expiry, without_results_there_is_nothing_to_do)
{
	struct msg_expired m;
	struct writer w;

	writer_open(&w);
	expire(&w, 0, 1000, &m);
	cr_expect_eq(m.rows, 0);
	cr_expect_not(m.more);
	cr_expect_eq(access("results/results.db", F_OK), -1, "none is made");
	writer_close(&w);
}

Test(expiry, what_is_older_than_the_days_before_the_latest_bucket_goes)
{
	struct msg_expired m;
	struct writer w;
	char sql[128];

	writer_open(&w);
	write_buckets(&w, 0, 3 * BUCKETS_A_DAY + 1, 2);
	expire(&w, 4, 1000, &m);
	cr_expect_eq(m.rows, 0);
	expire(&w, 2, 100000, &m);
	cr_expect_eq(m.rows, 3 * BUCKETS_A_DAY);
	cr_expect_not(m.more);
	/* The bucket that is two days before the last one is kept. */
	cr_expect_eq(number("SELECT min(timestamp) FROM bucket"), T0 + DAY_MS);
	cr_expect_eq(number("SELECT min(timestamp) FROM record"), T0 + DAY_MS);
	cr_expect_eq(
	    number("SELECT count(*) FROM bucket"), 2 * BUCKETS_A_DAY + 1);
	cr_expect_eq(
	    number("SELECT count(*) FROM record"), 2 * (2 * BUCKETS_A_DAY + 1));
	/* 0 days: all but the latest. */
	expire(&w, 0, 100000, &m);
	snprintf(sql, sizeof(sql),
	    "SELECT count(*) FROM bucket WHERE timestamp != %jd",
	    (intmax_t)(T0 + 3 * DAY_MS));
	cr_expect_eq(number(sql), 0);
	cr_expect_eq(number("SELECT count(*) FROM record"), 2);
	writer_close(&w);
}

Test(expiry, a_request_ends_at_a_bucket_and_says_that_more_is_left)
{
	struct msg_expired m;
	struct writer w;

	writer_open(&w);
	write_buckets(&w, 0, BUCKETS_A_DAY + 3, 9);
	expire(&w, 1, 1, &m);
	cr_expect_eq(m.rows, 10, "one bucket at least");
	cr_expect(m.more);
	cr_expect_eq(number("SELECT sum(record_count) FROM bucket"),
	    number("SELECT count(*) FROM record"));
	expire(&w, 1, 10, &m);
	cr_expect_eq(m.rows, 10);
	cr_expect_not(m.more);
	writer_close(&w);
}

/* Runs and their orders lose what was removed, and ids are not used again. */
Test(expiry, runs_follow_and_writing_goes_on)
{
	struct msg_expired m;
	struct writer w;
	int64_t last;

	writer_open(&w);
	write_buckets(&w, 0, 2 * BUCKETS_A_DAY, 20);
	cr_assert_eq(number("SELECT count(*) FROM run"), 2);
	last = number("SELECT max(id) FROM record");
	expire(&w, 0, 1000000, &m);
	cr_expect_eq(number("SELECT count(*) FROM run"), 1);
	cr_expect_eq(number("SELECT count(*) FROM record_by_score"), 0);
	cr_expect_eq(number("SELECT count(*) FROM record_by_probability"), 0);
	writer_close(&w);
	/* The next process finds the place where ids go on. */
	writer_open(&w);
	write_buckets(&w, 2 * BUCKETS_A_DAY, BUCKETS_A_DAY, 20);
	cr_expect_gt(number("SELECT max(id) FROM record"), last);
	cr_expect_eq(number("SELECT count(*) FROM run"), 3);
	cr_expect_eq(number("SELECT count(*) FROM record_by_score"),
	    number("SELECT count(*) FROM record WHERE id < 16384"));
	writer_close(&w);
}

Test(expiry, the_file_shrinks)
{
	struct msg_expired m;
	struct writer w;
	int64_t before;
	int n = 0;

	writer_open(&w);
	write_buckets(&w, 0, 2 * BUCKETS_A_DAY, 100);
	before = number("PRAGMA page_count");
	cr_assert_gt(before, 1000);
	do {
		expire(&w, 0, 20000, &m);
		n++;
	} while (m.more && n < 100);
	cr_expect_gt(n, 2);
	cr_expect_lt(number("PRAGMA page_count"), before / 10);
	cr_expect_eq(number("PRAGMA freelist_count"), 0);
	writer_close(&w);
}

/* A look at the clock after a millisecond or two, and never far beyond. */
Test(expiry, work_is_cut_in_slices)
{
	struct msg_expired m;
	struct writer w;
	unsigned n;

	writer_open(&w);
	write_buckets(&w, 0, 1, 10000);
	write_buckets(&w, BUCKETS_A_DAY, 1, 1);
	n = expire(&w, 0, 1000000, &m);
	cr_expect_eq(m.rows, 10001);
	cr_expect_gt(n, 10000 / 64, "%u slices", n);
	writer_close(&w);
}

/* Given up in the middle of a bucket: it stays whole. */
Test(expiry, half_a_bucket_is_none)
{
	struct msg_expire want = { .retention_days = 0, .max_rows = 1000000 };
	uint64_t progress = 0;
	struct msg_expired m;
	struct expiry *x;
	struct writer w;

	writer_open(&w);
	write_buckets(&w, 0, 1, 1000);
	write_buckets(&w, 1, 1, 1);
	x = expiry_new(w.results, &want, JOB_ID);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(expiry_step(x, 0, &progress, &m), 1);
	expiry_free(x);
	cr_expect_eq(number("SELECT count(*) FROM record"), 1001);
	/* The writer is not the worse for it. */
	write_buckets(&w, 2, 1, 1);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 3);
	writer_close(&w);
}

Test(expiry, a_file_that_cannot_be_read_is_an_error)
{
	struct msg_expire want = { .retention_days = 0, .max_rows = 1 };
	uint64_t progress = 0;
	struct msg_expired m;
	struct expiry *x;
	struct apierr e;
	struct writer w;
	FILE *f;

	f = fopen("results/results.db", "w");
	cr_assert_not_null(f);
	for (int i = 0; i < 1000; i++)
		fputs("not a database ", f);
	fclose(f);
	writer_open(&w);
	x = expiry_new(w.results, &want, JOB_ID);
	cr_expect_eq(expiry_step(x, INT64_MAX, &progress, &m), -1);
	cr_expect_eq(errno, EBADMSG);
	expiry_free(x);
	writer_close(&w);
	expiry_error(&e, EBADMSG);
	cr_expect_eq(e.status, 500);
	expiry_error(&e, ENOSPC);
	cr_expect_eq(e.status, 503);
	cr_expect_str_eq(e.link[0].reason,
	    "old results and snapshots cannot be removed: no space left on the "
	    "disk");
}

/* ---- the worker ---- */

#define DAYS 3
#define DAY_RECORDS (24 * 60) /* one a minute */

/* Results of some days, the last bucket but one being the latest. */
static struct worker *
worker_with_days(void)
{
	struct worker *w = worker_open();

	post(w, 1, 0, DAYS * DAY_RECORDS + 1);
	cr_assert_eq(number("SELECT count(*) FROM bucket"), DAYS * 24, "hours");
	return w;
}

static struct msg_expired
ask_expire(struct worker *w, uint32_t request, uint32_t days, uint32_t max_rows)
{
	struct msg_expire m = { .retention_days = days, .max_rows = max_rows };
	struct msg_expired done;

	send_msg(w, MSG_EXPIRE, request, &m);
	expect_msg(w, MSG_EXPIRED, request, &done);
	return done;
}

Test(expiring, an_open_job_loses_old_results_and_goes_on)
{
	struct worker *w = worker_with_days();
	struct msg_expired m = ask_expire(w, 2, 1, 1000000);

	cr_expect_not(m.more);
	cr_expect_geq(m.rows, (DAYS - 1) * 24 - 1);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 25);
	post(w, 3, DAYS * DAY_RECORDS + 1, 120);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 27);
	worker_close(w, true);
}

/* In the line: behind what came before, ahead of what comes after. */
Test(expiring, it_has_its_turn_among_uploads)
{
	struct msg_expire m = { .retention_days = 0, .max_rows = 1000000 };
	struct worker *w = worker_open();
	struct msg_expired done;
	size_t len;
	char *text;

	text = records(0, 1000, &len);
	upload(w, 1, ENCODING_IDENTITY, text, len);
	free(text);
	send_msg(w, MSG_EXPIRE, 2, &m);
	text = records(1000, 200, &len);
	upload(w, 3, ENCODING_IDENTITY, text, len);
	free(text);
	expect_counts(w, 1);
	expect_msg(w, MSG_EXPIRED, 2, &done);
	expect_counts(w, 3);
	/* 16 hours were over, of which 15 went; then 3 more. */
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 4);
	worker_close(w, true);
}

/*
 * What ends a snapshot commits the results, which it must not do in the midst
 * of a removal: that has a transaction open from slice to slice.
 */
Test(expiring, a_snapshot_that_is_ready_waits_for_its_end)
{
	struct msg_expire m = { .retention_days = 0, .max_rows = 1000000 };
	struct msg_snapshot ask = { 0 };
	struct worker *w = worker_open();
	bool expired = false, snapshotted = false;
	struct msg_flushed flushed;
	struct frame_header f;

	post(w, 1, 0, 60);
	flush(w, 2, BASE_TIME + 20000 * SPAN);
	expect_msg(w, MSG_FLUSHED, 2, &flushed);
	send_msg(w, MSG_SNAPSHOT, 3, &ask);
	send_msg(w, MSG_EXPIRE, 4, &m);
	for (int i = 0; i < 2; i++) {
		cr_assert(recv_frame(w, &f), "the worker has died");
		expired |= f.type == MSG_EXPIRED && f.request == 4;
		snapshotted |= f.type == MSG_SNAPSHOTTED && f.request == 3;
	}
	cr_expect(expired);
	cr_expect(snapshotted);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 1);
	cr_expect_eq(tmpdir_count("snapshots"), 1);
	worker_close(w, false);
}

/* Replay writes nothing that was removed. */
Test(expiring, what_went_does_not_come_back_with_a_replay)
{
	struct worker *w = worker_with_days();

	ask_expire(w, 2, 1, 1000000);
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 25);
	worker_close(w, true);
}

Test(expiring, a_closed_job_is_trimmed_without_being_opened)
{
	struct worker *w = worker_with_days();
	int snapshots, journal;
	struct msg_expired m;

	worker_close(w, true);
	snapshots = tmpdir_count("snapshots");
	journal = tmpdir_count("journal");
	w = worker_spawn();
	worker_hello(w, 0);
	m = ask_expire(w, 5, 2, 1);
	cr_expect(m.more);
	do
		m = ask_expire(w, 6, 2, 10);
	while (m.more);
	expect_exit(w, 0);
	cr_expect_eq(number("SELECT count(*) FROM bucket"), 49);
	cr_expect_eq(tmpdir_count("snapshots"), snapshots);
	cr_expect_eq(tmpdir_count("journal"), journal);
}

Test(expiring, a_damaged_file_ends_the_trimmer_with_a_reason)
{
	struct msg_expire m = { .retention_days = 1, .max_rows = 10 };
	struct worker *w;
	FILE *f;

	f = fopen("results/results.db", "w");
	cr_assert_not_null(f);
	for (int i = 0; i < 1000; i++)
		fputs("not a database ", f);
	fclose(f);
	w = worker_spawn();
	worker_hello(w, 0);
	send_msg(w, MSG_EXPIRE, 5, &m);
	expect_failed(w, 5, 500);
	expect_exit(w, 0);
}

/* One worker, one purpose. */
Test(expiring, a_configuration_beside_it_is_refused)
{
	struct msg_expire m = { .retention_days = 1, .max_rows = 10 };
	struct worker *w = worker_spawn();

	worker_greet(w, 0);
	send_msg(w, MSG_EXPIRE, 5, &m);
	expect_exit(w, 1);
}
