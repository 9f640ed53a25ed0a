/* The keeper: the real process on a state directory of its own. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/apierr.h"
#include "keeper/catalog.h"
#include "keeper/jobdirs.h"
#include "tests/keeper_fixture.h"
#include "tests/tmpdir.h"

TestSuite(keeper, .init = keeper_setup, .fini = keeper_teardown);

Test(keeper, a_new_state_directory_is_filled)
{
	struct childproc c;
	struct stat st;

	start(&c);
	cr_expect(exists("catalog.db"));
	cr_assert_eq(stat("jobs", &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(stat("trash", &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	expect_jobs(&c, "");
	stop(&c);
}

Test(keeper, a_created_job_has_a_directory_and_a_row)
{
	static const char *const parts[] = { "/spool", "/journal", "/snapshots",
		"/quarantine", "/results" };
	struct msg_keep_job job;
	struct childproc c;
	uint64_t inc;
	char ids[64];
	struct stat st;

	start(&c);
	inc = create(&c, "farequote");
	for (size_t i = 0; i < NELEM(parts); i++) {
		cr_assert_eq(stat(job_path("farequote", inc, parts[i]), &st), 0,
		    "%s", parts[i]);
		cr_expect_eq(st.st_mode & 07777, 0700);
	}
	childproc_kill(&c); /* what was answered is on disk */
	start(&c);
	{
		struct msg_keep_load m = { 0 };

		childproc_send(&c, MSG_KEEP_LOAD, 3, &m);
		cr_assert_eq(childproc_next(&c), MSG_KEEP_JOB);
		childproc_decode(&c, &job);
		cr_expect(span_eq(job.job_id, "farequote"));
		cr_expect(span_eq(job.config, "{\"a\":1}"));
		cr_expect_eq(job.incarnation, inc);
		cr_expect_eq(job.create_time_ms, 1234);
		cr_expect_eq(job.finished_time_ms, TIME_UNSET);
		cr_expect_eq(job.model_snapshot_id.len, 0);
		cr_expect_eq(job.totals.len, 0);
		cr_expect_not(job.wanted_open);
		expect_done(&c, 3);
	}
	load_jobs(&c, ids, sizeof(ids), &job);
	cr_expect_str_eq(ids, "farequote ");
	stop(&c);
}

Test(keeper, an_id_is_used_once)
{
	struct childproc c;

	start(&c);
	create(&c, "a");
	send_create(&c, "a");
	expect_failed(&c, 400, E_EXISTS,
	    "The job cannot be created with the Id 'a'. The Id is already "
	    "used.");
	cr_expect_eq(tmpdir_count("jobs"), 1);
	create(&c, "b");
	expect_jobs(&c, "a b ");
	stop(&c);
}

Test(keeper, state_is_kept)
{
	struct msg_keep_state m = {
		.job_id = span_of("a"),
		.finished_time_ms = 99,
		.model_snapshot_id = span_of("1700000000"),
		.wanted_open = true,
		.totals = { "\0\1\2", 3 },
	};
	struct msg_keep_load all = { 0 };
	struct msg_keep_job job;
	struct childproc c;

	start(&c);
	m.incarnation = create(&c, "a");
	childproc_send(&c, MSG_KEEP_STATE, 4, &m);
	cr_expect_eq(expect_done(&c, 4), 0);
	childproc_kill(&c);
	start(&c);
	childproc_send(&c, MSG_KEEP_LOAD, 3, &all);
	cr_assert_eq(childproc_next(&c), MSG_KEEP_JOB);
	childproc_decode(&c, &job);
	cr_expect_eq(job.finished_time_ms, 99);
	cr_expect(span_eq(job.model_snapshot_id, "1700000000"));
	cr_expect(job.wanted_open);
	cr_assert_eq(job.totals.len, 3);
	cr_expect_eq(memcmp(job.totals.p, "\0\1\2", 3), 0);
	expect_done(&c, 3);
	m.incarnation++;
	childproc_send(&c, MSG_KEEP_STATE, 5, &m);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'a'");
	stop(&c);
}

