/* Requests about model snapshots: whose turn it is, and what is answered. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/snaphead.h"
#include "tests/supervisor_fixture.h"

#define SNAPSHOTS "/_ml/anomaly_detectors/j/model_snapshots"

static void
start(void)
{
	sv_start();
}

/* What a worker says at the end of all but a deletion. */
static void
say_done(struct child *worker, uint32_t request)
{
	struct snapshot_head head = { .applied_seq = 7,
		.created_ms = 1700000000000,
		.job_id = span_of("j"),
		.min_version = span_of(SNAPHEAD_MIN_VERSION),
		.latest_record_ms = TIME_UNSET,
		.latest_result_ms = TIME_UNSET };
	struct msg_chore_done m = { .description = span_of("mine") };
	struct model_size size = { 0 };
	struct wbuf wb;

	wbuf_init(&wb, 0);
	cr_assert_eq(snaphead_put(&wb, &head, &size), 0);
	m.head = (struct span){ (const char *)wb.data, wb.len };
	fake_say(worker, MSG_CHORE_DONE, request, &m);
	wbuf_clear(&wb);
}

/* The worker that a closed job was given, and what it is asked. */
static uint32_t
asked(struct child **worker, struct msg_chore *m)
{
	*worker = fake_last(SV_WORKER);
	cr_assert_not_null(*worker);
	fake_expect(*worker, MSG_HELLO, NULL);
	return fake_expect(*worker, MSG_CHORE, m);
}

Test(chores, a_closed_job_has_a_worker_for_one_and_stays_closed)
{
	struct child *worker;
	struct msg_chore m;
	uint32_t request;
	struct job *job;
	int fd;

	start();
	job = sv_job("j", NULL);
	fd = sv_ask("POST", SNAPSHOTS "/1700000000/_update",
	    "{\"description\":\"mine\"}");
	request = asked(&worker, &m);
	cr_expect_eq(m.kind, CHORE_UPDATE);
	cr_expect(span_eq(m.snapshot_id, "1700000000"));
	cr_expect(m.describe && span_eq(m.description, "mine"));
	cr_expect_eq(m.retain, CHORE_RETAIN_AS_IT_IS);
	cr_expect_str_eq(job_state_name(job), "closed");
	say_done(worker, request);
	sv_expect(fx_hear(fd), 200, "\"description\":\"mine\"");
	fake_exit(worker, 0);
	cr_expect_eq(job->state, JOB_CLOSED);
	close(fd);
	sv_end();
}

Test(chores, one_after_the_other)
{
	struct child *worker;
	struct msg_chore m;
	uint32_t request;
	int first, second;

	start();
	sv_job("j", NULL);
	first = sv_ask("DELETE", SNAPSHOTS "/1", NULL);
	second = sv_ask("DELETE", SNAPSHOTS "/2", NULL);
	request = asked(&worker, &m);
	cr_expect(span_eq(m.snapshot_id, "1"));
	fake_say_failed(worker, request, 404, "resource_not_found_exception",
	    "No model snapshot with id [1] exists for job [j]");
	sv_expect(fx_hear(first), 404, "with id [1] exists");
	cr_expect_eq(fake_count(SV_WORKER), 1);
	fake_exit(worker, 0);
	request = asked(&worker, &m);
	cr_expect(span_eq(m.snapshot_id, "2"));
	fake_say(worker, MSG_CHORE_DONE, request,
	    &(struct msg_chore_done){ .retain = false });
	sv_expect(fx_hear(second), 200, "{\"acknowledged\":true}");
	fake_exit(worker, 0);
	close(first);
	close(second);
	sv_end();
}

