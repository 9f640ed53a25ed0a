/* Owns the worker's one loop: frames in, slices of work, frames out. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/msg.h"
#include "worker/answer.h"
#include "worker/loop.h"
#include "worker/repost.h"
#include "worker/session.h"

#define STACK_BYTES (96 * 1024) /* of the 132 kB that every process has */

/*
 * Handlers. Each returns 0, or -1 with errno: the worker must end. EBADMSG
 * means that the supervisor is wrong, which is logged by whoever called.
 */

static int
on_hello(struct session *s, const struct peer_frame *f)
{
	struct msg_hello m;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1)
		return -1;
	return session_hello(s, &m);
}

static int
on_job_config(struct session *s, const struct peer_frame *f)
{
	return session_config(s, f->data, f->len);
}

static int
on_job_updated(struct session *s, const struct peer_frame *f)
{
	return session_update(s, f->data, f->len);
}

static int
on_await(struct session *s, const struct peer_frame *f)
{
	struct msg_await m;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1)
		return -1;
	return session_await(s, f->request, &m);
}

static int
on_ping(struct session *s, const struct peer_frame *f)
{
	struct msg_ping ping;
	struct msg_pong pong;

	if (msg_decode(f->type, f->data, f->len, &ping, NULL) == -1)
		return -1;
	pong.token = ping.token;
	pong.progress = s->progress;
	pong.busy = session_is_runnable(s);
	return peer_send(s->peer, MSG_PONG, f->request, &pong);
}

static int
on_upload_begin(struct session *s, const struct peer_frame *f)
{
	struct msg_upload_begin m;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1)
		return -1;
	return uploads_begin(&s->uploads, f->request, &m,
	    backlog_windows(s->backlog), backlog_has_room(s->backlog));
}

static int
on_upload_data(struct session *s, const struct peer_frame *f)
{
	s->progress++;
	return uploads_data(&s->uploads, f->request, f->data, f->len);
}

static int
on_upload_seal(struct session *s, const struct peer_frame *f)
{
	struct msg_upload_seal m;
	struct arrival *a;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1 ||
	    uploads_seal(&s->uploads, f->request, &m, &a) == -1)
		return -1;
	if (a == NULL)
		return 0;
	if (backlog_add_upload(s->backlog, a, m.receipt_ms) == 0)
		return 0;
	arrival_free(a);
	return -1;
}

static int
on_upload_drop(struct session *s, const struct peer_frame *f)
{
	struct msg_upload_drop m;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1)
		return -1;
	uploads_drop(&s->uploads, f->request);
	return 0;
}

static int
on_flush(struct session *s, const struct peer_frame *f)
{
	struct msg_flush m;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1)
		return -1;
	return backlog_add_flush(s->backlog, f->request, &m);
}

static int
on_forecast(struct session *s, const struct peer_frame *f)
{
	struct msg_forecast m;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1)
		return -1;
	return backlog_add_forecast(s->backlog, f->request, &m);
}

static int
on_expire(struct session *s, const struct peer_frame *f)
{
	struct msg_expire m;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1)
		return -1;
	return session_expire(s, f->request, &m);
}

static int
on_snapshot(struct session *s, const struct peer_frame *f)
{
	struct msg_snapshot m;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1)
		return -1;
	return persist_ask(&s->persist, f->request);
}

static int
on_quarantine_post(struct session *s, const struct peer_frame *f)
{
	struct msg_quarantine_post m;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1)
		return -1;
	return repost_post(s, f->request, &m);
}

static int
on_quarantine_drop(struct session *s, const struct peer_frame *f)
{
	struct msg_quarantine_drop m;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1)
		return -1;
	return repost_drop(s, f->request, &m);
}

static int
on_chore(struct session *s, const struct peer_frame *f)
{
	struct msg_chore m;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1)
		return -1;
	return session_chore(s, f->request, &m);
}

static int
on_close(struct session *s, const struct peer_frame *f)
{
	struct msg_close m;

	if (msg_decode(f->type, f->data, f->len, &m, NULL) == -1)
		return -1;
	s->state = IN_CLOSING;
	uploads_clear(&s->uploads);
	if (m.keep)
		return backlog_add_close(s->backlog);
	s->ended = true;
	return 0;
}

typedef int handler(struct session *, const struct peer_frame *);

static handler *const handlers[] = {
	[MSG_HELLO] = on_hello,
	[MSG_PING] = on_ping,
	[MSG_JOB_CONFIG] = on_job_config,
	[MSG_UPLOAD_BEGIN] = on_upload_begin,
	[MSG_UPLOAD_DATA] = on_upload_data,
	[MSG_UPLOAD_SEAL] = on_upload_seal,
	[MSG_UPLOAD_DROP] = on_upload_drop,
	[MSG_AWAIT] = on_await,
	[MSG_FLUSH] = on_flush,
	[MSG_FORECAST] = on_forecast,
	[MSG_EXPIRE] = on_expire,
	[MSG_SNAPSHOT] = on_snapshot,
	[MSG_QUARANTINE_POST] = on_quarantine_post,
	[MSG_QUARANTINE_DROP] = on_quarantine_drop,
	[MSG_CHORE] = on_chore,
	[MSG_CLOSE] = on_close,
	[MSG_JOB_UPDATED] = on_job_updated,
};

