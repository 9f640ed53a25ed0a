/* The real query process. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/wait.h>

#include "tests/childproc.h"
#include "tests/query_fixture.h"

static char program[4096];

static void
begin(void)
{
	cr_assert_not_null(realpath("anomd-query", program));
	query_begin();
}

TestSuite(query_process, .init = begin, .fini = query_finish);

static struct msg_query
query_of(enum query_kind kind)
{
	return (struct msg_query){
		.kind = (uint8_t)kind,
		.job_id = text("j"),
		.directory = text("j.1"),
		.timestamp_ms = TIME_UNSET,
		.start_ms = TIME_UNSET,
		.end_ms = TIME_UNSET,
		.desc = kind == QUERY_RECORDS,
		.size = 100,
	};
}

/* Read an answer; its text is owned. */
static char *
read_answer(struct childproc *c, uint32_t request)
{
	struct msg_query_end end;
	struct wbuf wb;
	uint16_t type;

	wbuf_init(&wb, 0);
	while ((type = childproc_next(c)) == MSG_QUERY_PART) {
		cr_assert_eq(c->head.request, request);
		cr_assert_eq(wire_put_bytes(&wb, c->data, c->head.len), 0);
	}
	cr_assert_eq(type, MSG_QUERY_END);
	cr_assert_eq(c->head.request, request);
	childproc_decode(c, &end);
	cr_expect_eq(end.bytes, wb.len);
	cr_assert_eq(wire_put_u8(&wb, 0), 0);
	return (char *)wb.data;
}

static void
expect_exit(struct childproc *c, int code)
{
	int status = childproc_end(c);

	cr_assert(WIFEXITED(status), "signal %d", WTERMSIG(status));
	cr_expect_eq(WEXITSTATUS(status), code);
}

Test(query_process, the_process_answers_while_the_worker_writes)
{
	struct msg_query q = query_of(QUERY_RECORDS);
	struct request r = request_of(QUERY_RECORDS);
	struct bucket_result b = some_bucket(T0 + 9 * SPAN_MS, 1);
	struct record_result rec = some_record(b.timestamp_ms, 1, 0.1);
	struct childproc c;
	struct writer w;
	char *text_got, *want;

	write_example();
	want = ask(&r);
	writer_open(&w);
	writer_record(&w, &rec); /* a transaction is open */
	childproc_start(&c, program, FROM_QRY, query_jobs);
	for (uint32_t i = 1; i <= 3; i++) {
		childproc_send(&c, MSG_QUERY, i, &q);
		text_got = read_answer(&c, i);
		cr_expect_str_eq(text_got, want);
		free(text_got);
	}
	writer_bucket(&w, &b);
	writer_commit(&w);
	childproc_send(&c, MSG_QUERY, 9, &q);
	text_got = read_answer(&c, 9);
	cr_expect_eq(strncmp(text_got, "{\"count\":2,", 11), 0);
	free(text_got);
	free(want);
	writer_close(&w);
	expect_exit(&c, 0);
}

Test(query_process, the_process_sends_a_page_of_10000_in_parts)
{
	struct msg_query q = query_of(QUERY_RECORDS);
	struct request r = request_of(QUERY_RECORDS);
	struct childproc c;
	char *got, *want;

	write_many();
	r.size = q.size = 10000;
	want = ask(&r);
	cr_assert_gt(strlen(want), (size_t)MSG_DATA_MAX);
	childproc_start(&c, program, FROM_QRY, query_jobs);
	childproc_send(&c, MSG_QUERY, 1, &q);
	got = read_answer(&c, 1);
	cr_expect_str_eq(got, want);
	free(got);
	free(want);
	expect_exit(&c, 0);
}

Test(query_process, the_process_refuses_with_an_error)
{
	struct msg_query q = query_of(QUERY_BUCKETS);
	struct msg_failed failed;
	struct childproc c;
	struct apierr e;
	struct rbuf rb;

	q.timestamp_ms = T0;
	childproc_start(&c, program, FROM_QRY, query_jobs);
	childproc_send(&c, MSG_QUERY, 5, &q);
	cr_assert_eq(childproc_next(&c), MSG_FAILED);
	cr_expect_eq(c.head.request, 5);
	childproc_decode(&c, &failed);
	rbuf_init(&rb, failed.error.p, failed.error.len);
	cr_assert_eq(apierr_decode(&rb, &e), 0);
	cr_expect_eq(e.status, 404);
	cr_expect_str_eq(e.link[0].reason, "Could not find requested buckets");
	/* And is there for the next one. */
	q.timestamp_ms = TIME_UNSET;
	childproc_send(&c, MSG_QUERY, 6, &q);
	free(read_answer(&c, 6));
	expect_exit(&c, 0);
}

