/* The state machine of a job: every pair of state and event is walked. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/log.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

/* What must happen, written down apart from the table of edges. '.': the
   event is refused; else the letter of the state that follows. */
static const char *const expected[JOB_NSTATES] = {
	/* events, in their order: created open ready close force exit+ exit-
	   refused delete delete_failed loaded reset reset_done reset_failed
	   trim trimmed pause resume */
	[JOB_CREATING] = "C.........C.......",
	[JOB_CLOSED] = ".O.CC...X..S..T.U.",
	[JOB_OPENING] = "..PGGFVF.......O..",
	[JOB_OPENED] = "...GGFVF........I.",
	[JOB_CLOSING] = "...GGCVF.......C..",
	[JOB_FAILED] = ".O..C.............",
	[JOB_DELETING] = "........XC.....X..",
	[JOB_RESETTING] = "........S..SCC.S..",
	[JOB_TENDING] = ".O......X..S...C..",
	[JOB_PAUSING] = "...GGUVF..........",
	[JOB_PAUSED] = "...CC............O",
	[JOB_RECOVERING] = "..PVGFVF..........",
};

static const char letters[JOB_NSTATES] = {
	[JOB_CREATING] = 'R',
	[JOB_CLOSED] = 'C',
	[JOB_OPENING] = 'O',
	[JOB_OPENED] = 'P',
	[JOB_CLOSING] = 'G',
	[JOB_FAILED] = 'F',
	[JOB_DELETING] = 'X',
	[JOB_RESETTING] = 'S',
	[JOB_TENDING] = 'T',
	[JOB_PAUSING] = 'I',
	[JOB_PAUSED] = 'U',
	[JOB_RECOVERING] = 'V',
};

Test(job_state, every_pair_leads_where_it_should)
{
	for (int s = 0; s < JOB_NSTATES; s++) {
		cr_assert_eq(strlen(expected[s]), JOB_NEVENTS);
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

/* And what must be done on the way; nothing for pairs that are not here. */
static const struct {
	enum job_state from;
	enum job_event event;
	const char *action;
} actions[] = {
	{ JOB_CREATING, EV_CREATED, "act_created" },
	{ JOB_CLOSED, EV_OPEN, "job_process_start" },
	{ JOB_CLOSED, EV_CLOSE, "act_closed" },
	{ JOB_CLOSED, EV_FORCE, "act_closed" },
	{ JOB_CLOSED, EV_DELETE, "act_delete" },
	{ JOB_CLOSED, EV_RESET, "act_reset" },
	{ JOB_CLOSED, EV_TEND, "job_process_tend" },
	{ JOB_OPENING, EV_READY, "act_opened" },
	{ JOB_OPENING, EV_CLOSE, "act_abort" },
	{ JOB_OPENING, EV_FORCE, "act_abort" },
	{ JOB_OPENING, EV_EXIT_EXPECTED, "act_failed" },
	{ JOB_OPENING, EV_EXIT_UNEXPECTED, "act_recover" },
	{ JOB_OPENING, EV_REFUSED, "act_failed" },
	{ JOB_OPENING, EV_TENDED, "job_process_start" },
	{ JOB_OPENED, EV_CLOSE, "act_close" },
	{ JOB_OPENED, EV_FORCE, "act_force" },
	{ JOB_OPENED, EV_EXIT_EXPECTED, "act_failed" },
	{ JOB_OPENED, EV_EXIT_UNEXPECTED, "act_recover" },
	{ JOB_OPENED, EV_REFUSED, "act_failed" },
	{ JOB_OPENED, EV_PAUSE, "act_pause" },
	{ JOB_CLOSING, EV_FORCE, "act_force" },
	{ JOB_CLOSING, EV_EXIT_EXPECTED, "act_closed" },
	{ JOB_CLOSING, EV_EXIT_UNEXPECTED, "act_recover" },
	{ JOB_CLOSING, EV_REFUSED, "act_failed" },
	{ JOB_CLOSING, EV_TENDED, "act_closed" },
	{ JOB_FAILED, EV_OPEN, "job_process_start" },
	{ JOB_FAILED, EV_FORCE, "act_closed" },
	{ JOB_DELETING, EV_TENDED, "act_delete" },
	{ JOB_RESETTING, EV_DELETE, "act_delete_later" },
	{ JOB_RESETTING, EV_TENDED, "act_reset" },
	{ JOB_TENDING, EV_OPEN, "act_end_tending" },
	{ JOB_TENDING, EV_DELETE, "act_end_tending" },
	{ JOB_TENDING, EV_RESET, "act_end_tending" },
	{ JOB_PAUSING, EV_EXIT_EXPECTED, "act_paused" },
	{ JOB_PAUSING, EV_EXIT_UNEXPECTED, "act_recover" },
	{ JOB_PAUSING, EV_REFUSED, "act_failed" },
	{ JOB_PAUSING, EV_CLOSE, "note_close" },
	{ JOB_PAUSING, EV_FORCE, "act_force" },
	{ JOB_PAUSED, EV_RESUME, "job_process_start" },
	{ JOB_PAUSED, EV_CLOSE, "act_closed" },
	{ JOB_PAUSED, EV_FORCE, "act_closed" },
	{ JOB_RECOVERING, EV_READY, "act_recovered" },
	{ JOB_RECOVERING, EV_CLOSE, "act_close_later" },
	{ JOB_RECOVERING, EV_FORCE, "act_force" },
	{ JOB_RECOVERING, EV_EXIT_EXPECTED, "act_failed" },
	{ JOB_RECOVERING, EV_EXIT_UNEXPECTED, "act_recover" },
	{ JOB_RECOVERING, EV_REFUSED, "act_failed" },
};

Test(job_state, every_pair_does_what_it_should)
{
	for (int s = 0; s < JOB_NSTATES; s++) {
		for (int ev = 0; ev < JOB_NEVENTS; ev++) {
			const char *want = "nothing", *got;

			for (size_t i = 0; i < NELEM(actions); i++)
				if (actions[i].from == (enum job_state)s &&
				    actions[i].event == (enum job_event)ev)
					want = actions[i].action;
			got = job_edge_action(
			    (enum job_state)s, (enum job_event)ev);
			cr_expect_str_eq(got == NULL ? "nothing" : got, want,
			    "state %d event %d: %s", s, ev, want);
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
		JOB_CLOSING, JOB_PAUSING, JOB_RECOVERING };

	for (size_t i = 0; i < NELEM(running); i++) {
		cr_expect_eq(
		    job_edge(running[i], EV_EXIT_UNEXPECTED), JOB_RECOVERING);
		cr_expect_eq(job_edge(running[i], EV_REFUSED), JOB_FAILED);
		cr_expect_neq(
		    job_edge(running[i], EV_EXIT_EXPECTED), JOB_NSTATES);
	}
}

/* A worker that trims may be wanted away by anything that finds it there. */
Test(job_state, the_end_of_a_trimmer_is_known_wherever_it_can_come)
{
	static const enum job_state after[] = { JOB_TENDING, JOB_OPENING,
		JOB_CLOSING, JOB_DELETING, JOB_RESETTING };

	for (size_t i = 0; i < NELEM(after); i++)
		cr_expect_neq(job_edge(after[i], EV_TENDED), JOB_NSTATES);
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
	cr_assert_eq(job_event(&job, EV_REFUSED, "a\n<3>b\xc3"), 0);
	cr_expect_eq(job.state, JOB_FAILED);
	cr_expect_str_eq(job.cause, "a\\x0a<3>b\\xc3");
}
