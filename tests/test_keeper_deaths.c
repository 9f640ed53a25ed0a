/* The keeper dies before each of its system calls. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/keeper_fixture.h"
#include "tests/killpoint.h"
#include "tests/tmpdir.h"

TestSuite(keeper_deaths, .init = keeper_setup, .fini = keeper_teardown);

/* What a doomed keeper has answered. */
struct answered {
	uint64_t first;	  /* incarnation of the job "a"; 0: none */
	bool updated;	  /* its configuration */
	uint64_t renewed; /* the one after its reset */
	bool deleted;	  /* that one */
	uint64_t second;  /* of "b" */
	bool whole;	  /* it came to its end */
};

static uint64_t
create_doomed(struct childproc *c, const char *id)
{
	struct msg_keep_create m = { span_of(id), span_of("{}"), 1 };
	struct msg_keep_done done;

	if (!ask_doomed(c, MSG_KEEP_CREATE, &m, MSG_KEEP_DONE))
		return 0;
	childproc_decode(c, &done);
	return done.incarnation;
}

static uint64_t
reset_doomed(struct childproc *c, const char *id, uint64_t incarnation)
{
	struct msg_keep_reset m = { span_of(id), incarnation };
	struct msg_keep_done done;

	if (!ask_doomed(c, MSG_KEEP_RESET, &m, MSG_KEEP_DONE))
		return 0;
	childproc_decode(c, &done);
	return done.incarnation;
}

/*
 * Start, create "a", update, reset and delete it, create "b": as far as it
 * comes.
 */
static struct answered
live_until(unsigned n)
{
	struct msg_hello hello = { .version = MSG_VERSION,
		.path = span_of(keeper_state) };
	struct answered a = { .first = 0 };
	struct msg_keep_update update;
	struct msg_keep_delete drop;
	struct childproc c;
	int status;

	spawn_doomed(&c, n);
	if (ask_doomed(&c, MSG_HELLO, &hello, MSG_READY)) {
		c.state = IN_OPEN;
		a.first = create_doomed(&c, "a");
	}
	if (a.first > 0) {
		update = (struct msg_keep_update){ span_of("a"), a.first,
			span_of("[2]") };
		a.updated =
		    ask_doomed(&c, MSG_KEEP_UPDATE, &update, MSG_KEEP_DONE);
	}
	if (a.updated)
		a.renewed = reset_doomed(&c, "a", a.first);
	if (a.renewed > 0) {
		drop = (struct msg_keep_delete){ span_of("a"), a.renewed };
		a.deleted =
		    ask_doomed(&c, MSG_KEEP_DELETE, &drop, MSG_KEEP_DONE);
	}
	if (a.deleted)
		a.second = create_doomed(&c, "b");
	status = childproc_end(&c);
	cr_assert(WIFEXITED(status));
	a.whole = WEXITSTATUS(status) == 0;
	cr_assert(a.whole || WEXITSTATUS(status) == KILLPOINT_HIT, "status %d",
	    WEXITSTATUS(status));
	return a;
}

/*
 * What was answered holds; what was not is done whole or not at all, and jobs
 * and directories are the same again.
 */
static void
expect_consistent(const struct answered *a, unsigned n)
{
	struct msg_keep_job last;
	struct childproc c;
	uint64_t next;
	char ids[64];
	bool ok;

	start(&c);
	load_jobs(&c, ids, sizeof(ids), &last);
	if (a->second > 0)
		ok = strcmp(ids, "b ") == 0;
	else if (a->deleted)
		ok = strcmp(ids, "") == 0 || strcmp(ids, "b ") == 0;
	else if (a->first > 0 && a->renewed == 0)
		ok = strcmp(ids, "a ") == 0; /* the old one or the new one */
	else /* created, or deleted, but not told */
		ok = strcmp(ids, "") == 0 || strcmp(ids, "a ") == 0;
	cr_expect(ok, "call %u: jobs \"%s\"", n, ids);
	cr_expect_eq(
	    tmpdir_count("jobs"), ids[0] == '\0' ? 0 : 1, "call %u", n);
	if (ids[0] == 'a')
		cr_expect(span_eq(last.config, "[2]") ||
			(!a->updated && span_eq(last.config, "{}")),
		    "call %u: half an update", n);
	if (ids[0] != '\0')
		cr_expect(exists(job_path(
		    ids[0] == 'a' ? "a" : "b", last.incarnation, "/results")));
	if (ids[0] == 'a' && a->renewed > 0)
		cr_expect_eq(last.incarnation, a->renewed, "call %u", n);
	next = create(&c, "c");
	cr_expect_gt(next, a->first);
	cr_expect_gt(next, a->renewed);
	cr_expect_gt(next, a->second);
	wait_until_empty("trash");
	stop(&c);
}

/*
 * What makes each window safe: a number that was reserved and not used is
 * that of a directory at most, which goes to the trash; the row is there with
 * its directory or not at all; a deletion is finished from its mark on. A reset
 * is that of a new number whose row comes with the mark of the old one.
 */
Test(keeper_deaths, deaths_before_any_call_leave_all_or_nothing, .timeout = 600)
{
	struct answered a = { .whole = false };
	unsigned n = 0;

	if (!killpoint_works())
		cr_skip_test("a process may not trace its child here");
	while (!a.whole) {
		static const char *const left[] = { "jobs", "trash" };

		for (size_t i = 0; i < NELEM(left); i++)
			tmpdir_purge(left[i]);
		tmpdir_remove("catalog.db");
		n = killpoint_next(n);
		a = live_until(n);
		expect_consistent(&a, n);
	}
	cr_expect_gt(n, 50, "%u calls", n);
}
