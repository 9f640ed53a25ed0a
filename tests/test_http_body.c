/* Bodies: collected, streamed, ignored, encoded, too large, unwanted. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/http_fixture.h"

TestSuite(http_body, .init = fx_begin, .fini = fx_end);

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define POST(fields) "POST /p HTTP/1.1\r\nHost: localhost\r\n" fields "\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define EXPECT "Expect: 100-continue\r\n"

static const char *
body_of(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");

	return body == NULL ? "(no answer)" : body + 4;
}

/* ---- collecting ---- */

/* clang-format off */
static const struct {
	const char *request, *body;
} collect_rows[] = {
	{ POST("Content-Length: 5\r\n") "hello", "hello" },
	{ POST("Content-Length: 0\r\n"), "" },
	{ POST(""), "" },
	{ POST(CHUNKED) "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: u\r\n\r\n",
	    "hello!" },
	{ POST(CHUNKED) "0\r\n\r\n", "" },
	{ "GET /g HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi",
	    "hi" },
	{ "DELETE /d HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
	    "hi", "hi" },
	{ "POST /p HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", "hi" },
};
/* clang-format on */

Test(http_body, is_collected_whatever_the_method_and_framing)
{
	fx_start(fx_collect);
	for (size_t i = 0; i < NELEM(collect_rows); i++) {
		int fd = fx_connect();

		cr_expect_str_eq(body_of(fx_talk(fd, collect_rows[i].request)),
		    collect_rows[i].body, "row %zu", i);
		close(fd);
	}
	cr_expect_eq(fx_ends, NELEM(collect_rows));
}

Test(http_body, every_byte_may_come_alone)
{
	const char *text = POST(CHUNKED) "5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n"
					 "\r\n" GET("/next");
	int fd;

	fx_start(fx_collect);
	fd = fx_connect();
	for (size_t i = 0; text[i] != '\0'; i++)
		fx_send(fd, text + i, 1);
	cr_expect_eq(fx_count(fx_hear(fd), "HTTP/1.1 200"), 2);
	cr_expect_eq(fx_ends, 2);
	close(fd);
}

Test(http_body, above_what_is_collected_is_413_at_once)
{
	int fd;

	fx_start(fx_collect);
	fd = fx_connect();
	cr_expect_eq(
	    fx_count(fx_talk(fd, POST("Content-Length: 65537\r\n")), "413"), 2);
	cr_expect_eq(fx_ends, 0);
	cr_expect_eq(http_refused(fx_http, HTTP_FAULT_BODY_LARGE), 1);
	close(fd);
}

Test(http_body, chunks_above_what_is_collected_are_413)
{
	char chunk[1100];
	int fd, i;

	fx_start(fx_collect);
	fd = fx_connect();
	snprintf(chunk, sizeof(chunk), "400\r\n%01024d\r\n", 0);
	fx_say(fd, POST(CHUNKED));
	for (i = 0; i < 64; i++)
		fx_say(fd, chunk);
	cr_expect_str_empty(fx_hear(fd), "64 KB are taken");
	fx_say(fd, "1\r\n!");
	cr_expect_eq(fx_count(fx_hear(fd), "HTTP/1.1 413 "), 1);
	cr_expect_eq(fx_ends, 0);
	close(fd);
}

