/* Whether a worker still gets on, by the test's clock. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "tests/supervisor_fixture.h"

static struct job *job;
static struct child *worker;

static void
start(void)
{
	sv_start();
	job = sv_open_job("j");
	worker = fake_last(SV_WORKER);
}

/* Answer the ping that is there, if one is. */
static bool
pong(uint64_t progress, bool busy)
{
	struct msg_pong m = { .progress = progress, .busy = busy };
	struct msg_ping ping;

	if (fake_next(worker) != MSG_PING)
		return false;
	fake_decode(worker, &ping);
	m.token = ping.token;
	fake_say(worker, MSG_PONG, 0, &m);
	return true;
}

Test(watchdog, an_idle_worker_lives_for_hours_at_little_cost)
{
	unsigned pings = 0;

	start();
	for (int s = 0; s < 2 * 3600; s++) {
		sv_tick(1);
		pings += pong(0, false);
	}
	cr_expect_not(worker->killed);
	cr_expect_geq(pings, 2 * 3600 / 6);
	cr_expect_leq(pings, 2 * 3600 / 5);
	sv_end();
}

Test(watchdog, a_busy_worker_that_gets_on_lives)
{
	start();
	for (unsigned s = 0; s < 1000; s++) {
		sv_tick(1);
		pong(s / 20, true); /* a unit of work may take its time */
	}
	cr_expect_not(worker->killed);
	sv_end();
}

Test(watchdog, a_worker_that_answers_no_ping_is_killed)
{
	unsigned limit_s;

	start();
	limit_s = (unsigned)sv.conf->watchdog_timeout_s;
	sv_tick(limit_s);
	cr_expect_not(worker->killed, "a ping had no time to be answered");
	sv_tick(7);
	cr_expect(worker->killed);
	fake_exit(worker, 9);
	cr_expect_eq(job->state, JOB_RECOVERING);
	cr_expect_str_eq(job->recovery.death,
	    "worker did not answer for 31 s and was killed "
	    "(watchdog_timeout)");
	sv_end();
}

Test(watchdog, a_worker_that_is_busy_and_gets_nowhere_is_killed)
{
	unsigned limit_s, s;

	start();
	limit_s = (unsigned)sv.conf->watchdog_timeout_s;
	for (s = 0; s < 2 * limit_s && !worker->killed; s++) {
		sv_tick(1);
		pong(7, true);
	}
	cr_expect(worker->killed);
	cr_expect_geq(s, limit_s);
	cr_expect_leq(s, limit_s + 7);
	fake_exit(worker, 9);
	cr_expect_not_null(strstr(job->cause, "made no progress"));
	sv_end();
}

Test(watchdog, a_pong_that_was_not_asked_for_costs_the_worker_its_life)
{
	struct msg_pong m = { .token = 99 };

	start();
	fake_say(worker, MSG_PONG, 0, &m);
	cr_expect(worker->killed);
	sv_end();
}

/* The machine slept, or somebody had stopped the daemon. */
Test(watchdog, a_daemon_that_did_not_run_blames_nobody)
{
	start();
	sv_tick(3);
	fx_pass_ms(3600 * 1000); /* no ping is under way */
	sv_tick(3);
	cr_expect_not(worker->killed);
	pong(0, false);
	for (int s = 0; s < 10 && fake_next(worker) != MSG_PING; s++)
		sv_tick(1);
	cr_assert_eq(worker->head.type, MSG_PING);
	fx_pass_ms(3600 * 1000); /* one is */
	sv_tick(3);
	cr_expect_not(worker->killed);
	sv_end();
}

Test(watchdog, a_worker_that_is_not_ready_yet_is_watched_too)
{
	int fd;

	sv_start();
	job = sv_job("j", NULL);
	fd = sv_ask("POST", "/_ml/anomaly_detectors/j/_open", NULL);
	worker = fake_last(SV_WORKER);
	sv_tick((unsigned)sv.conf->watchdog_timeout_s + 7);
	cr_expect(worker->killed);
	fake_exit(worker, 9);
	cr_expect_eq(job->state, JOB_RECOVERING);
	cr_expect_str_eq(job_state_name(job), "opening");
	cr_expect_str_empty(fx_hear(fd), "another one may be faster");
	fake_ready(fake_last(SV_WORKER));
	sv_store(MSG_KEEP_STATE);
	sv_expect(fx_hear(fd), 200, "\"opened\":true");
	close(fd);
	sv_end();
}
