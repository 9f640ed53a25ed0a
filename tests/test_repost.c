/*
 * Entries of the quarantine that are posted again and dropped, with death
 * before each call of the worker: what is posted is in the quarantine or in
 * the journal, and never in both once somebody could post it again.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "tests/killpoint.h"
#include "tests/worker_fixture.h"
#include "worker/aside.h"

/* Numbers that the journal of a test does not come to. */
enum { SMALL_ENTRY = 1000, LARGE_ENTRY, DROPPED_ENTRY, NENTRIES = 3 };
/* Requests. */
enum { POST_SMALL = 1, POST_LARGE, DROP };

#define NSMALL 20
#define NLARGE 10000 /* a spool file, renamed */

static const int nrecords[NENTRIES] = { NSMALL, NLARGE, 1 };

static void
setup(void)
{
	worker_begin();
}

TestSuite(repost, .init = setup, .fini = worker_finish);

/* As if workers had died of it. */
static void
put_aside(uint64_t seq, int first, int n)
{
	struct journal_entry e;
	struct aside a;
	size_t len;
	char *text = records(first, n, &len);

	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.seq = seq;
	e.receipt_ms = 5;
	e.data_len = len;
	e.data_crc = crc32c(0, text, len);
	cr_assert_eq(aside_load(&a), 0);
	cr_assert_eq(aside_begin(&a, &e, text), 0);
	cr_assert_eq(aside_step(&a, SIGABRT, INT64_MAX), 0);
	aside_clear(&a);
	free(text);
}

static void
put_all_aside(void)
{
	int first = 0;

	unlink(ASIDE_LIST);
	for (unsigned i = 0; i < NENTRIES; i++) {
		put_aside(SMALL_ENTRY + i, first, nrecords[i]);
		first += nrecords[i];
	}
}

static bool
is_there(uint64_t seq)
{
	struct aside a;
	bool there;

	cr_assert_eq(aside_load(&a), 0);
	there = aside_find_kept(&a, seq) != NULL;
	aside_clear(&a);
	return there;
}

static void
ask(struct worker *w, uint32_t request)
{
	struct msg_quarantine_post post = { .entry = SMALL_ENTRY + request - 1,
		.receipt_ms = 6 };
	struct msg_quarantine_drop drop = { .entry = DROPPED_ENTRY };

	if (request == DROP)
		send_msg(w, MSG_QUARANTINE_DROP, request, &drop);
	else
		send_msg(w, MSG_QUARANTINE_POST, request, &post);
}

/* Of what is told besides answers, the quarantine's part. */
static bool
is_told(const struct frame_header *h)
{
	return h->type == MSG_QUARANTINED ||
	    (h->type == MSG_QUARANTINE_GONE && h->request == 0);
}

static void
note_answer(bool *answered, const struct frame_header *h)
{
	cr_assert_leq(h->request, DROP);
	cr_assert_geq(h->request, POST_SMALL);
	cr_assert_eq(h->type,
	    h->request == DROP ? MSG_QUARANTINE_GONE : MSG_COUNTS, "%s to %u",
	    msg_name(h->type), (unsigned)h->request);
	cr_assert_not(answered[h->request - 1], "answered twice");
	answered[h->request - 1] = true;
}

static bool
all_answered(const bool *answered)
{
	return answered[0] && answered[1] && answered[2];
}

/* False: it has ended before. */
static bool
hear_ready(struct worker *w, bool *answered)
{
	struct frame_header h;
	bool more;

	while ((more = recv_frame(w, &h)) && h.type != MSG_READY)
		if (!is_told(&h))
			note_answer(answered, &h);
	return more;
}

static void
hear_answers(struct worker *w, bool *answered)
{
	struct frame_header h;

	while (!all_answered(answered) && recv_frame(w, &h))
		if (!is_told(&h))
			note_answer(answered, &h);
}

/* Killed before its call n; false: it did not come to that. */
static bool
first_life(bool *answered, unsigned n)
{
	struct worker *w = worker_spawn_doomed(n);
	struct msg_close close = { .keep = false };
	int status;

	worker_greet(w, 0);
	if (hear_ready(w, answered)) {
		for (uint32_t i = POST_SMALL; i <= DROP; i++)
			ask(w, i);
		hear_answers(w, answered);
		if (all_answered(answered))
			send_msg(w, MSG_CLOSE, 0, &close);
	}
	status = worker_end(w);
	return WEXITSTATUS(status) == KILLPOINT_HIT;
}

/* What counts after replay is what is in quarantine no more. */
static uint64_t
expected_count(void)
{
	uint64_t n = 0;

	for (uint32_t i = POST_SMALL; i < DROP; i++)
		if (!is_there(SMALL_ENTRY + i - 1))
			n += (uint64_t)nrecords[i - 1];
	return n;
}

