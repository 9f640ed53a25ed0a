/*
 * A disk that fails once, at each call of a worker on a file in turn: to read
 * what an earlier worker has left, to take an upload, make interim results and
 * write a snapshot. What was acknowledged is there when it works again, and
 * nothing is taken for damaged.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/apierr.h"
#include "common/log.h"
#include "tests/damage.h"
#include "tests/killpoint.h"
#include "tests/worker_fixture.h"

#define NFIRST 1250 /* in a snapshot, as the half of them after it */
#define NSECOND 600
#define NTHIRD 200

static void
setup(void)
{
	if (!failpoint_works())
		cr_skip_test("calls of a child cannot be changed here");
	worker_begin();
	logged_begin();
	worker_log_level = LOG_LEVEL_WARN;
}

TestSuite(disk_faults, .init = setup, .fini = worker_finish, .timeout = 1800);

/* A snapshot, and after it a journal and results that must be read. */
static void
first_life(void)
{
	struct msg_close close = { .keep = false };
	struct worker *w = worker_open();

	post(w, 1, 0, NFIRST / 2);
	worker_close(w, true);
	w = worker_open();
	post(w, 1, NFIRST / 2, NFIRST - NFIRST / 2);
	send_msg(w, MSG_CLOSE, 0, &close);
	expect_exit(w, 0);
}

static void
send_second(struct worker *w, uint32_t request)
{
	size_t len;
	char *text = records(NFIRST, NSECOND, &len);

	upload(w, request, ENCODING_IDENTITY, text, len);
	free(text);
}

struct told {
	bool upload; /* it counts */
	bool failed; /* something does not */
	bool closed;
	bool is_over; /* all calls went well: there were fewer */
	const char *log;
	char reason[512]; /* of the last that failed */
};

static void
note_failed(const struct worker *w, struct told *t)
{
	struct msg_failed m;
	struct apierr e;
	struct rbuf rb;

	cr_assert_eq(
	    msg_decode(MSG_FAILED, w->payload.data, w->payload.len, &m, NULL),
	    0);
	rbuf_init(&rb, m.error.p, m.error.len);
	cr_assert_eq(apierr_decode(&rb, &e), 0);
	strlcpy(t->reason, e.link[0].reason, sizeof(t->reason));
	t->failed = true;
}

/* Step after step, also when one has failed. */
static struct told
second_life(unsigned n, int error)
{
	struct worker *w = worker_spawn_failing(n, error);
	struct msg_close close = { .keep = true };
	struct told t = { .upload = false };
	struct frame_header h;
	int status;

	worker_greet(w, 0);
	while (recv_frame(w, &h)) {
		if (h.type == MSG_FAILED)
			note_failed(w, &t);
		t.upload = t.upload || h.type == MSG_COUNTS;
		t.closed = t.closed || h.type == MSG_CLOSED;
		if (h.type == MSG_READY)
			send_second(w, 1);
		else if (h.request == 1)
			flush(w, 2, TIME_UNSET);
		else if (h.request == 2)
			send_msg(w, MSG_CLOSE, 0, &close);
	}
	status = worker_end(w);
	cr_assert(WIFEXITED(status));
	cr_assert_lt(WEXITSTATUS(status), 98, "call %u: status %d", n,
	    WEXITSTATUS(status));
	cr_expect(t.closed || t.failed || WEXITSTATUS(status) == 1,
	    "call %u: nothing is said", n);
	t.failed = t.failed || WEXITSTATUS(status) != 0;
	t.is_over = access(FAILPOINT_HIT, F_OK) == -1;
	unlink(FAILPOINT_HIT);
	return t;
}

/* With what is missing sent again. The caller frees. */
static char *
third_life(const struct told *t, unsigned n)
{
	struct worker *w = worker_spawn();
	struct msg_ping ping = { .token = 1 };
	struct frame_header h;
	struct msg_pong pong;
	uint64_t has;

	worker_greet(w, 0);
	do
		cr_assert(recv_frame(w, &h), "call %u: %s", n, logged());
	while (h.type == MSG_SALVAGED);
	cr_assert_eq(h.type, MSG_READY);
	/* The totals are right behind it. */
	send_msg(w, MSG_PING, 0, &ping);
	expect_msg(w, MSG_PONG, 0, &pong);
	has = w->totals.counts.processed_record_count;
	if (t == NULL || t->upload)
		cr_assert_eq(has, NFIRST + NSECOND, "call %u: a loss", n);
	cr_assert(has == NFIRST || has == NFIRST + NSECOND, "call %u: %ju", n,
	    (uintmax_t)has);
	if (has == NFIRST) {
		send_second(w, 1);
		expect_counts(w, 1);
	}
	post(w, 2, NFIRST + NSECOND, NTHIRD);
	worker_close(w, true);
	return results_dump();
}

/*
 * What is said has the errno, or what SQLite makes of it; and the file, but
 * where there is no room for any.
 */
static bool
says(const char *log, int error)
{
	static const char *const files[] = { "journal", "snapshot", "results",
		"spool", "in-hand", "put-aside", "quarantine", "interim",
		"lock", "sandbox" };

	if (error == ENOSPC && strstr(log, "disk is full") != NULL)
		return true;
	/* SQLite's last words where its -shm could not be opened for writing.
	 */
	if (strstr(log, strerror(error)) == NULL &&
	    strstr(log, strerror(EIO)) == NULL &&
	    strstr(log, "disk I/O error") == NULL &&
	    strstr(log, "readonly database") == NULL)
		return false;
	for (size_t i = 0; i < NELEM(files); i++)
		if (strstr(log, files[i]) != NULL)
			return true;
	return error == ENOSPC;
}

/*
 * Of results that cannot be read, rows go into a new file, and all do here. A
 * snapshot is kept there when an older one does as well.
 */
static int
count_aside(const char *log)
{
	int n = tmpdir_count("quarantine");

	if (strstr(log, "what is older takes its place") != NULL)
		n--;
	n -= access("quarantine/results-0", F_OK) == 0;
	return n - (access("quarantine/results-wal-0", F_OK) == 0);
}

/* step: as there is much that needs no room. */
static void
fail_each(int error, unsigned step)
{
	struct told t = { .is_over = false };
	unsigned n = 0, nfailed = 0, nlost = 0;
	char *want;

	first_life();
	t = second_life(UINT32_MAX, error);
	cr_assert(t.upload && t.closed && t.is_over && !t.failed);
	want = third_life(NULL, 0);
	for (t.is_over = false; !t.is_over;) {
		char *now;

		worker_forget();
		first_life();
		n = n == 0 ? 1 : n + step * killpoint_stride();
		logged();
		t = second_life(n, error);
		t.log = logged();
		if (t.failed)
			cr_expect(says(t.log, error) || says(t.reason, error),
			    "call %u: %s%s", n, t.log, t.reason);
		nfailed += t.failed;
		nlost += !t.upload;
		cr_expect_eq(count_aside(t.log), 0,
		    "call %u: what is not damaged was set aside: %s", n, t.log);
		now = third_life(&t, n);
		cr_expect_str_eq(now, want, "call %u", n);
		free(now);
	}
	cr_expect_gt(nfailed, 20 / (step * killpoint_stride()));
	cr_expect_gt(nlost, 5 / (step * killpoint_stride()));
	free(want);
}

Test(disk_faults, call_that_fails_by_the_disk_loses_nothing_acknowledged)
{
	fail_each(EIO, 1);
}

Test(disk_faults, call_that_finds_no_room_loses_nothing_acknowledged)
{
	fail_each(ENOSPC, 5);
}
