/* Owns the server that the tests of the HTTP layer talk to. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/http_fixture.h"

#define TURNS 12 /* enough for the deepest chain of kicks */

struct http_config fx_conf;
struct http *fx_http;
struct event_base *fx_base;
unsigned fx_heads, fx_ends, fx_broken, fx_gone;
struct evbuffer *fx_body;
struct http_req *fx_req;

static struct evbuffer *heard;
static int64_t now_us = 1000000;

static int64_t
fake_mono_us(void)
{
	return now_us;
}

static int64_t
fake_wall_ms(void)
{
	return 784111777000 + now_us / 1000 - 1000;
}

void
fx_begin(void)
{
	fx_conf = (struct http_config){
		.limits = { .max_connections = 10,
		    .max_head_bytes = 8192,
		    .max_body_bytes = 1 << 20,
		    .head_timeout_s = 10,
		    .body_timeout_s = 20,
		    .idle_timeout_s = 60,
		    .write_timeout_s = 30,
		    .min_body_rate = 100 },
	};
	clock_fake(fake_wall_ms, fake_mono_us);
	fx_body = evbuffer_new();
	heard = evbuffer_new();
}

void
fx_start(void (*on_head)(struct http_req *, void *))
{
	fx_base = event_base_new();
	fx_conf.on_head = on_head;
	fx_http = http_new(fx_base, &fx_conf);
	cr_assert_not_null(fx_http);
}

void
fx_end(void)
{
	http_free(fx_http);
	if (fx_base != NULL)
		event_base_free(fx_base);
	evbuffer_free(fx_body);
	evbuffer_free(heard);
}

static int
connect_pair(const struct listen_peer *peer)
{
	int fd[2];

	cr_assert_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	cr_assert_not_null(http_conn_new(fx_http, fd[1], peer));
	return fd[0];
}

int
fx_connect(void)
{
	return connect_pair(&(struct listen_peer){ .name = "127.0.0.1:53211" });
}

int
fx_connect_unix(void)
{
	return connect_pair(
	    &(struct listen_peer){ .name = "unix", .is_unix = true });
}

void
fx_turn(void)
{
	for (int i = 0; i < TURNS; i++)
		event_base_loop(fx_base, EVLOOP_NONBLOCK);
}

void
fx_pass_ms(int64_t ms)
{
	now_us += ms * 1000;
	http_sweep(fx_http);
	fx_turn();
}

void
fx_send(int fd, const void *data, size_t len)
{
	const char *p = data;

	for (int idle = 0; len > 0 && idle < 100;) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
			idle = 0;
			continue;
		}
		/* A server that has closed is for the test to judge. */
		if (errno != EAGAIN)
			return;
		idle++;
		fx_turn();
	}
	fx_turn();
}

void
fx_say(int fd, const char *text)
{
	fx_send(fd, text, strlen(text));
}

const char *
fx_hear(int fd)
{
	char buf[65536];
	ssize_t n;

	evbuffer_drain(heard, evbuffer_get_length(heard));
	fx_turn();
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		evbuffer_add(heard, buf, (size_t)n);
		fx_turn();
	}
	evbuffer_add(heard, "", 1);
	return (const char *)evbuffer_pullup(heard, -1);
}

size_t
fx_heard_len(void)
{
	return evbuffer_get_length(heard) - 1;
}

const char *
fx_talk(int fd, const char *text)
{
	fx_say(fd, text);
	return fx_hear(fd);
}

bool
fx_is_closed(int fd)
{
	char c;

	fx_turn();
	return recv(fd, &c, 1, MSG_PEEK) == 0 ||
	    (errno != EAGAIN && errno != EWOULDBLOCK);
}

unsigned
fx_count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)) != NULL; text += strlen(word))
		n++;
	return n;
}

/* ---- handlers ---- */

void
fx_answer_at_once(struct http_req *req, void *arg)
{
	const char *uri = http_req_uri(req);

	(void)arg;
	fx_heads++;
	http_reply_bytes(req, 200, "text/plain", uri, strlen(uri));
}

void
fx_keep(struct http_req *req, void *arg)
{
	(void)arg;
	fx_heads++;
	fx_req = req;
	http_body_ignore(req, NULL, NULL);
}

static void
collected(struct http_req *req, struct evbuffer *body, void *arg)
{
	(void)arg;
	fx_ends++;
	http_reply(req, 200, "text/plain", body);
}

void
fx_collect(struct http_req *req, void *arg)
{
	(void)arg;
	fx_heads++;
	fx_req = req;
	http_body_collect(req, 65536, collected, NULL);
}

static void
sink_data(struct http_req *req, struct evbuffer *data, void *arg)
{
	(void)req;
	(void)arg;
	evbuffer_add_buffer(fx_body, data);
}

static void
sink_end(struct http_req *req, void *arg)
{
	(void)arg;
	fx_ends++;
	http_reply_bytes(req, 200, "text/plain", "done", 4);
}

static void
sink_broken(struct http_req *req, void *arg)
{
	(void)req;
	(void)arg;
	fx_broken++;
}

const struct http_sink fx_sink = { sink_data, sink_end, sink_broken };

void
fx_stream(struct http_req *req, void *arg)
{
	(void)arg;
	fx_heads++;
	fx_req = req;
	http_req_on_gone(req, fx_note_gone, NULL);
	http_body_stream(req, &fx_sink, NULL);
}

void
fx_note_gone(struct http_req *req, void *arg)
{
	(void)req;
	(void)arg;
	fx_gone++;
}
