/*
 * What the HTTP layer costs by itself: a large body streamed into a sink that
 * throws it away, and small requests over connections that are kept. The
 * client is a process of its own on the loopback address; the figures are of
 * the server's processor time, so the client may share its core.
 *
 * usage: bench_http [megabytes [requests]]
 */
#include "common/compat.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "supervisor/http.h"

#define CONNECTIONS 16
#define SMALL_BODY 1000 /* bytes, of requests */
#define CHUNK_BYTES 65536

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- the server ---- */

static void
sink_data(struct http_req *req, struct evbuffer *data, void *arg)
{
	(void)req;
	(void)arg;
	evbuffer_drain(data, evbuffer_get_length(data));
}

static void
sink_end(struct http_req *req, void *arg)
{
	(void)arg;
	http_reply_bytes(req, 202, "application/json", "{}", 2);
}

static void
sink_broken(struct http_req *req, void *arg)
{
	(void)req;
	(void)arg;
}

static void
on_head(struct http_req *req, void *arg)
{
	static const struct http_sink sink = { sink_data, sink_end,
		sink_broken };

	(void)arg;
	http_body_stream(req, &sink, NULL);
}

static void
child_cb(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	event_base_loopbreak(arg);
}

static double
cpu_s(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

/* ---- the clients ---- */

static int
client(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1 || connect(fd, (void *)&sin, sizeof(sin)) == -1)
		fail("connect");
	return fd;
}

static void
put(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n)
		if ((n = send(fd, p, len, MSG_NOSIGNAL)) <= 0)
			fail("send");
}

static void
expect_202(int fd)
{
	char answer[1024];
	ssize_t n = recv(fd, answer, sizeof(answer), 0);

	if (n < 12 || memcmp(answer + 9, "202", 3) != 0)
		fail("answer");
}

static void
send_plain(uint16_t port, size_t amount)
{
	static char block[CHUNK_BYTES];
	char head[128];
	int fd = client(port);

	snprintf(head, sizeof(head),
	    "POST / HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    amount * sizeof(block));
	put(fd, head, strlen(head));
	for (size_t i = 0; i < amount; i++)
		put(fd, block, sizeof(block));
	expect_202(fd);
}

static void
send_chunked(uint16_t port, size_t amount)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: localhost\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	static char block[CHUNK_BYTES + 9];
	int fd = client(port);

	memcpy(block, "10000\r\n", 7);
	memcpy(block + 7 + CHUNK_BYTES, "\r\n", 2);
	put(fd, head, sizeof(head) - 1);
	for (size_t i = 0; i < amount; i++)
		put(fd, block, sizeof(block));
	put(fd, "0\r\n\r\n", 5);
	expect_202(fd);
}

static void
send_small(uint16_t port, size_t amount)
{
	char request[SMALL_BODY + 200];
	int fd[CONNECTIONS];
	int len = snprintf(request, sizeof(request),
	    "POST /_ml/anomaly_detectors/job/_data HTTP/1.1\r\n"
	    "Host: localhost:9200\r\nUser-Agent: bench\r\nAccept: */*\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: %d\r\n\r\n%0*d",
	    SMALL_BODY, SMALL_BODY, 0);

	for (int i = 0; i < CONNECTIONS; i++)
		fd[i] = client(port);
	for (size_t sent = 0; sent < amount; sent += CONNECTIONS) {
		for (int i = 0; i < CONNECTIONS; i++)
			put(fd[i], request, (size_t)len);
		for (int i = 0; i < CONNECTIONS; i++)
			expect_202(fd[i]);
	}
}

/* Serve one client process; returns processor seconds of the server. */
static double
run(struct event_base *base, uint16_t port,
    void (*work)(uint16_t port, size_t amount), size_t amount)
{
	double before = cpu_s();
	pid_t pid;
	int status;

	fflush(stdout);
	if ((pid = fork()) == -1)
		fail("fork");
	if (pid == 0) {
		work(port, amount);
		_exit(0);
	}
	event_base_dispatch(base);
	waitpid(pid, &status, 0);
	if (status != 0)
		exit(1);
	return cpu_s() - before;
}

int
main(int argc, char **argv)
{
	size_t mb = argc > 1 ? (size_t)atol(argv[1]) : 1000;
	size_t requests = argc > 2 ? (size_t)atol(argv[2]) : 200000;
	size_t blocks = (mb << 20) / CHUNK_BYTES;
	struct http_config config = {
		.limits = { .max_connections = 2 * CONNECTIONS,
		    .max_head_bytes = 16384,
		    .max_body_bytes = UINT64_MAX / 2,
		    .head_timeout_s = 60,
		    .body_timeout_s = 60,
		    .idle_timeout_s = 60,
		    .write_timeout_s = 60 },
		.on_head = on_head,
	};
	struct event_base *base = event_base_new();
	struct http *http = http_new(base, &config);
	struct event *child =
	    event_new(base, SIGCHLD, EV_SIGNAL | EV_PERSIST, child_cb, base);
	char where[64];
	const char *why = "";
	uint16_t port;

	if (http == NULL || child == NULL || event_add(child, NULL) == -1 ||
	    http_listen(http, "127.0.0.1:0", where, sizeof(where), &why) == -1)
		fail(why);
	port = (uint16_t)atoi(strrchr(where, ':') + 1);
	printf("body with a length  %.2f GB/s\n",
	    (double)mb / 1024 / run(base, port, send_plain, blocks));
	printf("body in chunks      %.2f GB/s\n",
	    (double)mb / 1024 / run(base, port, send_chunked, blocks));
	printf("requests of 1 KB    %.0f /s\n",
	    (double)requests / run(base, port, send_small, requests));
	http_free(http);
	event_free(child);
	event_base_free(base);
	return 0;
}
