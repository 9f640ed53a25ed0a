/* How forecasts end that a child does not end by itself. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/tmpdir.h"
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
