/* The processes that read results, and what becomes of queries. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/oomkills.h"
#include "tests/supervisor_fixture.h"
#include "tests/tmpdir.h"

#define BUCKETS "/_ml/anomaly_detectors/j/results/buckets"
#define LINE_MAX_QUERIES 1000

static void
start(void)
{
	sv_start();
	sv_job("j", NULL);
}

static int
ask(void)
{
	return sv_ask("GET", BUCKETS, NULL);
}

/*
 * One whose leaving will be seen before anything is written to it: what it has
 * not read makes its close a reset, not the end of its half.
 */
static int
ask_without_reading(void)
{
	int fd = fx_connect();

	fx_say(fd,
	    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	    "GET " BUCKETS " HTTP/1.1\r\nHost: localhost\r\n\r\n");
	return fd;
}

/* The process that was started last, with a query under way. */
static struct child *
ready_reader(uint32_t *request)
{
	struct child *c = fake_last(SV_QUERY);

	cr_assert_not_null(c);
	fake_ready(c);
	*request = fake_expect(c, MSG_QUERY, NULL);
	return c;
}

static uint64_t answer_bytes; /* given by part since the last end */

static void
say_part(struct child *c, uint32_t request, const void *data, size_t len)
{
	fake_say_raw(c, MSG_QUERY_PART, request, data, len);
	answer_bytes += len;
}

static void
end_answer(struct child *c, uint32_t request)
{
	struct msg_query_end end = { .bytes = answer_bytes };

	answer_bytes = 0;
	fake_say(c, MSG_QUERY_END, request, &end);
}

Test(querypool, a_process_is_started_on_demand_and_kept)
{
	struct child *c;
	uint32_t request;
	int fd;

	start();
	cr_expect_eq(fake_count(SV_QUERY), 0);
	fd = ask();
	c = ready_reader(&request);
	say_part(c, request, "{\"count\":0}", 11);
	cr_expect_str_empty(fx_hear(fd), "more might follow");
	end_answer(c, request);
	sv_expect(fx_hear(fd), 200, "Content-Length: 11\r\n");
	close(fd);
	fd = ask();
	request = fake_expect(c, MSG_QUERY, NULL);
	fake_say_failed(c, request, 404, E_NOT_FOUND, "no such bucket");
	sv_expect(fx_hear(fd), 404, "no such bucket");
	cr_expect_eq(fake_count(SV_QUERY), 1);
	close(fd);
	sv_end();
}

Test(querypool, a_query_whose_process_dies_is_given_to_another_one)
{
	uint32_t request;
	struct child *c;
	int fd;

	start();
	fd = ask();
	c = ready_reader(&request);
	say_part(c, request, "{\"half\":", 8);
	fake_exit(c, 9);
	cr_expect_str_empty(fx_hear(fd));
	cr_expect_eq(fake_count(SV_QUERY), 2);
	c = ready_reader(&request);
	answer_bytes = 0; /* the other process begins anew */
	say_part(c, request, "{}", 2);
	end_answer(c, request);
	sv_expect(fx_hear(fd), 200, "\r\n\r\n{}");
	close(fd);
	sv_end();
}

Test(querypool, a_query_that_ends_two_processes_fails)
{
	uint32_t request;
	int fd;

	start();
	fd = ask();
	fake_exit(ready_reader(&request), 9);
	fake_exit(ready_reader(&request), 9);
	sv_expect(fx_hear(fd), 500, "the process that reads results");
	cr_expect_eq(fake_count(SV_QUERY), 2, "nobody waits for a third one");
	close(fd);
	sv_end();
}

Test(querypool, an_answer_that_had_begun_is_visibly_cut_off)
{
	const char *heard;
	uint32_t request;
	struct child *c;
	int fd;

	start();
	fd = ask();
	c = ready_reader(&request);
	say_part(c, request, "{\"a\":", 5);
	say_part(c, request, "1,", 2);
	fake_exit(c, 9);
	heard = fx_hear(fd);
	sv_expect(heard, 200, "{\"a\":");
	cr_expect_null(strstr(heard, "\r\n0\r\n"), "%s", heard);
	cr_expect(fx_is_closed(fd));
	close(fd);
	sv_end();
}

