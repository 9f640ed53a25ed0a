/* Connections: keep-alive, order, refusals, deadlines. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http_fixture.h"

TestSuite(http_conn, .init = fx_begin, .fini = fx_end);

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define POST(fields) "POST /p HTTP/1.1\r\nHost: localhost\r\n" fields "\r\n"

/* ---- one request after the other ---- */

Test(http_conn, a_request_is_answered_and_the_connection_kept)
{
	const char *answer;
	int fd;

	fx_start(fx_answer_at_once);
	fd = fx_connect();
	answer = fx_talk(fd, GET("/a?b"));
	cr_expect_str_eq(answer,
	    "HTTP/1.1 200 OK\r\n"
	    "X-elastic-product: Elasticsearch\r\n"
	    "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	    "Content-Type: text/plain\r\n"
	    "Content-Length: 4\r\n\r\n/a?b");
	cr_expect_not(fx_is_closed(fd));
	cr_expect_eq(fx_count(fx_talk(fd, GET("/c")), "\r\n\r\n/c"), 1);
	close(fd);
	fx_turn();
	cr_expect_eq(http_connections(fx_http), 0);
}

Test(http_conn, a_request_may_come_byte_by_byte)
{
	const char *text = GET("/slow");
	int fd;

	fx_start(fx_answer_at_once);
	fd = fx_connect();
	for (size_t i = 0; text[i] != '\0'; i++)
		fx_send(fd, text + i, 1);
	cr_expect_eq(fx_count(fx_hear(fd), "\r\n\r\n/slow"), 1);
	close(fd);
}

Test(http_conn, pipelined_requests_are_answered_in_their_order)
{
	const char *answer;
	int fd;

	fx_start(fx_answer_at_once);
	fd = fx_connect();
	answer = fx_talk(fd,
	    GET("/1") "\r\n" GET("/2")
		POST("Content-Length: 3\r\n") "abc" GET("/3"));
	cr_expect_eq(fx_count(answer, "HTTP/1.1 200"), 4);
	cr_expect_lt(
	    strstr(answer, "\r\n\r\n/1"), strstr(answer, "\r\n\r\n/2"));
	cr_expect_lt(
	    strstr(answer, "\r\n\r\n/2"), strstr(answer, "\r\n\r\n/p"));
	cr_expect_lt(
	    strstr(answer, "\r\n\r\n/p"), strstr(answer, "\r\n\r\n/3"));
	close(fd);
}

Test(http_conn, the_next_request_waits_for_the_answer_to_the_one_before)
{
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, GET("/1") GET("/2"));
	cr_expect_eq(fx_heads, 1);
	cr_expect_str_eq(http_req_path(fx_req), "/1");
	cr_expect_eq(http_active(fx_http), 1);
	http_reply(fx_req, 204, NULL, NULL);
	cr_expect_eq(fx_heads, 1, "not from inside of http_reply");
	fx_turn();
	cr_expect_eq(fx_heads, 2);
	cr_expect_str_eq(http_req_path(fx_req), "/2");
	http_reply(fx_req, 204, NULL, NULL);
	fx_turn();
	cr_expect_eq(http_active(fx_http), 0);
	close(fd);
}

static unsigned heads_before_other;

static void
note_other(struct http_req *req, void *arg)
{
	if (strcmp(http_req_path(req), "/other") == 0)
		heads_before_other = fx_heads;
	fx_answer_at_once(req, arg);
}

Test(http_conn, thousands_of_pipelined_requests_leave_turns_to_others)
{
	static char text[100000];
	size_t len = strlen(GET("/x"));
	int fd, other;

	for (size_t at = 0; at + len < sizeof(text); at += len)
		memcpy(text + at, GET("/x"), len + 1);
	fx_start(note_other);
	fd = fx_connect();
	other = fx_connect();
	cr_assert_gt(send(fd, text, strlen(text), 0), 50000);
	cr_assert_gt(send(other, GET("/other"), strlen(GET("/other")), 0), 0);
	fx_turn();
	cr_expect_gt(fx_heads, 50000 / len);
	cr_expect_leq(heads_before_other, 2 * HTTP_WORK_TURN);
	close(fd);
	close(other);
}