static void
send_update(struct childproc *c, const char *id, uint64_t incarnation)
{
	struct msg_keep_update m = { span_of(id), incarnation,
		span_of("{\"a\":2}") };

	childproc_send(c, MSG_KEEP_UPDATE, 6, &m);
}

Test(keeper, an_update_replaces_the_configuration_and_nothing_else)
{
	struct msg_keep_state was = {
		.job_id = span_of("a"),
		.finished_time_ms = 99,
		.model_snapshot_id = span_of("s"),
		.totals = { "\0\1\2", 3 },
	};
	struct msg_keep_load all = { 0 };
	struct msg_keep_job job;
	struct childproc c;

	start(&c);
	create(&c, "b");
	was.incarnation = create(&c, "a");
	childproc_send(&c, MSG_KEEP_STATE, 4, &was);
	expect_done(&c, 4);
	send_update(&c, "a", was.incarnation);
	cr_expect_eq(expect_done(&c, 6), 0);
	childproc_kill(&c); /* what was answered is on disk */
	start(&c);
	childproc_send(&c, MSG_KEEP_LOAD, 3, &all);
	cr_assert_eq(childproc_next(&c), MSG_KEEP_JOB);
	childproc_decode(&c, &job);
	cr_expect(span_eq(job.job_id, "a"));
	cr_expect(span_eq(job.config, "{\"a\":2}"));
	cr_expect_eq(job.create_time_ms, 1234);
	cr_expect_eq(job.finished_time_ms, 99);
	cr_expect(span_eq(job.model_snapshot_id, "s"));
	cr_expect_eq(job.totals.len, 3);
	cr_assert_eq(childproc_next(&c), MSG_KEEP_JOB);
	childproc_decode(&c, &job);
	cr_expect(span_eq(job.config, "{\"a\":1}"), "the other job");
	expect_done(&c, 3);
	stop(&c);
}

Test(keeper, only_the_job_that_is_meant_is_updated)
{
	struct childproc c;
	uint64_t inc;

	start(&c);
	inc = create(&c, "a");
	send_update(&c, "a", inc + 1);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'a'");
	send_update(&c, "b", inc);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'b'");
	send_delete(&c, "a", inc);
	expect_done(&c, 8);
	send_update(&c, "a", inc);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'a'");
	stop(&c);
}