/* Twice is as good as once, and then it is known what has become of it. */
Test(chores, a_revert_whose_process_dies_is_begun_again)
{
	struct child *worker;
	struct msg_chore m;
	uint32_t request;
	struct job *job;
	int fd;

	start();
	job = sv_job("j", NULL);
	fd = sv_ask("POST",
	    SNAPSHOTS "/1700000000/_revert?delete_intervening_results=true",
	    NULL);
	asked(&worker, &m);
	cr_expect_eq(m.kind, CHORE_REVERT);
	cr_expect(m.delete_results);
	cr_expect_str_eq(job_blocked(job), "revert");
	fake_exit(worker, 9);
	cr_expect_str_eq(fx_hear(fd), "");
	cr_expect_eq(fake_count(SV_WORKER), 2);
	cr_expect_str_eq(job_blocked(job), "revert");
	request = asked(&worker, &m);
	say_done(worker, request);
	sv_expect(fx_hear(fd), 200, "\"snapshot_id\":\"1700000000\"");
	cr_expect_str_eq(job->model_snapshot_id, "1700000000");
	cr_expect_null(job_blocked(job));
	fake_exit(worker, 0);
	close(fd);
	sv_end();
}

Test(chores, of_the_second_death_the_client_is_told)
{
	struct child *worker;
	struct msg_chore m;
	struct job *job;
	int fd;

	start();
	job = sv_job("j", NULL);
	fd = sv_ask("POST", SNAPSHOTS "/1/_revert", NULL);
	asked(&worker, &m);
	fake_exit(worker, 9);
	asked(&worker, &m);
	fake_exit(worker, 9);
	sv_expect(fx_hear(fd), 500,
	    "it is not known whether model snapshot [1] was changed");
	cr_expect_eq(fake_count(SV_WORKER), 2);
	cr_expect_eq(job->state, JOB_CLOSED);
	cr_expect_null(job->model_snapshot_id);
	close(fd);
	sv_end();
}

Test(chores, in_an_open_job_they_are_in_its_line)
{
	struct child *worker;
	struct msg_chore m;
	uint32_t request;
	int fd;

	start();
	sv_open_job("j");
	worker = fake_last(SV_WORKER);
	sv_expect(sv_talk("POST", SNAPSHOTS "/1/_revert", NULL), 409,
	    "Can only revert to a model snapshot when the job is closed.");
	fd = sv_ask("POST", SNAPSHOTS "/1/_update", "{\"retain\":true}");
	request = fake_expect(worker, MSG_CHORE, &m);
	cr_expect_eq(m.retain, CHORE_RETAIN);
	cr_expect_not(m.describe);
	say_done(worker, request);
	sv_expect(fx_hear(fd), 200, "\"acknowledged\":true");
	cr_expect_eq(fake_count(SV_WORKER), 1);
	close(fd);
	sv_end();
}

Test(chores, a_worker_that_answers_what_it_was_not_asked_is_ended)
{
	struct msg_snapshotted m = { .model_snapshot_id = span_of("1"),
		.created_ms = 1000 };
	struct child *worker;
	struct job *job;

	start();
	job = sv_open_job("j");
	worker = fake_last(SV_WORKER);
	fake_say(worker, MSG_SNAPSHOTTED, 0, &m);
	cr_expect_str_eq(job->model_snapshot_id, "1");
	cr_expect_not(worker->killed);
	fake_say(worker, MSG_SNAPSHOTTED, 99, &m);
	cr_expect(worker->killed);
	fake_exit(worker, 9);
	sv_end();
}

/* What a worker finds at its start: it was reverted to no model, unheard. */
Test(chores, an_id_that_a_revert_took_away_goes)
{
	struct msg_snapshotted m = { .model_snapshot_id = span_of("1"),
		.created_ms = 1000 };
	struct job *job;

	start();
	job = sv_open_job("j");
	fake_say(fake_last(SV_WORKER), MSG_SNAPSHOTTED, 0, &m);
	m.model_snapshot_id = span_of("");
	fake_say(fake_last(SV_WORKER), MSG_SNAPSHOTTED, 0, &m);
	cr_expect_null(job->model_snapshot_id);
	sv_end();
}
