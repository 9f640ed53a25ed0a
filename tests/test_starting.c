/* How many workers start at a time, and who is next. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/supervisor_fixture.h"

#define NJOBS 7

static struct conf conf;
static int fd[NJOBS];

/* 0: what the configuration says of itself. */
static void
start(uint64_t max_opening, unsigned processors)
{
	sv_start();
	conf = *sv.conf;
	if (max_opening > 0)
		conf.max_opening = max_opening;
	sv.conf = &conf;
	sv.processors = processors;
}

static void
finish(void)
{
	for (int i = 0; i < NJOBS; i++)
		close(fd[i]);
	sv_end();
}

/* Clients ask for them, one after the other. */
static void
open_all(void)
{
	char id[16], path[64];

	for (int i = 0; i < NJOBS; i++) {
		snprintf(id, sizeof(id), "q%d", i);
		snprintf(
		    path, sizeof(path), "/_ml/anomaly_detectors/%s/_open", id);
		sv_job(id, NULL);
		fd[i] = sv_ask("POST", path, NULL);
	}
}

/* The nth worker that was started, from 0. */
static struct child *
worker(unsigned nth)
{
	struct child *c = NULL;

	for (unsigned i = 0; i < FAKE_MAX; i++) {
		c = fake_at(i);
		if (strcmp(c->program, SV_WORKER) == 0 && nth-- == 0)
			break;
	}
	return c;
}

Test(starting, no_more_than_max_opening_start_at_once)
{
	start(3, 16);
	open_all();
	for (unsigned ready = 0; ready < NJOBS; ready++) {
		unsigned most = ready + 3 < NJOBS ? ready + 3 : NJOBS;

		cr_expect_eq(fake_count(SV_WORKER), most);
		cr_expect_eq(sv.jobs->nstarting, most - ready);
		fake_ready(worker(ready));
		sv_store(MSG_KEEP_STATE);
		sv_expect(fx_hear(fd[ready]), 200, "\"opened\":true");
	}
	cr_expect_eq(sv.jobs->nstarting, 0);
	finish();
}

Test(starting, without_it_there_are_as_many_as_processors)
{
	start(0, 2);
	open_all();
	cr_expect_eq(fake_count(SV_WORKER), 2);
	fake_ready(worker(0));
	cr_expect_eq(fake_count(SV_WORKER), 3);
	finish();
}

Test(starting, one_always_may)
{
	start(0, 0);
	open_all();
	cr_expect_eq(fake_count(SV_WORKER), 1);
	finish();
}

Test(starting, one_that_dies_makes_room)
{
	start(2, 16);
	open_all();
	fake_exit(worker(0), 3 << 8);
	sv_expect(fx_hear(fd[0]), 500, "\"exception\"");
	cr_expect_eq(fake_count(SV_WORKER), 3);
	cr_expect_eq(sv.jobs->nstarting, 2);
	finish();
}

Test(starting, successors_of_the_dead_wait_for_their_turn_too)
{
	start(2, 16);
	open_all();
	for (unsigned i = 0; i < NJOBS; i++) {
		fake_ready(worker(i));
		sv_store(MSG_KEEP_STATE);
	}
	for (unsigned i = 0; i < NJOBS; i++)
		fake_exit(worker(i), 9);
	cr_expect_eq(fake_count(SV_WORKER), NJOBS + 2);
	cr_expect_eq(sv.jobs->nstarting, 2);
	for (unsigned i = 0; i < NJOBS; i++)
		fake_ready(worker(NJOBS + i));
	cr_expect_eq(fake_count(SV_WORKER), 2 * NJOBS);
	cr_expect_eq(sv.jobs->nstarting, 0);
	finish();
}
