/* Answers: framing, parts, gzip, fields. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/http_fixture.h"

TestSuite(http_reply, .init = fx_begin, .fini = fx_end);

#define GET(path, fields)                                                      \
	"GET " path " HTTP/1.1\r\nHost: localhost\r\n" fields "\r\n"
#define GZIP "Accept-Encoding: gzip\r\n"

static size_t answer_bytes; /* of the body that fx_large answers */

static void
answer_large(struct http_req *req, void *arg)
{
	char *body = malloc(answer_bytes);

	(void)arg;
	for (size_t i = 0; i < answer_bytes; i++)
		body[i] = (char)('a' + i / 3 % 26);
	http_reply_bytes(req, 200, "text/plain", body, answer_bytes);
	free(body);
}

static const char *
body_of(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");

	return body == NULL ? "(no answer)" : body + 4;
}

/* ---- framing ---- */

Test(http_reply, head_says_the_length_and_no_more)
{
	const char *answer;
	int fd;

	fx_start(fx_answer_at_once);
	fd = fx_connect();
	answer = fx_talk(fd, "HEAD /abc HTTP/1.1\r\nHost: localhost\r\n\r\n");
	cr_expect_eq(fx_count(answer, "Content-Length: 4\r\n"), 1);
	cr_expect_str_eq(body_of(answer), "");
	close(fd);
}

static void
answer_204(struct http_req *req, void *arg)
{
	(void)arg;
	http_reply(req, 204, NULL, NULL);
}

Test(http_reply, without_content_has_no_length)
{
	const char *answer;
	int fd;

	fx_start(answer_204);
	fd = fx_connect();
	answer = fx_talk(fd, GET("/", ""));
	cr_expect_eq(fx_count(answer, "HTTP/1.1 204 No Content\r\n"), 1);
	cr_expect_eq(fx_count(answer, "Content-Length"), 0);
	cr_expect_eq(fx_count(answer, "Content-Type"), 0);
	close(fd);
}

Test(http_reply, a_body_given_is_left_empty)
{
	struct evbuffer *body = evbuffer_new();
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	evbuffer_add(body, "abc", 3);
	http_reply(fx_req, 200, "text/plain", body);
	cr_expect_eq(evbuffer_get_length(body), 0);
	evbuffer_free(body);
	close(fd);
}

Test(http_reply, a_second_answer_is_not_sent)
{
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, GET("/", ""));
	http_reply(fx_req, 200, NULL, NULL);
	http_reply(fx_req, 404, NULL, NULL);
	cr_expect_eq(fx_count(fx_hear(fd), "HTTP/1.1 "), 1);
	close(fd);
}

Test(http_reply, an_error_has_its_fields)
{
	struct apierr err = { 0 };
	const char *answer;
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, GET("/", ""));
	apierr_set(&err, 429, E_REJECTED, "the line of job [%s] is full", "j");
	err.retry_after_s = 3;
	http_reply_error(fx_req, &err);
	answer = fx_hear(fd);
	cr_expect_eq(fx_count(answer, "HTTP/1.1 429 Too Many Requests\r\n"), 1);
	cr_expect_eq(fx_count(answer, "Retry-After: 3\r\n"), 1);
	cr_expect_eq(fx_count(answer, "the line of job [j] is full"), 2);
	close(fd);
}

/* ---- fields ---- */

Test(http_reply, headers_of_the_handler_are_checked_and_sent)
{
	const char *answer;
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, GET("/", ""));
	cr_expect_eq(http_reply_header(fx_req, "Allow", "GET, PUT"), 0);
	cr_expect_eq(http_reply_header(fx_req, "Warning", "299 x"), 0);
	errno = 0;
	cr_expect_eq(http_reply_header(fx_req, "X", "a\r\nSet-Cookie: b"), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(http_reply_header(fx_req, "X Y", "a"), -1);
	cr_expect_eq(http_reply_header(fx_req, "", "a"), -1);
	cr_expect_eq(http_reply_header(fx_req, "content-LENGTH", "1"), -1);
	cr_expect_eq(
	    http_reply_header(fx_req, "Transfer-Encoding", "chunked"), -1);
	http_reply(fx_req, 405, NULL, NULL);
	answer = fx_hear(fd);
	cr_expect_eq(fx_count(answer, "\r\nAllow: GET, PUT\r\n"), 1);
	cr_expect_eq(fx_count(answer, "\r\nWarning: 299 x\r\n"), 1);
	cr_expect_eq(fx_count(answer, "Set-Cookie"), 0);
	close(fd);
}