Test(querypool, a_client_that_leaves_in_the_middle_holds_nobody_up)
{
	static char part[MSG_DATA_MAX];
	struct child *c;
	uint32_t request;
	int fd, next;

	memset(part, ' ', sizeof(part));
	start();
	fd = ask();
	next = ask();
	c = ready_reader(&request);
	/* More than the client takes: the process is held back. */
	for (int i = 0; i < 3; i++)
		say_part(c, request, part, sizeof(part));
	close(fd);
	fx_turn();
	say_part(c, request, part, sizeof(part));
	end_answer(c, request);
	request = fake_expect(c, MSG_QUERY, NULL);
	say_part(c, request, "{}", 2);
	end_answer(c, request);
	sv_expect(fx_hear(next), 200, "{}");
	cr_expect_eq(fake_count(SV_QUERY), 1);
	close(next);
	sv_end();
}

Test(querypool, clients_that_leave_the_line_leave_no_gap)
{
	struct child *c;
	uint32_t request;
	int fd[3];

	start();
	for (int i = 0; i < 3; i++)
		fd[i] = i == 1 ? ask_without_reading() : ask();
	c = ready_reader(&request);
	close(fd[1]);
	fx_turn();
	say_part(c, request, "{}", 2);
	end_answer(c, request);
	sv_expect(fx_hear(fd[0]), 200, "{}");
	request = fake_expect(c, MSG_QUERY, NULL);
	say_part(c, request, "{}", 2);
	end_answer(c, request);
	sv_expect(fx_hear(fd[2]), 200, "{}");
	cr_expect_eq(fake_next(c), 0);
	close(fd[0]);
	close(fd[2]);
	sv_end();
}

Test(querypool, a_full_line_answers_429)
{
	int *fd = calloc(LINE_MAX_QUERIES + 1, sizeof(*fd));
	const char *heard;
	uint32_t request;

	start();
	fd[0] = ask();
	ready_reader(&request);
	for (int i = 1; i < LINE_MAX_QUERIES; i++)
		fd[i] = ask();
	fd[LINE_MAX_QUERIES] = ask_without_reading();
	heard = sv_talk("GET", BUCKETS, NULL);
	sv_expect(heard, 429, "es_rejected_execution_exception");
	cr_expect_not_null(strstr(heard, "Retry-After: 1\r\n"));
	/* Who leaves makes room. */
	close(fd[LINE_MAX_QUERIES]);
	fx_turn();
	fd[LINE_MAX_QUERIES] = ask();
	cr_expect_str_empty(fx_hear(fd[LINE_MAX_QUERIES]));
	for (int i = 0; i <= LINE_MAX_QUERIES; i++)
		close(fd[i]);
	free(fd);
	sv_end();
}

Test(querypool, three_starts_that_fail_answer_503)
{
	uint32_t request;
	struct child *c;
	int fd;

	start();
	fd = ask();
	for (int i = 0; i < 3; i++) {
		fake_exit(fake_last(SV_QUERY), 127); /* before READY */
		sv_tick(1); /* a start that failed is not repeated at once */
	}
	sv_expect(
	    fx_hear(fd), 503, "no process that reads results could be started");
	cr_expect_eq(fake_count(SV_QUERY), 3);
	close(fd);
	fake_failing = 3;
	fd = ask();
	sv_tick(3);
	sv_expect(fx_hear(fd), 503, "could be started");
	close(fd);
	fd = ask(); /* and the next one is tried afresh */
	c = ready_reader(&request);
	say_part(c, request, "{}", 2);
	end_answer(c, request);
	sv_expect(fx_hear(fd), 200, "{}");
	close(fd);
	sv_end();
}

Test(querypool, a_process_that_hangs_is_ended_also_in_the_middle)
{
	uint32_t request;
	struct child *c;
	int fd;

	start();
	fd = ask();
	c = ready_reader(&request);
	sv_tick(62);
	cr_expect(c->killed);
	c = ready_reader(&request);
	say_part(c, request, "{\"a\":", 5);
	say_part(c, request, "1,", 2);
	sv_expect(fx_hear(fd), 200, "{\"a\":");
	sv_tick(62);
	cr_expect(c->killed);
	cr_expect(fx_is_closed(fd));
	close(fd);
	sv_end();
}

