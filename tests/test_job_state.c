/* The state machine of a job: every pair of state and event is walked. */
#include "common/compat.h"

#include <criterion/criterion.h>

#include "common/log.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

/* What must happen, written down apart from the table of edges. '.': the
   event is refused; else the first letter of the state that follows, with X
   for DELETING and R for CREATING. */
static const char *const expected[JOB_NSTATES] = {
	/* events:     created open ready close force exit+ exit- delete df
	   loaded */
	[JOB_CREATING] = "C........C",
	[JOB_CLOSED] = ".O.CC..X..",
	[JOB_OPENING] = "..PGGFF...",
	[JOB_OPENED] = "...GGFF...",
	[JOB_CLOSING] = "...GGCF...",
	[JOB_FAILED] = ".O..C.....",
	[JOB_DELETING] = ".......XC.",
};

static const char letters[JOB_NSTATES] = {
	[JOB_CREATING] = 'R',
	[JOB_CLOSED] = 'C',
	[JOB_OPENING] = 'O',
	[JOB_OPENED] = 'P',
	[JOB_CLOSING] = 'G',
	[JOB_FAILED] = 'F',
	[JOB_DELETING] = 'X',
};

Test(job_state, every_pair_leads_where_it_should)
{
	for (int s = 0; s < JOB_NSTATES; s++) {
		for (int ev = 0; ev < JOB_NEVENTS; ev++) {
			enum job_state to =
			    job_edge((enum job_state)s, (enum job_event)ev);
			char got = to == JOB_NSTATES ? '.' : letters[to];

			cr_expect_eq(got, expected[s][ev],
			    "state %d event %d: %c, not %c", s, ev, got,
			    expected[s][ev]);
		}
	}
}

/* From anywhere some chain of events leads back to CLOSED. */
Test(job_state, no_state_is_a_trap)
{
	for (int s = 0; s < JOB_NSTATES; s++) {
		bool seen[JOB_NSTATES] = { false };
		bool grew = true;

		seen[s] = true;
		while (grew) {
			grew = false;
			for (int a = 0; a < JOB_NSTATES; a++) {
				for (int ev = 0; seen[a] && ev < JOB_NEVENTS;
				     ev++) {
					enum job_state to =
					    job_edge((enum job_state)a,
						(enum job_event)ev);

					if (to == JOB_NSTATES || seen[to])
						continue;
					seen[to] = true;
					grew = true;
				}
			}
		}
		cr_expect(seen[JOB_CLOSED], "state %d never closes", s);
	}
}

/* Whoever waits is told when the process dies, in each state that has one. */
Test(job_state, death_of_the_process_is_known_everywhere)
{
	static const enum job_state running[] = { JOB_OPENING, JOB_OPENED,
		JOB_CLOSING };

	for (size_t i = 0; i < NELEM(running); i++) {
		cr_expect_eq(
		    job_edge(running[i], EV_EXIT_UNEXPECTED), JOB_FAILED);
		cr_expect_neq(
		    job_edge(running[i], EV_EXIT_EXPECTED), JOB_NSTATES);
	}
}

/* What a worker says of its end goes into the log and into answers. */
Test(job_state, cause_is_kept_escaped)
{
	static char id[] = "j";
	struct server srv = { 0 };
	struct job job = { .srv = &srv, .id = id, .state = JOB_OPENED };

	log_init("test", LOG_LEVEL_ERROR);
	TAILQ_INIT(&job.line);
	TAILQ_INIT(&job.arriving);
	TAILQ_INIT(&job.waiters);
	cr_assert_eq(job_event(&job, EV_EXIT_UNEXPECTED, "a\n<3>b\xc3"), 0);
	cr_expect_eq(job.state, JOB_FAILED);
	cr_expect_str_eq(job.cause, "a\\x0a<3>b\\xc3");
}
