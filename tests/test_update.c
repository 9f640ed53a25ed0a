/* Updates of jobs: what is stored, in which order, and who is answered. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/http.h"
#include "tests/supervisor_fixture.h"

#define J "/_ml/anomaly_detectors/j"

static int
ask(const char *body)
{
	return sv_ask("POST", J "/_update", body);
}

/* The keeper's next request is an update to this; its number. */
static uint32_t
expect_update(const char *part)
{
	struct child *keeper = fake_last(SV_KEEPER);
	struct msg_keep_update m;
	uint32_t request = fake_expect(keeper, MSG_KEEP_UPDATE, &m);
	char *text = span_dup(m.config);

	cr_assert_not_null(text);
	cr_expect(span_eq(m.job_id, "j"));
	cr_expect_eq(m.incarnation, jobs_find(sv.jobs, "j")->incarnation);
	cr_expect_not_null(strstr(text, part), "%s", text);
	free(text);
	return request;
}

static void
done(uint32_t request)
{
	struct msg_keep_done m = { .incarnation = 0 };

	fake_say(fake_last(SV_KEEPER), MSG_KEEP_DONE, request, &m);
}

static void
hear(int fd, int status, const char *text)
{
	sv_expect(fx_hear(fd), status, text);
	close(fd);
}

static void
expect_job(const char *text)
{
	sv_expect(sv_talk("GET", J, NULL), 200, text);
}

Test(update, is_answered_when_it_is_stored)
{
	uint32_t request;
	int fd;

	sv_start();
	sv_job("j", NULL);
	fd = ask("{\"description\":\"new\"}");
	request = expect_update("\"description\":\"new\"");
	cr_expect_str_eq(fx_hear(fd), "", "not before");
	cr_expect_null(strstr(sv_talk("GET", J, NULL), "new"));
	done(request);
	hear(fd, 200, "\"description\":\"new\"");
	expect_job("\"description\":\"new\"");
	sv_end();
}

Test(update, those_that_come_together_are_all_applied)
{
	static const char *const bodies[] = { "{\"description\":\"new\"}",
		"{\"groups\":[\"g\"]}", "{\"results_retention_days\":7}" };
	int fd[NELEM(bodies)];

	sv_start();
	sv_job("j", NULL);
	for (size_t i = 0; i < NELEM(bodies); i++)
		fd[i] = ask(bodies[i]);
	done(expect_update("\"description\":\"new\""));
	hear(fd[0], 200, "\"description\":\"new\"");
	done(expect_update("\"groups\":[\"g\"],\"description\":\"new\""));
	hear(fd[1], 200, "\"groups\":[\"g\"],\"description\":\"new\"");
	done(expect_update("\"results_retention_days\":7"));
	hear(fd[2], 200, "\"results_retention_days\":7");
	expect_job("\"groups\":[\"g\"],\"description\":\"new\"");
	sv_end();
}

/* Each is checked against what the one before has left. */
Test(update, one_that_is_refused_leaves_the_others)
{
	int a, b, c;

	sv_start();
	sv_job("j", NULL);
	a = ask("{\"model_snapshot_retention_days\":5}");
	b = ask("{\"daily_model_snapshot_retention_after_days\":6}");
	c = ask("{\"description\":\"c\"}");
	done(expect_update("\"model_snapshot_retention_days\":5"));
	hear(a, 200, "\"model_snapshot_retention_days\":5");
	hear(b, 400,
	    "cannot be greater than model_snapshot_retention_days "
	    "[5]");
	done(expect_update("\"description\":\"c\""));
	hear(c, 200, "\"model_snapshot_retention_days\":5");
	sv_end();
}

Test(update, one_that_is_not_stored_has_not_happened)
{
	int a, b;

	sv_start();
	sv_job("j", NULL);
	a = ask("{\"description\":\"a\"}");
	b = ask("{\"groups\":[\"b\"]}");
	fake_say_failed(fake_last(SV_KEEPER),
	    expect_update("\"description\":\"a\""), 503, E_STATUS, "no space");
	hear(a, 503, "no space");
	done(expect_update("\"groups\":[\"b\"]"));
	hear(b, 200, "\"groups\":[\"b\"],\"analysis_config\"");
	sv_end();
}