/* Each is allowed; what all connections hold together is bounded. */
Test(http_body, what_is_held_of_all_bodies_is_bounded)
{
	char part[20001];
	const char *text;
	int fd[4];

	memset(part, 'x', sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	fx_conf.limits.max_held_bytes = 50000;
	fx_start(fx_collect);
	for (size_t i = 0; i < NELEM(fd); i++)
		fd[i] = fx_connect();
	for (size_t i = 0; i < 3; i++) {
		fx_say(fd[i], POST("Content-Length: 20001\r\n"));
		fx_say(fd[i], part);
	}
	text = fx_hear(fd[2]);
	cr_expect_eq(fx_count(text, "HTTP/1.1 503 "), 1);
	cr_expect_eq(fx_count(text, "Retry-After: 1\r\n"), 1);
	cr_expect_eq(http_refused(fx_http, HTTP_FAULT_CROWDED), 1);
	cr_expect_eq(
	    fx_count(fx_talk(fd[3], POST("Content-Length: 2\r\n") "ok"),
		"HTTP/1.1 200"),
	    1, "a small one finds room");
	close(fd[0]);
	fx_turn();
	fx_say(fd[3], POST("Content-Length: 20001\r\n"));
	fx_say(fd[3], part);
	cr_expect_eq(fx_count(fx_talk(fd[3], "!"), "HTTP/1.1 200"), 1,
	    "whoever left gives room");
	cr_expect_eq(fx_count(fx_talk(fd[1], "!"), "HTTP/1.1 200"), 1);
	cr_expect_eq(fx_http->held, 0);
	for (size_t i = 1; i < NELEM(fd); i++)
		close(fd[i]);
}

/* ---- encodings ---- */

static size_t
pack_gzip(void *dst, size_t cap, const void *src, size_t len)
{
	z_stream z = { 0 };
	size_t n;

	cr_assert_eq(
	    deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)src;
	z.avail_in = (unsigned)len;
	z.next_out = dst;
	z.avail_out = (unsigned)cap;
	cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	n = z.total_out;
	deflateEnd(&z);
	return n;
}

/* A request with that body, in pieces of step bytes. */
static const char *
post_packed(
    int fd, const char *encoding, const char *body, size_t len, size_t step)
{
	char head[256];

	snprintf(head, sizeof(head),
	    POST("Content-Encoding: %s\r\nContent-Length: %zu\r\n"), encoding,
	    len);
	fx_say(fd, head);
	for (size_t at = 0; at < len; at += step)
		fx_send(fd, body + at, len - at < step ? len - at : step);
	return fx_hear(fd);
}

Test(http_body, gzip_is_undone_in_any_pieces_and_members)
{
	char packed[256];
	size_t len;
	int fd;

	fx_start(fx_collect);
	fd = fx_connect();
	len = pack_gzip(packed, sizeof(packed), "hello ", 6);
	len += pack_gzip(packed + len, sizeof(packed) - len, "world", 5);
	for (size_t step = 1; step <= len; step++)
		cr_expect_str_eq(
		    body_of(post_packed(fd, "gzip", packed, len, step)),
		    "hello world");
	close(fd);
}

Test(http_body, zstd_is_undone_in_any_pieces)
{
	char packed[256];
	size_t len;
	int fd;

	fx_start(fx_collect);
	fd = fx_connect();
	len = ZSTD_compress(packed, sizeof(packed), "hello world", 11, 3);
	for (size_t step = 1; step <= len; step++)
		cr_expect_str_eq(
		    body_of(post_packed(fd, "zstd", packed, len, step)),
		    "hello world");
	close(fd);
}

Test(http_body, an_encoding_cut_short_or_broken_is_400)
{
	static const char *const names[] = { "gzip", "zstd" };
	char packed[2][256];
	size_t len[2];

	fx_start(fx_collect);
	len[0] = pack_gzip(packed[0], sizeof(packed[0]), "hello world", 11);
	len[1] = ZSTD_compress(packed[1], sizeof(packed[1]), "hello", 5, 3);
	for (size_t i = 0; i < NELEM(names); i++) {
		int fd = fx_connect();

		cr_expect_eq(fx_count(post_packed(fd, names[i], packed[i],
					  len[i] - 1, 1000),
				 "HTTP/1.1 400 "),
		    1, "%s", names[i]);
		close(fd);
		fd = fx_connect();
		cr_expect_eq(fx_count(post_packed(fd, names[i], "no such thing",
					  13, 1000),
				 "HTTP/1.1 400 "),
		    1, "%s", names[i]);
		close(fd);
	}
	cr_expect_eq(http_refused(fx_http, HTTP_FAULT_BODY_ENCODING), 4);
	cr_expect_eq(fx_ends, 0);
}

Test(http_body, a_bomb_is_stopped_at_the_limit)
{
	size_t size = 64 << 20;
	char *zeros = calloc(1, size), *packed = malloc(1 << 20);
	size_t len = pack_gzip(packed, 1 << 20, zeros, size);
	int fd;

	fx_start(fx_collect);
	fd = fx_connect();
	cr_expect_eq(fx_count(post_packed(fd, "gzip", packed, len, len),
			 "HTTP/1.1 413 "),
	    1);
	close(fd);
	len = ZSTD_compress(packed, 1 << 20, zeros, size, 1);
	fd = fx_connect();
	cr_expect_eq(fx_count(post_packed(fd, "zstd", packed, len, len),
			 "HTTP/1.1 413 "),
	    1);
	close(fd);
	free(zeros);
	free(packed);
}

Test(http_body, a_zstd_window_above_8_mb_is_refused)
{
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	char packed[256];
	ZSTD_outBuffer out = { packed, sizeof(packed), 0 };
	ZSTD_inBuffer in = { "hello", 5, 0 };
	int fd;

	ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, 24);
	/* Without a known size the frame states the window as it is. */
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0);
	cr_assert_eq(ZSTD_compressStream2(ctx, &out, &in, ZSTD_e_flush), 0);
	cr_assert_eq(ZSTD_compressStream2(ctx, &out, &in, ZSTD_e_end), 0);
	ZSTD_freeCCtx(ctx);
	fx_start(fx_collect);
	fd = fx_connect();
	cr_expect_eq(fx_count(post_packed(fd, "zstd", packed, out.pos, 100),
			 "HTTP/1.1 400 "),
	    1);
	close(fd);
}