Test(http_conn, unread_answers_stop_the_reading_of_requests)
{
	char big[200000];
	int fd;

	memset(big, 'x', sizeof(big));
	fx_start(fx_answer_at_once);
	fd = fx_connect();
	/* Each answer is 8 KB; the client reads none of them. */
	for (int i = 0; i < 2000; i++) {
		int len = snprintf(big, sizeof(big),
		    "GET /%08000d HTTP/1.1\r\nHost: localhost\r\n\r\n", i);

		if (send(fd, big, (size_t)len, MSG_NOSIGNAL) == -1)
			fx_turn();
	}
	fx_turn();
	cr_expect_lt(fx_heads, 400, "%u requests of 8 KB", fx_heads);
	cr_expect_gt(fx_heads, HTTP_OUT_HIGH / 8400);
	close(fd);
}

/* clang-format off */
static const struct {
	const char *request;
	bool closed;
	const char *field;
} keep_rows[] = {
	{ GET("/"), false, NULL },
	{ "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	    true, "Connection: close\r\n" },
	{ "GET / HTTP/1.0\r\n\r\n", true, "Connection: close\r\n" },
	{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false,
	    "Connection: keep-alive\r\n" },
};
/* clang-format on */

Test(http_conn, is_kept_or_closed_as_the_request_asks)
{
	fx_start(fx_answer_at_once);
	for (size_t i = 0; i < NELEM(keep_rows); i++) {
		int fd = fx_connect();
		const char *answer = fx_talk(fd, keep_rows[i].request);

		cr_expect_eq(fx_is_closed(fd), keep_rows[i].closed, "%zu", i);
		cr_expect_eq(fx_count(answer, "Connection:"),
		    keep_rows[i].field != NULL, "%zu", i);
		if (keep_rows[i].field != NULL)
			cr_expect_eq(fx_count(answer, keep_rows[i].field), 1);
		close(fd);
	}
}

Test(http_conn, a_client_may_close_its_half_and_await_the_answers)
{
	const char *answer;
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, GET("/1") GET("/2"));
	shutdown(fd, SHUT_WR);
	fx_turn();
	http_reply(fx_req, 200, NULL, NULL);
	fx_turn();
	cr_assert_str_eq(http_req_path(fx_req), "/2");
	http_reply(fx_req, 202, NULL, NULL);
	answer = fx_hear(fd);
	cr_expect_eq(fx_count(answer, "200 OK"), 1);
	cr_expect_eq(fx_count(answer, "202 Accepted"), 1);
	cr_expect(fx_is_closed(fd));
	close(fd);
}

/* ---- refusals ---- */

