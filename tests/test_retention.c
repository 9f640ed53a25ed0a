/* Whose turn it is to remove old results, how fast, and when. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/retention.h"
#include "tests/supervisor_fixture.h"

#define EXPIRE "/_ml/_delete_expired_data"

/* It is 08:49:37 when the tests begin. */
static void
start(void)
{
	cr_assert_eq(setenv("TZ", "UTC0", 1), 0);
	sv_start();
}

static struct job *
kept_job(const char *id, unsigned days)
{
	char path[64], body[256];
	int fd;

	snprintf(path, sizeof(path), "/_ml/anomaly_detectors/%s", id);
	snprintf(body, sizeof(body),
	    "{\"results_retention_days\":%u,\"analysis_config\":{\"detectors\":"
	    "[{\"function\":\"count\"}]},\"data_description\":{}}",
	    days);
	fd = sv_ask("PUT", path, body);
	sv_store(MSG_KEEP_CREATE);
	sv_expect(fx_hear(fd), 200, id);
	close(fd);
	return jobs_find(sv.jobs, id);
}

static struct job *
kept_open_job(const char *id, unsigned days)
{
	struct job *job = kept_job(id, days);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/_ml/anomaly_detectors/%s/_open", id);
	fd = sv_ask("POST", path, NULL);
	fake_ready(fake_last(SV_WORKER));
	sv_store(MSG_KEEP_STATE);
	sv_expect(fx_hear(fd), 200, "\"opened\":true");
	close(fd);
	return job;
}

static void
answer(struct child *worker, uint32_t request, uint64_t rows, bool more)
{
	struct msg_expired m = { .rows = rows, .more = more };

	fake_say(worker, MSG_EXPIRED, request, &m);
}

Test(retention, an_open_job_is_asked_until_nothing_is_left)
{
	struct child *worker;
	struct msg_expire m;
	uint32_t request;
	int fd;

	start();
	kept_open_job("j", 7);
	worker = fake_last(SV_WORKER);
	fd = sv_ask("DELETE", EXPIRE, NULL);
	request = fake_expect(worker, MSG_EXPIRE, &m);
	cr_expect_eq(m.retention_days, 7);
	cr_expect_eq(m.max_rows, 10000);
	answer(worker, request, 10000, true);
	request = fake_expect(worker, MSG_EXPIRE, NULL);
	cr_expect_str_eq(fx_hear(fd), "");
	answer(worker, request, 3, false);
	sv_expect(fx_hear(fd), 200, "{\"deleted\":true}");
	close(fd);
	sv_end();
}

Test(retention, a_closed_job_has_a_worker_for_it_and_stays_closed)
{
	struct child *worker;
	uint32_t request;
	struct job *job;
	int fd;

	start();
	job = kept_job("j", 1);
	fd = sv_ask("DELETE", EXPIRE "/j", NULL);
	worker = fake_last(SV_WORKER);
	cr_assert_not_null(worker);
	fake_expect(worker, MSG_HELLO, NULL);
	request = fake_expect(worker, MSG_EXPIRE, NULL);
	cr_expect_eq(job->state, JOB_TENDING);
	cr_expect_str_eq(job_state_name(job), "closed");
	answer(worker, request, 1, false);
	cr_expect_str_eq(fx_hear(fd), "", "the worker has not gone yet");
	fake_exit(worker, 0);
	sv_expect(fx_hear(fd), 200, "{\"deleted\":true}");
	cr_expect_eq(job->state, JOB_CLOSED);
	close(fd);
	sv_end();
}

Test(retention, two_jobs_have_their_turn_at_a_time)
{
	int fd;

	start();
	for (char c = 'a'; c <= 'e'; c++)
		kept_job((char[]){ c, '\0' }, 1);
	sv_job("keeps-all", NULL);
	fd = sv_ask("DELETE", EXPIRE, NULL);
	for (unsigned n = 0; n < 5; n++) {
		struct child *worker = fake_at(1 + n);

		cr_expect_eq(fake_count(SV_WORKER), n < 4 ? n + 2 : 5);
		fake_expect(worker, MSG_HELLO, NULL);
		answer(worker, fake_expect(worker, MSG_EXPIRE, NULL), 1, false);
		cr_expect_str_eq(fx_hear(fd), "");
		fake_exit(worker, 0);
	}
	sv_expect(fx_hear(fd), 200, "{\"deleted\":true}");
	close(fd);
	sv_end();
}

