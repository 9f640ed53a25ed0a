/* Owns the loop of a child that answers requests one at a time. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/peer.h"
#include "common/serve.h"

/* Bytes of output that may wait for the supervisor before the work waits. */
#define QUEUE_HIGH (1024 * 1024)

/* Larger than the struct of any message with a handler. */
union any_msg {
	struct msg_hello hello;
	struct msg_ping ping;
	struct msg_query query;
	struct msg_keep_load keep_load;
	struct msg_keep_create keep_create;
	struct msg_keep_state keep_state;
	struct msg_keep_update keep_update;
	struct msg_keep_delete keep_delete;
	struct msg_keep_reset keep_reset;
	struct msg_keep_setting keep_setting;
	struct msg_keep_user keep_user;
	struct msg_keep_user_delete keep_user_delete;
	struct msg_keep_key keep_key;
	struct msg_keep_hash keep_hash;
	struct msg_keep_verify keep_verify;
};

struct serve {
	struct peer *peer; /* owned */
	const struct serve_role *role;
	void *arg;
	unsigned state; /* IN_* */
	uint64_t progress;
	bool busy;     /* in a handler */
	bool deferred; /* a request came in a handler: no more is read */
	struct peer_frame later;
	uint8_t *later_data; /* owned */
	bool gone;	     /* the supervisor has closed the channel */
	bool broken;	     /* the protocol or the socket failed */
};

static const struct serve_entry *
entry_find(const struct serve_role *role, uint16_t type)
{
	for (size_t i = 0; i < role->nentries; i++)
		if (role->entries[i].type == type)
			return &role->entries[i];
	return NULL;
}

/* Is this a message that the supervisor sends to children of this role? */
static bool
is_for(const struct serve_role *role, const struct msg_info *m)
{
	return (m->from & FROM_SUP) != 0 && m->type >= role->first &&
	    m->type <= role->last;
}

/* Every message for this side has a handler, and every handler a message. */
static bool
role_is_complete(const struct serve_role *role)
{
	const struct msg_info *m;
	size_t n = 0;

	for (size_t i = 0; (m = msg_at(i)) != NULL; i++) {
		if (!is_for(role, m))
			continue;
		if (m->schema == NULL ||
		    m->schema->size > sizeof(union any_msg))
			return false;
		if (entry_find(role, (uint16_t)m->type) == NULL) {
			log_warnx("no handler for %s", m->name);
			return false;
		}
		n++;
	}
	return n == role->nentries;
}