/* ---- streaming ---- */

Test(http_body, a_large_body_flows_to_its_sink_as_sent)
{
	size_t len = 1 << 20;
	char *sent = malloc(len);
	int fd;

	for (size_t i = 0; i < len; i++)
		sent[i] = (char)(i * 7 >> 3);
	fx_start(fx_stream);
	fd = fx_connect();
	fx_say(
	    fd, POST("Content-Encoding: gzip\r\nContent-Length: 1048576\r\n"));
	fx_send(fd, sent, len);
	cr_expect_str_eq(body_of(fx_hear(fd)), "done");
	cr_assert_eq(evbuffer_get_length(fx_body), len);
	cr_expect_eq(memcmp(evbuffer_pullup(fx_body, -1), sent, len), 0);
	cr_expect_eq(fx_ends, 1);
	cr_expect_eq(fx_broken, 0);
	free(sent);
	close(fd);
}

Test(http_body, above_the_limit_of_all_bodies_is_413_and_broken)
{
	int fd;

	fx_start(fx_stream);
	fd = fx_connect();
	fx_say(fd, POST("Content-Length: 1048577\r\n"));
	cr_expect_eq(fx_count(fx_hear(fd), "HTTP/1.1 413 "), 1);
	cr_expect_eq(fx_broken, 1);
	close(fd);
}

Test(http_body, chunks_above_the_limit_of_all_bodies_are_413_and_broken)
{
	static char data[1 << 20];
	int fd;

	fx_start(fx_stream);
	fd = fx_connect();
	fx_say(fd, POST(CHUNKED) "100000\r\n");
	fx_send(fd, data, sizeof(data));
	cr_expect_eq(fx_broken, 0);
	fx_say(fd, "\r\n1\r\n!");
	cr_expect_eq(fx_broken, 1);
	cr_expect_eq(fx_count(fx_hear(fd), "HTTP/1.1 413 "), 1);
	close(fd);
}

Test(http_body, a_broken_chunk_is_400_and_broken)
{
	int fd;

	fx_start(fx_stream);
	fd = fx_connect();
	fx_say(fd, POST(CHUNKED) "5\r\nhello\r\n");
	fx_say(fd, "x");
	cr_expect_eq(fx_broken, 1);
	cr_expect_eq(fx_gone, 0);
	cr_expect_eq(fx_count(fx_hear(fd), "HTTP/1.1 400 "), 1);
	close(fd);
}

Test(http_body, nothing_is_read_while_it_is_paused)
{
	static char data[1 << 20];
	size_t before;
	int fd;

	fx_start(fx_stream);
	fd = fx_connect();
	fx_say(fd, POST("Content-Length: 1048576\r\n"));
	fx_send(fd, data, 1000);
	http_body_pause(fx_req);
	before = evbuffer_get_length(fx_body);
	fx_send(fd, data, sizeof(data) - 1000); /* as far as it goes */
	cr_expect_eq(evbuffer_get_length(fx_body), before);
	http_body_resume(fx_req);
	fx_turn();
	cr_expect_gt(evbuffer_get_length(fx_body), before);
	close(fd);
}

/* Pause at every piece, resume from outside. */
static void
pausing_data(struct http_req *req, struct evbuffer *data, void *arg)
{
	(void)arg;
	evbuffer_add_buffer(fx_body, data);
	http_body_pause(req);
}

static void
stream_pausing(struct http_req *req, void *arg)
{
	struct http_sink sink = fx_sink;

	(void)arg;
	sink.data = pausing_data;
	fx_req = req;
	http_body_stream(req, &sink, NULL);
}

Test(http_body, the_end_waits_for_the_pause_too)
{
	int fd;

	fx_start(stream_pausing);
	fd = fx_connect();
	fx_say(fd, POST("Content-Length: 5\r\n") "hello");
	cr_expect_eq(evbuffer_get_length(fx_body), 5);
	cr_expect_eq(fx_ends, 0);
	http_body_resume(fx_req);
	fx_turn();
	cr_expect_eq(fx_ends, 1);
	close(fd);
}

Test(http_body, a_client_that_leaves_during_a_pause_is_seen_after_it)
{
	int fd;

	fx_start(stream_pausing);
	fd = fx_connect();
	fx_say(fd, POST("Content-Length: 10\r\n") "hello");
	close(fd);
	fx_turn();
	cr_expect_eq(fx_broken, 0);
	http_body_resume(fx_req);
	fx_turn();
	cr_expect_eq(fx_broken, 1);
}

