/* The way to the keeper, and what becomes of requests when it dies. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/catalogue.h"
#include "tests/supervisor_fixture.h"

struct answer {
	unsigned n;
	int status; /* 0: no error */
	uint64_t incarnation;
};

static void
on_answer(void *arg, const struct apierr *e, uint64_t incarnation)
{
	struct answer *a = arg;

	a->n++;
	a->status = e == NULL ? 0 : e->status;
	a->incarnation = incarnation;
}

static void
store(struct answer *a, const char *id)
{
	struct msg_keep_create m = { .job_id = span_of(id),
		.config = span_of("{}"),
		.create_time_ms = 1 };

	*a = (struct answer){ 0 };
	catalogue_create(sv.catalogue, &m, on_answer, a);
	fx_turn();
}

static void
done(struct child *keeper, uint32_t request, uint64_t incarnation)
{
	struct msg_keep_done m = { .incarnation = incarnation };

	fake_say(keeper, MSG_KEEP_DONE, request, &m);
}

Test(catalogue, answers_come_in_the_order_of_the_requests)
{
	struct msg_keep_create m;
	struct child *keeper;
	struct answer a, b;
	uint32_t first, second;

	sv_start();
	keeper = fake_last(SV_KEEPER);
	store(&a, "a");
	store(&b, "b");
	cr_expect_eq(catalogue_pending(sv.catalogue), 2);
	first = fake_expect(keeper, MSG_KEEP_CREATE, &m);
	cr_expect(span_eq(m.job_id, "a"));
	second = fake_expect(keeper, MSG_KEEP_CREATE, NULL);
	fake_say_failed(keeper, first, 400, E_STATUS, "no");
	cr_expect_eq(a.n, 1);
	cr_expect_eq(a.status, 400);
	cr_expect_eq(b.n, 0);
	done(keeper, second, 8);
	cr_expect_eq(b.n, 1);
	cr_expect_eq(b.status, 0);
	cr_expect_eq(b.incarnation, 8);
	cr_expect_eq(catalogue_pending(sv.catalogue), 0);
	sv_end();
}

Test(catalogue, an_answer_out_of_order_ends_the_keeper)
{
	struct child *keeper;
	struct answer a, b;

	sv_start();
	keeper = fake_last(SV_KEEPER);
	store(&a, "a");
	store(&b, "b");
	(void)fake_expect(keeper, MSG_KEEP_CREATE, NULL);
	done(keeper, fake_expect(keeper, MSG_KEEP_CREATE, NULL), 8);
	cr_expect(keeper->killed);
	cr_expect_eq(a.n + b.n, 0, "the next one is asked");
	sv_tick(1);
	sv_keeper_loads();
	sv_store(MSG_KEEP_CREATE);
	sv_store(MSG_KEEP_CREATE);
	cr_expect_eq(a.n, 1);
	cr_expect_eq(b.n, 1);
	sv_end();
}

Test(catalogue, requests_under_way_are_sent_to_the_next_keeper_in_their_order)
{
	struct answer sent, waiting;
	struct child *keeper;
	struct msg_keep_create m;
	uint32_t request;

	sv_start();
	store(&sent, "sent");
	fake_exit(fake_last(SV_KEEPER), 9);
	sv_tick(1);
	cr_expect_eq(fake_count(SV_KEEPER), 2, "restarted at the next tick");
	store(&waiting, "waiting");
	keeper = fake_last(SV_KEEPER);
	fake_ready(keeper);
	request = fake_expect(keeper, MSG_KEEP_LOAD, NULL);
	cr_expect_eq(fake_next(keeper), 0, "nothing is sent while it loads");
	done(keeper, request, 0);
	cr_expect_eq(sent.n + waiting.n, 0);
	request = fake_expect(keeper, MSG_KEEP_CREATE, &m);
	cr_expect(span_eq(m.job_id, "sent"));
	done(keeper, request, 2);
	request = fake_expect(keeper, MSG_KEEP_CREATE, &m);
	cr_expect(span_eq(m.job_id, "waiting"));
	done(keeper, request, 3);
	cr_expect_eq(sent.n, 1);
	cr_expect_eq(sent.status, 0);
	cr_expect_eq(waiting.n, 1);
	cr_expect_eq(waiting.incarnation, 3);
	cr_expect_eq(sv_failed, 0);
	sv_end();
}

Test(catalogue, a_request_that_two_keepers_died_with_fails)
{
	struct answer a;

	sv_start();
	store(&a, "a");
	fake_exit(fake_last(SV_KEEPER), 9);
	sv_tick(1);
	sv_keeper_loads();
	cr_expect_eq(a.n, 0);
	fake_exit(fake_last(SV_KEEPER), 9);
	cr_expect_eq(a.n, 1);
	cr_expect_eq(a.status, 503);
	sv_end();
}