/* The supervisor is told of damage that a worker may never meet. */
Test(query_process, the_process_tells_of_damaged_results)
{
	struct msg_query q = query_of(QUERY_BUCKETS);
	struct msg_query_damaged damaged;
	struct childproc c;

	write_example();
	cr_assert_eq(truncate("results/results.db", 4096), 0);
	childproc_start(&c, program, FROM_QRY, query_jobs);
	childproc_send(&c, MSG_QUERY, 5, &q);
	cr_assert_eq(childproc_next(&c), MSG_QUERY_DAMAGED);
	cr_expect_eq(c.head.request, 5);
	childproc_decode(&c, &damaged);
	cr_assert_eq(childproc_next(&c), MSG_FAILED);
	cr_expect_eq(c.head.request, 5);
	/* Of other files it is none. */
	q.kind = QUERY_QUARANTINE;
	childproc_send(&c, MSG_QUERY, 6, &q);
	free(read_answer(&c, 6));
	expect_exit(&c, 0);
}

/* Of overall buckets: "j", which is there, and "k", which is not yet. */
static struct msg_query
overall_query(void)
{
	static const char jobs[] = "\001j\0\0\0\0\0\0\0\1"
				   "\001k\0\0\0\0\0\0\0\1";
	struct msg_query q = query_of(QUERY_OVERALL);

	q.job_id = q.directory = text("");
	q.top_n = 1;
	q.span_ms = q.bucket_span_ms = SPAN_MS;
	q.jobs = (struct span){ jobs, sizeof(jobs) - 1 };
	return q;
}

Test(query_process, the_process_tells_which_job_is_damaged)
{
	struct msg_query q = overall_query();
	struct msg_query_damaged damaged;
	struct childproc c;
	char *got;

	write_example();
	childproc_start(&c, program, FROM_QRY, query_jobs);
	childproc_send(&c, MSG_QUERY, 5, &q);
	got = read_answer(&c, 5);
	cr_expect_eq(strncmp(got, "{\"count\":2,\"overall_buckets\":[", 30), 0,
	    "%s", got);
	free(got);
	cr_assert_eq(mkdir("../k.1", 0700), 0);
	cr_assert_eq(rename("results", "../k.1/results"), 0);
	cr_assert_eq(truncate("../k.1/results/results.db", 4096), 0);
	childproc_send(&c, MSG_QUERY, 6, &q);
	cr_assert_eq(childproc_next(&c), MSG_QUERY_DAMAGED);
	cr_expect_eq(c.head.request, 6);
	childproc_decode(&c, &damaged);
	cr_expect_eq(damaged.job, 1);
	cr_assert_eq(childproc_next(&c), MSG_FAILED);
	expect_exit(&c, 0);
}

Test(query_process, the_process_answers_ping)
{
	struct msg_ping ping = { 77 };
	struct msg_pong pong;
	struct childproc c;

	childproc_start(&c, program, FROM_QRY, query_jobs);
	childproc_send(&c, MSG_PING, 0, &ping);
	cr_assert_eq(childproc_next(&c), MSG_PONG);
	childproc_decode(&c, &pong);
	cr_expect_eq(pong.token, 77);
	cr_expect_not(pong.busy);
	expect_exit(&c, 0);
}

Test(query_process, the_process_ends_at_what_is_not_for_it)
{
	struct msg_keep_load load = { 0 };
	struct msg_query q = query_of(QUERY_RECORDS);
	struct childproc c;

	childproc_start(&c, program, FROM_QRY, query_jobs);
	childproc_send(&c, MSG_KEEP_LOAD, 1, &load);
	cr_expect_eq(childproc_next(&c), 0);
	expect_exit(&c, 1);
	childproc_start(&c, program, FROM_QRY, query_jobs);
	q.directory = text("../secret");
	childproc_send(&c, MSG_QUERY, 1, &q);
	cr_expect_eq(childproc_next(&c), 0);
	expect_exit(&c, 1);
	childproc_start(&c, program, FROM_QRY, query_jobs);
	q = overall_query();
	q.jobs.len--;
	childproc_send(&c, MSG_QUERY, 1, &q);
	cr_expect_eq(childproc_next(&c), 0);
	expect_exit(&c, 1);
	childproc_spawn(&c, program, FROM_QRY);
	childproc_send(&c, MSG_QUERY, 1, &q); /* before HELLO */
	cr_expect_eq(childproc_next(&c), 0);
	expect_exit(&c, 1);
}
