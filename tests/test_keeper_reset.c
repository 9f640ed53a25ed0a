/* The keeper: jobs are reset, and settings are kept; by the real process. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <fcntl.h>

#include "common/apierr.h"
#include "keeper/catalog.h"
#include "tests/keeper_fixture.h"
#include "tests/tmpdir.h"

TestSuite(keeper_reset, .init = keeper_setup, .fini = keeper_teardown);

/* ---- reset ---- */

static void
send_reset(struct childproc *c, const char *id, uint64_t incarnation)
{
	struct msg_keep_reset m = { span_of(id), incarnation };

	childproc_send(c, MSG_KEEP_RESET, 6, &m);
}

Test(keeper_reset, a_reset_job_keeps_its_configuration_and_nothing_else)
{
	struct msg_keep_state state_msg = {
		.job_id = span_of("a"),
		.finished_time_ms = 99,
		.model_snapshot_id = span_of("1700000000"),
		.wanted_open = true,
		.totals = { "\0\1\2", 3 },
	};
	struct msg_keep_load all = { 0 };
	struct msg_keep_job job;
	struct childproc c;
	uint64_t first, next;
	char old[256];

	start(&c);
	first = state_msg.incarnation = create(&c, "a");
	childproc_send(&c, MSG_KEEP_STATE, 4, &state_msg);
	expect_done(&c, 4);
	strlcpy(old, job_path("a", first, "/results/results.db"), sizeof(old));
	close(open(old, O_CREAT | O_WRONLY, 0600));
	send_reset(&c, "a", first);
	next = expect_done(&c, 6);
	cr_expect_gt(next, first);
	childproc_kill(&c);
	start(&c);
	childproc_send(&c, MSG_KEEP_LOAD, 3, &all);
	cr_assert_eq(childproc_next(&c), MSG_KEEP_JOB);
	childproc_decode(&c, &job);
	cr_expect_eq(job.incarnation, next);
	cr_expect(span_eq(job.config, "{\"a\":1}"));
	cr_expect_eq(job.create_time_ms, 1234);
	cr_expect_eq(job.finished_time_ms, TIME_UNSET);
	cr_expect_eq(job.model_snapshot_id.len, 0);
	cr_expect_not(job.wanted_open);
	cr_expect_eq(job.totals.len, 0);
	expect_done(&c, 3);
	cr_expect_not(exists(old));
	cr_expect(exists(job_path("a", next, "/results")));
	cr_expect_eq(tmpdir_count("jobs"), 1);
	wait_until_empty("trash");
	stop(&c);
}

/* Its answer was lost, and the supervisor asks again. */
Test(keeper_reset, a_reset_that_was_done_is_not_done_twice)
{
	struct childproc c;
	uint64_t first, next;

	start(&c);
	first = create(&c, "a");
	send_reset(&c, "a", first);
	next = expect_done(&c, 6);
	send_reset(&c, "a", first);
	cr_expect_eq(expect_done(&c, 6), next);
	cr_expect(exists(job_path("a", next, "/journal")));
	send_reset(&c, "a", next + 1);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'a'");
	send_reset(&c, "b", next);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'b'");
	expect_jobs(&c, "a ");
	stop(&c);
}

Test(keeper_reset, a_damaged_row_is_not_reset)
{
	struct childproc c;
	uint64_t first;

	start(&c);
	first = create(&c, "a");
	stop(&c);
	edit_catalog("UPDATE job SET config = '{}' WHERE job_id = 'a'");
	start(&c);
	send_reset(&c, "a", first);
	expect_failed(&c, 500, E_EXCEPTION,
	    "job [a] cannot be reset: its row in the catalogue is damaged");
	cr_expect_eq(tmpdir_count("jobs"), 1);
	stop(&c);
}

/* ---- settings ---- */

static void
send_setting(struct childproc *c, const char *name, const char *value)
{
	struct msg_keep_setting m = { span_of(name), span_of(value) };

	childproc_send(c, MSG_KEEP_SETTING, 5, &m);
	cr_expect_eq(expect_done(c, 5), 0);
}

static void
expect_setting(struct childproc *c, const char *name, const char *value)
{
	struct msg_keep_setting m;

	cr_assert_eq(childproc_next(c), MSG_KEEP_SETTING);
	childproc_decode(c, &m);
	cr_expect(span_eq(m.name, name));
	cr_expect(span_eq(m.value, value));
}

Test(keeper_reset, room_on_the_disk_is_told_before_all_else)
{
	struct msg_keep_load all = { 0 };
	struct msg_disk disk;
	struct childproc c;

	start(&c);
	childproc_send(&c, MSG_KEEP_LOAD, 3, &all);
	cr_assert_eq(childproc_any(&c), MSG_DISK);
	childproc_decode(&c, &disk);
	cr_expect_eq(c.head.request, 0);
	cr_expect_gt(disk.free_bytes, 0);
	cr_expect(!disk.low, "nothing was asked to stay free");
	cr_expect_eq(childproc_next(&c), MSG_KEEP_DONE);
	stop(&c);
}

Test(keeper_reset, settings_are_told_before_the_jobs)
{
	struct msg_keep_load all = { 0 };
	struct childproc c;

	start(&c);
	create(&c, "a");
	send_setting(&c, "z", "");
	send_setting(&c, "mode", "false");
	send_setting(&c, "mode", "true");
	childproc_kill(&c);
	start(&c);
	childproc_send(&c, MSG_KEEP_LOAD, 3, &all);
	expect_setting(&c, "mode", "true");
	expect_setting(&c, "z", "");
	cr_expect_eq(childproc_next(&c), MSG_KEEP_JOB);
	expect_done(&c, 3);
	stop(&c);
	edit_catalog("UPDATE setting SET value = 'x' WHERE name = 'mode'");
	start(&c);
	childproc_send(&c, MSG_KEEP_LOAD, 3, &all);
	expect_setting(&c, "z", "");
	cr_expect_eq(childproc_next(&c), MSG_KEEP_JOB);
	expect_done(&c, 3);
	stop(&c);
}
