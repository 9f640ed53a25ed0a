/* The line of operations of a job: its length, its order, its end. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/supervisor_fixture.h"

#define DATA "/_ml/anomaly_detectors/j/_data"
#define OLD_DATA "/_xpack/ml/anomaly_detectors/j/_data"
#define FLUSH "/_ml/anomaly_detectors/j/_flush"
#define CLOSE "/_ml/anomaly_detectors/j/_close"

static struct job *
start(void)
{
	sv_start();
	return sv_open_job("j");
}

/* Sealed uploads until the line is full; request[] receives their ids. */
static void
fill_line(int fd[JOB_LINE_MAX], uint32_t request[JOB_LINE_MAX])
{
	struct child *worker = fake_last(SV_WORKER);

	for (int i = 0; i < JOB_LINE_MAX; i++) {
		fd[i] = sv_ask("POST", DATA, "{\"time\":1}");
		request[i] = fake_expect(worker, MSG_UPLOAD_BEGIN, NULL);
		fake_expect(worker, MSG_UPLOAD_DATA, NULL);
		fake_expect(worker, MSG_UPLOAD_SEAL, NULL);
	}
}

static void
say_counts(uint32_t request, uint64_t processed)
{
	struct data_counts counts;
	struct msg_counts m;
	struct wbuf wb;

	data_counts_init(&counts);
	counts.processed_record_count = processed;
	wbuf_init(&wb, 0);
	cr_assert_eq(schema_encode(&data_counts_schema, &counts, &wb), 0);
	m.counts = (struct span){ (const char *)wb.data, wb.len };
	fake_say(fake_last(SV_WORKER), MSG_COUNTS, request, &m);
	wbuf_clear(&wb);
}

Test(line, what_comes_past_the_hundredth_gets_429)
{
	uint32_t request[JOB_LINE_MAX];
	int fd[JOB_LINE_MAX];
	struct job *job = start();
	const char *heard;

	fill_line(fd, request);
	cr_expect_eq(job->nline, JOB_LINE_MAX);
	heard = sv_talk("POST", DATA, "{\"time\":1}");
	sv_expect(heard, 429,
	    "\"type\":\"es_rejected_execution_exception\",\"reason\":"
	    "\"autodetect queue is full. Unable to execute command\"");
	cr_expect_not_null(strstr(heard, "Retry-After: 1\r\n"));
	sv_expect(sv_talk("POST", OLD_DATA, "{\"time\":1}"), 429,
	    "\"type\":\"status_exception\",\"reason\":"
	    "\"Unable to submit operation\"");
	sv_expect(sv_talk("POST", FLUSH, NULL), 429, "queue is full");
	cr_expect_eq(job->nline, JOB_LINE_MAX);
	/* One answer makes one place. */
	say_counts(request[0], 1);
	sv_expect(fx_hear(fd[0]), 202, "\"processed_record_count\":1");
	close(fd[0]);
	fd[0] = sv_ask("POST", DATA, "{\"time\":1}");
	cr_expect_eq(job->nline, JOB_LINE_MAX);
	cr_expect_str_empty(fx_hear(fd[0]));
	for (int i = 0; i < JOB_LINE_MAX; i++)
		close(fd[i]);
	sv_end();
}

/* It had a place when its head came; it has none when its end comes. */
Test(line, an_upload_that_ends_before_a_full_line_is_dropped)
{
	uint32_t request[JOB_LINE_MAX], late;
	int fd[JOB_LINE_MAX], late_fd;
	struct job *job = start();
	struct child *worker = fake_last(SV_WORKER);
	size_t len = MSG_DATA_MAX + 1;
	char *body = calloc(1, len);

	late_fd = fx_connect();
	fx_say(late_fd,
	    "POST " DATA " HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: 262146\r\n\r\n");
	fx_send(late_fd, body, len);
	late = fake_expect(worker, MSG_UPLOAD_BEGIN, NULL);
	while (fake_next(worker) == MSG_UPLOAD_DATA)
		;
	fill_line(fd, request);
	fx_send(late_fd, body, 1);
	fake_expect(worker, MSG_UPLOAD_DATA, NULL);
	cr_expect_eq(fake_expect(worker, MSG_UPLOAD_DROP, NULL), late);
	sv_expect(fx_hear(late_fd), 429, "queue is full");
	cr_expect_eq(job->nline, JOB_LINE_MAX);
	cr_expect(TAILQ_EMPTY(&job->arriving));
	close(late_fd);
	for (int i = 0; i < JOB_LINE_MAX; i++)
		close(fd[i]);
	free(body);
	sv_end();
}

Test(line, answers_find_their_clients_in_any_order)
{
	struct msg_flushed flushed = { .last_finalized_bucket_end_ms = 7000 };
	struct child *worker;
	uint32_t first, second, third;
	int fd[3];

	start();
	worker = fake_last(SV_WORKER);
	fd[0] = sv_ask("POST", DATA, "1");
	first = fake_expect(worker, MSG_UPLOAD_BEGIN, NULL);
	fake_expect(worker, MSG_UPLOAD_DATA, NULL);
	fake_expect(worker, MSG_UPLOAD_SEAL, NULL);
	fd[1] = sv_ask("POST", FLUSH, NULL);
	second = fake_expect(worker, MSG_FLUSH, NULL);
	fd[2] = sv_ask("POST", DATA, NULL); /* nothing: no DATA frame */
	third = fake_expect(worker, MSG_UPLOAD_BEGIN, NULL);
	fake_expect(worker, MSG_UPLOAD_SEAL, NULL);
	fake_say_failed(worker, third, 400, E_PARSE, "malformed");
	say_counts(first, 3);
	fake_say(worker, MSG_FLUSHED, second, &flushed);
	sv_expect(fx_hear(fd[2]), 400, "malformed");
	sv_expect(fx_hear(fd[0]), 202, "\"processed_record_count\":3");
	sv_expect(fx_hear(fd[1]), 200,
	    "{\"flushed\":true,\"last_finalized_bucket_end\":7000}");
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	sv_end();
}

