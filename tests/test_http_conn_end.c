/* Connections: who hears that a client, or the daemon, has left. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http_fixture.h"

TestSuite(http_conn_end, .init = fx_begin, .fini = fx_end);

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define POST(fields) "POST /p HTTP/1.1\r\nHost: localhost\r\n" fields "\r\n"

static void
wait_with_gone(struct http_req *req, void *arg)
{
	fx_keep(req, arg);
	http_req_on_gone(req, fx_note_gone, NULL);
}

Test(http_conn_end, the_handler_hears_once_that_the_client_left)
{
	int fd;

	fx_start(wait_with_gone);
	fd = fx_connect();
	fx_say(fd, GET("/"));
	http_reply_begin(fx_req, 200, "text/plain");
	http_reply_part(fx_req, "a", 1, NULL, NULL);
	fx_turn();
	cr_expect_eq(fx_gone, 0);
	close(fd);
	http_reply_part(fx_req, "b", 1, NULL, NULL);
	fx_turn();
	cr_expect_eq(fx_gone, 1);
	cr_expect_eq(http_connections(fx_http), 0);
	cr_expect_eq(http_active(fx_http), 0);
}

Test(http_conn_end, an_answer_for_a_client_that_left_is_taken)
{
	int fd;

	fx_start(fx_keep);
	fd = fx_connect();
	fx_say(fd, GET("/"));
	http_reply_begin(fx_req, 200, "text/plain");
	fx_turn();
	close(fd);
	http_reply_part(fx_req, "a", 1, NULL, NULL);
	fx_turn();
	cr_expect_eq(http_connections(fx_http), 0);
	cr_expect_eq(http_active(fx_http), 1);
	cr_expect_str_eq(http_req_path(fx_req), "/");
	http_reply_part(fx_req, "b", 1, NULL, NULL);
	http_reply_end(fx_req);
	cr_expect_eq(http_active(fx_http), 0);
}

Test(http_conn_end, a_body_cut_off_is_told_to_its_sink)
{
	int fd;

	fx_start(fx_stream);
	fd = fx_connect();
	fx_say(fd, POST("Content-Length: 10\r\n") "abc");
	cr_expect_eq(evbuffer_get_length(fx_body), 3);
	close(fd);
	fx_turn();
	cr_expect_eq(fx_broken, 1);
	cr_expect_eq(fx_gone, 0);
	cr_expect_eq(http_connections(fx_http), 0);
}

Test(http_conn_end, a_collected_body_cut_off_is_forgotten)
{
	int fd;

	fx_start(fx_collect);
	fd = fx_connect();
	fx_say(fd, POST("Content-Length: 10\r\n") "abc");
	close(fd);
	fx_turn();
	cr_expect_eq(fx_ends, 0);
	cr_expect_eq(http_active(fx_http), 0);
}

Test(http_conn_end, freeing_the_server_tells_every_handler)
{
	int a, b;

	fx_start(fx_stream);
	a = fx_connect();
	b = fx_connect();
	fx_say(a, POST("Content-Length: 10\r\n") "abc");
	fx_say(b, POST("Content-Length: 10\r\n") "abc");
	http_free(fx_http);
	fx_http = NULL;
	cr_expect_eq(fx_broken, 2);
	close(a);
	close(b);
}

Test(http_conn_end, stopping_ends_idle_connections_and_no_others)
{
	int idle, busy;

	fx_start(fx_keep);
	idle = fx_connect();
	busy = fx_connect();
	fx_say(busy, GET("/"));
	http_stop(fx_http);
	fx_turn();
	cr_expect(fx_is_closed(idle));
	cr_expect_not(fx_is_closed(busy));
	http_reply(fx_req, 200, NULL, NULL);
	cr_expect_eq(fx_count(fx_hear(busy), "Connection: close"), 1);
	cr_expect(fx_is_closed(busy));
	close(idle);
	close(busy);
}
