/*
 * Bytes of a client, fed to a server in this process, whole and cut at places
 * that the input chooses: what the handlers see and what is refused must not
 * depend on the cuts. The readers of heads and chunks run inside.
 */
#include "common/compat.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "supervisor/http_conn.h"

#define TURNS_MAX 200
#define INPUT_MAX 32768 /* fits the socket's buffer and the drain bound */

/* What one run showed, as text. */
static struct evbuffer *seen;

static int64_t
still(void)
{
	return 1000000;
}

static void
note_body(struct http_req *req, struct evbuffer *body)
{
	evbuffer_add_printf(
	    seen, "%s %s ", http_req_method_name(req), http_req_uri(req));
	evbuffer_add_buffer(seen, body);
	evbuffer_add(seen, "\n", 1);
}

static void
collected(struct http_req *req, struct evbuffer *body, void *arg)
{
	(void)arg;
	note_body(req, body);
	http_reply_bytes(req, 200, "text/plain", "collected", 9);
}

static void
ignored(struct http_req *req, void *arg)
{
	(void)arg;
	evbuffer_add_printf(seen, "ignored %s\n", http_req_uri(req));
	http_reply_begin(req, 200, "text/plain");
	http_reply_part(req, "ignored", 7, NULL, NULL);
	http_reply_end(req);
}

static void
stream_data(struct http_req *req, struct evbuffer *data, void *arg)
{
	(void)req;
	evbuffer_add_buffer(arg, data);
}

static void
stream_end(struct http_req *req, void *arg)
{
	note_body(req, arg);
	evbuffer_free(arg);
	http_reply(req, 204, NULL, NULL);
}

static void
stream_broken(struct http_req *req, void *arg)
{
	evbuffer_add_printf(seen, "broken %s\n", http_req_uri(req));
	evbuffer_free(arg);
}

static void
on_head(struct http_req *req, void *arg)
{
	static const struct http_sink sink = { stream_data, stream_end,
		stream_broken };
	const char *path = http_req_path(req);

	(void)arg;
	switch (path[strlen(path) - 1]) {
	case 'c':
		http_body_collect(req, 1000, collected, NULL);
		break;
	case 'i':
		http_body_ignore(req, ignored, NULL);
		break;
	case 's':
		http_body_stream(req, &sink, evbuffer_new());
		break;
	default:
		evbuffer_add_printf(seen, "at once %s\n", http_req_uri(req));
		http_reply_bytes(req, 404, "text/plain", path, strlen(path));
	}
}

static void
note_refusals(const struct http *http)
{
	for (int f = 0; f < HTTP_FAULT_COUNT; f++) {
		uint64_t n = http_refused(http, (enum http_fault)f);

		if (n > 0)
			evbuffer_add_printf(seen, "%s %llu\n",
			    http_fault_name((enum http_fault)f),
			    (unsigned long long)n);
	}
}

static void
swallow(int fd)
{
	char buf[65536];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
}

/* Feed it; step 0: whole. The server is run dry after each piece. */
static void
feed(struct event_base *base, int fd, const uint8_t *data, size_t len,
    size_t step)
{
	size_t at = 0;

	for (int turn = 0; turn < TURNS_MAX && at < len; turn++) {
		size_t n = step == 0 || at + step > len ? len - at : step;
		/* The last turns take the rest, however small the step. */
		ssize_t sent = send(fd, data + at,
		    turn > TURNS_MAX / 2 ? len - at : n, MSG_NOSIGNAL);

		if (sent == -1 && turn > TURNS_MAX - 2)
			break;
		at += sent > 0 ? (size_t)sent : 0;
		event_base_loop(base, EVLOOP_NONBLOCK);
		swallow(fd);
	}
	shutdown(fd, SHUT_WR);
	for (int turn = 0; turn < 10; turn++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		swallow(fd);
	}
}

static struct evbuffer *
serve(const uint8_t *data, size_t len, size_t step)
{
	static const struct http_config config = {
		.limits = { .max_connections = 2,
		    .max_head_bytes = 2048,
		    .max_body_bytes = 2 * INPUT_MAX,
		    .head_timeout_s = 10,
		    .body_timeout_s = 10,
		    .idle_timeout_s = 10,
		    .write_timeout_s = 10 },
		.on_head = on_head,
	};
	struct listen_peer peer = { .name = "fuzz" };
	struct event_base *base = event_base_new();
	struct http *http = http_new(base, &config);
	int fd[2];

	seen = evbuffer_new();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == -1 ||
	    http_conn_new(http, fd[1], &peer) == NULL)
		abort();
	feed(base, fd[0], data, len, step);
	/* With its input at the end, no connection may be left. */
	if (http_connections(http) != 0)
		abort();
	note_refusals(http);
	http_free(http);
	event_base_free(base);
	close(fd[0]);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct evbuffer *whole, *cut;
	size_t n;

	clock_fake(still, still);
	if (len < 1 || len > INPUT_MAX)
		return 0;
	whole = serve(data + 1, len - 1, 0);
	cut = serve(data + 1, len - 1, 1u + data[0]);
	n = evbuffer_get_length(whole);
	if (n != evbuffer_get_length(cut) ||
	    (n > 0 &&
		memcmp(evbuffer_pullup(whole, -1), evbuffer_pullup(cut, -1),
		    n) != 0)) {
		fprintf(stderr, "whole:\n%.*s\ncut:\n%.*s\n", (int)n,
		    (const char *)evbuffer_pullup(whole, -1),
		    (int)evbuffer_get_length(cut),
		    (const char *)evbuffer_pullup(cut, -1));
		abort();
	}
	evbuffer_free(whole);
	evbuffer_free(cut);
	return 0;
}