Test(http_reply, the_opaque_id_comes_back)
{
	int fd;

	fx_start(fx_answer_at_once);
	fd = fx_connect();
	cr_expect_eq(fx_count(fx_talk(fd, GET("/", "x-opaque-id: a b/1\r\n")),
			 "\r\nX-Opaque-Id: a b/1\r\n"),
	    1);
	cr_expect_eq(
	    fx_count(fx_talk(fd, GET("/", "X-Opaque-Id: \xc3\xa4\r\n")),
		"X-Opaque-Id"),
	    0);
	cr_expect_eq(fx_count(fx_talk(fd,
				  "GET / HTTP/1.1\r\nHost: evil\r\n"
				  "X-Opaque-Id: x\r\n\r\n"),
			 "X-Opaque-Id: x\r\n"),
	    1, "in refusals too");
	close(fd);
}

Test(http_reply, the_server_is_named_when_configured)
{
	int fd;

	fx_conf.server = "anomd";
	fx_start(fx_answer_at_once);
	fd = fx_connect();
	cr_expect_eq(
	    fx_count(fx_talk(fd, GET("/", "")), "\r\nServer: anomd\r\n"), 1);
	close(fd);
}

Test(http_reply, an_allowed_origin_may_see_it)
{
	static const char *const origins[] = { "http://ui", NULL };
	const char *answer;
	int fd;

	fx_conf.allowed_origins = origins;
	fx_start(fx_answer_at_once);
	fd = fx_connect();
	answer = fx_talk(fd, GET("/", "Origin: http://ui\r\n"));
	cr_expect_eq(
	    fx_count(answer, "Access-Control-Allow-Origin: http://ui\r\n"), 1);
	cr_expect_eq(fx_count(answer, "Vary: Origin\r\n"), 1);
	cr_expect_eq(fx_count(answer, "Access-Control-Allow-Methods"), 0);
	answer = fx_talk(fd,
	    "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://ui\r\n"
	    "Access-Control-Request-Method: PUT\r\n\r\n");
	cr_expect_eq(fx_count(answer, "Access-Control-Allow-Methods: "), 1);
	answer = fx_talk(
	    fd, GET("/", "Origin: http://ui\r\nOrigin: http://evil\r\n"));
	cr_expect_eq(fx_count(answer, "HTTP/1.1 403 "), 1);
	close(fd);
}

/* ---- parts ---- */

Test(http_reply, parts_are_chunks)
{
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, GET("/", ""));
	http_reply_begin(fx_req, 200, "text/plain");
	cr_expect_not(http_reply_part(fx_req, "hello ", 6, NULL, NULL));
	cr_expect_not(http_reply_part(fx_req, "", 0, NULL, NULL));
	cr_expect_not(http_reply_part(fx_req, "world, hello", 12, NULL, NULL));
	http_reply_end(fx_req);
	cr_expect_str_eq(body_of(fx_hear(fd)),
	    "6\r\nhello \r\nc\r\nworld, hello\r\n0\r\n\r\n");
	cr_expect_not(fx_is_closed(fd));
	close(fd);
}

Test(http_reply, parts_go_until_the_close_to_1_0)
{
	const char *answer;
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	http_reply_begin(fx_req, 200, "text/plain");
	http_reply_part(fx_req, "hello", 5, NULL, NULL);
	http_reply_end(fx_req);
	answer = fx_hear(fd);
	cr_expect_str_eq(body_of(answer), "hello");
	cr_expect_eq(fx_count(answer, "Connection: close"), 1);
	cr_expect_eq(fx_count(answer, "Transfer-Encoding"), 0);
	cr_expect(fx_is_closed(fd));
	close(fd);
}

Test(http_reply, parts_are_silent_to_head)
{
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	http_reply_begin(fx_req, 200, "text/plain");
	http_reply_part(fx_req, "hello", 5, NULL, NULL);
	http_reply_end(fx_req);
	cr_expect_str_eq(body_of(fx_hear(fd)), "");
	close(fd);
}

Test(http_reply, an_aborted_answer_can_be_seen_to_be_cut)
{
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, GET("/", ""));
	http_reply_begin(fx_req, 200, "text/plain");
	http_reply_part(fx_req, "hello", 5, NULL, NULL);
	fx_turn();
	http_reply_abort(fx_req);
	cr_expect_str_eq(body_of(fx_hear(fd)), "5\r\nhello\r\n");
	cr_expect(fx_is_closed(fd));
	close(fd);
}

