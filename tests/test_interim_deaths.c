/*
 * A worker that dies while it makes interim results, before each of its calls.
 * What is found then is those from before or the new ones, wholly; and what
 * follows is as if neither had been made.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/killpoint.h"
#include "tests/worker_fixture.h"

#define NFIRST 1250 /* half of the last bucket is there */
#define NSECOND 29  /* nearly the other half of it */
#define NTHIRD 200

static void
setup(void)
{
	if (!killpoint_works())
		cr_skip_test("a process may not trace its child here");
	worker_begin();
}

TestSuite(interim_deaths, .init = setup, .fini = worker_finish, .timeout = 900);
TestSuite(
    interim_beat, .init = worker_begin, .fini = worker_finish, .timeout = 120);

/* Records of which each is worth a record of the results. */
static void
send_odd(struct worker *w, uint32_t request)
{
	char text[NSECOND * 64];
	size_t at = 0;

	for (int i = NFIRST; i < NFIRST + NSECOND; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
		    "{\"time\":%d,\"value\":20000}\n", BASE_TIME + 60 * i);
	upload(w, request, ENCODING_IDENTITY, text, at);
}

static void
interim(struct worker *w, uint32_t request)
{
	struct msg_flushed flushed;

	flush(w, request, TIME_UNSET);
	expect_msg(w, MSG_FLUSHED, request, &flushed);
}

/* As the supervisor's daemon ends in a loss of power: nothing is written. */
static void
end_at_once(struct worker *w)
{
	struct msg_close close = { .keep = false };

	send_msg(w, MSG_CLOSE, 0, &close);
	expect_exit(w, 0);
}

/* A life that leaves interim results of the first half. */
static void
first_life(void)
{
	struct worker *w = worker_open();

	post(w, 1, 0, NFIRST);
	interim(w, 2);
	end_at_once(w);
}

/* What was answered: bit 0 the upload, bit 1 the flush. */
static unsigned
second_life(unsigned n, bool *left)
{
	struct worker *w = n == 0 ? worker_spawn() : worker_spawn_doomed(n);
	struct msg_close close = { .keep = false };
	unsigned answered = 0;
	struct frame_header h;
	int status;

	worker_greet(w, 0);
	while (recv_frame(w, &h)) {
		if (h.type == MSG_READY)
			send_odd(w, 1);
		else if (h.type == MSG_COUNTS)
			flush(w, 2, TIME_UNSET);
		else if (h.type == MSG_FLUSHED)
			send_msg(w, MSG_CLOSE, 0, &close);
		else
			cr_assert_fail("%s", msg_name(h.type));
		if (h.type != MSG_READY)
			answered |= h.type == MSG_COUNTS ? 1u : 2u;
	}
	status = worker_end(w);
	cr_assert(WIFEXITED(status));
	*left = WEXITSTATUS(status) == 0;
	cr_assert(*left || WEXITSTATUS(status) == KILLPOINT_HIT);
	return answered;
}

/* Go on to where the bucket is over, and close. The caller frees. */
static char *
third_life(bool again)
{
	struct worker *w = worker_open();

	cr_expect_eq(w->totals.counts.processed_record_count,
	    (uint64_t)(again ? NFIRST : NFIRST + NSECOND));
	if (again) {
		send_odd(w, 1);
		cr_expect_eq(
		    expect_counts(w, 1).processed_record_count, NSECOND);
	}
	post(w, 2, NFIRST + NSECOND, NTHIRD);
	worker_close(w, true);
	return results_dump();
}

/* Whether the upload is in the journal. */
static bool
was_kept(void)
{
	struct worker *w = worker_open();
	bool kept = w->totals.counts.processed_record_count > NFIRST;

	end_at_once(w);
	return kept;
}

Test(interim_deaths, leave_the_old_ones_or_the_new_ones)
{
	char *before, *after, *end;
	unsigned n = 0, nbefore = 0, nafter = 0;
	bool left;

	first_life();
	before = results_dump();
	cr_assert_eq(second_life(0, &left), 3);
	after = results_dump();
	cr_assert_str_neq(before, after);
	cr_assert_gt(strlen(after), strlen(before), "there are records in it");
	end = third_life(false);
	for (left = false; !left;) {
		char *now, *ended;
		unsigned answered;
		bool kept;

		free(before);
		worker_forget();
		first_life();
		before = results_dump();
		n = killpoint_next(n);
		answered = second_life(n, &left);
		kept = was_kept();
		cr_expect(kept || answered == 0, "call %u: a loss", n);
		now = results_dump();
		if (strcmp(now, before) == 0) {
			nbefore++;
			cr_expect_eq(answered & 2u, 0, "call %u: undone", n);
		} else {
			nafter++;
			cr_expect_str_eq(now, after, "call %u: neither", n);
		}
		ended = third_life(!kept);
		cr_expect_str_eq(ended, end, "call %u: the end", n);
		free(ended);
		free(now);
	}
	cr_expect_gt(nbefore, 10 / killpoint_stride());
	cr_expect_gt(nafter, 1 / killpoint_stride());
	free(before);
	free(after);
	free(end);
}

/* By themselves */

static bool
says(const char *wanted, bool is_there)
{
	for (int i = 0; i < 150; i++) {
		char *dump = results_dump();
		bool found = strstr(dump, wanted) != NULL;

		free(dump);
		if (found == is_there)
			return true;
		poll(NULL, 0, 20);
	}
	return false;
}

Test(interim_beat, makes_them_when_records_have_come)
{
	struct worker *w = worker_spawn();
	char last[64];

	worker_hello_beating(w, 1);
	worker_config(w);
	worker_ready(w);
	post(w, 1, 0, NFIRST);
	snprintf(last, sizeof(last), "%d000 0 0 30",
	    (BASE_TIME + 60 * NFIRST) / SPAN * SPAN);
	cr_expect(says(last, true), "a bucket with 30 events");
	post(w, 2, NFIRST, 10);
	snprintf(last, sizeof(last), "%d000 0 0 40",
	    (BASE_TIME + 60 * NFIRST) / SPAN * SPAN);
	cr_expect(says(last, true), "and with 40");
	worker_close(w, true);
}