Test(querypool, an_answer_that_nobody_asked_for_ends_the_process)
{
	uint32_t request;
	struct child *c;
	int fd;

	start();
	fd = ask();
	c = ready_reader(&request);
	say_part(c, request, "{}", 2);
	end_answer(c, request);
	say_part(c, request, "{}", 2);
	cr_expect(c->killed);
	sv_expect(fx_hear(fd), 200, "{}");
	close(fd);
	sv_end();
}

static void
say_damaged_job(struct child *c, uint32_t request, uint32_t job)
{
	struct msg_query_damaged m = { .job = job };

	fake_say(c, MSG_QUERY_DAMAGED, request, &m);
}

static void
say_damaged(struct child *c, uint32_t request)
{
	say_damaged_job(c, request, 0);
	fake_say_failed(c, request, 500, E_EXCEPTION, "damaged");
}

static bool
stats_of_tell_damage(const char *job_id)
{
	char path[128];
	const char *heard;

	snprintf(
	    path, sizeof(path), "/_ml/anomaly_detectors/%s/_stats", job_id);
	heard = sv_talk("GET", path, NULL);
	sv_expect(heard, 200, "\"count\":1,");
	return strstr(heard, "\"results_damaged\":true") != NULL;
}

static bool
stats_tell_damage(void)
{
	return stats_of_tell_damage("j");
}

Test(querypool, damage_that_a_query_meets_is_told_to_the_next_worker)
{
	struct msg_hello hello;
	uint32_t request;
	struct child *c;
	int fd, open_fd;

	start();
	cr_expect_not(stats_tell_damage());
	fd = ask();
	c = ready_reader(&request);
	sv_tick(1);
	say_damaged(c, request);
	sv_expect(fx_hear(fd), 500, "damaged");
	close(fd);
	cr_expect(stats_tell_damage());
	open_fd = sv_ask("POST", "/_ml/anomaly_detectors/j/_open", NULL);
	c = fake_last(SV_WORKER);
	fake_expect(c, MSG_HELLO, &hello);
	cr_expect(hello.results_damaged);
	cr_expect(stats_tell_damage(), "it has not mended them yet");
	fake_expect(c, MSG_JOB_CONFIG, NULL);
	fake_say(
	    c, MSG_READY, 0, &(struct msg_ready){ .version = MSG_VERSION });
	sv_store(MSG_KEEP_STATE);
	sv_expect(fx_hear(open_fd), 200, "\"opened\":true");
	cr_expect_not(stats_tell_damage());
	close(open_fd);
	sv_end();
}

Test(querypool, damage_of_an_earlier_incarnation_is_none_of_the_job)
{
	uint32_t request;
	struct child *c;
	int fd;

	start();
	fd = ask();
	c = ready_reader(&request);
	jobs_find(sv.jobs, "j")->incarnation++;
	say_damaged(c, request);
	sv_expect(fx_hear(fd), 500, "damaged");
	cr_expect_not(stats_tell_damage());
	close(fd);
	sv_end();
}

#define OVERALL "/_ml/anomaly_detectors/_all/results/overall_buckets"

static int
ask_overall(const char *query)
{
	char path[512];

	snprintf(path, sizeof(path), OVERALL "%s", query);
	return sv_ask("GET", path, NULL);
}

