/* Owns the children that are played by the tests. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fake_child.h"
#include "tests/http_fixture.h"

#define SOCKET_BYTES (1024 * 1024)

unsigned fake_failing;

static struct child fakes[FAKE_MAX];
static unsigned nfakes;

/* ---- what the supervisor calls ---- */

int
child_init(struct event_base *base)
{
	(void)base;
	return 0;
}

void
child_cleanup(void)
{
}

struct child *
child_spawn(const char *path, const char *what, int *fd,
    void (*exited)(void *, int), void *arg)
{
	const char *name = strrchr(path, '/');
	int sv[2], bytes = SOCKET_BYTES;
	struct child *c;

	(void)what;
	if (fake_failing > 0) {
		fake_failing--;
		errno = ENOENT;
		return NULL;
	}
	cr_assert_lt(nfakes, FAKE_MAX);
	c = &fakes[nfakes++];
	*c = (struct child){ .exited = exited, .arg = arg };
	cr_assert_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
	for (int i = 0; i < 2; i++)
		(void)setsockopt(
		    sv[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	strlcpy(c->program, name == NULL ? path : name + 1, sizeof(c->program));
	c->from = strstr(path, "worker") != NULL ? FROM_WRK
	    : strstr(path, "query") != NULL	 ? FROM_QRY
						 : FROM_KPR;
	c->fd = sv[1];
	*fd = sv[0];
	return c;
}

pid_t
child_pid(const struct child *c)
{
	(void)c;
	return 4711;
}

void
child_kill(struct child *c)
{
	c->killed = true;
}

void
child_forget(struct child *c)
{
	if (c != NULL)
		c->exited = NULL;
}

const char *
child_status_text(int status, char *dst, size_t dstlen)
{
	snprintf(dst, dstlen, "ended with %d", status);
	return dst;
}

/* ---- what the tests call ---- */

unsigned
fake_count(const char *program)
{
	unsigned n = 0;

	for (unsigned i = 0; i < nfakes; i++)
		if (program == NULL || strcmp(fakes[i].program, program) == 0)
			n++;
	return n;
}

struct child *
fake_at(unsigned i)
{
	return &fakes[i];
}

struct child *
fake_last(const char *program)
{
	for (unsigned i = nfakes; i > 0; i--)
		if (strcmp(fakes[i - 1].program, program) == 0)
			return &fakes[i - 1];
	return NULL;
}

/* Whole or not at all: what the supervisor queues is turned out of it. */
static bool
fake_read(struct child *c, void *dst, size_t len)
{
	uint8_t *p = dst;

	for (int idle = 0; len > 0 && idle < 3;) {
		ssize_t n = read(c->fd, p, len);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
			idle = 0;
			continue;
		}
		idle++;
		fx_turn();
	}
	return len == 0;
}

uint16_t
fake_next(struct child *c)
{
	uint8_t raw[FRAME_HEADER_BYTES];
	const char *why;

	if (!fake_read(c, raw, sizeof(raw)))
		return 0;
	/* In which state it is sent is the supervisor's own matter here. */
	cr_assert_eq(frame_get_header(raw, FROM_SUP, IN_ANY, &c->head, &why), 0,
	    "%s: type %u: %s", c->program, c->head.type, why);
	free(c->data);
	c->data = malloc(c->head.len + 1);
	cr_assert(fake_read(c, c->data, c->head.len));
	return c->head.type;
}

void
fake_decode(struct child *c, void *obj)
{
	cr_assert_eq(
	    msg_decode(c->head.type, c->data, c->head.len, obj, NULL), 0);
}

uint32_t
fake_expect(struct child *c, uint16_t type, void *obj)
{
	uint16_t got = fake_next(c);

	cr_assert_eq(got, type, "%s got %s, not %s", c->program,
	    got == 0 ? "nothing" : msg_name(got), msg_name(type));
	if (obj != NULL)
		fake_decode(c, obj);
	return c->head.request;
}

static void
fake_write(struct child *c, struct wbuf *wb)
{
	cr_assert_eq(write(c->fd, wb->data, wb->len), (ssize_t)wb->len);
	wbuf_clear(wb);
	fx_turn();
}

void
fake_say(struct child *c, uint16_t type, uint32_t request, const void *obj)
{
	struct wbuf wb;

	wbuf_init(&wb, 0);
	cr_assert_eq(frame_put(&wb, type, request, obj), 0);
	fake_write(c, &wb);
}

void
fake_say_raw(struct child *c, uint16_t type, uint32_t request, const void *data,
    size_t len)
{
	struct wbuf wb;

	wbuf_init(&wb, 0);
	cr_assert_eq(frame_put_raw(&wb, type, request, data, len), 0);
	fake_write(c, &wb);
}

void
fake_say_failed(struct child *c, uint32_t request, int status, const char *type,
    const char *reason)
{
	struct msg_failed m;
	struct apierr e;
	struct wbuf wb;

	wbuf_init(&wb, 0);
	apierr_set(&e, status, type, "%s", reason);
	cr_assert_eq(apierr_encode(&e, &wb), 0);
	m.error = (struct span){ (const char *)wb.data, wb.len };
	fake_say(c, MSG_FAILED, request, &m);
	wbuf_clear(&wb);
}

void
fake_ready(struct child *c)
{
	struct msg_ready ready = { .version = MSG_VERSION };

	fake_expect(c, MSG_HELLO, NULL);
	if (c->from == FROM_WRK)
		fake_expect(c, MSG_JOB_CONFIG, NULL);
	fake_say(c, MSG_READY, 0, &ready);
}

static void
fake_release(struct child *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	free(c->data);
	c->data = NULL;
}

void
fake_exit(struct child *c, int status)
{
	fake_release(c);
	c->ended = true;
	fx_turn();
	if (c->exited != NULL)
		c->exited(c->arg, status);
	c->exited = NULL;
	fx_turn();
}

void
fake_end(void)
{
	while (nfakes > 0)
		fake_release(&fakes[--nfakes]);
}
