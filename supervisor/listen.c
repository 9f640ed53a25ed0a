/*
 * Owns the accepting of connections. Out of descriptors, a level-triggered
 * loop would spin on a socket that stays readable: so accepting rests for a
 * while then, and one descriptor is held back to tell at least the next client
 * why it is turned away.
 */
#include "common/compat.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/listen.h"

#define ACCEPTS_A_TURN 32 /* then the others have their turn */
#define STARVED_US 500000 /* rest when descriptors ran out */

struct listener {
	struct event_base *base;
	listen_accepted_fn *accepted;
	void *arg;
	struct listen_sockets sockets; /* owned */
	struct event ev[LISTEN_SOCKETS_MAX];
	bool paused;
	bool starved;
	struct event retry;
	int64_t starved_logged_us; /* see log_is_due */
	int reserve;		   /* descriptor held back; -1: none */
};

static void
events_update(struct listener *l)
{
	for (unsigned i = 0; i < l->sockets.n; i++) {
		if (l->paused || l->starved)
			event_del(&l->ev[i]);
		else
			event_add(&l->ev[i], NULL);
	}
}

static void
retry_cb(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	l->starved = false;
	if (l->reserve == -1)
		l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	events_update(l);
}

/* Best effort in one write: the client of a full daemon may get no more. */
static void
turn_away(struct listener *l, int listen_fd)
{
	static const char answer[] =
	    "HTTP/1.1 503 Service Unavailable\r\n"
	    "X-elastic-product: Elasticsearch\r\n"
	    "Retry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	int fd;

	if (l->reserve == -1)
		return;
	close(l->reserve);
	l->reserve = -1;
	fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == -1)
			log_debug("listen: a client left unanswered");
		close(fd);
	}
	l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
starve(struct listener *l, int listen_fd)
{
	struct timeval rest = { 0, STARVED_US };

	if (log_is_due(&l->starved_logged_us))
		log_warn("listen: new connections wait");
	turn_away(l, listen_fd);
	l->starved = true;
	event_add(&l->retry, &rest);
	events_update(l);
}

/* As the kernel knows it: nobody can claim to be somebody else. */
static int
peer_uid(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1
	    ? -1
	    : (int)cred.uid;
}

static void
hand_over(struct listener *l, int fd, const struct sockaddr *sa)
{
	struct listen_peer peer = { .is_unix = l->sockets.is_unix,
		.uid = l->sockets.is_unix ? peer_uid(fd) : -1 };
	int on = 1;

	listen_address_text(sa, peer.name, sizeof(peer.name));
	/* NODELAY: small answers would wait 40 ms for a delayed ACK. */
	if (!peer.is_unix &&
	    (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) ==
		    -1))
		log_debug("listen: setsockopt: %s", strerror(errno));
	l->accepted(fd, &peer, l->arg);
}

static void
accept_cb(evutil_socket_t listen_fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_A_TURN && !l->paused; i++) {
		struct sockaddr_storage ss = { 0 };
		socklen_t len = sizeof(ss);
		int fd = accept4(listen_fd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd != -1) {
			hand_over(l, fd, (const void *)&ss);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			starve(l, listen_fd);
			return;
		}
		/* Others concern that one connection, or none is there. */
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

void
listener_pause(struct listener *l)
{
	l->paused = true;
	events_update(l);
}

void
listener_resume(struct listener *l)
{
	l->paused = false;
	events_update(l);
}

bool
listener_is_starved(const struct listener *l)
{
	return l->starved;
}

struct listener *
listener_new(struct event_base *base, const char *spec,
    listen_accepted_fn *accepted, void *arg, char *where, size_t wherelen,
    const char **why)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		*why = "no memory";
		return NULL;
	}
	if (listen_open(spec, &l->sockets, why) == -1) {
		free(l);
		return NULL;
	}
	l->base = base;
	l->accepted = accepted;
	l->arg = arg;
	l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	evtimer_assign(&l->retry, base, retry_cb, l);
	for (unsigned i = 0; i < l->sockets.n; i++)
		event_assign(&l->ev[i], base, l->sockets.fd[i],
		    EV_READ | EV_PERSIST, accept_cb, l);
	events_update(l);
	listen_describe(&l->sockets, where, wherelen);
	return l;
}

void
listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	event_del(&l->retry);
	listener_pause(l);
	listen_close(&l->sockets);
	if (l->reserve != -1)
		close(l->reserve);
	free(l);
}