/* What the supervisor does: name them, and send again what did not come up. */
static void
second_life(bool *answered, unsigned n)
{
	struct worker *w = worker_spawn();
	struct msg_await m = { .seq = 0 };
	uint64_t expected;

	worker_hello(w, 0);
	for (uint32_t i = POST_SMALL; i < DROP; i++)
		if (!answered[i - 1])
			send_msg(w, MSG_AWAIT, i, &m);
	worker_config(w);
	cr_assert(hear_ready(w, answered), "call %u: not ready", n);
	expected = expected_count();
	cr_expect_eq(w->totals.counts.processed_record_count, expected,
	    "call %u: %ju, not %ju", n,
	    (uintmax_t)w->totals.counts.processed_record_count,
	    (uintmax_t)expected);
	for (uint32_t i = POST_SMALL; i < DROP; i++) {
		cr_expect_neq(answered[i - 1], is_there(SMALL_ENTRY + i - 1),
		    "call %u: entry of request %u", n, (unsigned)i);
		if (!answered[i - 1])
			ask(w, i);
	}
	if (is_there(DROPPED_ENTRY))
		ask(w, DROP);
	else
		answered[DROP - 1] = true;
	hear_answers(w, answered);
	cr_assert(all_answered(answered), "call %u: it has ended", n);
	cr_expect_eq(w->totals.counts.processed_record_count, NSMALL + NLARGE,
	    "call %u", n);
	for (unsigned i = 0; i < NENTRIES; i++)
		cr_expect_not(is_there(SMALL_ENTRY + i), "call %u: %u", n, i);
	worker_kill(w);
}

/* Death before each call. Returns how many there were. */
static unsigned
die_everywhere(unsigned *found, unsigned *again)
{
	bool answered[NENTRIES];
	unsigned n = 0;

	for (;;) {
		worker_forget();
		put_all_aside();
		memset(answered, 0, sizeof(answered));
		n = killpoint_next(n);
		if (!first_life(answered, n))
			return n;
		*again += !answered[0];
		*found += !answered[0] && !is_there(SMALL_ENTRY);
		second_life(answered, n);
	}
}

/*
 * The requests come to the worker together or one after the other, so that the
 * n-th call is not the same in each life, and the one between the removal and
 * the answer may be passed over in all of them.
 */
Test(repost, answers_once_and_counts_once_at_any_death, .timeout = 900)
{
	unsigned found = 0, again = 0;

	if (!killpoint_works())
		cr_skip_test("a process may not trace its child here");
	for (int i = 0; i < 5 && found == 0; i++) {
		cr_expect_gt(die_everywhere(&found, &again), 50);
		if (killpoint_stride() > 1)
			return;
	}
	cr_expect_gt(found, 0, "no death between the removal and the answer");
	cr_expect_gt(again, found);
}

static struct worker *
open_with_entries(void)
{
	struct worker *w;
	bool none[NENTRIES] = { false };

	put_all_aside();
	w = worker_spawn();
	worker_greet(w, 0);
	cr_assert(hear_ready(w, none));
	return w;
}

static void
expect_answer(struct worker *w, uint16_t type, uint32_t request)
{
	struct frame_header h;

	do
		cr_assert(recv_frame(w, &h));
	while (is_told(&h));
	cr_expect_eq(h.type, type, "%s", msg_name(h.type));
	cr_expect_eq(h.request, request);
}

Test(repost, one_that_is_being_posted_is_neither_posted_nor_dropped)
{
	struct worker *w = open_with_entries();
	struct msg_quarantine_post post = { LARGE_ENTRY, 6 };
	struct msg_quarantine_drop drop = { LARGE_ENTRY };

	struct wbuf wb;

	/* At once: the first is then still on its way into the journal. */
	wbuf_init(&wb, 0);
	cr_assert_eq(frame_put(&wb, MSG_QUARANTINE_POST, 1, &post), 0);
	cr_assert_eq(frame_put(&wb, MSG_QUARANTINE_POST, 2, &post), 0);
	cr_assert_eq(frame_put(&wb, MSG_QUARANTINE_DROP, 3, &drop), 0);
	send_bytes(w, wb.data, wb.len);
	wbuf_clear(&wb);
	expect_answer(w, MSG_FAILED, 2);
	expect_answer(w, MSG_FAILED, 3);
	expect_answer(w, MSG_COUNTS, 1);
	cr_expect_eq(w->totals.counts.processed_record_count, NLARGE);
	worker_kill(w);
}

Test(repost, a_list_of_format_1_is_read)
{
	struct asidelist list = { 0 };
	struct wbuf wb;
	size_t len;

	/* Of format 2, less the last field of its one record. */
	unlink(ASIDE_LIST);
	put_aside(SMALL_ENTRY, 0, NSMALL);
	cr_assert_eq(asidelist_read(&list, ASIDE_LIST), 0);
	wbuf_init(&wb, 0);
	cr_assert_eq(asidelist_encode(&list, &wb), 0);
	asidelist_clear(&list);
	len = wb.len - sizeof(uint32_t) - sizeof(uint64_t);
	wb.data[11] = 1;
	wb.len = len;
	cr_assert_eq(wire_put_u32(&wb, crc32c(0, wb.data, len)), 0);
	cr_assert_eq(asidelist_decode(&list, wb.data, wb.len), 0);
	cr_assert_eq(list.n, 1);
	cr_expect_eq(list.record[0].seq, SMALL_ENTRY);
	cr_expect_eq(list.record[0].signal, SIGABRT);
	cr_expect_eq(list.record[0].again, 0);
	asidelist_clear(&list);
	wbuf_clear(&wb);
}
