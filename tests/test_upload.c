/* The way of a posted body to the worker. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "supervisor/chan.h"
#include "tests/supervisor_fixture.h"

#define POST_DATA(length)                                                      \
	"POST /_ml/anomaly_detectors/j/_data HTTP/1.1\r\nHost: localhost\r\n"  \
	"Content-Type: application/json\r\nContent-Length: " length "\r\n\r\n"

static struct job *job;
static struct child *worker;

static void
start(void)
{
	sv_start();
	job = sv_open_job("j");
	worker = fake_last(SV_WORKER);
}

/* Bytes that differ from place to place. */
static char *
make_body(size_t len)
{
	char *body = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		body[i] = (char)('a' + (i * i + i / 1000) % 26);
	body[len] = '\0';
	return body;
}

/* Read DATA frames up to the seal, and compare with what was sent. */
static void
expect_body(uint32_t request, const char *body, size_t len)
{
	struct msg_kept kept = { .seq = 1 };
	struct msg_upload_seal seal;
	size_t at = 0;

	while (fake_next(worker) == MSG_UPLOAD_DATA) {
		cr_assert_eq(worker->head.request, request);
		cr_assert_leq(at + worker->head.len, len);
		cr_assert_eq(
		    memcmp(worker->data, body + at, worker->head.len), 0);
		at += worker->head.len;
	}
	cr_expect_eq(at, len);
	cr_assert_eq(worker->head.type, MSG_UPLOAD_SEAL);
	cr_expect_eq(worker->head.request, request);
	fake_decode(worker, &seal);
	cr_expect_eq(seal.wire_bytes, len);
	cr_expect_eq(seal.wire_crc, crc32c(0, body, len));
	/* A small one is held until the worker says that it is kept. */
	cr_expect_eq(sv.inflight_bytes, len > MSG_DATA_MAX ? 0 : len);
	fake_say(worker, MSG_KEPT, request, &kept);
	cr_expect_eq(sv.inflight_bytes, 0);
}

Test(upload, a_small_one_is_held_until_it_is_whole)
{
	struct msg_upload_begin begin;
	uint32_t request;
	int fd;

	start();
	fd = fx_connect();
	fx_say(fd, POST_DATA("10") "01234");
	cr_expect_eq(fake_next(worker), 0);
	cr_expect_eq(sv.inflight_bytes, 5);
	fx_say(fd, "56789");
	request = fake_expect(worker, MSG_UPLOAD_BEGIN, &begin);
	cr_expect_eq(begin.encoding, ENCODING_IDENTITY);
	cr_expect_eq(begin.reset_start_s, TIME_UNSET);
	expect_body(request, "0123456789", 10);
	cr_expect_eq(job->nline, 1);
	close(fd);
	sv_end();
}

Test(upload, the_largest_small_one_leaves_as_one_frame)
{
	char *body = make_body(MSG_DATA_MAX);
	uint32_t request;
	int fd;

	start();
	fd = fx_connect();
	fx_say(fd, POST_DATA("262144"));
	fx_send(fd, body, MSG_DATA_MAX - 1);
	cr_expect_eq(fake_next(worker), 0);
	fx_send(fd, body + MSG_DATA_MAX - 1, 1);
	request = fake_expect(worker, MSG_UPLOAD_BEGIN, NULL);
	expect_body(request, body, MSG_DATA_MAX);
	free(body);
	close(fd);
	sv_end();
}

Test(upload, a_large_one_flows_and_is_held_back_by_a_slow_worker)
{
	size_t len = 8 << 20, sent = 0;
	char *body = make_body(len);
	uint32_t request;
	ssize_t n = 0;
	int fd;

	start();
	fd = fx_connect();
	fx_say(fd, POST_DATA("8388608"));
	/* Nobody reads at the worker's end. */
	for (int idle = 0; idle < 3; fx_turn()) {
		n = write(fd, body + sent, len - sent);
		sent += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
	}
	cr_expect_lt(sent, len, "%zu bytes were taken", sent);
	cr_expect_leq(sv.inflight_bytes, 1 << 20);
	request = fake_expect(worker, MSG_UPLOAD_BEGIN, NULL);
	for (size_t at = 0; at < len; at += worker->head.len) {
		if (sent < len && (n = write(fd, body + sent, len - sent)) > 0)
			sent += (size_t)n;
		cr_assert_eq(fake_next(worker), MSG_UPLOAD_DATA, "at %zu", at);
		cr_assert_eq(
		    memcmp(worker->data, body + at, worker->head.len), 0);
	}
	cr_expect_eq(fake_expect(worker, MSG_UPLOAD_SEAL, NULL), request);
	free(body);
	close(fd);
	sv_end();
}

Test(upload, two_that_arrive_side_by_side_do_not_mix)
{
	size_t len = 600000, half = 300000;
	char *one = make_body(len), *two = make_body(len);
	size_t at[2] = { 0, 0 };
	unsigned seals = 0;
	uint32_t first = 0;
	int fd[2];

	for (size_t i = 0; i < len; i++)
		two[i] = (char)(one[i] - 'a' + 'A');
	start();
	fd[0] = fx_connect();
	fd[1] = fx_connect();
	fx_say(fd[0], POST_DATA("600000"));
	fx_say(fd[1], POST_DATA("600000"));
	fx_send(fd[0], one, half);
	fx_send(fd[1], two, half);
	fx_send(fd[0], one + half, len - half);
	fx_send(fd[1], two + half, len - half);
	while (fake_next(worker) != 0) {
		const struct frame_header *h = &worker->head;
		unsigned which;

		first = first == 0 ? h->request : first;
		which = h->request != first;
		if (h->type == MSG_UPLOAD_DATA) {
			cr_assert_eq(
			    memcmp(worker->data,
				(which ? two : one) + at[which], h->len),
			    0);
			at[which] += h->len;
		}
		if (h->type == MSG_UPLOAD_SEAL)
			seals++;
	}
	cr_expect_eq(at[0], len);
	cr_expect_eq(at[1], len);
	cr_expect_eq(seals, 2);
	free(one);
	free(two);
	close(fd[0]);
	close(fd[1]);
	sv_end();
}

