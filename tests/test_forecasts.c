/* How forecasts end that a child does not end by itself. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sqlx.h"
#include "tests/tmpdir.h"
#include "worker/forecastdel.h"
#include "worker/forecasts_int.h"

#define STEP_US INT64_C(50000)
#define MINUTE_STEPS (60 * 1000000 / STEP_US)

static char path[TMPDIR_BYTES];
static struct results *results;
static struct forecasts *f;
static struct peer *peer;
static int other;		  /* the supervisor's end */
static int child[FORECASTS_MOST]; /* where the child would write */
static int64_t now_us = 1000000;

static int64_t
fake_mono_us(void)
{
	return now_us;
}

static void
setup(void)
{
	int fd[2];

	tmpdir_enter(path);
	clock_fake(NULL, fake_mono_us);
	results = results_new();
	cr_assert_not_null(results);
	f = forecasts_new(results);
	cr_assert_not_null(f);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	peer = peer_new(fd[0], FROM_WRK);
	cr_assert_not_null(peer);
	other = fd[1];
}

static void
teardown(void)
{
	forecasts_free(f);
	results_free(results);
	peer_free(peer);
	close(other);
	clock_fake(NULL, NULL);
	cr_assert_eq(chdir("/"), 0);
	tmpdir_purge(path);
}

TestSuite(forecasts, .init = setup, .fini = teardown);

/* As the entry leaves it, but that the test is the child. */
static void
begin(const char *id)
{
	struct making *m = calloc(1, sizeof(*m));
	sqlite3 *db = results_join(results);
	int fd[2];

	cr_assert_not_null(m);
	cr_assert_not_null(db);
	cr_assert_eq(pipe2(fd, O_NONBLOCK), 0);
	m->fd = fd[0];
	child[f->n] = fd[1];
	m->entry = calloc(1, sizeof(*m->entry));
	m->buf = malloc(FORECAST_BUFFER_BYTES);
	cr_assert(m->entry != NULL && m->buf != NULL);
	strlcpy(m->entry->id, id, sizeof(m->entry->id));
	m->entry->row.forecast_id = span_of(m->entry->id);
	m->entry->row.messages = span_of(m->entry->messages);
	m->entry->row.status = FORECAST_STARTED;
	m->clean = true;
	f->list[f->n++] = m;
	cr_assert_eq(forecastdb_put(db, &m->entry->row), 0);
	cr_assert_eq(results_commit(results, 1, false), 0);
}

static void
say_done(int fd, uint64_t series, uint64_t of)
{
	struct forecast_done d = { series, of };
	struct forecast_frame h = { FORECAST_DONE, sizeof(d) };

	cr_assert_eq(write(fd, &h, sizeof(h)), (ssize_t)sizeof(h));
	cr_assert_eq(write(fd, &d, sizeof(d)), (ssize_t)sizeof(d));
}

static void
step(int64_t us)
{
	uint64_t progress = 0;

	now_us += us;
	forecasts_step(f, peer, INT64_MAX, &progress);
}

static struct forecast_entry
row_of(const char *id)
{
	struct forecast_entry e;
	sqlite3 *db = results_borrow(results);

	cr_assert_not_null(db);
	cr_assert_eq(forecastdb_find(db, span_of(id), &e), 1);
	results_return(results, false);
	/* its spans point into what is no more */
	e.row.messages = e.row.forecast_id = (struct span){ NULL, 0 };
	return e;
}

Test(forecasts, one_that_says_nothing_for_a_minute_has_failed)
{
	struct forecast_entry e;

	begin("a");
	for (int i = 0; i < MINUTE_STEPS; i++)
		step(STEP_US);
	cr_expect_eq(row_of("a").row.status, FORECAST_STARTED);
	say_done(child[0], 1, 3);
	step(STEP_US);
	cr_expect_eq(row_of("a").row.progress, 1.0 / 3);
	for (int i = 0; i < MINUTE_STEPS; i++)
		step(STEP_US);
	e = row_of("a");
	cr_expect_eq(e.row.status, FORECAST_FAILED);
	cr_expect_str_eq(e.messages, FORECAST_STILL);
	cr_expect_not(forecasts_are_made(f));
}

Test(forecasts, those_that_wait_for_their_turn_may_be_silent)
{
	begin("a");
	begin("b");
	for (int i = 1; i <= 10; i++) {
		say_done(child[0], (uint64_t)i, 11);
		for (int k = 0; k < MINUTE_STEPS / 2; k++)
			step(STEP_US);
	}
	cr_expect_eq(row_of("a").row.status, FORECAST_STARTED);
	cr_expect_eq(row_of("b").row.status, FORECAST_STARTED);
}

Test(forecasts, time_in_which_nobody_looked_is_not_waited)
{
	begin("a");
	for (int i = 0; i < 100; i++)
		step(INT64_C(3600000000));
	cr_expect_eq(row_of("a").row.status, FORECAST_STARTED);
	forecasts_close(f);
	for (int i = 0; i < 100; i++)
		step(INT64_C(3600000000));
	cr_expect_eq(row_of("a").row.status, FORECAST_STARTED);
}

Test(forecasts, a_close_waits_four_minutes_for_those_that_get_on)
{
	struct forecast_entry e;
	uint64_t n = 0;

	begin("a");
	begin("b");
	forecasts_close(f);
	for (int i = 0; i < 4 * MINUTE_STEPS; i++) {
		say_done(child[0], ++n, UINT32_MAX);
		step(STEP_US);
		cr_assert(forecasts_are_made(f));
	}
	step(STEP_US);
	step(STEP_US);
	cr_expect_not(forecasts_are_made(f));
	e = row_of("a");
	cr_expect_eq(e.row.status, FORECAST_FAILED);
	cr_expect_str_eq(e.messages, FORECAST_CLOSED);
	e = row_of("b");
	cr_expect_eq(e.row.status, FORECAST_FAILED);
	cr_expect_str_eq(e.messages, FORECAST_CLOSED);
}

