/*
 * The life of a child that answers requests one at a time: HELLO, READY, then
 * requests until the supervisor closes the channel. PING is answered here, in
 * between and, through serve_tick, in the middle of long work.
 */
#ifndef COMMON_SERVE_H
#define COMMON_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"

struct serve;

/*
 * obj: the struct of the message; spans in it end with the call, and with
 * every serve_tick. Returns 0, or -1 to end the process (logged there).
 */
typedef int serve_handler(
    struct serve *, void *arg, uint32_t request, const void *obj);

struct serve_entry {
	uint16_t type;
	serve_handler *handler;
};

struct serve_role {
	unsigned from;	      /* FROM_* of this side */
	uint16_t first, last; /* ids of the messages meant for it alone */
	size_t nentries;
	const struct serve_entry *entries;
	/* HELLO came: open what is needed, enter the sandbox. 0 or -1. */
	int (*start)(void *arg, const struct msg_hello *);
	/*
	 * All that came is handled: do a little work. True when there is more.
	 * May be NULL.
	 */
	bool (*idle)(void *arg);
	int look_ms; /* idle is called at least so often; 0: it need not be */
};

/*
 * fd is owned from here on. role must outlive the serve. NULL with errno;
 * EINVAL when a message for this role has no handler or a handler no message.
 */
struct serve *serve_new(int fd, const struct serve_role *role, void *arg);
void serve_free(struct serve *); /* NULL is fine */

/*
 * Serve until the channel ends. 0: the supervisor has closed it; -1: it sent
 * what it may not, start or a handler failed, or the socket did (logged).
 */
int serve_run(struct serve *) MUST_CHECK;

/* serve_run also wakes, and calls idle, when fd (borrowed) can be read. */
void serve_watch(struct serve *, int fd);
/* From a handler or idle: serve_run is to end, as after a failure. */
void serve_stop(struct serve *);

/*
 * To be called now and then in long work, which thereby counts as progress:
 * answers PING. -1: give up the work, for the supervisor is gone or broke the
 * protocol; serve_run ends then too.
 */
int serve_tick(struct serve *) MUST_CHECK;

/* Queue a message. 0, or -1 with errno. */
int serve_send(struct serve *, uint16_t type, uint32_t request,
    const void *obj) MUST_CHECK;
int serve_fail(
    struct serve *, uint32_t request, const struct apierr *) MUST_CHECK;
/*
 * Queue bare bytes; when much is queued already, wait until the supervisor
 * has taken some, answering PING meanwhile. -1 also as serve_tick.
 */
int serve_send_raw(struct serve *, uint16_t type, uint32_t request,
    const void *data, size_t len) MUST_CHECK;
/* The same wait, for those who send many messages. */
int serve_throttle(struct serve *) MUST_CHECK;

#endif