static unsigned drained_calls;
static size_t parts_left;

static void
send_parts(struct http_req *req, void *arg)
{
	static const char part[10000];

	(void)arg;
	drained_calls++;
	while (parts_left > 0) {
		parts_left--;
		if (http_reply_part(req, part, sizeof(part), send_parts, NULL))
			return;
	}
	http_reply_end(req);
}

Test(http_reply, parts_wait_for_a_slow_client)
{
	size_t got = 0;
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, GET("/", ""));
	http_reply_begin(fx_req, 200, "text/plain");
	parts_left = 1000;
	send_parts(fx_req, NULL);
	fx_turn();
	cr_expect_gt(parts_left, 700, "stopped at the high mark");
	while (parts_left > 0 || http_active(fx_http) > 0) {
		size_t before = got;

		fx_hear(fd);
		got += fx_heard_len();
		cr_assert_gt(got, before);
	}
	fx_hear(fd);
	got += fx_heard_len();
	cr_expect_gt(got, 10000000);
	cr_expect_gt(drained_calls, 5);
	close(fd);
}

Test(http_reply, an_orphan_that_waits_is_woken_to_end)
{
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, GET("/", ""));
	http_reply_begin(fx_req, 200, "text/plain");
	parts_left = 1000;
	send_parts(fx_req, NULL);
	fx_turn();
	close(fd);
	fx_turn();
	cr_expect_eq(parts_left, 0);
	cr_expect_eq(http_active(fx_http), 0);
}

/* ---- gzip ---- */

/* The bytes of a gzip stream; the result is freed by the caller. */
static char *
unpack(const char *packed, size_t len, size_t *unpacked_len)
{
	size_t cap = 32 << 20;
	char *out = malloc(cap);
	z_stream z = { 0 };

	cr_assert_eq(inflateInit2(&z, 31), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)packed;
	z.avail_in = (unsigned)len;
	z.next_out = (unsigned char *)out;
	z.avail_out = (unsigned)cap;
	cr_assert_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	*unpacked_len = z.total_out;
	inflateEnd(&z);
	return out;
}

/* Take the chunks apart in place; returns the length of the data. */
static size_t
dechunk(char *p, size_t len)
{
	struct http_chunk ck;
	size_t at = 0, n = 0, used;

	http_chunk_init(&ck, 0 + 100);
	for (;;) {
		enum http_chunk_result rc =
		    http_chunk_read(&ck, p + at, len - at, &used);

		at += used;
		if (rc != HTTP_CHUNK_DATA) {
			cr_assert_eq(rc, HTTP_CHUNK_DONE);
			return n;
		}
		memmove(p + n, p + at, ck.left);
		n += ck.left;
		at += ck.left;
		http_chunk_take(&ck, ck.left);
	}
}

static void
check_unpacked(const char *packed, size_t len)
{
	size_t n;
	char *out = unpack(packed, len, &n);

	cr_expect_eq(n, answer_bytes);
	for (size_t i = 0; i < n; i++)
		if (out[i] != (char)('a' + i / 3 % 26))
			cr_assert_fail("differs at byte %zu", i);
	free(out);
}

Test(http_reply, is_packed_for_those_who_take_it)
{
	const char *answer, *body;
	int fd;

	answer_bytes = 5000;
	fx_start(answer_large);
	fd = fx_connect();
	answer = fx_talk(fd, GET("/", GZIP));
	cr_expect_eq(fx_count(answer, "Content-Encoding: gzip\r\n"), 1);
	cr_expect_eq(fx_count(answer, "Vary: Accept-Encoding\r\n"), 1);
	cr_expect_eq(fx_count(answer, "Content-Length: "), 1);
	body = body_of(answer);
	check_unpacked(body, fx_heard_len() - (size_t)(body - answer));
	answer = fx_talk(fd, GET("/", ""));
	cr_expect_eq(fx_count(answer, "Content-Encoding"), 0);
	cr_expect_eq(fx_count(answer, "Content-Length: 5000\r\n"), 1);
	answer = fx_talk(fd, GET("/", "Accept-Encoding: gzip;q=0\r\n"));
	cr_expect_eq(fx_count(answer, "Content-Encoding"), 0);
	close(fd);
}