Test(upload, a_client_that_leaves_a_small_one_leaves_no_trace)
{
	int fd;

	start();
	fd = fx_connect();
	fx_say(fd, POST_DATA("10") "01234");
	close(fd);
	fx_turn();
	cr_expect_eq(fake_next(worker), 0);
	cr_expect_eq(sv.inflight_bytes, 0);
	cr_expect(TAILQ_EMPTY(&job->arriving));
	sv_end();
}

Test(upload, a_client_that_leaves_a_large_one_makes_the_worker_drop_it)
{
	char *body = make_body(300000);
	uint32_t request;
	int fd;

	start();
	fd = fx_connect();
	fx_say(fd, POST_DATA("300001"));
	fx_send(fd, body, 300000);
	request = fake_expect(worker, MSG_UPLOAD_BEGIN, NULL);
	while (fake_next(worker) == MSG_UPLOAD_DATA)
		;
	close(fd);
	fx_turn();
	cr_expect_eq(fake_expect(worker, MSG_UPLOAD_DROP, NULL), request);
	cr_expect_eq(job->nline, 0);
	cr_expect(TAILQ_EMPTY(&job->arriving));
	cr_expect_eq(sv.inflight_bytes, 0);
	free(body);
	sv_end();
}

Test(upload, a_broken_chunk_drops_it_too)
{
	int fd;

	start();
	fd = fx_connect();
	fx_say(fd,
	    "POST /_ml/anomaly_detectors/j/_data HTTP/1.1\r\n"
	    "Host: localhost\r\nContent-Type: application/json\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n");
	sv_expect(fx_hear(fd), 400, "");
	cr_expect(TAILQ_EMPTY(&job->arriving));
	cr_expect_eq(fake_next(worker), 0);
	close(fd);
	sv_end();
}

Test(upload, once_sealed_it_stays_in_the_line_without_its_client)
{
	struct data_counts counts;
	struct msg_counts m;
	uint32_t request;
	struct wbuf wb;
	int fd;

	start();
	fd = sv_ask("POST", "/_ml/anomaly_detectors/j/_data", "1");
	request = fake_expect(worker, MSG_UPLOAD_BEGIN, NULL);
	expect_body(request, "1", 1);
	close(fd);
	fx_turn();
	cr_expect_eq(fake_next(worker), 0, "it was dropped");
	cr_expect_eq(job->nline, 1);
	data_counts_init(&counts);
	wbuf_init(&wb, 0);
	cr_assert_eq(schema_encode(&data_counts_schema, &counts, &wb), 0);
	m.counts = (struct span){ (const char *)wb.data, wb.len };
	fake_say(worker, MSG_COUNTS, request, &m);
	wbuf_clear(&wb);
	cr_expect_eq(job->nline, 0);
	cr_expect_not(worker->killed);
	sv_end();
}

/* The worker found it bad before it was whole. */
Test(upload, a_failure_before_the_seal_is_answered_at_once)
{
	char *body = make_body(300000);
	uint32_t request;
	int fd;

	start();
	fd = fx_connect();
	fx_say(fd, POST_DATA("400000"));
	fx_send(fd, body, 300000);
	request = fake_expect(worker, MSG_UPLOAD_BEGIN, NULL);
	while (fake_next(worker) == MSG_UPLOAD_DATA)
		;
	fake_say_failed(worker, request, 400, E_ILLEGAL_ARGUMENT,
	    "the gzip stream is broken");
	sv_expect(fx_hear(fd), 400, "the gzip stream is broken");
	fx_send(fd, body, 100000);
	cr_expect_eq(fake_next(worker), 0);
	cr_expect_not(worker->killed);
	free(body);
	close(fd);
	sv_end();
}

Test(upload, one_that_is_held_back_is_answered_when_the_worker_dies)
{
	size_t len = 8 << 20;
	char *body = make_body(len);
	ssize_t n;
	int fd;

	start();
	fd = fx_connect();
	fx_say(fd, POST_DATA("8388608"));
	for (int idle = 0; idle < 3; fx_turn()) {
		n = write(fd, body, len);
		idle = n > 0 ? 0 : idle + 1;
	}
	fake_exit(worker, 9);
	cr_expect_eq(job->state, JOB_RECOVERING);
	cr_expect_eq(sv.inflight_bytes, 0);
	sv_expect(fx_hear(fd), 503, "nothing of this upload was kept");
	free(body);
	close(fd);
	sv_end();
}

Test(upload, reset_times_go_with_it_in_whole_seconds)
{
	struct msg_upload_begin begin;
	int fd;

	start();
	fd = sv_ask("POST",
	    "/_ml/anomaly_detectors/j/_data?reset_start=1403481600500&"
	    "reset_end=1403481600900",
	    "1");
	fake_expect(worker, MSG_UPLOAD_BEGIN, &begin);
	cr_expect_eq(begin.reset_start_s, 1403481600);
	cr_expect_eq(begin.reset_end_s, 1403481601);
	close(fd);
	sv_expect(sv_talk("POST",
		      "/_ml/anomaly_detectors/j/_data?reset_start=20&"
		      "reset_end=10",
		      "1"),
	    400,
	    "Invalid time range: end time '10' is earlier than start time "
	    "'20'.");
	cr_expect_eq(job->nline, 1);
	sv_end();
}
