/* Owns the transport under a connection. */
#include "common/compat.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "supervisor/conn.h"

#define WRITE_EXTENTS 16 /* blocks of an evbuffer per system call */

/*
 * evbuffer_read() takes 4 KB a call at most; straight into reserved space it
 * is what the caller asks for.
 */
static ssize_t
plain_read(struct conn *cn, struct evbuffer *in, size_t max)
{
	struct evbuffer_iovec v[1];
	ssize_t n;

	if (evbuffer_reserve_space(in, (ev_ssize_t)max, v, 1) != 1) {
		errno = ENOMEM;
		return -1;
	}
	do
		n = recv(cn->fd, v[0].iov_base, max, 0);
	while (n == -1 && errno == EINTR);
	if (n > 0) {
		v[0].iov_len = (size_t)n;
		evbuffer_commit_space(in, v, 1);
	}
	return n;
}

/* MSG_NOSIGNAL: a client that left is no reason for SIGPIPE. */
static ssize_t
plain_write(struct conn *cn, struct evbuffer *out)
{
	struct evbuffer_iovec v[WRITE_EXTENTS];
	struct msghdr msg = { .msg_iov = v };
	int extents = evbuffer_peek(out, -1, NULL, v, WRITE_EXTENTS);
	ssize_t n;

	msg.msg_iovlen =
	    (size_t)(extents > WRITE_EXTENTS ? WRITE_EXTENTS : extents);
	do
		n = sendmsg(cn->fd, &msg, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		evbuffer_drain(out, (size_t)n);
	return n;
}

/* What a socket holds is always shown by its readable event. */
static bool
plain_pending(const struct conn *cn)
{
	(void)cn;
	return false;
}

static int
plain_finish(struct conn *cn)
{
	return shutdown(cn->fd, SHUT_WR);
}

static void
plain_clear(struct conn *cn)
{
	(void)cn;
}

static const struct conn_ops plain_ops = { plain_read, plain_write,
	plain_pending, plain_finish, plain_clear };

struct conn *
conn_new_plain(int fd)
{
	struct conn *cn = calloc(1, sizeof(*cn));

	if (cn == NULL)
		return NULL;
	cn->ops = &plain_ops;
	cn->fd = fd;
	return cn;
}

void
conn_free(struct conn *cn)
{
	if (cn == NULL)
		return;
	cn->ops->clear(cn);
	close(cn->fd);
	free(cn);
}

ssize_t
conn_read(struct conn *cn, struct evbuffer *in, size_t max)
{
	return cn->ops->read(cn, in, max);
}

ssize_t
conn_write(struct conn *cn, struct evbuffer *out)
{
	return cn->ops->write(cn, out);
}

bool
conn_pending(const struct conn *cn)
{
	return cn->ops->pending(cn);
}

int
conn_finish(struct conn *cn)
{
	return cn->ops->finish(cn);
}
