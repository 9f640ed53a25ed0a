/*
 * Requests whose worker dies: the next one answers what is in the journal, and
 * is sent what is not. Death comes before each call in turn, so also between
 * the journal and the word of it.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/killpoint.h"
#include "tests/worker_fixture.h"
#include "worker/awaiting.h"

#define NSMALL 20
#define NLARGE 10000 /* a spool file, renamed */
#define NASKED 3     /* small upload, large upload, flush */

Test(awaiting, a_token_tells_lives_of_the_supervisor_apart)
{
	cr_expect_eq(awaiting_token(7, 0), 0);
	cr_expect_neq(awaiting_token(7, 1), awaiting_token(8, 1));
	cr_expect_neq(awaiting_token(7, 1), awaiting_token(7, 2));
}

Test(awaiting, refuses_what_cannot_be)
{
	struct awaiting aw = { .epoch = 1 };

	errno = 0;
	cr_expect_eq(awaiting_add(&aw, 0, 0), -1);
	cr_expect_eq(errno, EBADMSG);
	cr_expect_eq(awaiting_add(&aw, 5, 0), 0);
	cr_expect_eq(awaiting_add(&aw, 5, 9), -1);
	for (uint32_t i = 1; i < AWAITING_MAX; i++)
		cr_assert_eq(awaiting_add(&aw, 5 + i, 0), 0);
	cr_expect_eq(awaiting_add(&aw, 4, 0), -1);
	awaiting_clear(&aw);
	cr_expect_eq(aw.n, 0);
}

static void
setup(void)
{
	if (!killpoint_works())
		cr_skip_test("a process may not trace its child here");
	worker_begin();
}

TestSuite(
    awaiting_deaths, .init = setup, .fini = worker_finish, .timeout = 900);

/* What the supervisor knows of each: as in its line. */
struct asked {
	uint32_t request;
	uint64_t seq;
	bool answered;
};

static void
ask(struct worker *w, unsigned i, uint32_t request)
{
	size_t len;
	char *text;

	if (i == 2) {
		flush(w, request, BASE_TIME + 60 * (NSMALL + NLARGE) + SPAN);
		return;
	}
	text = records(i == 0 ? 0 : NSMALL, i == 0 ? NSMALL : NLARGE, &len);
	upload(w, request, ENCODING_IDENTITY, text, len);
	free(text);
}

static void
note_answer(
    struct asked *asked, const struct worker *w, const struct frame_header *h)
{
	static const uint16_t answer[NASKED] = { MSG_COUNTS, MSG_COUNTS,
		MSG_FLUSHED };
	static const uint64_t nrecords[NASKED] = { NSMALL, NLARGE, 0 };
	struct data_counts counts;
	struct msg_counts m;
	struct rbuf rb;

	for (unsigned i = 0; i < NASKED; i++) {
		if (asked[i].request != h->request)
			continue;
		cr_assert_not(asked[i].answered, "answered twice");
		cr_assert_eq(h->type, answer[i], "%s", msg_name(h->type));
		asked[i].answered = true;
		if (h->type != MSG_COUNTS)
			return;
		cr_assert_eq(
		    msg_decode(h->type, w->payload.data, h->len, &m, NULL), 0);
		rbuf_init(&rb, m.counts.p, m.counts.len);
		cr_assert_eq(
		    schema_decode(&data_counts_schema, &rb, &counts, NULL), 0);
		cr_assert_eq(counts.processed_record_count, nrecords[i]);
		return;
	}
	cr_assert_fail("answer to request %u", (unsigned)h->request);
}

static bool
all_answered(const struct asked *asked)
{
	return asked[0].answered && asked[1].answered && asked[2].answered;
}

static void
note_kept(struct asked *asked, const struct worker *w)
{
	for (unsigned i = 0; i < NASKED; i++)
		if (w->kept[asked[i].request] != 0)
			asked[i].seq = w->kept[asked[i].request];
}

/* Take answers until READY; false: it has ended before. */
static bool
hear_ready(struct worker *w, struct asked *asked)
{
	struct frame_header h;
	bool more;

	while ((more = recv_frame(w, &h)) && h.type != MSG_READY)
		note_answer(asked, w, &h);
	note_kept(asked, w);
	return more;
}

/* Take answers until there is one of each, or until its end. */
static void
hear_answers(struct worker *w, struct asked *asked)
{
	struct frame_header h;

	while (!all_answered(asked) && recv_frame(w, &h))
		note_answer(asked, w, &h);
	note_kept(asked, w);
}

/* One that is killed before its call n; false: it did not come to that. */
static bool
first_life(struct asked *asked, unsigned n)
{
	struct worker *w = worker_spawn_doomed(n);
	struct msg_close close = { .keep = false };
	int status;

	worker_greet(w, 0);
	for (unsigned i = 0; i < NASKED; i++)
		asked[i] = (struct asked){ .request = i + 1 };
	if (hear_ready(w, asked)) {
		for (unsigned i = 0; i < NASKED; i++)
			ask(w, i, asked[i].request);
		hear_answers(w, asked);
		if (all_answered(asked))
			send_msg(w, MSG_CLOSE, 0, &close);
	}
	status = worker_end(w);
	return WEXITSTATUS(status) == KILLPOINT_HIT;
}

/* What the supervisor does: name them, and send again what did not come up. */
static void
second_life(struct asked *asked, unsigned n)
{
	struct worker *w = worker_spawn();

	worker_hello(w, 0);
	for (unsigned i = 0; i < NASKED; i++) {
		struct msg_await m = { .seq = asked[i].seq };

		if (!asked[i].answered)
			send_msg(w, MSG_AWAIT, asked[i].request, &m);
	}
	worker_config(w);
	cr_assert(hear_ready(w, asked), "call %u: not ready", n);
	for (unsigned i = 0; i < NASKED; i++) {
		if (asked[i].answered)
			continue;
		cr_assert_eq(asked[i].seq, 0, "call %u: %u was kept", n, i);
		asked[i].request = 10 + i;
		ask(w, i, asked[i].request);
	}
	hear_answers(w, asked);
	cr_assert(all_answered(asked), "call %u: it has ended", n);
	cr_expect_eq(w->totals.counts.processed_record_count, NSMALL + NLARGE,
	    "call %u: %ju", n,
	    (uintmax_t)w->totals.counts.processed_record_count);
	worker_kill(w);
}

Test(awaiting_deaths, answer_everything_once_and_count_it_once)
{
	struct asked asked[NASKED];
	unsigned n = 0, again = 0, found = 0;

	do {
		worker_forget();
		n = killpoint_next(n);
		if (!first_life(asked, n))
			break;
		for (unsigned i = 0; i < NASKED; i++)
			found += asked[i].seq != 0 && !asked[i].answered;
		for (unsigned i = 0; i < NASKED; i++)
			again += !asked[i].answered;
		second_life(asked, n);
	} while (true);
	cr_expect_gt(n, 50);
	cr_expect_gt(again, found);
	if (killpoint_stride() == 1)
		cr_expect_gt(found, 0);
}