Test(update, a_keeper_that_dies_leaves_the_one_it_had_to_the_next)
{
	int a, b;

	sv_start();
	sv_job("j", NULL);
	a = ask("{\"description\":\"a\"}");
	b = ask("{\"groups\":[\"b\"]}");
	(void)expect_update("\"description\":\"a\"");
	fake_exit(fake_last(SV_KEEPER), 9);
	sv_tick(1);
	sv_keeper_loads();
	done(expect_update("\"description\":\"a\""));
	hear(a, 200, "\"description\":\"a\"");
	done(expect_update("\"groups\":[\"b\"]"));
	hear(b, 200, "\"groups\":[\"b\"],\"description\":\"a\"");
	sv_end();
}

/* The new keeper tells what the dead one has left on disk. */
static void
reload(const char *config)
{
	struct msg_keep_job m = { .job_id = span_of("j"),
		.incarnation = jobs_find(sv.jobs, "j")->incarnation,
		.config = span_of(config),
		.finished_time_ms = TIME_UNSET };
	struct child *keeper;
	uint32_t request;

	sv_tick(30); /* the longest delay of a restart */
	keeper = fake_last(SV_KEEPER);
	fake_ready(keeper);
	request = fake_expect(keeper, MSG_KEEP_LOAD, NULL);
	fake_say(keeper, MSG_KEEP_JOB, request, &m);
	done(request);
}

Test(update, one_that_was_stored_and_not_answered_is_found)
{
	struct msg_keep_update m;
	char *stored;
	int fd;

	sv_start();
	sv_job("j", NULL);
	fd = ask("{\"description\":\"a\"}");
	(void)fake_expect(fake_last(SV_KEEPER), MSG_KEEP_UPDATE, &m);
	stored = span_dup(m.config);
	fake_exit(fake_last(SV_KEEPER), 9);
	sv_tick(1);
	sv_keeper_loads();
	(void)expect_update("\"description\":\"a\"");
	fake_exit(fake_last(SV_KEEPER), 9);
	hear(fd, 503, "ended before it answered");
	cr_expect_null(strstr(sv_talk("GET", J, NULL), "description\":\"a"));
	reload(stored);
	expect_job("\"description\":\"a\"");
	/* What cannot be read does not take the place of what can. */
	fake_exit(fake_last(SV_KEEPER), 9);
	reload("{}");
	expect_job("\"description\":\"a\"");
	free(stored);
	sv_end();
}

/* It may have closed its own half only: nothing tells before the answer. */
Test(update, one_whose_client_hangs_up_is_stored_all_the_same)
{
	int a, b;

	sv_start();
	sv_job("j", NULL);
	a = ask("{\"description\":\"a\"}");
	b = ask("{\"groups\":[\"b\"]}");
	close(a);
	close(b);
	fx_turn();
	done(expect_update("\"description\":\"a\""));
	done(expect_update("\"groups\":[\"b\"]"));
	expect_job("\"groups\":[\"b\"],\"description\":\"a\"");
	sv_end();
}

Test(update, a_job_that_is_being_deleted_is_left_alone)
{
	int a, b, drop;

	sv_start();
	sv_job("j", NULL);
	a = ask("{\"description\":\"a\"}");
	b = ask("{\"description\":\"b\"}");
	drop = sv_ask("DELETE", J, NULL);
	done(expect_update("\"description\":\"a\""));
	hear(a, 200, "\"description\":\"a\"");
	hear(b, 409, "Cannot update job [j] because it is executing [delete]");
	sv_expect(sv_talk("POST", J "/_update", "{}"), 409, "delete");
	sv_store(MSG_KEEP_DELETE);
	hear(drop, 200, "acknowledged");
	sv_expect(sv_talk("POST", J "/_update", "{}"), 404, "No known job");
	sv_end();
}

Test(update, a_job_that_is_being_reset_is_left_alone)
{
	int reset;

	sv_start();
	sv_job("j", NULL);
	reset = sv_ask("POST", J "/_reset", NULL);
	sv_expect(sv_talk("POST", J "/_update", "{}"), 409,
	    "Cannot update job [j] because it is executing [reset]");
	sv_store(MSG_KEEP_RESET);
	hear(reset, 200, "acknowledged");
	sv_end();
}

Test(update, limits_are_those_of_a_closed_job)
{
	static const char body[] =
	    "{\"analysis_limits\":{\"model_memory_limit\":\"20mb\"}}";
	struct job *job;
	int fd;

	sv_start();
	job = sv_open_job("j");
	sv_expect(sv_talk("POST", J "/_update", body), 400,
	    "Cannot update analysis_limits while the job is open");
	fd = ask("{\"description\":\"open\"}");
	done(expect_update("\"description\":\"open\""));
	hear(fd, 200, "open");
	cr_expect_eq(job->conf->model_memory_limit_mb, 1024);
	sv_end();
}

