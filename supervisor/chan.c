/* Owns the channel to one child: its buffers, marks and frames. */
#include "common/compat.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/frame.h"
#include "common/log.h"
#include "common/msg.h"
#include "supervisor/chan.h"

#define READ_BYTES (256 * 1024)	 /* one turn; then others have theirs */
#define HIGH_BYTES (1024 * 1024) /* stop feeding above */
#define LOW_BYTES (256 * 1024)	 /* feed again below */

struct chan {
	int fd;
	unsigned from;
	unsigned state;
	const struct chan_handlers *handlers; /* borrowed, static */
	void *arg;
	struct event *readable;
	struct event *writable;
	struct evbuffer *in;
	struct evbuffer *out;
	bool was_full; /* drained is owed */
	bool paused;
	bool closed; /* handlers->closed was called */
	bool busy;   /* a handler is running: free later */
	bool freed;
};

static void
chan_destroy(struct chan *c)
{
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	if (c->in != NULL)
		evbuffer_free(c->in);
	if (c->out != NULL)
		evbuffer_free(c->out);
	close(c->fd);
	free(c);
}

void
chan_free(struct chan *c)
{
	if (c == NULL)
		return;
	c->freed = true;
	if (c->busy) {
		event_del(c->readable);
		event_del(c->writable);
		return;
	}
	chan_destroy(c);
}

static void
chan_close(struct chan *c, const char *why)
{
	if (c->closed || c->freed)
		return;
	c->closed = true;
	event_del(c->readable);
	event_del(c->writable);
	c->handlers->closed(c->arg, why);
}

/*
 * Hand out the frames that are whole. Returns a static text when the child
 * broke the protocol, else NULL.
 */
static const char *
chan_take_frames(struct chan *c)
{
	uint8_t head[FRAME_HEADER_BYTES];
	struct frame_header h;
	const char *why;

	while (!c->freed && !c->closed && !c->paused &&
	    evbuffer_copyout(c->in, head, sizeof(head)) ==
		(ssize_t)sizeof(head)) {
		uint8_t *frame;

		if (frame_get_header(head, c->from, c->state, &h, &why) == -1)
			return why;
		if (evbuffer_get_length(c->in) < sizeof(head) + h.len)
			return NULL;
		frame = evbuffer_pullup(c->in, (ssize_t)(sizeof(head) + h.len));
		if (frame == NULL)
			return "out of memory";
		c->handlers->frame(
		    c->arg, h.type, h.request, frame + sizeof(head), h.len);
		evbuffer_drain(c->in, sizeof(head) + h.len);
	}
	return NULL;
}

static void
chan_read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct chan *c = arg;
	const char *why;
	int n;

	(void)what;
	c->busy = true;
	n = evbuffer_read(c->in, fd, READ_BYTES);
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
		chan_close(c, NULL);
	} else {
		why = chan_take_frames(c);
		if (why != NULL)
			chan_close(c, why);
	}
	c->busy = false;
	if (c->freed)
		chan_destroy(c);
}

static void
chan_write_cb(evutil_socket_t fd, short what, void *arg)
{
	struct chan *c = arg;
	int n;

	(void)what;
	c->busy = true;
	n = evbuffer_write(c->out, fd);
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		/* What it had still to say is read before the hang-up. */
		event_del(c->writable);
		evbuffer_drain(c->out, evbuffer_get_length(c->out));
	}
	if (evbuffer_get_length(c->out) > 0)
		event_add(c->writable, NULL);
	if (c->was_full && evbuffer_get_length(c->out) < LOW_BYTES) {
		c->was_full = false;
		c->handlers->drained(c->arg);
	}
	c->busy = false;
	if (c->freed)
		chan_destroy(c);
}

struct chan *
chan_new(struct event_base *base, int fd, unsigned from,
    const struct chan_handlers *handlers, void *arg)
{
	struct chan *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	c->fd = fd;
	c->from = from;
	c->state = IN_START;
	c->handlers = handlers;
	c->arg = arg;
	c->in = evbuffer_new();
	c->out = evbuffer_new();
	c->readable =
	    event_new(base, fd, EV_READ | EV_PERSIST, chan_read_cb, c);
	c->writable = event_new(base, fd, EV_WRITE, chan_write_cb, c);
	if (c->in == NULL || c->out == NULL || c->readable == NULL ||
	    c->writable == NULL || event_add(c->readable, NULL) == -1) {
		chan_destroy(c);
		return NULL;
	}
	return c;
}

