/* The channel to a child: frames, garbage, back-pressure. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/frame.h"
#include "common/msg.h"
#include "supervisor/chan.h"

struct seen {
	struct chan *chan;
	unsigned frames;
	unsigned drained;
	unsigned closed;
	char why[64];
	bool free_in_handler;
};

static void
on_frame(
    void *arg, uint16_t type, uint32_t request, const uint8_t *data, size_t len)
{
	struct seen *s = arg;

	(void)type;
	(void)request;
	(void)data;
	(void)len;
	s->frames++;
	if (s->free_in_handler) {
		chan_free(s->chan);
		s->chan = NULL;
	}
}

static void
on_drained(void *arg)
{
	((struct seen *)arg)->drained++;
}

static void
on_closed(void *arg, const char *why)
{
	struct seen *s = arg;

	s->closed++;
	strlcpy(s->why, why == NULL ? "hang-up" : why, sizeof(s->why));
}

static const struct chan_handlers handlers = { on_frame, on_drained,
	on_closed };

struct fixture {
	struct event_base *base;
	struct seen seen;
	int child; /* the other end */
};

static void
setup(struct fixture *f)
{
	int sv[2];

	memset(f, 0, sizeof(*f));
	f->base = event_base_new();
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	fcntl(sv[0], F_SETFL, O_NONBLOCK);
	fcntl(sv[1], F_SETFL, O_NONBLOCK);
	f->child = sv[1];
	f->seen.chan = chan_new(f->base, sv[0], FROM_WRK, &handlers, &f->seen);
	cr_assert_not_null(f->seen.chan);
}

static void
turn(struct fixture *f)
{
	event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static void
teardown(struct fixture *f)
{
	chan_free(f->seen.chan);
	if (f->child != -1)
		close(f->child);
	event_base_free(f->base);
}

static void
say(struct fixture *f, uint16_t type, const void *msg)
{
	struct wbuf wb;

	wbuf_init(&wb, 0);
	cr_assert_eq(frame_put(&wb, type, 1, msg), 0);
	cr_assert_eq(write(f->child, wb.data, wb.len), (ssize_t)wb.len);
	wbuf_clear(&wb);
}

Test(chan, frames_come_through_byte_by_byte)
{
	struct msg_ready ready = { .version = MSG_VERSION };
	struct fixture f;
	struct wbuf wb;

	setup(&f);
	wbuf_init(&wb, 0);
	cr_assert_eq(frame_put(&wb, MSG_READY, 0, &ready), 0);
	for (size_t i = 0; i < wb.len; i++) {
		cr_expect_eq(f.seen.frames, 0);
		cr_assert_eq(write(f.child, wb.data + i, 1), 1);
		turn(&f);
	}
	cr_expect_eq(f.seen.frames, 1);
	cr_expect_eq(f.seen.closed, 0);
	wbuf_clear(&wb);
	teardown(&f);
}

Test(chan, garbage_closes_it_once_with_a_reason)
{
	struct fixture f;

	setup(&f);
	cr_assert_eq(write(f.child, "\377\377\377\377garbage garbage", 20), 20);
	turn(&f);
	turn(&f);
	cr_expect_eq(f.seen.frames, 0);
	cr_expect_eq(f.seen.closed, 1);
	cr_expect_str_eq(f.seen.why, "unknown type");
	teardown(&f);
}

Test(chan, a_message_out_of_state_closes_it)
{
	struct msg_closed m = { 0 };
	struct fixture f;

	setup(&f);
	say(&f, MSG_CLOSED, &m); /* nobody asked it to close */
	turn(&f);
	cr_expect_str_eq(f.seen.why, "not in this state");
	teardown(&f);
}

Test(chan, what_was_said_before_the_hang_up_is_heard)
{
	struct msg_ready ready = { .version = MSG_VERSION };
	struct fixture f;

	setup(&f);
	say(&f, MSG_READY, &ready);
	close(f.child);
	f.child = -1;
	turn(&f);
	turn(&f);
	cr_expect_eq(f.seen.frames, 1);
	cr_expect_eq(f.seen.closed, 1);
	cr_expect_str_eq(f.seen.why, "hang-up");
	teardown(&f);
}

Test(chan, may_be_freed_by_its_own_handler)
{
	struct msg_ready ready = { .version = MSG_VERSION };
	struct fixture f;

	setup(&f);
	f.seen.free_in_handler = true;
	say(&f, MSG_READY, &ready);
	say(&f, MSG_READY, &ready);
	turn(&f);
	cr_expect_eq(f.seen.frames, 1);
	teardown(&f);
}

Test(chan, full_channel_says_so_and_tells_when_it_is_drained)
{
	static char block[MSG_DATA_MAX];
	struct evbuffer *src = evbuffer_new();
	char sink[65536];
	struct fixture f;

	setup(&f);
	chan_set_state(f.seen.chan, IN_OPEN);
	for (int i = 0; i < 8; i++) {
		evbuffer_add(src, block, sizeof(block));
		cr_assert_eq(chan_send_buffer(f.seen.chan, MSG_UPLOAD_DATA, 1,
				 src, sizeof(block)),
		    0);
	}
	cr_expect(chan_is_full(f.seen.chan));
	for (int i = 0; i < 1000 && f.seen.drained == 0; i++) {
		turn(&f);
		while (read(f.child, sink, sizeof(sink)) > 0)
			;
	}
	cr_expect_eq(f.seen.drained, 1);
	cr_expect_not(chan_is_full(f.seen.chan));
	evbuffer_free(src);
	teardown(&f);
}

Test(chan, paused_channel_hands_out_nothing_until_resumed)
{
	struct msg_ready ready = { .version = MSG_VERSION };
	struct fixture f;

	setup(&f);
	chan_pause(f.seen.chan);
	say(&f, MSG_READY, &ready);
	turn(&f);
	cr_expect_eq(f.seen.frames, 0);
	chan_resume(f.seen.chan);
	turn(&f);
	turn(&f);
	cr_expect_eq(f.seen.frames, 1);
	teardown(&f);
}