Test(http_reply, parts_are_packed_too)
{
	const char *answer, *body;
	char copy[4096], part[1000];
	size_t len;
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, GET("/", GZIP));
	http_reply_begin(fx_req, 200, "text/plain");
	answer_bytes = 20 * sizeof(part);
	for (size_t at = 0; at < answer_bytes; at += sizeof(part)) {
		for (size_t i = 0; i < sizeof(part); i++)
			part[i] = (char)('a' + (at + i) / 3 % 26);
		http_reply_part(fx_req, part, sizeof(part), NULL, NULL);
		fx_turn();
	}
	http_reply_end(fx_req);
	answer = fx_hear(fd);
	cr_expect_eq(fx_count(answer, "Content-Encoding: gzip\r\n"), 1);
	body = body_of(answer);
	len = fx_heard_len() - (size_t)(body - answer);
	cr_assert_lt(len, sizeof(copy));
	memcpy(copy, body, len);
	len = dechunk(copy, len);
	check_unpacked(copy, len);
	cr_expect_not(fx_is_closed(fd));
	close(fd);
}

Test(http_reply, small_ones_are_not_packed)
{
	int fd;

	answer_bytes = 1024;
	fx_start(answer_large);
	fd = fx_connect();
	cr_expect_eq(
	    fx_count(fx_talk(fd, GET("/", GZIP)), "Content-Encoding"), 0);
	close(fd);
}

Test(http_reply, large_ones_are_packed_in_slices_and_answers_stay_in_order)
{
	const char *answer;
	size_t len;
	char *body;
	int fd;

	answer_bytes = 10000000;
	fx_start(answer_large);
	fd = fx_connect();
	answer = fx_talk(fd, GET("/", GZIP));
	cr_expect_eq(fx_count(answer, "Content-Encoding: gzip\r\n"), 1);
	cr_expect_eq(fx_count(answer, "Transfer-Encoding: chunked\r\n"), 1);
	cr_expect_eq(fx_count(answer, "Content-Length"), 0);
	len = fx_heard_len() - (size_t)(body_of(answer) - answer);
	body = malloc(len);
	memcpy(body, body_of(answer), len);
	len = dechunk(body, len);
	check_unpacked(body, len);
	free(body);
	answer_bytes = 5;
	answer = fx_talk(fd, GET("/", GZIP) GET("/", GZIP));
	cr_expect_eq(fx_count(answer, "\r\n\r\naaabb"), 2);
	close(fd);
}

Test(http_reply, large_ones_to_1_0_are_not_packed)
{
	const char *answer;
	int fd;

	answer_bytes = 1000000;
	fx_start(answer_large);
	fd = fx_connect();
	answer = fx_talk(fd, "GET / HTTP/1.0\r\n" GZIP "\r\n");
	cr_expect_eq(fx_count(answer, "Content-Encoding"), 0);
	cr_expect_eq(fx_count(answer, "Content-Length: 1000000\r\n"), 1);
	close(fd);
}

Test(http_reply, head_claims_no_length_of_what_would_be_packed)
{
	const char *answer;
	int fd;

	answer_bytes = 5000;
	fx_start(answer_large);
	fd = fx_connect();
	answer =
	    fx_talk(fd, "HEAD / HTTP/1.1\r\nHost: localhost\r\n" GZIP "\r\n");
	cr_expect_eq(fx_count(answer, "Content-Length"), 0);
	cr_expect_str_eq(body_of(answer), "");
	close(fd);
}

Test(http_reply, a_client_that_leaves_amid_slices_leaves_nothing)
{
	int fd;

	answer_bytes = 10000000;
	fx_start(answer_large);
	fd = fx_connect();
	fx_say(fd, GET("/", GZIP));
	close(fd);
	fx_turn();
	fx_turn();
	cr_expect_eq(http_connections(fx_http), 0);
	cr_expect_eq(http_active(fx_http), 0);
}

Test(http_reply, statuses_have_their_texts)
{
	cr_expect_str_eq(http_status_text(202), "Accepted");
	cr_expect_str_eq(http_status_text(405), "Method Not Allowed");
	cr_expect_str_eq(http_status_text(299), "");
	for (int f = HTTP_FAULT_NONE + 1; f < HTTP_FAULT_COUNT; f++)
		cr_expect_str_not_empty(
		    http_status_text(http_fault_status((enum http_fault)f)));
}