Test(update, limits_do_not_fall_below_what_is_used)
{
	struct job *job;
	int fd;

	sv_start();
	job = sv_job("j", NULL);
	job->totals.size.model_bytes = (21u << 20) - 5;
	sv_expect(sv_talk("POST", J "/_update",
		      "{\"analysis_limits\":{\"model_memory_limit\":20}}"),
	    400,
	    "Invalid update value for analysis_limits: model_memory_limit "
	    "cannot be decreased below current usage; current usage [21mb], "
	    "update had [20mb]");
	fd = ask("{\"analysis_limits\":{\"model_memory_limit\":21}}");
	done(expect_update("\"model_memory_limit\":\"21mb\""));
	hear(fd, 200, "21mb");
	/* Models that have outgrown it do not keep a limit from rising. */
	job->totals.size.model_bytes = 100u << 20;
	fd = ask("{\"analysis_limits\":{\"model_memory_limit\":22}}");
	done(expect_update("\"model_memory_limit\":\"22mb\""));
	hear(fd, 200, "22mb");
	sv_end();
}

Test(update, names_of_jobs_and_groups_stay_one_set)
{
	int a, create;

	sv_start();
	sv_job("other", "[\"team\"]");
	sv_job("j", NULL);
	sv_expect(sv_talk("POST", J "/_update", "{\"groups\":[\"other\"]}"),
	    400,
	    "job and group names must be unique but job [other] and group "
	    "[other] have the same name");
	/* So do those that are not stored yet, on either side. */
	a = ask("{\"groups\":[\"new\"]}");
	sv_expect(sv_talk("PUT", "/_ml/anomaly_detectors/new",
		      "{\"analysis_config\":{\"detectors\":[{\"function\":"
		      "\"count\"}]},\"data_description\":{}}"),
	    400, "job [new] and group [new] have the same name");
	done(expect_update("\"groups\":[\"new\"]"));
	hear(a, 200, "\"groups\":[\"new\"]");
	create = sv_ask("PUT", "/_ml/anomaly_detectors/soon",
	    "{\"analysis_config\":{\"detectors\":[{\"function\":\"count\"}]},"
	    "\"data_description\":{}}");
	sv_expect(sv_talk("POST", J "/_update", "{\"groups\":[\"soon\"]}"), 400,
	    "job [soon] and group [soon] have the same name");
	sv_store(MSG_KEEP_CREATE);
	hear(create, 200, "soon");
	sv_end();
}

Test(update, one_job_is_updated_at_a_time)
{
	sv_start();
	sv_expect(sv_talk("POST", "/_ml/anomaly_detectors/_all/_update", "{}"),
	    400, "Cannot update more than 1 job at a time");
	sv_expect(sv_talk("POST", "/_ml/anomaly_detectors/j*/_update", "{}"),
	    404, "No known job with id 'j*'");
	sv_expect(sv_talk("POST", J "/_update", NULL), 400,
	    "request body is required");
	sv_end();
}

/* Each is over at once: the loop over them must not call itself. */
Test(update, very_many_that_fail_are_answered)
{
	int fd[500], first;

	sv_start();
	sv_job("j", NULL);
	first = ask("{\"description\":\"a\"}");
	for (size_t i = 0; i < NELEM(fd); i++)
		fd[i] = ask("{\"groups\":[\"j\"]}");
	done(expect_update("\"description\":\"a\""));
	hear(first, 200, "\"description\":\"a\"");
	for (size_t i = 0; i < NELEM(fd); i++)
		hear(fd[i], 400, "have the same name");
	sv_end();
}

/* The calls are taken away: one update is kept for the keeper's answer. */
Test(update, the_end_of_all_connections_leaves_what_is_being_stored)
{
	struct job *job;

	sv_start();
	job = sv_job("j", NULL);
	(void)ask("{\"description\":\"a\"}");
	(void)ask("{\"description\":\"b\"}");
	http_free(fx_http);
	fx_http = NULL;
	cr_expect_not_null(job->next_conf);
	cr_expect_not(TAILQ_EMPTY(&job->updates));
	done(expect_update("\"description\":\"a\""));
	cr_expect_null(job->next_conf);
	cr_expect(TAILQ_EMPTY(&job->updates));
	cr_expect_eq(fake_next(fake_last(SV_KEEPER)), 0);
	sv_end();
}