struct serve *
serve_new(int fd, const struct serve_role *role, void *arg)
{
	struct serve *s;

	if (!role_is_complete(role)) {
		errno = EINVAL;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->peer = peer_new(fd, role->from);
	if (s->peer == NULL) {
		free(s);
		return NULL;
	}
	s->role = role;
	s->arg = arg;
	s->state = IN_START;
	return s;
}

void
serve_free(struct serve *s)
{
	if (s == NULL)
		return;
	peer_free(s->peer);
	free(s->later_data);
	free(s);
}

static int
serve_break(struct serve *s)
{
	s->broken = true;
	return -1;
}

static int
serve_poll(struct serve *s, int timeout_ms)
{
	if (peer_poll(s->peer, timeout_ms, !s->deferred) == 0)
		return 0;
	if (errno == 0 || errno == EPIPE || errno == ECONNRESET) {
		s->gone = true;
		return -1;
	}
	log_warn("channel to the supervisor");
	return serve_break(s);
}

int
serve_send(struct serve *s, uint16_t type, uint32_t request, const void *obj)
{
	return peer_send(s->peer, type, request, obj);
}

int
serve_fail(struct serve *s, uint32_t request, const struct apierr *e)
{
	return peer_fail(s->peer, request, e);
}

static int
on_ping(struct serve *s, const struct msg_ping *ping)
{
	struct msg_pong pong = {
		.token = ping->token,
		.progress = s->progress,
		.busy = s->busy,
	};

	return serve_send(s, MSG_PONG, 0, &pong);
}

static int
on_hello(struct serve *s, const struct msg_hello *hello)
{
	struct msg_ready ready = { .version = MSG_VERSION };

	if (hello->version != MSG_VERSION) {
		log_warnx("supervisor speaks version %u, this program %d",
		    hello->version, MSG_VERSION);
		return -1;
	}
	if (s->role->start(s->arg, hello) == -1 ||
	    serve_send(s, MSG_READY, 0, &ready) == -1)
		return -1;
	s->state = IN_OPEN;
	return 0;
}

static int
on_request(struct serve *s, const struct peer_frame *f, const void *obj)
{
	const struct serve_entry *e = entry_find(s->role, f->type);
	int rc;

	if (e == NULL) {
		log_warnx("supervisor sent %s: not for this process",
		    msg_name(f->type));
		return -1;
	}
	s->busy = true;
	rc = e->handler(s, s->arg, f->request, obj);
	s->busy = false;
	s->progress++;
	return rc;
}

static int
frame_handle(struct serve *s, const struct peer_frame *f)
{
	const struct msg_info *m = msg_find(f->type);
	const char *field = "no fields";
	union any_msg obj;

	if (m->schema == NULL || m->schema->size > sizeof(obj) ||
	    msg_decode(f->type, f->data, f->len, &obj, &field) == -1) {
		log_warnx("supervisor sent %s: bad %s", m->name, field);
		return -1;
	}
	if (f->type == MSG_PING)
		return on_ping(s, &obj.ping);
	if (f->type == MSG_HELLO)
		return on_hello(s, &obj.hello);
	return on_request(s, f, &obj);
}

static int
frame_defer(struct serve *s, const struct peer_frame *f)
{
	s->later_data = malloc(f->len + 1);
	if (s->later_data == NULL) {
		log_warn("%s cannot be kept", msg_name(f->type));
		return -1;
	}
	memcpy(s->later_data, f->data, f->len);
	s->later = *f;
	s->later.data = s->later_data;
	s->deferred = true;
	return 0;
}

static int
frame_undefer(struct serve *s)
{
	struct peer_frame f = s->later;
	uint8_t *data = s->later_data;
	int rc;

	/* The handler may well defer the next one. */
	s->deferred = false;
	s->later_data = NULL;
	rc = frame_handle(s, &f);
	free(data);
	return rc;
}

/* Takes the next frame. 1: handled; 0: there is none; -1. */
static int
frame_take(struct serve *s)
{
	struct peer_frame f;
	int rc;

	if (s->deferred) {
		if (s->busy)
			return 0;
		return frame_undefer(s) == -1 ? -1 : 1;
	}
	rc = peer_next(s->peer, s->state, &f);
	if (rc != 1)
		return rc;
	rc = s->busy && f.type != MSG_PING ? frame_defer(s, &f)
					   : frame_handle(s, &f);
	return rc == -1 ? -1 : 1;
}

static int
frames_handle(struct serve *s)
{
	int rc;

	do {
		if (s->gone || s->broken)
			return -1;
		rc = frame_take(s);
	} while (rc == 1);
	return rc == -1 ? serve_break(s) : 0;
}

int
serve_run(struct serve *s)
{
	int wait_ms = s->role->look_ms > 0 ? s->role->look_ms : -1;
	bool more = false;

	while (
	    serve_poll(s, more ? 0 : wait_ms) == 0 && frames_handle(s) == 0) {
		more = s->role->idle != NULL && s->state == IN_OPEN &&
		    s->role->idle(s->arg);
		if (more)
			s->progress++;
		if (s->broken)
			break;
	}
	return s->broken ? -1 : 0;
}

void
serve_watch(struct serve *s, int fd)
{
	peer_watch(s->peer, fd);
}

void
serve_stop(struct serve *s)
{
	s->broken = true;
}

int
serve_tick(struct serve *s)
{
	s->progress++;
	if (s->gone || s->broken || serve_poll(s, 0) == -1)
		return -1;
	return frames_handle(s);
}

int
serve_throttle(struct serve *s)
{
	while (peer_queued(s->peer) > QUEUE_HIGH)
		if (serve_poll(s, -1) == -1 || frames_handle(s) == -1)
			return -1;
	return 0;
}

int
serve_send_raw(struct serve *s, uint16_t type, uint32_t request,
    const void *data, size_t len)
{
	if (peer_send_raw(s->peer, type, request, data, len) == -1)
		return -1;
	return serve_throttle(s);
}
