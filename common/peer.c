/* Owns a child's channel to the supervisor. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/msg.h"
#include "common/peer.h"

#define READ_BYTES (256 * 1024)

struct peer {
	int fd;
	int watched; /* borrowed; -1: none */
	unsigned role;
	uint8_t *in; /* owned: in_cap bytes, filled from in_pos to in_len */
	size_t in_cap;
	size_t in_pos;
	size_t in_len;
	size_t taken; /* bytes of the frame that peer_next gave last */
	struct wbuf out;
	size_t out_pos;
};

void
peer_ignore_signals(void)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE,
		SIGXFSZ };

	for (size_t i = 0; i < NELEM(ignored); i++)
		if (signal(ignored[i], SIG_IGN) == SIG_ERR)
			fatal("signal %d", ignored[i]);
}

struct peer *
peer_new(int fd, unsigned role)
{
	struct peer *p = calloc(1, sizeof(*p));
	int flags;

	if (p == NULL)
		return NULL;
	flags = fcntl(fd, F_GETFL);
	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
		free(p);
		return NULL;
	}
	p->fd = fd;
	p->watched = -1;
	p->role = role;
	wbuf_init(&p->out, 0);
	return p;
}

void
peer_free(struct peer *p)
{
	if (p == NULL)
		return;
	close(p->fd);
	free(p->in);
	wbuf_clear(&p->out);
	free(p);
}

static int
peer_write(struct peer *p)
{
	while (p->out_pos < p->out.len) {
		ssize_t n = write(
		    p->fd, p->out.data + p->out_pos, p->out.len - p->out_pos);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return 0;
		if (n == -1)
			return -1;
		p->out_pos += (size_t)n;
	}
	p->out_pos = 0;
	/* A long answer should not keep its memory in an idle process. */
	if (p->out.cap > READ_BYTES)
		wbuf_clear(&p->out);
	else
		wbuf_reset(&p->out);
	return 0;
}

/* Make room for READ_BYTES after in_len, moving what is unread to the front. */
static int
peer_room(struct peer *p)
{
	size_t have = p->in_len - p->in_pos;
	uint8_t *in;

	if (p->in_pos > 0) {
		memmove(p->in, p->in + p->in_pos, have);
		p->in_pos = 0;
		p->in_len = have;
	}
	if (p->in_cap - p->in_len >= READ_BYTES)
		return 0;
	in = realloc(p->in, p->in_len + READ_BYTES);
	if (in == NULL)
		return -1;
	p->in = in;
	p->in_cap = p->in_len + READ_BYTES;
	return 0;
}

static int
peer_read(struct peer *p)
{
	ssize_t n;

	p->in_pos += p->taken;
	p->taken = 0;
	if (p->in_pos == p->in_len && p->in_cap > 2 * READ_BYTES) {
		free(p->in);
		p->in = NULL;
		p->in_cap = p->in_pos = p->in_len = 0;
	}
	if (peer_room(p) == -1)
		return -1;
	n = read(p->fd, p->in + p->in_len, p->in_cap - p->in_len);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0) {
		errno = 0;
		return -1;
	}
	p->in_len += (size_t)n;
	return 0;
}

void
peer_watch(struct peer *p, int fd)
{
	p->watched = fd;
}

int
peer_poll(struct peer *p, int timeout_ms, bool may_read)
{
	/* poll() passes over a descriptor of -1. */
	struct pollfd pfd[2] = { { .fd = p->fd },
		{ .fd = p->watched, .events = POLLIN } };
	short came;
	int n;

	if (may_read)
		pfd[0].events |= POLLIN;
	if (p->out_pos < p->out.len)
		pfd[0].events |= POLLOUT;
	n = poll(pfd, NELEM(pfd), timeout_ms);
	if (n == -1)
		return errno == EINTR ? 0 : -1;
	came = pfd[0].revents;
	if ((came & POLLOUT) != 0 && peer_write(p) == -1)
		return -1;
	if ((came & (POLLIN | POLLHUP | POLLERR)) == 0)
		return 0;
	if (!may_read) {
		/* Only a hang-up is news to a caller that cannot read. */
		errno = 0;
		return (came & POLLHUP) != 0 ? -1 : 0;
	}
	return peer_read(p);
}

int
peer_next(struct peer *p, unsigned state, struct peer_frame *f)
{
	struct frame_header h;
	const char *why;

	p->in_pos += p->taken;
	p->taken = 0;
	if (p->in_len - p->in_pos < FRAME_HEADER_BYTES)
		return 0;
	if (frame_get_header(p->in + p->in_pos, FROM_SUP, state, &h, &why) ==
	    -1) {
		log_warnx("supervisor sent %s: %s", msg_name(h.type), why);
		return -1;
	}
	if (p->in_len - p->in_pos - FRAME_HEADER_BYTES < h.len)
		return 0;
	f->type = h.type;
	f->request = h.request;
	f->data = p->in + p->in_pos + FRAME_HEADER_BYTES;
	f->len = h.len;
	p->taken = FRAME_HEADER_BYTES + h.len;
	return 1;
}

int
peer_send(struct peer *p, uint16_t type, uint32_t request, const void *obj)
{
	const struct msg_info *m = msg_find(type);

	if (m == NULL || (m->from & p->role) == 0) {
		errno = EINVAL;
		return -1;
	}
	return frame_put(&p->out, type, request, obj);
}

int
peer_send_raw(struct peer *p, uint16_t type, uint32_t request, const void *data,
    size_t len)
{
	const struct msg_info *m = msg_find(type);

	if (m == NULL || (m->from & p->role) == 0) {
		errno = EINVAL;
		return -1;
	}
	return frame_put_raw(&p->out, type, request, data, len);
}

int
peer_fail(struct peer *p, uint32_t request, const struct apierr *e)
{
	struct msg_failed m;
	struct wbuf wb;
	int rc = -1;

	wbuf_init(&wb, 0);
	if (apierr_encode(e, &wb) == 0) {
		m.error = (struct span){ (const char *)wb.data, wb.len };
		rc = peer_send(p, MSG_FAILED, request, &m);
	}
	wbuf_clear(&wb);
	return rc;
}

size_t
peer_queued(const struct peer *p)
{
	return p->out.len - p->out_pos;
}

void
peer_flush(struct peer *p)
{
	if (peer_write(p) == -1)
		log_debug("the channel has failed");
}

void
peer_trim(struct peer *p)
{
	p->in_pos += p->taken;
	p->taken = 0;
	if (p->in_pos == p->in_len) {
		free(p->in);
		p->in = NULL;
		p->in_cap = p->in_pos = p->in_len = 0;
	}
	if (peer_queued(p) == 0)
		wbuf_clear(&p->out);
}

int
peer_drain(struct peer *p)
{
	while (peer_queued(p) > 0) {
		struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };

		if (poll(&pfd, 1, -1) == -1 && errno != EINTR)
			return -1;
		if (peer_write(p) == -1)
			return -1;
	}
	return 0;
}
