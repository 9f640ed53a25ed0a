/*
 * A worker that dies while it sets a job back, before each of its calls. What
 * is found then is the state before or the state after, wholly:
 *
 *   file not named          it is "new", which the next start removes
 *   named, results as ever  the results do not have its number: it is removed
 *   results half changed    their transaction is undone
 *   results committed       they have its number: it becomes the base
 *   named a base            what is older does not count
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/snaplist.h"
#include "tests/killpoint.h"
#include "tests/worker_fixture.h"
#include "worker/snapdir.h"

static void
setup(void)
{
	if (!killpoint_works())
		cr_skip_test("a process may not trace its child here");
	worker_begin();
}

TestSuite(revert, .init = setup, .fini = worker_finish, .timeout = 900);

#define NFIRST 1200 /* records up to the first snapshot */
#define NSECOND 900 /* after it, up to the second */
#define NGO_ON 600  /* after all that */

/* What is asked for. */
struct want {
	bool to_empty;
	bool delete_results;
};

/* A state to compare with: results as they are, and after some more data. */
struct state {
	char *dump;
	char *later;
	int64_t latest_ms; /* record */
};

static void
state_clear(struct state *s)
{
	free(s->dump);
	free(s->later);
}

/* Two snapshots; returns the totals at the end. */
static struct job_totals
live(void)
{
	struct job_totals totals;
	struct worker *w = worker_open();

	post(w, 1, 0, NFIRST);
	worker_close(w, true);
	w = worker_open();
	post(w, 1, NFIRST, NSECOND);
	totals = w->totals;
	worker_close(w, true);
	return totals;
}

static void
first_id(char dst[SNAPHEAD_ID_BYTES])
{
	struct snaplist list;

	cr_assert_eq(snaplist_read(&list, NULL, JOB_ID), 0);
	cr_assert_eq(list.n, 2);
	strlcpy(dst, list.item[0].id, SNAPHEAD_ID_BYTES);
	snaplist_clear(&list);
}

static void
ask(struct worker *w, const struct want *want, const struct job_totals *totals)
{
	struct msg_chore m = { .kind = CHORE_REVERT,
		.retain = CHORE_RETAIN_AS_IT_IS,
		.delete_results = want->delete_results };
	char id[SNAPHEAD_ID_BYTES] = "empty", *config = worker_config_text();
	struct wbuf wb;

	if (!want->to_empty)
		first_id(id);
	wbuf_init(&wb, 0);
	cr_assert_eq(job_totals_encode(totals, &wb), 0);
	m.snapshot_id = span_of(id);
	m.config = span_of(config);
	m.totals = (struct span){ (const char *)wb.data, wb.len };
	worker_hello(w, 0);
	send_msg(w, MSG_CHORE, 7, &m);
	wbuf_clear(&wb);
	free(config);
}

/* Revert and die before the call n; n 0: to the end. true: it was done. */
static bool
revert(const struct want *want, const struct job_totals *totals, unsigned n,
    bool *left)
{
	struct worker *w = n == 0 ? worker_spawn() : worker_spawn_doomed(n);
	struct frame_header h;
	bool done;
	int status;

	ask(w, want, totals);
	done = recv_frame(w, &h);
	if (done)
		cr_assert_eq(h.type, MSG_CHORE_DONE, "%s", msg_name(h.type));
	status = worker_end(w);
	cr_assert(WIFEXITED(status));
	*left = WEXITSTATUS(status) == 0;
	cr_assert(*left || WEXITSTATUS(status) == KILLPOINT_HIT, "status %d",
	    WEXITSTATUS(status));
	return done;
}

/* What is there, and what comes of it. */
static struct state
look(void)
{
	struct state s = { .dump = results_dump() };
	struct worker *w = worker_open();
	char *opened = results_dump();

	cr_expect_str_eq(opened, s.dump, "an opening changed the results");
	free(opened);
	s.latest_ms = w->totals.counts.latest_record_timestamp;
	cr_expect_eq(w->totals.counts.processed_record_count, NFIRST + NSECOND);
	post(w, 1, NFIRST + NSECOND, NGO_ON);
	worker_close(w, true);
	s.later = results_dump();
	return s;
}

static bool
same(const struct state *a, const struct state *b)
{
	return strcmp(a->dump, b->dump) == 0 &&
	    strcmp(a->later, b->later) == 0 && a->latest_ms == b->latest_ms;
}

/*
 * The state without a revert, and the one after it. Where no results are
 * removed they are the same at first, and become others.
 */
static void
know(const struct want *want, struct state *before, struct state *after)
{
	struct job_totals totals = live();
	bool left;

	*before = look();
	worker_forget();
	totals = live();
	cr_assert(revert(want, &totals, 0, &left));
	cr_assert(left);
	*after = look();
	worker_forget();
	cr_assert_str_neq(before->later, after->later);
	cr_assert_neq(before->latest_ms, after->latest_ms);
	cr_assert_eq(
	    strcmp(before->dump, after->dump) != 0, want->delete_results);
}

static void
die_everywhere(const struct want *want)
{
	struct state before, after;
	unsigned n = 0, nbefore = 0, nafter = 0;
	bool left = false;

	know(want, &before, &after);
	while (!left) {
		struct job_totals totals = live();
		struct state now;
		bool done;

		n = killpoint_next(n);
		done = revert(want, &totals, n, &left);
		now = look();
		if (same(&now, &before)) {
			nbefore++;
			cr_expect_not(done, "call %u: done, and undone", n);
			cr_expect_eq(nafter, 0, "call %u: the order", n);
		} else {
			nafter++;
			cr_expect(same(&now, &after), "call %u: neither", n);
		}
		cr_expect_eq(tmpdir_count("quarantine"), 0, "call %u", n);
		cr_expect_eq(access("snapshots/new", F_OK), -1, "call %u", n);
		state_clear(&now);
		worker_forget();
	}
	cr_expect_gt(nbefore, 10 / killpoint_stride());
	cr_expect_gt(nafter, 3 / killpoint_stride());
	state_clear(&before);
	state_clear(&after);
}

/* Files cannot grow past a limit, as on a full disk. */
Test(revert, without_room_leaves_all_as_it_is)
{
	struct want want = { .delete_results = true };
	struct job_totals totals = live();
	struct state before, now;
	struct msg_failed failed;
	struct worker *w;

	before = look();
	worker_forget();
	totals = live();
	w = worker_spawn_limited(64);
	ask(w, &want, &totals);
	expect_msg(w, MSG_FAILED, 7, &failed);
	expect_exit(w, 0);
	cr_expect_eq(tmpdir_count("snapshots"), 2);
	now = look();
	cr_expect(same(&now, &before));
	state_clear(&now);
	state_clear(&before);
}

Test(revert, with_its_results_happens_wholly_or_not_at_all)
{
	die_everywhere(&(struct want){ .delete_results = true });
}

Test(revert, without_its_results_happens_wholly_or_not_at_all)
{
	die_everywhere(&(struct want){ .delete_results = false });
}

Test(revert, to_no_model_happens_wholly_or_not_at_all)
{
	die_everywhere(
	    &(struct want){ .to_empty = true, .delete_results = true });
}
