/* What jobs are on disk is what they are in memory, whatever keepers do. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/supervisor_fixture.h"

#define J "/_ml/anomaly_detectors/j"
#define UPGRADE "/_ml/set_upgrade_mode?enabled="

static void
hear(int fd, int status, const char *text)
{
	sv_expect(fx_hear(fd), status, text);
	close(fd);
}

/* The keeper cannot store what it is asked for next. */
static void
refuse(uint16_t type)
{
	struct child *keeper = fake_last(SV_KEEPER);

	fake_say_failed(
	    keeper, fake_expect(keeper, type, NULL), 503, E_STATUS, "no space");
}

static void
worker_closes(void)
{
	struct msg_closed m = { span_of("1") };
	struct child *worker = fake_last(SV_WORKER);

	fake_expect(worker, MSG_CLOSE, NULL);
	fake_say(worker, MSG_CLOSED, 0, &m);
	fake_exit(worker, 0);
}

/*
 * The keeper does what it is asked for, and dies before it says so. The next
 * one loads what is there then: a setting, and a job unless incarnation is 0.
 */
static void
keeper_dies_of(uint16_t type, const char *mode, uint64_t incarnation)
{
	struct msg_keep_setting setting = { span_of("upgrade_mode"),
		span_of(mode) };
	struct msg_keep_job m = { .job_id = span_of("j"),
		.incarnation = incarnation,
		.finished_time_ms = TIME_UNSET };
	struct msg_keep_done done = { 0 };
	struct child *keeper = fake_last(SV_KEEPER);
	struct job *job = jobs_find(sv.jobs, "j");
	char *config = jobconf_print(job->conf);
	uint32_t request;

	fake_expect(keeper, type, NULL);
	fake_exit(keeper, 9);
	sv_tick(1);
	keeper = fake_last(SV_KEEPER);
	fake_ready(keeper);
	request = fake_expect(keeper, MSG_KEEP_LOAD, NULL);
	fake_say(keeper, MSG_KEEP_SETTING, request, &setting);
	m.config = span_of(config);
	if (incarnation != 0)
		fake_say(keeper, MSG_KEEP_JOB, request, &m);
	fake_say(keeper, MSG_KEEP_DONE, request, &done);
	free(config);
}

Test(stored, that_a_job_is_closed_is_tried_again)
{
	struct msg_keep_state m;
	struct child *keeper;
	struct job *job;
	int fd;

	sv_start();
	job = sv_open_job("j");
	keeper = fake_last(SV_KEEPER);
	fd = sv_ask("POST", J "/_close", NULL);
	worker_closes();
	refuse(MSG_KEEP_STATE);
	hear(fd, 503, "no space");
	cr_expect_eq(job->state, JOB_CLOSED);
	for (unsigned s = 1; s <= 64; s *= 2) {
		cr_expect_eq(fake_next(keeper), 0, "not before %u s", s);
		sv_tick(s < 60 ? s : 60);
		refuse(MSG_KEEP_STATE);
	}
	sv_tick(60);
	fake_say(keeper, MSG_KEEP_DONE, fake_expect(keeper, MSG_KEEP_STATE, &m),
	    &(struct msg_keep_done){ 0 });
	cr_expect_not(m.wanted_open);
	cr_expect_neq(m.finished_time_ms, TIME_UNSET);
	cr_expect(span_eq(m.model_snapshot_id, "1"));
	sv_tick(120);
	cr_expect_eq(fake_next(keeper), 0);
	sv_end();
}

Test(stored, that_a_job_is_open_is_tried_again)
{
	struct msg_keep_state m;
	int fd;

	sv_start();
	sv_job("j", NULL);
	fd = sv_ask("POST", J "/_open", NULL);
	fake_ready(fake_last(SV_WORKER));
	refuse(MSG_KEEP_STATE);
	hear(fd, 503, "no space");
	sv_tick(1);
	fake_expect(fake_last(SV_KEEPER), MSG_KEEP_STATE, &m);
	cr_expect(m.wanted_open);
	sv_end();
}

/* "closed": true is not said of what a crash would open again. */
Test(stored, closing_again_waits_until_it_is)
{
	int a, b, c;

	sv_start();
	sv_open_job("j");
	a = sv_ask("POST", J "/_close", NULL);
	worker_closes();
	b = sv_ask("POST", J "/_close", NULL);
	cr_expect_str_eq(fx_hear(b), "", "it is on its way to be");
	refuse(MSG_KEEP_STATE);
	hear(a, 503, "no space");
	hear(b, 503, "no space");
	c = sv_ask("POST", J "/_close", NULL);
	cr_expect_str_eq(fx_hear(c), "", "it was not");
	sv_store(MSG_KEEP_STATE);
	hear(c, 200, "\"closed\":true");
	sv_expect(sv_talk("POST", J "/_close", NULL), 200, "\"closed\":true");
	cr_expect_eq(fake_next(fake_last(SV_KEEPER)), 0);
	sv_end();
}

/* Such as the counts of forecasts, or a snapshot that a chore has changed. */
Test(stored, closing_waits_for_what_else_is_stored)
{
	struct job *job;
	int fd;

	sv_start();
	sv_job("j", NULL);
	job = jobs_find(sv.jobs, "j");
	job_store_snapshot(job);
	fd = sv_ask("POST", J "/_close", NULL);
	cr_expect_str_eq(fx_hear(fd), "", "it may be lost still");
	sv_store(MSG_KEEP_STATE);
	hear(fd, 200, "\"closed\":true");
	job_store_snapshot(job);
	fd = sv_ask("POST", J "/_close", NULL);
	refuse(MSG_KEEP_STATE);
	hear(fd, 503, "no space");
	sv_end();
}