/* Of several jobs it is the one that is named, in the life it had. */
Test(querypool, damage_in_one_of_many_jobs_is_that_of_the_one)
{
	uint32_t request;
	struct child *c;
	int fd;

	start();
	sv_job("k", NULL);
	sv_job("l", NULL);
	fd = ask_overall("");
	c = ready_reader(&request);
	sv_tick(1);
	say_damaged_job(c, request, 1);
	fake_say_failed(c, request, 500, E_EXCEPTION, "damaged");
	sv_expect(fx_hear(fd), 500, "damaged");
	close(fd);
	cr_expect_not(stats_of_tell_damage("j"));
	cr_expect(stats_of_tell_damage("k"));
	cr_expect_not(stats_of_tell_damage("l"));
	fd = ask_overall("");
	request = fake_expect(c, MSG_QUERY, NULL);
	jobs_find(sv.jobs, "l")->incarnation++;
	say_damaged_job(c, request, 2);
	fake_say_failed(c, request, 500, E_EXCEPTION, "damaged");
	sv_expect(fx_hear(fd), 500, "damaged");
	close(fd);
	cr_expect_not(stats_of_tell_damage("l"));
	sv_end();
}

Test(querypool, damage_of_a_job_that_was_not_asked_for_ends_the_process)
{
	uint32_t request;
	struct child *c;
	int fd;

	start();
	sv_job("k", NULL);
	fd = ask_overall("");
	c = ready_reader(&request);
	say_damaged_job(c, request, 2);
	cr_expect(c->killed);
	c = ready_reader(&request);
	say_part(c, request, "{}", 2);
	end_answer(c, request);
	sv_expect(fx_hear(fd), 200, "{}");
	close(fd);
	fd = ask();
	request = fake_expect(c, MSG_QUERY, NULL);
	say_damaged_job(c, request, 1);
	cr_expect(c->killed);
	close(fd);
	sv_end();
}

/* What waits is bounded in bytes, too: a query may name very many jobs. */
Test(querypool, a_line_of_large_queries_is_full_sooner)
{
	enum { JOBS = 900, ID_BYTES = 64, LINE_BYTES = 16 * 1024 * 1024 };
	int *fd = calloc(LINE_MAX_QUERIES + 1, sizeof(*fd));
	uint32_t request;
	char id[ID_BYTES + 1];
	int n = 0;

	cr_assert_not_null(fd);
	start();
	memset(id, 'a', ID_BYTES);
	id[ID_BYTES] = '\0';
	for (int i = 0; i < JOBS; i++) {
		snprintf(id, 5, "%04d", i);
		id[4] = 'a';
		sv_job(id, NULL);
	}
	fd[n++] = ask_overall("");
	ready_reader(&request);
	do {
		fd[n] = ask_overall("");
	} while (fx_hear(fd[n++])[0] == '\0' && n <= LINE_MAX_QUERIES);
	cr_expect_lt(n, LINE_BYTES / (JOBS * (ID_BYTES + 9)) + 4, "%d", n);
	cr_expect_gt(n, 100, "%d", n);
	while (n > 0)
		close(fd[--n]);
	free(fd);
	sv_end();
}

static void
set_kills(const char *text)
{
	FILE *f = fopen("events", "w");

	cr_assert_not_null(f);
	cr_assert_geq(fputs(text, f), 0);
	cr_assert_eq(fclose(f), 0);
}

/* Else it would explain the death of a worker that somebody kills by hand. */
Test(querypool, a_kill_for_memory_is_that_of_the_process_that_died_of_it)
{
	static struct oomkills oom;
	char dir[TMPDIR_BYTES];
	uint32_t request;
	int fd;

	tmpdir_enter(dir);
	set_kills("oom_kill 0\n");
	oomkills_begin(&oom, "events");
	cr_assert_neq(oom.fd, -1);
	start();
	sv.oom = &oom;
	fd = ask();
	set_kills("oom_kill 1\n");
	fake_exit(ready_reader(&request), SIGKILL);
	cr_expect_eq(oom.seen, 1);
	cr_expect_eq(oom.open, 0);
	fake_exit(ready_reader(&request), SIGKILL);
	sv_expect(fx_hear(fd), 500, "ended with 9; try again");
	close(fd);
	/* The keeper's is one of these as well. */
	set_kills("oom_kill 2\n");
	fake_exit(fake_last(SV_KEEPER), SIGKILL);
	cr_expect_eq(oom.seen, 2);
	cr_expect_eq(oom.open, 0);
	sv_end();
	sv.oom = NULL;
	oomkills_end(&oom);
	tmpdir_purge(dir);
}