/* Messages to a worker are those to every child and these. */
static bool
is_for_worker(const struct msg_info *m)
{
	return (m->from & FROM_SUP) != 0 &&
	    (m->type < MSG_QUERY || m->type == MSG_JOB_UPDATED);
}

/* Every message for this side has a handler, and every handler a message. */
static bool
handlers_are_complete(void)
{
	const struct msg_info *m;
	size_t n = 0;

	for (size_t i = 0; i < NELEM(handlers); i++)
		n += handlers[i] != NULL;
	for (size_t i = 0; (m = msg_at(i)) != NULL; i++) {
		if (!is_for_worker(m))
			continue;
		if (m->type >= NELEM(handlers) || handlers[m->type] == NULL) {
			log_warnx("no handler for %s", m->name);
			return false;
		}
		n--;
	}
	if (n != 0)
		log_warnx("a handler for what is no message");
	return n == 0;
}

static int
dispatch(struct session *s, const struct peer_frame *f)
{
	int rc = -1;

	errno = EBADMSG;
	if (f->type < NELEM(handlers) && handlers[f->type] != NULL)
		rc = handlers[f->type](s, f);
	if (rc == -1 && errno == EBADMSG)
		log_warnx(
		    "supervisor sent a %s that cannot be", msg_name(f->type));
	else if (rc == -1 && !s->refused)
		log_warn("%s", msg_name(f->type));
	return rc;
}

/*
 * Take frames while there is time and room for what they bring. Returns 1
 * when some may be left, 0 when none is, -1 when the worker must end.
 */
static int
take_frames(struct session *s)
{
	int64_t deadline = clock_mono_us() + LOOP_SLICE_US;
	struct peer_frame f;
	int rc;

	while (!s->ended) {
		if (!session_has_room(s) || clock_mono_us() >= deadline)
			return 1;
		rc = peer_next(s->peer, s->state, &f);
		if (rc <= 0)
			return rc;
		if (dispatch(s, &f) == -1)
			return -1;
		s->active_us = clock_mono_us();
	}
	return 0;
}

/*
 * A start calls deeper than any later turn, and leaves pages below that nobody
 * looks at again. A page of its own is left for this call and a signal.
 */
static void
give_back_stack(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *frame = __builtin_frame_address(0);
	char *top = frame - (uintptr_t)frame % page - page;

	/* ENOMEM: the stack was never as deep, which is as well. */
	if (madvise(top - STACK_BYTES, STACK_BYTES, MADV_DONTNEED) == -1 &&
	    errno != ENOMEM)
		log_debug("madvise: %s", strerror(errno));
}

/* What an idle process should not hold; a thousand of them wait here. */
static void
give_back_memory(struct session *s)
{
	give_back_stack();
	peer_trim(s->peer);
	malloc_trim(0);
	s->trimmed = true;
}

/* Milliseconds to wait for frames: not at all, until a timer, or for ever. */
static int
waiting_time(struct session *s, bool frames_left)
{
	int timer, wait;

	if (session_is_runnable(s) || (frames_left && session_has_room(s))) {
		s->trimmed = false;
		return 0;
	}
	/* Its answers are not read: there is nothing to do but to wait. */
	if (frames_left)
		return -1;
	wait = s->trimmed ? -1 : LOOP_IDLE_US / 1000;
	timer = session_timer_ms(s);
	return timer != -1 && (wait == -1 || timer < wait) ? timer : wait;
}

static int
turn(struct session *s, bool *frames_left)
{
	int wait = waiting_time(s, *frames_left), rc;

	if (peer_poll(s->peer, wait, !*frames_left) == -1) {
		if (errno != 0)
			log_debug("the channel has failed");
		s->ended = true;
		return 0;
	}
	rc = take_frames(s);
	if (rc == -1)
		return -1;
	*frames_left = rc == 1;
	if (!s->ended && session_work(s, clock_mono_us() + LOOP_SLICE_US) == -1)
		return -1;
	if (!s->trimmed && !*frames_left && !session_is_runnable(s) &&
	    clock_mono_us() - s->active_us >= LOOP_IDLE_US)
		give_back_memory(s);
	return 0;
}

int
loop_run(int fd)
{
	bool frames_left = false;
	struct session *s;
	int rc = 0;

	if (!handlers_are_complete())
		return 1;
	s = session_new(fd);
	if (s == NULL) {
		log_warn("channel");
		return 1;
	}
	while (rc == 0 && !s->ended)
		rc = turn(s, &frames_left);
	/* What was answered should arrive, above all CLOSED and reasons. */
	if (peer_drain(s->peer) == -1)
		log_debug("the supervisor has gone before its answers");
	session_free(s);
	return rc == 0 ? 0 : 1;
}