/* As many rows a second as are wished, of all jobs together. */
Test(retention, it_goes_as_slow_as_it_should)
{
	struct child *worker;
	struct msg_expire m;
	uint32_t request;
	int fd;

	start();
	kept_open_job("j", 7);
	worker = fake_last(SV_WORKER);
	fd = sv_ask("DELETE", EXPIRE "?requests_per_second=10.5", NULL);
	request = fake_expect(worker, MSG_EXPIRE, &m);
	cr_expect_eq(m.max_rows, 10);
	answer(worker, request, 32, true); /* three seconds' worth */
	sv_tick(3);
	cr_expect_eq(fake_next(worker), 0);
	sv_tick(1);
	request = fake_expect(worker, MSG_EXPIRE, &m);
	answer(worker, request, 0, false);
	sv_expect(fx_hear(fd), 200, "{\"deleted\":true}");
	close(fd);
	sv_end();
}

Test(retention, past_its_time_the_rest_is_left)
{
	struct child *worker;
	struct job *job;
	int fd, other;

	start();
	job = kept_job("j", 1);
	fd = sv_ask("DELETE", EXPIRE "?timeout=3s", NULL);
	other = sv_ask("DELETE", EXPIRE, "{\"timeout\":\"1s\"}");
	worker = fake_last(SV_WORKER);
	sv_tick(1);
	/* It had no turn. */
	sv_expect(fx_hear(other), 200, "{\"deleted\":false}");
	cr_expect_str_eq(fx_hear(fd), "");
	sv_tick(2);
	sv_expect(fx_hear(fd), 200, "{\"deleted\":false}");
	cr_expect(worker->killed);
	cr_expect_eq(job->state, JOB_TENDING);
	fake_exit(worker, 9);
	cr_expect_eq(job->state, JOB_CLOSED);
	close(fd);
	close(other);
	sv_end();
}

Test(retention, a_client_that_left_does_not_end_it)
{
	struct child *worker;
	struct job *job;
	int fd;

	start();
	job = kept_job("j", 1);
	fd = sv_ask("DELETE", EXPIRE, NULL);
	close(fd);
	fx_turn();
	worker = fake_last(SV_WORKER);
	fake_expect(worker, MSG_HELLO, NULL);
	answer(worker, fake_expect(worker, MSG_EXPIRE, NULL), 10000, true);
	answer(worker, fake_expect(worker, MSG_EXPIRE, NULL), 1, false);
	fake_exit(worker, 0);
	cr_expect_eq(job->state, JOB_CLOSED);
	sv_end();
}

Test(retention, a_full_line_is_tried_again)
{
	struct child *worker;
	struct job *job;
	int fd;

	start();
	job = kept_open_job("j", 1);
	worker = fake_last(SV_WORKER);
	for (int i = 0; i < JOB_LINE_MAX; i++)
		sv_ask("POST", "/_ml/anomaly_detectors/j/_flush", NULL);
	cr_assert_eq(job->nline, JOB_LINE_MAX);
	fd = sv_ask("DELETE", EXPIRE, NULL);
	for (int i = 0; i < JOB_LINE_MAX; i++) {
		struct msg_flushed m = { TIME_UNSET };

		fake_say(worker, MSG_FLUSHED,
		    fake_expect(worker, MSG_FLUSH, NULL), &m);
	}
	cr_expect_eq(fake_next(worker), 0);
	sv_tick(1);
	answer(worker, fake_expect(worker, MSG_EXPIRE, NULL), 0, false);
	sv_expect(fx_hear(fd), 200, "{\"deleted\":true}");
	close(fd);
	sv_end();
}

/* The error of a worker is the answer, when all others have had their turn. */
Test(retention, what_fails_is_told_in_the_end)
{
	struct child *worker;
	uint32_t request;
	int fd;

	start();
	kept_open_job("a", 1);
	worker = fake_last(SV_WORKER);
	kept_job("b", 1);
	fd = sv_ask("DELETE", EXPIRE, NULL);
	request = fake_expect(worker, MSG_EXPIRE, NULL);
	fake_say_failed(worker, request, 500, E_EXCEPTION, "it is damaged");
	cr_expect_str_eq(fx_hear(fd), "");
	worker = fake_last(SV_WORKER);
	fake_expect(worker, MSG_HELLO, NULL);
	answer(worker, fake_expect(worker, MSG_EXPIRE, NULL), 0, false);
	fake_exit(worker, 0);
	sv_expect(fx_hear(fd), 500, "it is damaged");
	close(fd);
	sv_end();
}

