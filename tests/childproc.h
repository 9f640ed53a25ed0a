/*
 * The supervisor's side of a child for tests: a real program at the other end
 * of a socket pair, frames written to it and read from it.
 */
#ifndef TESTS_CHILDPROC_H
#define TESTS_CHILDPROC_H

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/frame.h"
#include "common/msg.h"

/* Generous: sanitizer builds on a busy machine. Nothing waits this long. */
#define CHILDPROC_TIMEOUT_MS 20000

struct childproc {
	pid_t pid;
	int fd;
	unsigned from;		  /* FROM_* of the child */
	unsigned state;		  /* IN_* */
	struct frame_header head; /* of the last frame read */
	uint8_t *data;		  /* its payload, owned */
};

/* As fork(); true in the child, whose descriptor 3 is the channel. */
static inline bool
childproc_fork(struct childproc *c, unsigned from)
{
	int sv[2];

	memset(c, 0, sizeof(*c));
	c->from = from;
	c->state = IN_START;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	c->pid = fork();
	cr_assert_neq(c->pid, -1);
	if (c->pid == 0) {
		if (sv[1] != 3 && dup2(sv[1], 3) != 3)
			_exit(127);
		return true;
	}
	close(sv[1]);
	c->fd = sv[0];
	return false;
}

static inline void
childproc_spawn(struct childproc *c, const char *program, unsigned from)
{
	if (childproc_fork(c, from)) {
		execl(program, program, (char *)NULL);
		_exit(127);
	}
}

static inline void
childproc_send(
    struct childproc *c, uint16_t type, uint32_t request, const void *obj)
{
	struct wbuf wb;

	wbuf_init(&wb, 0);
	cr_assert_eq(frame_put(&wb, type, request, obj), 0);
	cr_assert_eq(write(c->fd, wb.data, wb.len), (ssize_t)wb.len);
	wbuf_clear(&wb);
}

static inline bool
childproc_read(struct childproc *c, void *dst, size_t len)
{
	uint8_t *p = dst;

	while (len > 0) {
		struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
		ssize_t n;

		cr_assert_eq(poll(&pfd, 1, CHILDPROC_TIMEOUT_MS), 1,
		    "nothing came from the child");
		n = read(c->fd, p, len);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* The type of the next frame; 0 when the child has closed the channel. */
static inline uint16_t
childproc_any(struct childproc *c)
{
	uint8_t raw[FRAME_HEADER_BYTES];
	const char *why;

	if (!childproc_read(c, raw, sizeof(raw)))
		return 0;
	cr_assert_eq(frame_get_header(raw, c->from, c->state, &c->head, &why),
	    0, "type %u: %s", c->head.type, why);
	free(c->data);
	c->data = malloc(c->head.len + 1);
	cr_assert(childproc_read(c, c->data, c->head.len));
	return c->head.type;
}

/* The same, but for what a keeper says of the disk at any time. */
static inline uint16_t
childproc_next(struct childproc *c)
{
	uint16_t type;

	while ((type = childproc_any(c)) == MSG_DISK)
		continue;
	return type;
}

/* Spans of obj point into the frame, until the next one is read. */
static inline void
childproc_decode(struct childproc *c, void *obj)
{
	cr_assert_eq(
	    msg_decode(c->head.type, c->data, c->head.len, obj, NULL), 0);
}

static inline void
childproc_hello(struct childproc *c, const char *path)
{
	struct msg_hello hello = {
		.version = MSG_VERSION,
		.log_level = 1,
		.path = span_of(path),
	};

	childproc_send(c, MSG_HELLO, 0, &hello);
}

static inline void
childproc_start(
    struct childproc *c, const char *program, unsigned from, const char *path)
{
	childproc_spawn(c, program, from);
	childproc_hello(c, path);
	cr_assert_eq(childproc_next(c), MSG_READY);
	c->state = IN_OPEN;
}

/* Wait for the child and return its wait status. */
static inline int
childproc_end(struct childproc *c)
{
	int status = -1;

	close(c->fd);
	while (waitpid(c->pid, &status, 0) == -1 && errno == EINTR)
		;
	free(c->data);
	c->data = NULL;
	return status;
}

static inline void
childproc_kill(struct childproc *c)
{
	kill(c->pid, SIGKILL);
	childproc_end(c);
}

#endif
