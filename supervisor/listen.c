/*
 * Owns the listening sockets and the accepting of connections. Out of
 * descriptors, a level-triggered loop would spin on a socket that stays
 * readable: so accepting rests for a while then, and one descriptor is held
 * back to tell at least the next client why it is turned away.
 */
#include "common/compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/listen.h"

#define SOCKETS_MAX 8	  /* addresses that one name may stand for */
#define BACKLOG 511	  /* the kernel cuts it to net.core.somaxconn */
#define ACCEPTS_A_TURN 32 /* then the others have their turn */
#define STARVED_MS 500	  /* rest when descriptors ran out */
#define UNIX_UMASK 0111	  /* open to local users, as loopback is */

struct listen_socket {
	struct listener *owner;
	int fd;
	bool is_unix;
	struct event ev;
};

struct listener {
	struct event_base *base;
	listen_accepted_fn *accepted;
	void *arg;
	struct listen_socket socket[SOCKETS_MAX];
	unsigned nsockets;
	bool paused;
	bool starved;
	struct event retry;
	int reserve; /* descriptor held back; -1: none */
	/* The Unix socket that was made here, to unlink it and no other. */
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	dev_t path_dev;
	ino_t path_ino;
};

/* ---- addresses as text ---- */

static void
address_text(const struct sockaddr *sa, char *dst, size_t dstlen)
{
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct sockaddr_in6 *v6 = (const void *)sa;
	char ip[INET6_ADDRSTRLEN];

	if (sa->sa_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof(ip));
		snprintf(dst, dstlen, "%s:%u", ip, ntohs(v4->sin_port));
	} else if (sa->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof(ip));
		snprintf(dst, dstlen, "[%s]:%u", ip, ntohs(v6->sin6_port));
	} else {
		strlcpy(dst, "unix", dstlen);
	}
}

static bool
address_is_local(const struct sockaddr *sa)
{
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct sockaddr_in6 *v6 = (const void *)sa;

	if (sa->sa_family == AF_INET)
		return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
	if (sa->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
		    (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) &&
			v6->sin6_addr.s6_addr[12] == 127);
	return sa->sa_family == AF_UNIX;
}

/* ---- accepting ---- */

static void
events_update(struct listener *l)
{
	for (unsigned i = 0; i < l->nsockets; i++) {
		if (l->paused || l->starved)
			event_del(&l->socket[i].ev);
		else
			event_add(&l->socket[i].ev, NULL);
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
	struct timeval rest = { 0, STARVED_MS * 1000 };

	if (!l->starved)
		log_warn("listen: new connections wait");
	turn_away(l, listen_fd);
	l->starved = true;
	event_add(&l->retry, &rest);
	events_update(l);
}

static void
hand_over(struct listener *l, int fd, const struct sockaddr *sa, bool is_unix)
{
	struct listen_peer peer = { .is_unix = is_unix };
	int on = 1;

	if (is_unix) {
		strlcpy(peer.name, "unix", sizeof(peer.name));
	} else {
		address_text(sa, peer.name, sizeof(peer.name));
		/* Small answers would wait 40 ms for a delayed ACK. */
		if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ==
			-1 ||
		    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) ==
			-1)
			log_debug("listen: setsockopt: %s", strerror(errno));
	}
	l->accepted(fd, &peer, l->arg);
}