/* Whatever there is to be read. */
static size_t
drain(void)
{
	static uint8_t buf[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = recv(other, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		all += (size_t)n;
	return all;
}

Test(forecasts, the_supervisor_is_told_before_the_last_row_is_there)
{
	static const char text[1024];
	struct msg_forecasts m = { { text, sizeof(text) } };

	begin("a");
	while (peer_queued(peer) == 0) {
		cr_assert_eq(peer_send(peer, MSG_FORECASTS, 0, &m), 0);
		peer_flush(peer);
	}
	close(child[0]);
	f->list[0]->ended = true;
	f->list[0]->over = true;
	f->list[0]->entry->row.status = FORECAST_FINISHED;
	step(STEP_US);
	step(STEP_US);
	cr_expect_eq(row_of("a").row.status, FORECAST_STARTED);
	cr_expect(forecasts_are_made(f));
	while (peer_queued(peer) > 0) {
		cr_assert_gt(drain(), 0);
		peer_flush(peer);
	}
	drain();
	step(STEP_US);
	cr_expect_eq(row_of("a").row.status, FORECAST_FINISHED);
	cr_expect_not(forecasts_are_made(f));
	cr_expect_eq(peer_queued(peer), 0);
	cr_expect_gt(drain(), 0);
}

static void
put_rows(int n)
{
	sqlite3 *db = results_join(results);

	for (int i = 1; i <= n; i++) {
		struct forecast_row r = { .status = (uint8_t)(i % 2 == 0
						  ? FORECAST_FAILED
						  : FORECAST_FINISHED),
			.record_count = (uint64_t)i,
			.memory_bytes = 1000 + (uint64_t)i,
			.processing_ms = 7 };
		char id[16];

		snprintf(id, sizeof(id), "f%d", i);
		r.forecast_id = span_of(id);
		r.messages = span_of("");
		cr_assert_eq(forecastdb_put(db, &r), 0);
	}
	cr_assert_eq(results_commit(results, 1, false), 0);
}

static int64_t
count_of(const char *sql)
{
	sqlite3 *db = results_borrow(results);
	int64_t n;

	cr_assert_eq(sqlx_number(db, sql, &n), 0);
	results_return(results, false);
	return n;
}

Test(forecasts, totals_are_counted_in_slices)
{
	const struct forecast_totals *t = &f->tally.over;
	int slices = 0, rc;
	sqlite3 *db;

	put_rows(300);
	db = results_borrow(results);
	while ((rc = forecasts_count(f, db, 0)) == 1)
		slices++;
	results_return(results, false);
	cr_expect_eq(rc, 0);
	cr_expect_eq(slices, 4);
	cr_expect_eq(t->total, 300);
	cr_expect_eq(t->finished, 150);
	cr_expect_eq(t->failed, 150);
	cr_expect_eq(t->records_total, 300 * 301 / 2);
	cr_expect_eq(t->records_min, 1);
	cr_expect_eq(t->records_max, 300);
	cr_expect_eq(t->memory_min, 1001);
	cr_expect_eq(t->memory_max, 1300);
	cr_expect_eq(t->time_total, 2100);
}

Test(forecasts, removal_goes_in_slices_and_counts_what_is_left)
{
	struct forecastdel d = {
		.results = results, .forecasts = f, .job_id = "j", .ids = "f1*"
	};
	uint64_t progress = 0;
	struct apierr e;
	int slices = 0, rc;

	put_rows(300);
	while ((rc = forecastdel_step(&d, 0, &progress, &e)) == 1)
		slices++;
	cr_expect_eq(rc, 0);
	cr_expect_gt(slices, 600); /* a row each, to be judged and to go */
	cr_expect_eq(d.gone, 111);
	cr_expect_eq(f->tally.over.total, 189);
	cr_expect_eq(count_of("SELECT count(*) FROM forecast"), 189);
	d = (struct forecastdel){
		.results = results, .forecasts = f, .job_id = "j", .ids = "f1*"
	};
	while ((rc = forecastdel_step(&d, 0, &progress, &e)) == 1)
		slices++;
	cr_expect_eq(rc, -1);
	cr_expect_eq(e.status, 404);
}

Test(forecasts, points_of_what_has_failed_go_by_themselves)
{
	struct forecast_point p = { .bucket_span = 60 };
	sqlite3_stmt *st;
	sqlite3 *db;
	struct wbuf wb;
	int steps = 0;

	put_rows(2);
	db = results_join(results);
	st = sqlx_prepare(db, forecastrow_put_point);
	cr_assert_not_null(st);
	wbuf_init(&wb, 0);
	for (p.id = 1; p.id <= 2400; p.id++) {
		p.forecast = 1 + p.id % 2;
		cr_assert_eq(forecastrow_bind_point(st, &p, &wb), 0);
		cr_assert_eq(sqlx_run(st), 0);
	}
	wbuf_clear(&wb);
	sqlite3_finalize(st);
	cr_assert_eq(results_commit(results, 2, false), 0);
	forecasts_settle(f, peer);
	do {
		step(STEP_US);
		steps++;
	} while (forecasts_are_busy(f));
	cr_expect_gt(steps, 2);
	cr_expect_eq(forecasts_timer_ms(f), -1);
	cr_expect_eq(count_of("SELECT count(*) FROM forecast_point"), 1200);
	cr_expect_eq(count_of("SELECT count(*) FROM forecast_point"
			      " WHERE forecast = 2"),
	    0);
}