Test(line, an_answer_of_the_wrong_kind_costs_the_worker_its_life)
{
	struct child *worker;
	struct job *job = start();
	uint32_t request;
	int fd;

	worker = fake_last(SV_WORKER);
	fd = sv_ask("POST", FLUSH, NULL);
	request = fake_expect(worker, MSG_FLUSH, NULL);
	say_counts(request, 1);
	cr_expect(worker->killed);
	fake_exit(worker, 9);
	cr_expect_eq(job->state, JOB_FAILED);
	cr_expect_str_eq(job->cause, "worker answered what was not asked");
	cr_expect_eq(memcmp(fx_hear(fd), "HTTP/1.1 500 ", 13), 0);
	close(fd);
	sv_end();
}

/* READY of one that has had its HELLO already. */
static void
say_ready(struct child *c)
{
	struct msg_ready ready = { .version = MSG_VERSION };

	fake_expect(c, MSG_JOB_CONFIG, NULL);
	fake_say(c, MSG_READY, 0, &ready);
}

Test(line, death_of_the_worker_fails_nobody)
{
	uint32_t request[JOB_LINE_MAX];
	int fd[JOB_LINE_MAX];
	struct job *job = start();
	struct child *next;
	struct msg_await m;

	fill_line(fd, request);
	fake_exit(fake_last(SV_WORKER), 9);
	cr_expect_eq(job->state, JOB_RECOVERING);
	cr_expect_str_eq(job_state_name(job), "opened");
	cr_expect_eq(job->nline, JOB_LINE_MAX);
	next = fake_last(SV_WORKER);
	fake_expect(next, MSG_HELLO, NULL);
	for (int i = 0; i < JOB_LINE_MAX; i++)
		cr_expect_eq(fake_expect(next, MSG_AWAIT, &m), request[i]);
	/* It has done the first of them, and has never seen the others. */
	say_counts(request[0], 1);
	say_ready(next);
	cr_expect_eq(job->state, JOB_OPENED);
	for (int i = 1; i < JOB_LINE_MAX; i++) {
		request[i] = fake_expect(next, MSG_UPLOAD_BEGIN, NULL);
		fake_expect(next, MSG_UPLOAD_DATA, NULL);
		fake_expect(next, MSG_UPLOAD_SEAL, NULL);
		say_counts(request[i], 1);
	}
	for (int i = 0; i < JOB_LINE_MAX; i++) {
		const char *heard = fx_hear(fd[i]);

		sv_expect(heard, 202, "\"processed_record_count\":1");
		cr_expect_eq(fx_count(heard, "HTTP/1.1"), 1);
		close(fd[i]);
	}
	sv_end();
}

Test(line, what_is_kept_is_not_sent_again)
{
	struct msg_kept kept = { .seq = 5 };
	struct job *job = start();
	struct child *worker = fake_last(SV_WORKER);
	struct msg_await m;
	uint32_t request;
	int fd = sv_ask("POST", DATA, "1");

	request = fake_expect(worker, MSG_UPLOAD_BEGIN, NULL);
	cr_expect_eq(sv.inflight_bytes, 1);
	fake_say(worker, MSG_KEPT, request, &kept);
	cr_expect_eq(sv.inflight_bytes, 0);
	fake_exit(worker, 11);
	worker = fake_last(SV_WORKER);
	fake_expect(worker, MSG_HELLO, NULL);
	cr_expect_eq(fake_expect(worker, MSG_AWAIT, &m), request);
	cr_expect_eq(m.seq, 5);
	say_counts(request, 1);
	say_ready(worker);
	cr_expect_eq(job->nline, 0);
	sv_expect(fx_hear(fd), 202, "\"processed_record_count\":1");
	close(fd);
	sv_end();
}

Test(line, closing_waits_for_the_line_and_answers_what_had_not_arrived)
{
	struct msg_closed closed = { .model_snapshot_id = span_of("s1") };
	struct job *job = start();
	struct child *worker = fake_last(SV_WORKER);
	int sealed, arriving, closing;
	uint32_t request;

	sealed = sv_ask("POST", DATA, "1");
	request = fake_expect(worker, MSG_UPLOAD_BEGIN, NULL);
	fake_expect(worker, MSG_UPLOAD_DATA, NULL);
	fake_expect(worker, MSG_UPLOAD_SEAL, NULL);
	arriving = fx_connect();
	fx_say(arriving,
	    "POST " DATA " HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n12");
	closing = sv_ask("POST", CLOSE, NULL);
	sv_expect(fx_hear(arriving), 409,
	    "Cannot perform requested action because job [j] is not open");
	fake_expect(worker, MSG_CLOSE, NULL);
	cr_expect_str_empty(fx_hear(sealed));
	fx_say(arriving, "3456789"); /* the rest goes nowhere */
	cr_expect_eq(fake_next(worker), 0);
	say_counts(request, 1);
	sv_expect(fx_hear(sealed), 202, "\"processed_record_count\":1");
	fake_say(worker, MSG_CLOSED, 0, &closed);
	fake_exit(worker, 0);
	cr_expect_eq(job->state, JOB_CLOSED);
	cr_expect_str_eq(job->model_snapshot_id, "s1");
	sv_store(MSG_KEEP_STATE);
	sv_expect(fx_hear(closing), 200, "{\"closed\":true}");
	close(sealed);
	close(arriving);
	close(closing);
	sv_end();
}