/* A snapshot of its last moments says nothing of its end. */
Test(stored, a_snapshot_on_the_way_is_not_that_it_is_closed)
{
	struct job *job;
	int fd;

	sv_start();
	job = sv_open_job("j");
	job_store_snapshot(job);
	fd = sv_ask("POST", J "/_close", NULL);
	sv_store(MSG_KEEP_STATE);
	cr_expect_str_eq(fx_hear(fd), "", "it is closing");
	job_store_snapshot(job);
	worker_closes();
	sv_store(MSG_KEEP_STATE);
	cr_expect_str_eq(fx_hear(fd), "", "that it is closed comes behind");
	sv_store(MSG_KEEP_STATE);
	hear(fd, 200, "\"closed\":true");
	sv_end();
}

Test(stored, what_goes_with_a_reset_or_a_deletion_is_not_tried_again)
{
	int fd;

	sv_start();
	sv_open_job("j");
	fd = sv_ask("POST", J "/_close", NULL);
	worker_closes();
	refuse(MSG_KEEP_STATE);
	hear(fd, 503, "no space");
	fd = sv_ask("POST", J "/_reset", NULL);
	sv_tick(2);
	sv_store(MSG_KEEP_RESET);
	hear(fd, 200, "acknowledged");
	sv_tick(2);
	cr_expect_eq(fake_next(fake_last(SV_KEEPER)), 0);
	fd = sv_ask("DELETE", J, NULL);
	sv_tick(2);
	sv_store(MSG_KEEP_DELETE);
	hear(fd, 200, "acknowledged");
	sv_end();
}

Test(stored, a_reset_that_a_keeper_died_of_is_done)
{
	struct job *job;
	uint64_t next;
	int fd;

	sv_start();
	job = sv_job("j", NULL);
	next = job->incarnation + 100;
	fd = sv_ask("POST", J "/_reset", NULL);
	keeper_dies_of(MSG_KEEP_RESET, "false", next);
	refuse(MSG_KEEP_RESET);
	hear(fd, 200, "\"acknowledged\":true");
	cr_expect_eq(job->incarnation, next);
	cr_expect_eq(job->state, JOB_CLOSED);
	fd = sv_ask("POST", J "/_reset", NULL);
	refuse(MSG_KEEP_RESET);
	hear(fd, 503, "no space");
	cr_expect_eq(job->incarnation, next);
	sv_end();
}

Test(stored, a_deletion_that_a_keeper_died_of_is_done)
{
	int fd;

	sv_start();
	sv_job("j", NULL);
	fd = sv_ask("DELETE", J, NULL);
	keeper_dies_of(MSG_KEEP_DELETE, "false", 0);
	refuse(MSG_KEEP_DELETE);
	hear(fd, 200, "\"acknowledged\":true");
	cr_expect_null(jobs_find(sv.jobs, "j"));
	sv_end();
}

Test(stored, a_deletion_that_was_not_done_is_told)
{
	struct job *job;
	int fd;

	sv_start();
	job = sv_job("j", NULL);
	fd = sv_ask("DELETE", J, NULL);
	keeper_dies_of(MSG_KEEP_DELETE, "false", job->incarnation);
	refuse(MSG_KEEP_DELETE);
	hear(fd, 503, "no space");
	cr_expect_eq(job->state, JOB_CLOSED);
	sv_end();
}

Test(stored, a_change_of_upgrade_mode_that_a_keeper_died_of_is_done)
{
	struct job *job;
	int fd;

	sv_start();
	job = sv_job("j", NULL);
	fd = sv_ask("POST", UPGRADE "true", NULL);
	keeper_dies_of(MSG_KEEP_SETTING, "true", job->incarnation);
	refuse(MSG_KEEP_SETTING);
	hear(fd, 200, "\"acknowledged\":true");
	cr_expect(sv.upgrade_mode);
	fd = sv_ask("POST", UPGRADE "false", NULL);
	refuse(MSG_KEEP_SETTING);
	hear(fd, 503, "no space");
	cr_expect(sv.upgrade_mode);
	sv_end();
}

Test(stored, an_update_that_a_keeper_died_of_is_shown)
{
	struct msg_keep_job m = { .job_id = span_of("j"),
		.finished_time_ms = TIME_UNSET };
	struct msg_keep_done done = { 0 };
	struct msg_keep_update update;
	struct child *keeper;
	uint32_t request;
	char *config;
	int fd;

	sv_start();
	m.incarnation = sv_job("j", NULL)->incarnation;
	fd = sv_ask("POST", J "/_update", "{\"description\":\"a\"}");
	keeper = fake_last(SV_KEEPER);
	fake_expect(keeper, MSG_KEEP_UPDATE, &update);
	config = span_dup(update.config);
	fake_exit(keeper, 9);
	sv_tick(1);
	keeper = fake_last(SV_KEEPER);
	fake_ready(keeper);
	request = fake_expect(keeper, MSG_KEEP_LOAD, NULL);
	m.config = span_of(config);
	fake_say(keeper, MSG_KEEP_JOB, request, &m);
	fake_say(keeper, MSG_KEEP_DONE, request, &done);
	refuse(MSG_KEEP_UPDATE);
	hear(fd, 503, "no space");
	sv_expect(sv_talk("GET", J, NULL), 200, "\"description\":\"a\"");
	free(config);
	sv_end();
}
