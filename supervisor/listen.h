/*
 * Accepting connections. A listener is one specification, which may stand for
 * several sockets (localhost is 127.0.0.1 and ::1).
 */
#ifndef SUPERVISOR_LISTEN_H
#define SUPERVISOR_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compat.h"
#include "supervisor/listen_open.h"

struct event_base;
struct listener;

struct listen_peer {
	char name[LISTEN_NAME_MAX]; /* "127.0.0.1:53211", "[::1]:4", "unix" */
	bool is_unix;
	int uid; /* of the process that connected; -1: not known */
};

/* A connection came; fd (not blocking, close on exec) is the callee's. */
typedef void listen_accepted_fn(int fd, const struct listen_peer *, void *arg);

/*
 * Listen; see listen_open.
 *
 * where  receives the addresses, ", " between them
 * why    receives a text for the log on failure
 *
 * Returns NULL with errno.
 */
struct listener *listener_new(struct event_base *base, const char *spec,
    listen_accepted_fn *accepted, void *arg, char *where, size_t wherelen,
    const char **why);
/* Closes; a Unix socket that it made is unlinked. NULL is fine. */
void listener_free(struct listener *);

/* What comes meanwhile waits in the kernel. Both may be called at any time. */
void listener_pause(struct listener *);
void listener_resume(struct listener *);
/* True while accepting rests because descriptors or memory ran out. */
bool listener_is_starved(const struct listener *);

#endif