void
chan_set_state(struct chan *c, unsigned state)
{
	c->state = state;
}

unsigned
chan_state(const struct chan *c)
{
	return c->state;
}

/* The end of each way to queue; rc: of the buffer. */
static int
chan_queued(struct chan *c, uint16_t type, int rc)
{
	if (rc == -1) {
		log_warnx("cannot queue %s for a child", msg_name(type));
		return -1;
	}
	if (evbuffer_get_length(c->out) >= HIGH_BYTES)
		c->was_full = true;
	if (!c->closed && event_add(c->writable, NULL) == -1)
		return -1;
	return 0;
}

int
chan_send(struct chan *c, uint16_t type, uint32_t request, const void *obj)
{
	struct wbuf wb;
	int rc;

	wbuf_init(&wb, 0);
	rc = frame_put(&wb, type, request, obj);
	if (rc == 0)
		rc = evbuffer_add(c->out, wb.data, wb.len);
	wbuf_clear(&wb);
	return chan_queued(c, type, rc);
}

int
chan_send_frame(struct chan *c, const struct wbuf *frame)
{
	uint16_t type = (uint16_t)(frame->data[4] << 8 | frame->data[5]);

	return chan_queued(
	    c, type, evbuffer_add(c->out, frame->data, frame->len));
}

int
chan_send_raw(struct chan *c, uint16_t type, uint32_t request, const void *data,
    size_t len)
{
	struct wbuf wb;
	int rc;

	wbuf_init(&wb, 0);
	rc = frame_put_raw(&wb, type, request, data, len);
	if (rc == 0)
		rc = evbuffer_add(c->out, wb.data, wb.len);
	wbuf_clear(&wb);
	return chan_queued(c, type, rc);
}

int
chan_send_buffer(struct chan *c, uint16_t type, uint32_t request,
    struct evbuffer *src, size_t len)
{
	struct evbuffer *frame = evbuffer_new();
	uint8_t head[FRAME_HEADER_BYTES];
	int rc = -1;

	/* Whole or not at all: a header alone would spoil what follows. */
	frame_put_header(head, type, request, len);
	if (frame != NULL && evbuffer_add(frame, head, sizeof(head)) == 0 &&
	    evbuffer_remove_buffer(src, frame, len) == (int)len)
		rc = evbuffer_add_buffer(c->out, frame);
	if (frame != NULL)
		evbuffer_free(frame);
	return chan_queued(c, type, rc);
}

int
chan_send_copy(struct chan *c, uint16_t type, uint32_t request,
    struct evbuffer *src, size_t at, size_t len)
{
	uint8_t *frame = malloc(FRAME_HEADER_BYTES + len);
	struct evbuffer_ptr from;
	int rc = -1;

	if (frame != NULL &&
	    evbuffer_ptr_set(src, &from, at, EVBUFFER_PTR_SET) == 0 &&
	    evbuffer_copyout_from(
		src, &from, frame + FRAME_HEADER_BYTES, len) == (ssize_t)len) {
		frame_put_header(frame, type, request, len);
		rc = evbuffer_add(c->out, frame, FRAME_HEADER_BYTES + len);
	}
	free(frame);
	return chan_queued(c, type, rc);
}

bool
chan_is_full(const struct chan *c)
{
	return evbuffer_get_length(c->out) >= HIGH_BYTES;
}

void
chan_pause(struct chan *c)
{
	c->paused = true;
	event_del(c->readable);
}

bool
chan_is_paused(const struct chan *c)
{
	return c->paused;
}

void
chan_resume(struct chan *c)
{
	if (!c->paused || c->closed)
		return;
	c->paused = false;
	event_add(c->readable, NULL);
	/* Frames that were read before the pause wait for no new byte. */
	if (evbuffer_get_length(c->in) > 0)
		event_active(c->readable, EV_READ, 0);
}