/* What has become of the job is not known until it is answered. */
Test(catalogue, deletions_and_resets_are_asked_for_until_they_are_answered)
{
	struct msg_keep_delete drop = { span_of("a"), 1 };
	struct msg_keep_reset reset = { span_of("b"), 2 };
	struct answer a = { 0 }, b = { 0 };

	sv_start();
	catalogue_delete(sv.catalogue, &drop, on_answer, &a);
	catalogue_reset(sv.catalogue, &reset, on_answer, &b);
	for (int i = 0; i < 4; i++) {
		fx_turn();
		fake_exit(fake_last(SV_KEEPER), 9);
		sv_tick(31);
		sv_keeper_loads();
	}
	cr_expect_eq(a.n + b.n, 0);
	sv_store(MSG_KEEP_DELETE);
	sv_store(MSG_KEEP_RESET);
	cr_expect_eq(a.n, 1);
	cr_expect_eq(a.status, 0);
	cr_expect_eq(b.n, 1);
	cr_expect_gt(b.incarnation, 0);
	sv_end();
}

/* No keeper has seen it: nothing can have become of it. */
Test(catalogue, a_deletion_that_no_keeper_came_for_in_time_fails)
{
	struct msg_keep_delete drop = { span_of("a"), 1 };
	struct answer a = { 0 };

	sv_start();
	fake_failing = 100;
	fake_exit(fake_last(SV_KEEPER), 9);
	catalogue_delete(sv.catalogue, &drop, on_answer, &a);
	sv_tick(59);
	cr_expect_eq(a.n, 0);
	sv_tick(3);
	cr_expect_eq(a.n, 1);
	cr_expect_eq(a.status, 503);
	sv_end();
}

Test(catalogue, one_that_waited_through_two_deaths_survives_both)
{
	struct answer a;

	sv_start();
	fake_exit(fake_last(SV_KEEPER), 9);
	store(&a, "a");
	fake_exit(fake_last(SV_KEEPER), 9); /* before READY */
	sv_tick(2);
	cr_expect_eq(a.n, 0);
	sv_keeper_loads();
	sv_store(MSG_KEEP_CREATE);
	cr_expect_eq(a.n, 1);
	cr_expect_eq(a.status, 0);
	sv_end();
}

/* How many seconds pass before the next keeper is started. */
static unsigned
seconds_to_restart(void)
{
	unsigned n = fake_count(SV_KEEPER), s = 0;

	fake_exit(fake_last(SV_KEEPER), 9);
	while (fake_count(SV_KEEPER) == n && s < 100) {
		sv_tick(1);
		s++;
	}
	return s;
}

Test(catalogue, restarts_are_delayed_more_and_more_up_to_a_limit)
{
	static const unsigned delays[] = { 0, 1, 2, 4, 8, 16, 30, 30 };

	sv_start();
	for (size_t i = 0; i < NELEM(delays); i++) {
		unsigned s = seconds_to_restart();

		cr_expect(s == delays[i] || s == delays[i] + 1,
		    "restart %zu after %u s, not %u", i, s, delays[i]);
		sv_keeper_loads();
	}
	/* One that has held for a while is forgiven. */
	sv_tick(31);
	cr_expect_leq(seconds_to_restart(), 1);
	sv_end();
}

Test(catalogue, a_keeper_that_cannot_be_started_is_tried_again)
{
	unsigned n;

	sv_start();
	n = fake_count(SV_KEEPER);
	fake_failing = 2;
	fake_exit(fake_last(SV_KEEPER), 9);
	cr_expect_eq(fake_count(SV_KEEPER), n);
	sv_tick(4);
	cr_expect_eq(fake_count(SV_KEEPER), n + 1);
	sv_keeper_loads();
	cr_expect_eq(sv_loaded, 2);
	sv_end();
}

Test(catalogue, the_first_keeper_must_come_up)
{
	sv_begin();
	fake_exit(fake_last(SV_KEEPER), 1);
	cr_expect_eq(sv_failed, 1);
	cr_expect_eq(fake_count(SV_KEEPER), 1);
	sv_end();
}

Test(catalogue, a_keeper_that_hangs_is_replaced)
{
	struct child *keeper;
	struct answer a;

	sv_start();
	keeper = fake_last(SV_KEEPER);
	store(&a, "a");
	sv_tick(60);
	cr_expect_eq(a.n, 0);
	sv_tick(2);
	cr_expect(keeper->killed);
	cr_expect_eq(a.n, 1);
	cr_expect_eq(a.status, 503);
	/* So is one that never gets so far as to load. */
	keeper = fake_last(SV_KEEPER);
	cr_expect_not(keeper->killed);
	sv_tick(62);
	cr_expect(keeper->killed);
	sv_end();
}