Test(retention, jobs_that_rest_failed_or_go_away_are_passed_over)
{
	struct job *failed;
	unsigned nworkers;
	int fd;

	start();
	failed = kept_open_job("failed", 1);
	fake_exit(fake_last(SV_WORKER), 9);
	fake_say_failed(
	    fake_last(SV_WORKER), 0, 500, E_EXCEPTION, "it is damaged");
	fake_exit(fake_last(SV_WORKER), 1);
	cr_assert_eq(failed->state, JOB_FAILED);
	nworkers = fake_count(SV_WORKER);
	kept_job("deleted", 1);
	kept_job("reset", 1);
	sv_ask("DELETE", "/_ml/anomaly_detectors/deleted", NULL);
	sv_ask("POST", "/_ml/anomaly_detectors/reset/_reset", NULL);
	fd = sv_ask("DELETE", EXPIRE, NULL);
	sv_expect(fx_hear(fd), 200, "{\"deleted\":true}");
	cr_expect_eq(fake_count(SV_WORKER), nworkers);
	close(fd);
	sv_end();
}

/* ---- every day ---- */

/* Time passes without a second of it being looked at. */
static void
sleep_until(int hour, int minute)
{
	int64_t from_s = 8 * 3600 + 49 * 60 + 37;
	static int64_t passed_s;
	int64_t to_s = (hour * 60 + minute) * 60 - from_s - passed_s;

	while (to_s <= 0)
		to_s += 86400;
	passed_s += to_s;
	fx_pass_ms(to_s * 1000);
	passed_s++;
	sv_tick(1);
}

Test(retention, once_a_day_after_half_past_midnight)
{
	struct child *worker;

	start();
	kept_job("j", 3);
	sleep_until(23, 59);
	sleep_until(0, 29);
	cr_expect_eq(fake_count(SV_WORKER), 0);
	for (unsigned day = 1; day <= 3; day++) {
		struct msg_expire m;
		uint32_t request;

		sleep_until(0, 30);
		cr_assert_eq(fake_count(SV_WORKER), day);
		worker = fake_last(SV_WORKER);
		fake_expect(worker, MSG_HELLO, NULL);
		request = fake_expect(worker, MSG_EXPIRE, &m);
		cr_expect_eq(m.retention_days, 3);
		answer(worker, request, 0, false);
		fake_exit(worker, 0);
		sleep_until(0, 31);
		sleep_until(12, 0);
		cr_expect_eq(fake_count(SV_WORKER), day);
	}
	sv_end();
}

Test(retention, not_in_upgrade_mode)
{
	int fd;

	start();
	kept_job("j", 3);
	fd = sv_ask("POST", "/_ml/set_upgrade_mode?enabled=true", NULL);
	sv_store(MSG_KEEP_SETTING);
	sv_expect(fx_hear(fd), 200, "{\"acknowledged\":true}");
	close(fd);
	sleep_until(0, 30);
	sleep_until(0, 31);
	cr_expect_eq(fake_count(SV_WORKER), 0);
	sv_end();
}

Test(retention, who_has_nothing_to_remove_does_not_wait_for_others)
{
	int a, b;

	start();
	kept_open_job("j", 7);
	sv_job("other", NULL);
	a = sv_ask("DELETE", EXPIRE "?requests_per_second=0.001", NULL);
	b = sv_ask("DELETE", EXPIRE "/other", NULL);
	cr_expect_str_eq(fx_hear(a), "");
	sv_expect(fx_hear(b), 200, "{\"deleted\":true}");
	close(a);
	close(b);
	sv_end();
}

/* Its worker would keep the daemon from its end. */
Test(retention, none_begins_at_the_end_of_the_daemon)
{
	int fd;

	start();
	kept_job("j", 7);
	sv.stopping = true;
	fd = sv_ask("DELETE", EXPIRE, NULL);
	sv_expect(fx_hear(fd), 200, "{\"deleted\":false}");
	close(fd);
	cr_expect_null(fake_last(SV_WORKER));
	sv_end();
}