/* ---- answering before the end ---- */

static void
answering_data(struct http_req *req, struct evbuffer *data, void *arg)
{
	(void)arg;
	evbuffer_add_buffer(fx_body, data);
	http_reply_bytes(req, 409, "text/plain", "no", 2);
}

static void
stream_answering(struct http_req *req, void *arg)
{
	struct http_sink sink = fx_sink;

	(void)arg;
	fx_heads++;
	sink.data = answering_data;
	http_req_on_gone(req, fx_note_gone, NULL);
	http_body_stream(req, &sink, NULL);
}

Test(http_body, an_answer_inside_the_sink_ends_its_part)
{
	int fd;

	fx_start(stream_answering);
	fd = fx_connect();
	cr_expect_eq(fx_count(fx_talk(fd, POST("Content-Length: 9\r\n") "abc"),
			 "HTTP/1.1 409 "),
	    1);
	fx_say(fd, "defghi" GET("/next"));
	cr_expect_eq(fx_heads, 2, "little is read away, the next is served");
	cr_expect_eq(evbuffer_get_length(fx_body), 3);
	cr_expect_eq(fx_broken + fx_gone, 0);
	close(fd);
}

Test(http_body, too_much_is_left_of_a_length_to_keep_the_connection)
{
	int fd;

	fx_start(fx_answer_at_once);
	fd = fx_connect();
	cr_expect_eq(fx_count(fx_talk(fd, POST("Content-Length: 1000000\r\n")),
			 "Connection: close"),
	    1);
	cr_expect(fx_is_closed(fd));
	close(fd);
}

Test(http_body, chunks_without_end_are_not_read_away_for_ever)
{
	static char data[1 << 16];
	int fd;

	fx_start(fx_answer_at_once);
	fd = fx_connect();
	fx_say(fd, POST(CHUNKED) "ffffff\r\n");
	cr_expect_eq(fx_count(fx_hear(fd), "200 OK"), 1);
	cr_expect_not(fx_is_closed(fd));
	for (unsigned i = 0; i <= HTTP_DRAIN_MAX / sizeof(data); i++)
		fx_send(fd, data, sizeof(data));
	cr_expect(fx_is_closed(fd));
	close(fd);
}

Test(http_body, an_ignored_body_is_read_before_the_next_request)
{
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, POST("Content-Length: 43\r\n") GET("/smuggled"));
	http_reply(fx_req, 200, NULL, NULL);
	fx_say(fd, GET("/next"));
	cr_expect_eq(fx_heads, 2);
	cr_expect_str_eq(http_req_path(fx_req), "/next");
	http_reply(fx_req, 200, NULL, NULL);
	fx_turn();
	close(fd);
}

/* ---- Expect ---- */

Test(http_body, the_client_is_told_to_continue_when_the_body_is_wanted)
{
	const char *answer;
	int fd;

	fx_start(fx_collect);
	fd = fx_connect();
	answer = fx_talk(fd, POST(EXPECT "Content-Length: 5\r\n"));
	cr_expect_str_eq(answer, "HTTP/1.1 100 Continue\r\n\r\n");
	cr_expect_str_eq(body_of(fx_talk(fd, "hello")), "hello");
	cr_expect_not(fx_is_closed(fd));
	close(fd);
}

Test(http_body, the_client_is_not_told_to_continue_in_vain)
{
	int fd;

	fx_start(fx_answer_at_once);
	fd = fx_connect();
	cr_expect_eq(fx_count(fx_talk(fd, POST(EXPECT "Content-Length: 5\r\n")),
			 "100 Continue"),
	    0);
	cr_expect(fx_is_closed(fd), "nobody knows whether the body comes");
	close(fd);
	http_free(fx_http);
	event_base_free(fx_base);

	fx_start(fx_collect);
	fd = fx_connect();
	cr_expect_eq(
	    fx_count(fx_talk(fd, POST(EXPECT "Content-Length: 65537\r\n")),
		"HTTP/1.1 413"),
	    1);
	close(fd);
}

Test(http_body, whoever_sends_without_waiting_needs_no_100)
{
	int fd;

	fx_start(fx_collect);
	fd = fx_connect();
	cr_expect_eq(
	    fx_count(fx_talk(fd, POST(EXPECT "Content-Length: 5\r\n") "hello"),
		"HTTP/1.1 "),
	    1);
	fx_talk(fd, POST(EXPECT "Content-Length: 0\r\n"));
	cr_expect_eq(fx_ends, 2);
	close(fd);
}
