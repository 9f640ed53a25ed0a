/*
 * The supervisor's end of the channel to one child: frames in and out over a
 * stream socket, never blocking, every frame judged before it is stored.
 */
#ifndef SUPERVISOR_CHAN_H
#define SUPERVISOR_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

struct chan;
struct event_base;
struct evbuffer;
struct wbuf;

struct chan_handlers {
	/* A whole frame that is allowed from this child in this state. */
	void (*frame)(void *arg, uint16_t type, uint32_t request,
	    const uint8_t *data, size_t len);
	/* Output was above its high mark and is below its low mark again. */
	void (*drained)(void *arg);
	/*
	 * Nothing more will come: the child hung up (why is NULL) or broke
	 * the protocol. Called once; the channel sends nothing afterwards.
	 */
	void (*closed)(void *arg, const char *why);
};

/*
 * fd    socket, owned from here on
 * from  FROM_* of the child
 *
 * NULL with ENOMEM; fd is then closed.
 */
struct chan *chan_new(struct event_base *, int fd, unsigned from,
    const struct chan_handlers *, void *arg);
/* May be called from its own handlers. No handler is called afterwards. */
void chan_free(struct chan *);

void chan_set_state(struct chan *, unsigned state); /* IN_* */
unsigned chan_state(const struct chan *);

/*
 * Queue a message. Returns 0, or -1 when it cannot be encoded or memory is
 * out (logged); nothing is queued then.
 */
int chan_send(
    struct chan *, uint16_t type, uint32_t request, const void *obj) MUST_CHECK;
/*
 * Queue len bytes, at most MSG_DATA_MAX, moved from the front of src as a
 * message of bare bytes. After a failure they may be lost.
 */
int chan_send_buffer(struct chan *, uint16_t type, uint32_t request,
    struct evbuffer *src, size_t len) MUST_CHECK;
/* The same of a copy: len bytes of src from at on. */
int chan_send_copy(struct chan *, uint16_t type, uint32_t request,
    struct evbuffer *src, size_t at, size_t len) MUST_CHECK;
int chan_send_raw(struct chan *, uint16_t type, uint32_t request,
    const void *data, size_t len) MUST_CHECK;
/* Queue a frame that frame_put made before. */
int chan_send_frame(struct chan *, const struct wbuf *frame) MUST_CHECK;

/* Above the high mark: whoever feeds this channel should stop. */
bool chan_is_full(const struct chan *);

/* Stop reading frames from the child, and go on. */
void chan_pause(struct chan *);
bool chan_is_paused(const struct chan *);
void chan_resume(struct chan *);

#endif
