/* Those who wait for a job: each is answered once, and in time. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/supervisor_fixture.h"

#define OPEN "/_ml/anomaly_detectors/j/_open"

static struct job *
start(void)
{
	sv_start();
	return sv_job("j", NULL);
}

/* What the worker says when it is ready, and what is stored then. */
static void
worker_opens(void)
{
	fake_ready(fake_last(SV_WORKER));
	sv_store(MSG_KEEP_STATE);
}

Test(waiters, opening_past_its_time_is_answered_and_goes_on)
{
	struct job *job = start();
	int fd = sv_ask("POST", OPEN "?timeout=3s", NULL);

	sv_tick(2);
	cr_expect_str_eq(fx_hear(fd), "");
	sv_tick(1);
	sv_expect(fx_hear(fd), 408,
	    "\"type\":\"status_exception\",\"reason\":"
	    "\"Opening job [j] timed out after [3s]\"");
	worker_opens();
	cr_expect_eq(job->state, JOB_OPENED);
	cr_expect_str_eq(fx_hear(fd), "", "there is no second answer");
	close(fd);
	sv_end();
}

Test(waiters, opening_in_time_is_answered_once)
{
	int fd;

	start();
	fd = sv_ask("POST", OPEN, "{\"timeout\":\"3s\"}");
	sv_tick(2);
	worker_opens();
	sv_expect(fx_hear(fd), 200, "\"opened\":true");
	sv_tick(2);
	cr_expect_str_eq(fx_hear(fd), "");
	close(fd);
	sv_end();
}

Test(waiters, job_in_the_queue_has_its_time_too)
{
	struct job *other = start();
	int fd;

	cr_assert_eq(other->state, JOB_CLOSED);
	for (unsigned i = 0; i < sv.processors; i++) {
		char id[16], path[64];

		snprintf(id, sizeof(id), "q%u", i);
		snprintf(
		    path, sizeof(path), "/_ml/anomaly_detectors/%s/_open", id);
		sv_job(id, NULL);
		sv_ask("POST", path, NULL);
	}
	fd = sv_ask("POST", OPEN "?timeout=1s", NULL);
	cr_assert(other->queued);
	sv_tick(1);
	sv_expect(fx_hear(fd), 408, "timed out after [1s]");
	close(fd);
	sv_end();
}

Test(waiters, client_that_left_is_not_told)
{
	struct job *job = start();
	int fd = sv_ask("POST", OPEN "?timeout=3s", NULL);

	close(fd);
	fx_turn();
	sv_tick(4);
	worker_opens();
	cr_expect_eq(job->state, JOB_OPENED);
	sv_end();
}