static void
accept_cb(evutil_socket_t listen_fd, short what, void *arg)
{
	struct listen_socket *s = arg;
	struct listener *l = s->owner;

	(void)what;
	for (int i = 0; i < ACCEPTS_A_TURN && !l->paused; i++) {
		struct sockaddr_storage ss = { 0 };
		socklen_t len = sizeof(ss);
		int fd = accept4(listen_fd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd != -1) {
			hand_over(l, fd, (const void *)&ss, s->is_unix);
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

/* ---- making sockets ---- */

/* The listener owns fd from here on, whatever the result. */
static int
add_socket(struct listener *l, int fd, bool is_unix)
{
	struct listen_socket *s;

	if (l->nsockets == SOCKETS_MAX ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
		close(fd);
		return -1;
	}
	s = &l->socket[l->nsockets++];
	s->owner = l;
	s->fd = fd;
	s->is_unix = is_unix;
	event_assign(&s->ev, l->base, fd, EV_READ | EV_PERSIST, accept_cb, s);
	return event_add(&s->ev, NULL);
}

static int
inet_socket(const struct addrinfo *ai, in_port_t port)
{
	struct sockaddr_storage ss = { 0 };
	int on = 1, saved, fd;

	memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
	if (ai->ai_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)&ss)->sin6_port = port;
	else
		((struct sockaddr_in *)(void *)&ss)->sin_port = port;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	/* V6ONLY: so that 0.0.0.0 and [::] can both be listed. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (ai->ai_family != AF_INET6 ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) ==
		    0) &&
	    bind(fd, (struct sockaddr *)&ss, ai->ai_addrlen) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int
socket_name(int fd, struct sockaddr_storage *ss)
{
	socklen_t len = sizeof(*ss);

	memset(ss, 0, sizeof(*ss));
	return getsockname(fd, (struct sockaddr *)ss, &len);
}

static in_port_t
socket_port(int fd)
{
	struct sockaddr_storage ss;

	if (socket_name(fd, &ss) == -1)
		return 0;
	return ss.ss_family == AF_INET6
	    ? ((struct sockaddr_in6 *)(void *)&ss)->sin6_port
	    : ((struct sockaddr_in *)(void *)&ss)->sin_port;
}

/* "host:port" or "[v6]:port" taken apart. -1 with EINVAL and why. */
static int
split_spec(const char *spec, char *host, size_t hostlen, in_port_t *port,
    const char **why)
{
	const char *colon = strrchr(spec, ':'), *from = spec;
	const char *errstr;
	size_t len;

	*why = "not of the form address:port";
	errno = EINVAL;
	if (colon == NULL || colon == spec)
		return -1;
	len = (size_t)(colon - spec);
	if (*spec == '[' && colon[-1] == ']') {
		from++;
		len -= 2;
	} else if (memchr(spec, ':', len) != NULL) {
		*why = "an IPv6 address is written in brackets";
		return -1;
	}
	if (len == 0 || len >= hostlen)
		return -1;
	memcpy(host, from, len);
	host[len] = '\0';
	*port = htons((uint16_t)strtonum(colon + 1, 0, 65535, &errstr));
	if (errstr == NULL)
		return 0;
	*why = "not a port number";
	errno = EINVAL;
	return -1;
}

static struct addrinfo *
resolve(const char *host, const char **why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE };
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(host, NULL, &hints, &list);

	if (rc == 0)
		return list;
	*why = gai_strerror(rc);
	if (rc != EAI_SYSTEM)
		errno = EADDRNOTAVAIL;
	return NULL;
}

/* A kernel without IPv6 must not keep localhost from being listened to. */
static bool
can_do_without(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

static int
open_inet(struct listener *l, const char *spec, const char **why)
{
	struct addrinfo *list, *ai;
	char host[256];
	in_port_t port;
	int fd, error = 0;

	if (split_spec(spec, host, sizeof(host), &port, why) == -1 ||
	    (list = resolve(host, why)) == NULL)
		return -1;
	*why = "cannot listen there";
	for (ai = list; ai != NULL && l->nsockets < SOCKETS_MAX;
	     ai = ai->ai_next) {
		fd = inet_socket(ai, port);
		if (fd != -1 && add_socket(l, fd, false) == 0) {
			/* The others of port 0 take the port of the first. */
			port = socket_port(fd);
			continue;
		}
		error = errno;
		if (!can_do_without(error))
			break;
	}
	freeaddrinfo(list);
	if (ai == NULL && l->nsockets > 0)
		return 0;
	errno = error;
	return -1;
}

/* A socket file that nobody listens to any more is in the way. */
static int
remove_stale(const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, rc;

	if (lstat(sun->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	if (rc == -1 && errno == ECONNREFUSED)
		rc = unlink(sun->sun_path);
	else {
		rc = -1;
		errno = EADDRINUSE;
	}
	close(fd);
	return rc;
}

static int
bind_unix(int fd, const struct sockaddr_un *sun)
{
	mode_t before = umask(UNIX_UMASK);
	int rc = bind(fd, (const struct sockaddr *)sun, sizeof(*sun));

	umask(before);
	return rc;
}

static void
remember_path(struct listener *l, const char *path)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return;
	strlcpy(l->path, path, sizeof(l->path));
	l->path_dev = st.st_dev;
	l->path_ino = st.st_ino;
}

static int
open_unix(struct listener *l, const char *path, const char **why)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int saved, fd;

	*why = "cannot listen there";
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
		sizeof(sun.sun_path) ||
	    *path == '\0') {
		*why = "the path of a Unix socket has 1 to 107 bytes";
		errno = EINVAL;
		return -1;
	}
	if (remove_stale(&sun) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (bind_unix(fd, &sun) == 0) {
		remember_path(l, path);
		if (listen(fd, BACKLOG) == 0)
			return add_socket(l, fd, true);
	}
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int
inherited_fd(const char *text)
{
	const char *errstr;
	int fd = (int)strtonum(text, 0, 65535, &errstr);

	return errstr == NULL ? fd : -1;
}

static int
open_inherited(struct listener *l, const char *text, const char **why)
{
	struct sockaddr_storage ss;
	int listening = 0, fd = inherited_fd(text);
	socklen_t len = sizeof(listening);

	*why = "not an inherited listening stream socket";
	if (fd == -1) {
		errno = EINVAL;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == -1 ||
	    socket_name(fd, &ss) == -1)
		return -1;
	if (!listening) {
		errno = EINVAL;
		return -1;
	}
	return add_socket(l, fd, ss.ss_family == AF_UNIX);
}

static int
open_spec(struct listener *l, const char *spec, const char **why)
{
	if (strncmp(spec, "unix:", 5) == 0)
		return open_unix(l, spec + 5, why);
	if (strncmp(spec, "fd:", 3) == 0)
		return open_inherited(l, spec + 3, why);
	return open_inet(l, spec, why);
}

static void
describe(const struct listener *l, char *where, size_t wherelen)
{
	struct sockaddr_storage ss;
	char one[LISTEN_PEER_MAX];

	if (wherelen > 0)
		*where = '\0';
	if (*l->path != '\0') {
		snprintf(where, wherelen, "unix:%s", l->path);
		return;
	}
	for (unsigned i = 0; i < l->nsockets; i++) {
		if (socket_name(l->socket[i].fd, &ss) == -1)
			continue;
		address_text((const void *)&ss, one, sizeof(one));
		if (i > 0)
			strlcat(where, ", ", wherelen);
		strlcat(where, one, wherelen);
	}
}

struct listener *
listener_new(struct event_base *base, const char *spec,
    listen_accepted_fn *accepted, void *arg, char *where, size_t wherelen,
    const char **why)
{
	struct listener *l = calloc(1, sizeof(*l));
	int saved;

	*why = "out of memory";
	if (l == NULL)
		return NULL;
	l->base = base;
	l->accepted = accepted;
	l->arg = arg;
	l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	evtimer_assign(&l->retry, base, retry_cb, l);
	if (open_spec(l, spec, why) == 0) {
		describe(l, where, wherelen);
		return l;
	}
	saved = errno;
	listener_free(l);
	errno = saved;
	return NULL;
}

static void
unlink_own(const struct listener *l)
{
	struct stat st;

	if (*l->path == '\0' || lstat(l->path, &st) == -1 ||
	    st.st_dev != l->path_dev || st.st_ino != l->path_ino)
		return;
	if (unlink(l->path) == -1)
		log_warn("listen: %s stays behind", l->path);
}

void
listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	event_del(&l->retry);
	for (unsigned i = 0; i < l->nsockets; i++) {
		event_del(&l->socket[i].ev);
		close(l->socket[i].fd);
	}
	unlink_own(l);
	if (l->reserve != -1)
		close(l->reserve);
	free(l);
}

/* ---- who can reach it ---- */

static bool
inet_spec_is_local(const char *spec)
{
	struct addrinfo *list, *ai;
	const char *why;
	char host[256];
	in_port_t port;
	bool local = true;

	if (split_spec(spec, host, sizeof(host), &port, &why) == -1 ||
	    (list = resolve(host, &why)) == NULL)
		return false;
	for (ai = list; ai != NULL; ai = ai->ai_next)
		local = local && address_is_local(ai->ai_addr);
	freeaddrinfo(list);
	return local;
}

bool
listen_spec_is_local(const char *spec)
{
	struct sockaddr_storage ss;
	int fd;

	if (strncmp(spec, "unix:", 5) == 0)
		return true;
	if (strncmp(spec, "fd:", 3) != 0)
		return inet_spec_is_local(spec);
	fd = inherited_fd(spec + 3);
	return fd != -1 && socket_name(fd, &ss) == 0 &&
	    address_is_local((const void *)&ss);
}