Test(keeper, a_deleted_job_leaves_nothing)
{
	struct childproc c;
	uint64_t first, second;
	char path[512];

	start(&c);
	first = create(&c, "a");
	/* Files, and a link that must be removed and not followed. */
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "%s/f%d",
		    job_path("a", first, "/spool"), i);
		close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	close(open("outside", O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(mkdir("outdir", 0700), 0);
	close(open("outdir/kept", O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(
	    symlink("../../../outside", job_path("a", first, "/spool/l")), 0);
	cr_assert_eq(
	    symlink("../../../outdir", job_path("a", first, "/spool/d")), 0);
	send_delete(&c, "a", first);
	expect_done(&c, 8);
	cr_expect_not(exists(job_path("a", first, "")));
	expect_jobs(&c, "");
	second = create(&c, "a");
	cr_expect_gt(second, first);
	wait_until_empty("trash");
	cr_expect(exists("outside"));
	cr_expect(exists("outdir/kept"));
	cr_expect(exists(job_path("a", second, "")));
	send_delete(&c, "a", first);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'a'");
	send_delete(&c, "b", second);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'b'");
	expect_jobs(&c, "a ");
	stop(&c);
}

/* Marked, and killed before the directory was moved. */
Test(keeper, a_deletion_that_was_cut_off_is_finished)
{
	struct msg_keep_delete m = { span_of("a"), 0 };
	struct catalog *cat;
	struct childproc c;

	start(&c);
	m.incarnation = create(&c, "a");
	create(&c, "b");
	stop(&c);
	cat = catalog_open();
	cr_assert_not_null(cat);
	cr_assert_eq(catalog_mark_deleted(cat, m.job_id, m.incarnation), 0);
	catalog_close(cat);
	start(&c);
	expect_jobs(&c, "b ");
	cr_expect_not(exists(job_path("a", m.incarnation, "")));
	wait_until_empty("trash");
	create(&c, "a");
	stop(&c);
}

/* Directory made, and killed before the row was written. */
Test(keeper, an_empty_directory_without_a_row_is_removed)
{
	struct childproc c;
	uint64_t first;

	start(&c);
	first = create(&c, "a");
	stop(&c);
	cr_assert_eq(mkdir(job_path("b", first + 1, ""), 0700), 0);
	cr_assert_eq(mkdir("jobs/lost+found", 0700), 0);
	cr_assert_eq(mkdir("trash/c.77", 0700), 0);
	cr_assert_eq(mkdir("trash/c.77/spool", 0700), 0);
	start(&c);
	wait_until_empty("trash");
	cr_expect_not(exists(job_path("b", first + 1, "")));
	cr_expect(exists("jobs/lost+found"));
	cr_expect(exists(job_path("a", first, "")));
	/* A number that a directory has had is never given again. */
	cr_expect_eq(create(&c, "b"), 78);
	stop(&c);
}

/* The catalogue has lost it: nobody has asked to delete the data. */
Test(keeper, data_without_a_row_is_left_alone)
{
	char kept[512];
	struct childproc c;
	uint64_t inc;

	start(&c);
	stop(&c);
	cr_assert_eq(rename("catalog.db", "older"), 0);
	start(&c);
	inc = create(&c, "a");
	strlcpy(kept, job_path("a", inc, "/journal/1"), sizeof(kept));
	close(open(kept, O_CREAT | O_WRONLY, 0600));
	stop(&c);
	tmpdir_remove("catalog.db");
	cr_assert_eq(rename("older", "catalog.db"), 0);
	start(&c);
	expect_jobs(&c, "");
	cr_expect(exists(kept));
	cr_expect(exists(job_path("a", inc, "/spool")));
	cr_expect_eq(create(&c, "a"), inc + 1);
	stop(&c);
}

/* A disk of its own has such a directory. */
Test(keeper, what_is_no_job_does_not_stop_the_first_start)
{
	struct childproc c;

	cr_assert_eq(mkdir("jobs", 0700), 0);
	cr_assert_eq(mkdir("jobs/lost+found", 0700), 0);
	start(&c);
	expect_jobs(&c, "");
	stop(&c);
	cr_expect(exists("jobs/lost+found"));
}

Test(keeper, a_link_in_place_of_a_directory_is_removed_itself)
{
	struct childproc c;
	uint64_t inc;

	start(&c);
	inc = create(&c, "a");
	stop(&c);
	tmpdir_purge(job_path("a", inc, ""));
	cr_assert_eq(mkdir("outdir", 0700), 0);
	close(open("outdir/kept", O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(symlink("../outdir", job_path("a", inc, "")), 0);
	cr_assert_eq(symlink("../outdir", "jobs/b.9"), 0);
	start(&c);
	send_delete(&c, "a", inc);
	expect_done(&c, 8);
	expect_jobs(&c, "");
	cr_expect_not(exists(job_path("a", inc, "")));
	cr_expect(exists("outdir/kept"));
	stop(&c);
}

Test(keeper, a_job_without_its_directory_stays_listed)
{
	struct childproc c;
	uint64_t inc;

	start(&c);
	inc = create(&c, "a");
	stop(&c);
	tmpdir_purge(job_path("a", inc, ""));
	start(&c);
	expect_jobs(&c, "a ");
	send_delete(&c, "a", inc);
	expect_done(&c, 8);
	expect_jobs(&c, "");
	stop(&c);
}

Test(keeper, a_damaged_row_is_left_out)
{
	struct childproc c;

	start(&c);
	create(&c, "a");
	create(&c, "b");
	create(&c, "c");
	stop(&c);
	edit_catalog("UPDATE job SET config = '{\"a\":2}' WHERE job_id = 'b'");
	start(&c);
	expect_jobs(&c, "a c ");
	send_create(&c, "b");
	expect_failed(&c, 400, E_EXISTS,
	    "The job cannot be created with the Id 'b'. The Id is already "
	    "used.");
	stop(&c);
}

Test(keeper, requests_in_a_row_are_answered_in_order)
{
	struct msg_keep_load m = { 0 };
	struct msg_ping ping = { 5 };
	struct childproc c;

	start(&c);
	send_create(&c, "a");
	send_create(&c, "b");
	childproc_send(&c, MSG_KEEP_LOAD, 3, &m);
	childproc_send(&c, MSG_PING, 0, &ping);
	send_create(&c, "c");
	expect_done(&c, 7);
	expect_done(&c, 7);
	cr_expect_eq(childproc_next(&c), MSG_KEEP_JOB);
	cr_expect_eq(childproc_next(&c), MSG_KEEP_JOB);
	expect_done(&c, 3);
	cr_expect_eq(childproc_next(&c), MSG_PONG);
	expect_done(&c, 7);
	stop(&c);
}

Test(keeper, a_kill_at_any_moment_loses_nothing_that_was_answered)
{
	char want[256] = "";

	for (int round = 0; round < 8; round++) {
		struct childproc c;
		char id[8];

		start(&c);
		expect_jobs(&c, want);
		snprintf(id, sizeof(id), "j%d", round);
		create(&c, id);
		strlcat(want, id, sizeof(want));
		strlcat(want, " ", sizeof(want));
		send_create(&c, "unanswered");
		send_delete(&c, "unanswered", (uint64_t)round * 2 + 2);
		childproc_kill(&c);
		/* The one that was not answered may be there; take it away. */
		start(&c);
		send_delete(&c, "unanswered", (uint64_t)round * 2 + 2);
		childproc_next(&c);
		cr_expect_eq(tmpdir_count("jobs"), round + 1);
		stop(&c);
	}
}

Test(keeper, two_keepers_do_not_share_a_directory)
{
	struct childproc a, b;

	start(&a);
	childproc_spawn(&b, keeper_program, FROM_KPR);
	childproc_hello(&b, keeper_state);
	cr_expect_eq(childproc_next(&b), 0);
	cr_expect_neq(childproc_end(&b), 0);
	expect_jobs(&a, "");
	stop(&a);
}

/* A supervisor that was killed: its keeper ends while the next one waits. */
Test(keeper, a_new_keeper_waits_for_the_old_one_to_end)
{
	struct childproc a, b;

	start(&a);
	childproc_spawn(&b, keeper_program, FROM_KPR);
	childproc_hello(&b, keeper_state);
	stop(&a);
	cr_expect_eq(childproc_next(&b), MSG_READY);
	b.state = IN_OPEN;
	expect_jobs(&b, "");
	stop(&b);
}

Test(keeper, a_state_directory_that_cannot_be_made_is_refused)
{
	struct childproc c;
	char path[64];

	snprintf(path, sizeof(path), "%s/not/there", keeper_state);
	childproc_spawn(&c, keeper_program, FROM_KPR);
	childproc_hello(&c, path);
	cr_expect_eq(childproc_next(&c), 0);
	cr_expect_neq(childproc_end(&c), 0);
}

Test(keeper, names_of_directories_hold_their_number)
{
	char name[JOBDIR_NAME_BYTES];

	jobdirs_name(name, "a.b", 3, 42);
	cr_expect_str_eq(name, "a.b.42");
	cr_expect_eq(jobdirs_incarnation(name), 42);
	cr_expect_eq(jobdirs_incarnation("a.b"), 0);
	cr_expect_eq(jobdirs_incarnation("a.0"), 0);
	cr_expect_eq(jobdirs_incarnation("a.01"), 0);
	cr_expect_eq(jobdirs_incarnation("a.1x"), 0);
	cr_expect_eq(jobdirs_incarnation(".1"), 0);
	cr_expect_eq(jobdirs_incarnation("a.99999999999999999999"), 0);
}