Test(catalogue, an_answer_that_was_not_asked_for_ends_the_keeper)
{
	struct child *keeper;

	sv_start();
	keeper = fake_last(SV_KEEPER);
	done(keeper, 4711, 1);
	cr_expect(keeper->killed);
	sv_tick(1);
	cr_expect_eq(fake_count(SV_KEEPER), 2);
	sv_end();
}

Test(catalogue, stored_jobs_are_loaded_once)
{
	static const char config[] =
	    "{\"job_id\":\"kept\",\"analysis_config\":{\"bucket_span\":\"5m\","
	    "\"detectors\":[{\"function\":\"count\"}]},"
	    "\"data_description\":{}}";
	struct msg_keep_job m = { .job_id = span_of("kept"),
		.incarnation = 7,
		.config = span_of(config),
		.finished_time_ms = TIME_UNSET };

	sv_begin();
	for (int i = 0; i < 2; i++) {
		struct child *keeper = fake_last(SV_KEEPER);
		uint32_t request;

		fake_ready(keeper);
		request = fake_expect(keeper, MSG_KEEP_LOAD, NULL);
		fake_say(keeper, MSG_KEEP_JOB, request, &m);
		done(keeper, request, 0);
		cr_assert_not_null(jobs_find(sv.jobs, "kept"));
		cr_expect_eq(jobs_find(sv.jobs, "kept")->incarnation, 7);
		fake_exit(keeper, 9);
		sv_tick(1);
	}
	cr_expect_eq(sv_loaded, 2);
	sv_end();
}

/* ---- jobs that a keeper has stored and did not live to say so ---- */

/*
 * A client asks for the job; the keeper has taken the request and dies. The
 * caller frees *config.
 */
static int
put_and_lose(const char *path, char **config, int64_t *create_time_ms)
{
	struct child *keeper = fake_last(SV_KEEPER);
	struct msg_keep_create m;
	int fd;

	fd = sv_ask("PUT", path,
	    "{\"analysis_config\":{\"detectors\":[{\"function\":\"count\"}]},"
	    "\"data_description\":{}}");
	fake_expect(keeper, MSG_KEEP_CREATE, &m);
	*config = span_dup(m.config);
	*create_time_ms = m.create_time_ms;
	fake_exit(keeper, 9);
	sv_tick(1);
	fake_ready(fake_last(SV_KEEPER));
	return fd;
}

/* The next keeper tells this job; then it is asked again, and refuses. */
static void
load_with(const char *id, const char *config, int64_t create_time_ms)
{
	struct child *keeper = fake_last(SV_KEEPER);
	struct msg_keep_job job = { .job_id = span_of(id),
		.incarnation = 7,
		.config = span_of(config),
		.create_time_ms = create_time_ms,
		.finished_time_ms = TIME_UNSET };
	uint32_t request = fake_expect(keeper, MSG_KEEP_LOAD, NULL);

	fake_say(keeper, MSG_KEEP_JOB, request, &job);
	done(keeper, request, 0);
	request = fake_expect(keeper, MSG_KEEP_CREATE, NULL);
	fake_say_failed(keeper, request, 400, E_EXISTS, "The Id is used.");
}

Test(catalogue, a_job_that_was_stored_without_an_answer_is_created)
{
	int64_t create_time_ms;
	char *config;
	int fd;

	sv_start();
	fd = put_and_lose("/_ml/anomaly_detectors/j", &config, &create_time_ms);
	load_with("j", config, create_time_ms);
	sv_expect(fx_hear(fd), 200, "\"job_id\":\"j\"");
	cr_assert_not_null(jobs_find(sv.jobs, "j"));
	cr_expect_eq(jobs_find(sv.jobs, "j")->state, JOB_CLOSED);
	cr_expect_eq(jobs_find(sv.jobs, "j")->incarnation, 7);
	free(config);
	close(fd);
	sv_end();
}

Test(catalogue, an_earlier_job_of_that_id_is_told_and_shown)
{
	static const char config[] =
	    "{\"job_id\":\"j\",\"description\":\"earlier\","
	    "\"analysis_config\":{\"bucket_span\":\"5m\","
	    "\"detectors\":[{\"function\":\"count\"}]},"
	    "\"data_description\":{}}";
	int64_t create_time_ms;
	char *lost;
	int fd;

	sv_start();
	fd = put_and_lose("/_ml/anomaly_detectors/j", &lost, &create_time_ms);
	load_with("j", config, 1);
	free(lost);
	sv_expect(fx_hear(fd), 400,
	    "The job cannot be created with the Id 'j'. The Id is already "
	    "used.");
	close(fd);
	sv_expect(sv_talk("GET", "/_ml/anomaly_detectors/j", NULL), 200,
	    "\"description\":\"earlier\"");
	sv_end();
}
