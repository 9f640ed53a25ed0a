/*
 * A worker that dies, at every point where that can make a difference. What
 * makes each window safe:
 *
 *   before the entry is written   the upload was not answered, and is gone
 *   written, not synced           the successor finds all of it or a torn end;
 *                                 what it finds it syncs before it builds on it
 *   spool file filled, not named  it is in spool/, which the next start empties
 *   named, directory not synced   as written, not synced
 *   synced, not processed         replay does it, and writes its results
 *   results half written          their transaction is undone; replay repeats
 *   results and number committed  replay is muted up to that number
 *   committed, not answered       counted; the client was told nothing
 *   close entry, no snapshot      replay; the next start is an opening
 *   snapshot not named            it is "new", which the next start removes
 *   named, not pruned             what is too old goes with the next close
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/killpoint.h"
#include "tests/worker_fixture.h"

static void
setup(void)
{
	if (!killpoint_works())
		cr_skip_test("a process may not trace its child here");
	worker_begin();
}

TestSuite(deaths, .init = setup, .fini = worker_finish, .timeout = 900);

#define NSMALL 600   /* records: kept in memory, appended */
#define NLARGE 10000 /* 360 kB: a spool file, renamed */
#define NALL (NSMALL + NLARGE)

enum step { STEP_SMALL, STEP_LARGE, STEP_FLUSH, STEP_CLOSE, NSTEPS };

static const unsigned step_records[NSTEPS] = { NSMALL, NLARGE, 0, 0 };

static void
ask(struct worker *w, enum step step)
{
	struct msg_close close = { .keep = true };
	uint32_t request = (uint32_t)step + 1;
	char *text;
	size_t len;

	switch (step) {
	case STEP_SMALL:
	case STEP_LARGE:
		text = records(step == STEP_SMALL ? 0 : NSMALL,
		    (int)step_records[step], &len);
		upload(w, request, ENCODING_IDENTITY, text, len);
		free(text);
		break;
	case STEP_FLUSH:
		flush(w, request, BASE_TIME + 60 * NALL + 5 * SPAN);
		break;
	case STEP_CLOSE:
	case NSTEPS:
		send_msg(w, MSG_CLOSE, 0, &close);
		break;
	}
}

/* Take a step and wait for its answer; false when it died before that. */
static bool
take(struct worker *w, enum step step)
{
	static const uint16_t answer[NSTEPS] = { MSG_COUNTS, MSG_COUNTS,
		MSG_FLUSHED, MSG_CLOSED };
	struct frame_header h;

	ask(w, step);
	if (!recv_frame(w, &h))
		return false;
	cr_assert_eq(h.type, answer[step], "%s", msg_name(h.type));
	return true;
}

/* Steps from first on. Returns the one that was not answered, or NSTEPS. */
static enum step
take_all(struct worker *w, enum step first, struct data_counts *counts)
{
	for (enum step step = first; step < NSTEPS; step++) {
		if (!take(w, step))
			return step;
		if (step < STEP_CLOSE)
			*counts = w->totals.counts;
	}
	return NSTEPS;
}

/*
 * Steps from first on, and death before the call n. *left: it did not come to
 * that. Returns the step that was not answered, which is first also when not
 * even READY came; or NSTEPS.
 */
static enum step
live_until(unsigned n, enum step first, struct data_counts *counts, bool *left)
{
	struct worker *w = worker_spawn_doomed(n);
	enum step step = first;
	struct frame_header h;
	int status;

	worker_greet(w, 0);
	if (recv_frame(w, &h))
		step = take_all(w, first, counts);
	status = worker_end(w);
	cr_assert(WIFEXITED(status));
	*left = WEXITSTATUS(status) == 0;
	cr_assert(*left || WEXITSTATUS(status) == KILLPOINT_HIT, "status %d",
	    WEXITSTATUS(status));
	return step;
}

static uint64_t
records_before(enum step step)
{
	uint64_t n = 0;

	for (enum step s = STEP_SMALL; s < step; s++)
		n += step_records[s];
	return n;
}

/* What a successor finds, finishes, and has in the end. */
static void
live_on(enum step died_at, const struct data_counts *whole, const char *dump,
    unsigned n)
{
	struct worker *w = worker_open();
	uint64_t had = w->totals.counts.processed_record_count;
	uint64_t least = records_before(died_at);
	struct data_counts counts = w->totals.counts;
	enum step next = died_at;
	char *now;

	if (died_at < NSTEPS && had == least + step_records[died_at])
		next += step_records[died_at] > 0;
	else
		cr_assert_eq(
		    had, least, "call %u: %ju records", n, (uintmax_t)had);
	/* Maybe closed before: an opening counts, and has nothing to write. */
	if (next >= STEP_CLOSE)
		worker_close_any(w);
	else {
		cr_assert_eq(take_all(w, next, &counts), NSTEPS);
		expect_exit(w, 0);
		cr_expect_eq(memcmp(&counts, whole, sizeof(counts)), 0,
		    "call %u: other counts", n);
	}
	now = results_dump();
	cr_expect_str_eq(now, dump, "call %u: other results", n);
	free(now);
	cr_expect_eq(tmpdir_count("spool"), 0, "call %u", n);
	cr_expect_eq(tmpdir_count("quarantine"), 0, "call %u", n);
	cr_expect_geq(tmpdir_count("snapshots"), 1, "call %u", n);
	cr_expect_eq(access("journal/new", F_OK), -1, "call %u", n);
	cr_expect_eq(access("snapshots/new", F_OK), -1, "call %u", n);
}

/* An undisturbed life: its last counts before the close, and its results. */
static char *
live_whole(struct data_counts *counts)
{
	struct worker *w = worker_open();

	cr_assert_eq(take_all(w, STEP_SMALL, counts), NSTEPS);
	expect_exit(w, 0);
	return results_dump();
}

/* The steps before this one, and their end: a close, or a death like any. */
static void
live_before(enum step first)
{
	struct data_counts counts;
	struct worker *w;

	if (first == STEP_SMALL)
		return;
	w = worker_open();
	if (first == NSTEPS) {
		cr_assert_eq(take_all(w, STEP_SMALL, &counts), NSTEPS);
		expect_exit(w, 0);
		return;
	}
	for (enum step step = STEP_SMALL; step < first; step++)
		cr_assert(take(w, step));
	worker_kill(w);
}

/*
 * Go through all calls of a worker that takes the steps from first on, after
 * another one has taken those before. Returns the number of calls.
 */
static unsigned
die_everywhere(enum step first)
{
	struct data_counts whole, counts;
	char *dump = live_whole(&whole);
	bool left = false;
	enum step step;
	unsigned n = 0;

	cr_assert_gt(strlen(dump), 1000);
	while (!left) {
		worker_forget();
		live_before(first);
		n = killpoint_next(n);
		step = live_until(
		    n, first < NSTEPS ? first : STEP_CLOSE, &counts, &left);
		if (!left)
			live_on(step, &whole, dump, n);
	}
	free(dump);
	return n - 1;
}

Test(deaths, in_a_whole_life_lose_and_double_nothing)
{
	cr_expect_gt(die_everywhere(STEP_SMALL), 100);
}

Test(deaths, in_a_replay_and_after_it_lose_and_double_nothing)
{
	cr_expect_gt(die_everywhere(STEP_FLUSH), 20);
}

Test(deaths, in_an_opening_from_a_snapshot_lose_and_double_nothing)
{
	cr_expect_gt(die_everywhere(NSTEPS), 10);
}
