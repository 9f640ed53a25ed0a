#include "common/compat.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

/* The daemon ends, so nothing is started that a test would have to await. */
static struct conf conf = { .max_restart_delay_s = 8 };
static struct server srv = { .conf = &conf, .stopping = true };
static struct job job;
static char id[] = "j";

static void
setup(void)
{
	memset(&job, 0, sizeof(job));
	job.srv = &srv;
	job.id = id;
	job.state = JOB_RECOVERING;
	job.resumes = JOB_OPENED;
	TAILQ_INIT(&job.line);
	strlcpy(job.death, "killed", sizeof(job.death));
}

TestSuite(recovery, .init = setup);

static void
die(unsigned times)
{
	while (times-- > 0)
		recovery_begin(&job);
}

Test(recovery, ten_deaths_without_a_step_are_hopeless)
{
	die(9);
	cr_expect_not(recovery_is_hopeless(&job));
	die(1);
	cr_expect(recovery_is_hopeless(&job));
}

Test(recovery, a_step_or_an_idle_start_begins_the_count_anew)
{
	die(9);
	recovery_step(&job);
	die(9);
	recovery_ready(&job);
	die(9);
	cr_expect_not(recovery_is_hopeless(&job));
}

Test(recovery, a_start_that_others_wait_behind_is_no_step)
{
	struct op op = { .kind = OP_UPLOAD };

	TAILQ_INSERT_TAIL(&job.line, &op, entry);
	job.nline = 1;
	for (int i = 0; i < 10; i++) {
		die(1);
		recovery_ready(&job);
	}
	cr_expect(recovery_is_hopeless(&job));
}

/* Ten deaths, and something is answered between any two. */
static void
die_with_steps(unsigned times)
{
	while (times-- > 0) {
		die(1);
		recovery_step(&job);
		recovery_ready(&job);
	}
}

Test(recovery, steps_do_not_count_on_the_way_to_an_end)
{
	struct op op = { .kind = OP_EXPIRE, .sent = true };

	die_with_steps(20);
	cr_expect_not(recovery_is_hopeless(&job), "nothing is asked of it");
	job.resumes = JOB_CLOSING;
	die_with_steps(9);
	cr_expect_not(recovery_is_hopeless(&job));
	die_with_steps(1);
	cr_expect(recovery_is_hopeless(&job), "to be closed");
	recovery_cancel(&job);
	job.resumes = JOB_OPENED;
	srv.upgrade_mode = true;
	die_with_steps(10);
	cr_expect(recovery_is_hopeless(&job), "to rest");
	recovery_cancel(&job);
	srv.upgrade_mode = false;
	TAILQ_INSERT_TAIL(&job.line, &op, entry);
	die_with_steps(10);
	cr_expect(recovery_is_hopeless(&job), "to remove old results");
	TAILQ_REMOVE(&job.line, &op, entry);
	die_with_steps(1);
	cr_expect_not(recovery_is_hopeless(&job), "they are removed");
}

Test(recovery, what_a_full_disk_kills_is_not_hopeless)
{
	srv.disk_low = true;
	job.resumes = JOB_CLOSING;
	die(30);
	cr_expect_not(recovery_is_hopeless(&job));
	srv.disk_low = false;
}

Test(recovery, pauses_double_up_to_the_longest)
{
	static const int64_t pause_s[] = { 0, 1, 2, 4, 8, 8, 8 };

	for (size_t i = 0; i < NELEM(pause_s); i++) {
		int64_t before = clock_mono_us(), wait;

		die(1);
		wait = job.recovery.at_us - before;
		cr_expect_geq(wait, pause_s[i] * 1000000);
		cr_expect_lt(wait, pause_s[i] * 1000000 + 900000, "%zu", i);
	}
}

Test(recovery, damage_is_told_until_a_worker_that_knows_it_is_ready)
{
	int64_t now_us = clock_mono_us();

	cr_expect_null(recovery_json(&job));
	cr_expect_not(recovery_tell_damage(&job));
	recovery_damaged(&job, now_us);
	recovery_ready(&job);
	cr_expect(job.recovery.damaged, "this one was not told");
	cr_expect(recovery_tell_damage(&job));
	die(1);
	cr_expect(recovery_tell_damage(&job), "that one was never ready");
	recovery_ready(&job);
	cr_expect_not(recovery_tell_damage(&job));
	recovery_damaged(&job, now_us);
	cr_expect_not(job.recovery.damaged, "it has read the file before");
	recovery_damaged(&job, clock_mono_us() + 1);
	cr_expect(job.recovery.damaged);
}

Test(recovery, only_signals_of_its_own_doing_are_a_crash)
{
	static const int own[] = { SIGSEGV, SIGABRT, SIGBUS, SIGSYS, SIGILL,
		SIGFPE };

	/* A status of wait(2) has the signal in its low bits. */
	for (size_t i = 0; i < NELEM(own); i++) {
		recovery_died(&job, own[i], false);
		cr_expect_eq(job.recovery.crash, (unsigned)own[i]);
	}
	recovery_died(&job, SIGKILL, false);
	cr_expect_eq(job.recovery.crash, 0);
	recovery_died(&job, 1 << 8, false);
	cr_expect_eq(job.recovery.crash, 0, "it has ended by itself");
	recovery_died(&job, SIGKILL, true);
	cr_expect_eq(job.recovery.crash, SIGKILL, "for want of memory");
}
