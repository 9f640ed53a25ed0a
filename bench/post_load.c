/*
 * Posts small bodies over connections that are kept, one job for each, the
 * next one when the answer is there.
 *
 * usage: post_load [-j jobs] port connections requests [run]
 *
 * With run, a word that is new each time, every request has an
 * Idempotency-Key of its own.
 *
 * Connection i posts to the job load-i, or with -j to load-(i modulo jobs),
 * whose time field is "time". Prints requests a second and how long answers
 * took. small_posts.py and durability.py run it.
 */
#include "common/compat.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

#define CONNECTIONS_MAX 1000
#define BODY_BYTES 1000
#define START_S 1403481600

struct client {
	unsigned n;	 /* requests so far */
	int64_t sent_us; /* the one that is under way */
	char request[BODY_BYTES + 512];
	char answer[4096];
	size_t have; /* of the answer */
};

static struct pollfd pfd[CONNECTIONS_MAX];
static struct client client[CONNECTIONS_MAX];
static int64_t *took_us;
static unsigned started, ended, wanted, jobs = CONNECTIONS_MAX;
static const char *run; /* NULL: no keys */

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static int
connect_to(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd == -1 ||
	    connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		die("connect");
	return fd;
}

/* Eight records of 125 bytes, a second apart. */
static void
post(unsigned i)
{
	struct client *c = &client[i];
	char body[BODY_BYTES + 1], key[160] = "";
	size_t len = 0;
	int n;

	for (unsigned k = 0; k < 8; k++)
		len += (size_t)snprintf(body + len, sizeof(body) - len,
		    "{\"time\":%u,\"v\":%3u.5,\"message\":\"%082u\"}\n",
		    START_S + c->n * 8 + k, (c->n * 37 + k) % 1000, k);
	if (run != NULL)
		snprintf(key, sizeof(key), "Idempotency-Key: %s/%u/%u\r\n", run,
		    i, c->n);
	n = snprintf(c->request, sizeof(c->request),
	    "POST /_ml/anomaly_detectors/load-%u/_data HTTP/1.1\r\n"
	    "Host: localhost\r\nContent-Type: application/x-ndjson\r\n"
	    "%sContent-Length: %zu\r\n\r\n%s",
	    i % jobs, key, len, body);
	c->n++;
	c->have = 0;
	c->sent_us = clock_mono_us();
	started++;
	/* far less than a socket's buffer */
	if (send(pfd[i].fd, c->request, (size_t)n, 0) != n)
		die("send");
}

/* Whether the answer is whole: its head, and the length that it gives. */
static bool
is_whole(const struct client *c)
{
	const char *end = strstr(c->answer, "\r\n\r\n");
	const char *field = strcasestr(c->answer, "\r\ncontent-length:");

	return end != NULL && field != NULL &&
	    c->have >=
	    (size_t)(end + 4 - c->answer) + strtoul(field + 17, NULL, 10);
}

static void
take(unsigned i)
{
	struct client *c = &client[i];
	ssize_t n = recv(
	    pfd[i].fd, c->answer + c->have, sizeof(c->answer) - 1 - c->have, 0);

	if (n <= 0)
		die("recv");
	c->have += (size_t)n;
	c->answer[c->have] = '\0';
	if (!is_whole(c))
		return;
	if (strncmp(c->answer, "HTTP/1.1 202", 12) != 0) {
		fprintf(stderr, "%s\n", c->answer);
		exit(1);
	}
	took_us[ended++] = clock_mono_us() - c->sent_us;
	if (started < wanted)
		post(i);
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
	int64_t start, us;
	unsigned n;

	if (argc > 2 && strcmp(argv[1], "-j") == 0) {
		jobs = (unsigned)atoi(argv[2]);
		argc -= 2;
		argv += 2;
	}
	n = argc == 4 || argc == 5 ? (unsigned)atoi(argv[2]) : 0;
	if (jobs == 0 || n == 0 || n > CONNECTIONS_MAX ||
	    atoi(argv[3]) < (int)n) {
		fprintf(stderr,
		    "usage: post_load [-j jobs] port connections "
		    "requests [run]\n");
		return 2;
	}
	wanted = (unsigned)atoi(argv[3]);
	run = argv[4]; /* NULL behind the last one */
	took_us = calloc(wanted, sizeof(*took_us));
	if (took_us == NULL)
		die("calloc");
	for (unsigned i = 0; i < n; i++)
		pfd[i] =
		    (struct pollfd){ .fd = connect_to((uint16_t)atoi(argv[1])),
			    .events = POLLIN };
	start = clock_mono_us();
	for (unsigned i = 0; i < n; i++)
		post(i);
	while (ended < wanted) {
		if (poll(pfd, n, -1) == -1)
			die("poll");
		for (unsigned i = 0; i < n; i++)
			if (pfd[i].revents != 0)
				take(i);
	}
	us = clock_mono_us() - start;
	qsort(took_us, wanted, sizeof(*took_us), compare);
	printf("%u requests over %u connections: %.0f/s, p50 %.1f ms, "
	       "p99 %.1f ms\n",
	    wanted, n, wanted * 1e6 / (double)us,
	    (double)took_us[wanted / 2] / 1000,
	    (double)took_us[(size_t)wanted * 99 / 100] / 1000);
	return 0;
}