/* clang-format off */
static const struct {
	const char *request;
	enum http_fault fault;
	bool closed;
} refused_rows[] = {
	{ "GET / HTTP/1.1\nHost: a\n\n", HTTP_FAULT_BARE_LF, true },
	{ "\x16\x03\x01\x02", HTTP_FAULT_CONTROL_BYTE, true },
	{ "GET / HTTP/1.1\r\n\r\n", HTTP_FAULT_HOST_MISSING, true },
	{ "PRI * HTTP/2.0\r\n\r\n", HTTP_FAULT_VERSION_UNKNOWN, true },
	{ POST("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
	    HTTP_FAULT_LENGTH_AND_CODING, true },
	{ POST("Transfer-Encoding: chunked\r\n") "x", HTTP_FAULT_CHUNK_SIZE,
	    true },
	{ POST("Transfer-Encoding: chunked\r\n") "1\r\nab\r\n",
	    HTTP_FAULT_CHUNK_END, true },
	{ POST("Expect: miracles\r\n"), HTTP_FAULT_EXPECTATION, false },
	{ POST("Content-Encoding: br\r\n"), HTTP_FAULT_ENCODING, false },
	{ "GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n",
	    HTTP_FAULT_HOST_FORBIDDEN, false },
	{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_FAULT_HOST_FORBIDDEN,
	    false },
	{ "GET http://evil.org/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
	    HTTP_FAULT_HOST_FORBIDDEN, false },
	{ "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a\r\n\r\n",
	    HTTP_FAULT_ORIGIN_FORBIDDEN, false },
};
/* clang-format on */

Test(http_conn, refusals_are_json_and_counted)
{
	fx_start(fx_collect);
	for (size_t i = 0; i < NELEM(refused_rows); i++) {
		enum http_fault fault = refused_rows[i].fault;
		uint64_t before = http_refused(fx_http, fault);
		int fd = fx_connect();
		const char *answer = fx_talk(fd, refused_rows[i].request);
		char line[64];

		snprintf(line, sizeof(line), "HTTP/1.1 %d %s\r\n",
		    http_fault_status(fault),
		    http_status_text(http_fault_status(fault)));
		cr_expect_eq(strncmp(answer, line, strlen(line)), 0,
		    "row %zu: %s", i, answer);
		cr_expect_eq(fx_count(answer, "\r\nDate: "), 1);
		cr_expect_eq(
		    fx_count(answer, "X-elastic-product: Elasticsearch"), 1);
		cr_expect_eq(
		    fx_count(answer, "Content-Type: application/json\r\n"), 1);
		cr_expect_eq(fx_count(answer, "{\"error\":{"), 1);
		snprintf(line, sizeof(line), "\"status\":%d}",
		    http_fault_status(fault));
		cr_expect_eq(fx_count(answer, line), 1, "%s", answer);
		cr_expect_eq(http_refused(fx_http, fault), before + 1);
		cr_expect_eq(
		    fx_is_closed(fd), refused_rows[i].closed, "row %zu", i);
		cr_expect_eq(fx_count(answer, "Connection: close"),
		    refused_rows[i].closed);
		close(fd);
		fx_turn();
	}
}

Test(http_conn, a_forbidden_host_is_named_with_the_cure)
{
	const char *answer;
	int fd;

	fx_start(fx_collect);
	fd = fx_connect();
	answer = fx_talk(fd, "GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n");
	cr_expect_eq(fx_count(answer, "Host header"), 2, "%s", answer);
	cr_expect_eq(fx_count(answer, "allowed_host"), 2);
	cr_expect_eq(fx_count(answer, "[evil.org]"), 2);
	answer = fx_talk(fd,
	    "GET / HTTP/1.1\r\nHost: a.localhost\r\n"
	    "Origin: http://x\xff\r\n\r\n");
	cr_expect_eq(fx_count(answer, "Origin header"), 2, "%s", answer);
	cr_expect_eq(fx_count(answer, "allowed_origin"), 2);
	cr_expect_eq(fx_count(answer, "[http://x\\\\xff]"), 2);
	cr_expect_eq(fx_heads, 0);
	close(fd);
}

Test(http_conn, any_host_is_fine_on_a_unix_socket)
{
	int fd;

	fx_start(fx_answer_at_once);
	fd = fx_connect_unix();
	cr_expect_eq(
	    fx_count(fx_talk(fd, "GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n"),
		"200 OK"),
	    1);
	cr_expect_eq(
	    fx_count(fx_talk(fd, "GET / HTTP/1.1\r\nHost:\r\n\r\n"), "200 OK"),
	    1);
	close(fd);
}

Test(http_conn, nothing_behind_a_refused_request_is_served)
{
	int fd;

	fx_start(fx_answer_at_once);
	fd = fx_connect();
	fx_talk(fd, "GET / HTTP/1.1\r\nHost : a\r\n\r\n" GET("/evil"));
	cr_expect_eq(fx_heads, 0);
	fx_talk(fd, GET("/evil"));
	cr_expect_eq(fx_heads, 0);
	close(fd);
}

static void
do_nothing(struct http_req *req, void *arg)
{
	(void)req;
	(void)arg;
}

Test(http_conn, a_handler_that_does_nothing_is_answered_for)
{
	int fd;

	fx_start(do_nothing);
	fd = fx_connect();
	cr_expect_eq(fx_count(fx_talk(fd, GET("/")), "HTTP/1.1 500 "), 1);
	cr_expect_eq(http_refused(fx_http, HTTP_FAULT_UNANSWERED), 1);
	close(fd);
}

/* ---- the close that lets the client read ---- */

Test(http_conn, a_refused_body_is_read_away_until_the_client_ends)
{
	static char junk[1 << 20];
	int fd;

	fx_start(fx_collect);
	fd = fx_connect();
	fx_say(fd, POST("Content-Length: 100000000\r\n"));
	for (int i = 0; i < 20; i++)
		fx_send(fd, junk, sizeof(junk));
	cr_expect_eq(http_connections(fx_http), 1);
	cr_expect_eq(fx_count(fx_hear(fd), "HTTP/1.1 413 "), 1);
	cr_expect(fx_is_closed(fd), "our half is closed");
	close(fd);
	fx_turn();
	cr_expect_eq(http_connections(fx_http), 0);
}

Test(http_conn, lingering_ends_when_the_client_is_quiet)
{
	int fd;

	fx_start(fx_collect);
	fd = fx_connect();
	fx_talk(fd, "nonsense\r\n");
	cr_expect_eq(http_connections(fx_http), 1);
	fx_pass_ms(HTTP_LINGER_QUIET_S * 1000 - 1);
	cr_expect_eq(http_connections(fx_http), 1);
	fx_pass_ms(1);
	cr_expect_eq(http_connections(fx_http), 0);
	close(fd);
}

Test(http_conn, lingering_ends_when_the_client_never_stops)
{
	int fd;

	fx_start(fx_collect);
	fd = fx_connect();
	fx_talk(fd, "nonsense\r\n");
	for (int i = 0; i < HTTP_LINGER_S - 1; i++) {
		fx_pass_ms(1000);
		fx_say(fd, "more");
	}
	cr_expect_eq(http_connections(fx_http), 1);
	fx_pass_ms(1000);
	cr_expect_eq(http_connections(fx_http), 0);
	close(fd);
}

/* ---- deadlines ---- */

Test(http_conn, a_head_has_an_absolute_deadline)
{
	int fd;

	fx_start(fx_answer_at_once);
	fd = fx_connect();
	fx_pass_ms(30000); /* the time before its first byte is not its own */
	fx_say(fd, "G");
	for (int i = 0; i < 9; i++) {
		fx_pass_ms(1000);
		fx_say(fd, "E");
	}
	cr_expect_str_empty(fx_hear(fd));
	fx_pass_ms(1000);
	cr_expect_eq(fx_count(fx_hear(fd), "HTTP/1.1 408 "), 1);
	cr_expect_eq(http_refused(fx_http, HTTP_FAULT_HEAD_SLOW), 1);
	cr_expect(fx_is_closed(fd));
	close(fd);
}

Test(http_conn, an_idle_connection_is_closed_without_a_word)
{
	int fd, kept;

	fx_start(fx_answer_at_once);
	fd = fx_connect();
	kept = fx_connect();
	fx_pass_ms(59999);
	fx_talk(kept, GET("/"));
	cr_expect_not(fx_is_closed(fd));
	fx_pass_ms(1);
	cr_expect(fx_is_closed(fd));
	cr_expect_str_empty(fx_hear(fd));
	cr_expect_not(fx_is_closed(kept));
	close(fd);
	close(kept);
}

Test(http_conn, an_empty_line_alone_gets_no_answer)
{
	int fd;

	fx_start(fx_answer_at_once);
	fd = fx_connect();
	fx_say(fd, "\r\n");
	fx_pass_ms(60000);
	cr_expect(fx_is_closed(fd));
	cr_expect_str_empty(fx_hear(fd));
	close(fd);
}

Test(http_conn, a_body_must_make_progress)
{
	int fd;

	fx_conf.limits.min_body_rate = 0;
	fx_start(fx_stream);
	fd = fx_connect();
	fx_say(fd, POST("Content-Length: 100\r\n"));
	fx_pass_ms(19999);
	fx_say(fd, "x");
	fx_pass_ms(19999);
	cr_expect_eq(fx_broken, 0);
	fx_pass_ms(1);
	cr_expect_eq(fx_broken, 1);
	cr_expect_eq(fx_gone, 0);
	cr_expect_eq(fx_count(fx_hear(fd), "HTTP/1.1 408 "), 1);
	cr_expect_eq(http_refused(fx_http, HTTP_FAULT_BODY_SLOW), 1);
	close(fd);
}

Test(http_conn, a_body_must_keep_its_rate)
{
	int fd;

	fx_start(fx_stream);
	fd = fx_connect();
	fx_say(fd, POST("Content-Length: 100000\r\n"));
	for (int i = 0; i < 19; i++) {
		fx_say(fd, "12345678901234567890");
		fx_pass_ms(1000);
	}
	cr_expect_eq(fx_broken, 0, "judged after body_timeout_s");
	fx_pass_ms(1000);
	cr_expect_eq(fx_broken, 1);
	cr_expect_eq(fx_count(fx_hear(fd), "HTTP/1.1 408 "), 1);
	close(fd);
}

Test(http_conn, the_time_that_we_pause_is_not_the_clients)
{
	int fd;

	fx_start(fx_stream);
	fd = fx_connect();
	fx_say(fd, POST("Content-Length: 4\r\n") "ab");
	http_body_pause(fx_req);
	fx_pass_ms(3600000);
	http_body_resume(fx_req);
	fx_pass_ms(19000);
	cr_expect_eq(fx_broken, 0);
	fx_say(fd, "cd");
	cr_expect_eq(fx_ends, 1);
	close(fd);
}

Test(http_conn, a_client_that_does_not_read_is_cut)
{
	static char big[8 << 20];
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, GET("/"));
	http_reply_bytes(fx_req, 200, "text/plain", big, sizeof(big));
	fx_turn();
	cr_expect_eq(http_active(fx_http), 1, "not yet written in full");
	fx_pass_ms(29999);
	cr_expect_eq(http_connections(fx_http), 1);
	fx_pass_ms(1);
	cr_expect_eq(http_connections(fx_http), 0);
	close(fd);
}
