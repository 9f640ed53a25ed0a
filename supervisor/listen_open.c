/* Owns the making of listening sockets. */
#include "common/compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/listen_open.h"

#define BACKLOG 511	/* the kernel cuts it to net.core.somaxconn */
#define UNIX_UMASK 0111 /* open to local users, as loopback is */

/* ---- addresses as text ---- */

void
listen_address_text(const struct sockaddr *sa, char *dst, size_t dstlen)
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

/* ---- making sockets ---- */

/* ls owns fd from here on, whatever the result. */
static int
add_socket(struct listen_sockets *ls, int fd)
{
	int saved;

	if (ls->n == LISTEN_SOCKETS_MAX) {
		close(fd);
		errno = ENOSPC;
		return -1;
	}
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	ls->fd[ls->n++] = fd;
	return 0;
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
open_inet(struct listen_sockets *ls, const char *spec, const char **why)
{
	struct addrinfo *list, *ai;
	char host[256];
	in_port_t port;
	int fd, error = 0;

	if (split_spec(spec, host, sizeof(host), &port, why) == -1 ||
	    (list = resolve(host, why)) == NULL)
		return -1;
	*why = "cannot listen there";
	for (ai = list; ai != NULL && ls->n < LISTEN_SOCKETS_MAX;
	     ai = ai->ai_next) {
		fd = inet_socket(ai, port);
		if (fd != -1 && add_socket(ls, fd) == 0) {
			/* The others of port 0 take the port of the first. */
			port = socket_port(fd);
			continue;
		}
		error = errno;
		if (!can_do_without(error))
			break;
	}
	freeaddrinfo(list);
	if (ai == NULL && ls->n > 0)
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
remember_path(struct listen_sockets *ls, const char *path)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return;
	strlcpy(ls->path, path, sizeof(ls->path));
	ls->path_dev = st.st_dev;
	ls->path_ino = st.st_ino;
}

static int
open_unix(struct listen_sockets *ls, const char *path, const char **why)
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
	ls->is_unix = true;
	if (bind_unix(fd, &sun) == 0) {
		remember_path(ls, path);
		if (listen(fd, BACKLOG) == 0)
			return add_socket(ls, fd);
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
open_inherited(struct listen_sockets *ls, const char *text, const char **why)
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
	ls->is_unix = ss.ss_family == AF_UNIX;
	return add_socket(ls, fd);
}

static int
open_spec(struct listen_sockets *ls, const char *spec, const char **why)
{
	if (strncmp(spec, "unix:", 5) == 0)
		return open_unix(ls, spec + 5, why);
	if (strncmp(spec, "fd:", 3) == 0)
		return open_inherited(ls, spec + 3, why);
	return open_inet(ls, spec, why);
}

int
listen_open(const char *spec, struct listen_sockets *ls, const char **why)
{
	int saved;

	memset(ls, 0, sizeof(*ls));
	if (open_spec(ls, spec, why) == 0)
		return 0;
	saved = errno;
	listen_close(ls);
	errno = saved;
	return -1;
}

static void
unlink_own(const struct listen_sockets *ls)
{
	struct stat st;

	if (*ls->path == '\0' || lstat(ls->path, &st) == -1 ||
	    st.st_dev != ls->path_dev || st.st_ino != ls->path_ino)
		return;
	if (unlink(ls->path) == -1)
		log_warn("listen: %s stays behind", ls->path);
}

void
listen_close(struct listen_sockets *ls)
{
	/* Before the close: a successor that binds now keeps its own file. */
	unlink_own(ls);
	while (ls->n > 0)
		close(ls->fd[--ls->n]);
}

void
listen_describe(const struct listen_sockets *ls, char *dst, size_t dstlen)
{
	struct sockaddr_storage ss;
	char one[LISTEN_NAME_MAX];

	if (dstlen > 0)
		*dst = '\0';
	if (*ls->path != '\0') {
		snprintf(dst, dstlen, "unix:%s", ls->path);
		return;
	}
	for (unsigned i = 0; i < ls->n; i++) {
		if (socket_name(ls->fd[i], &ss) == -1)
			continue;
		listen_address_text((const void *)&ss, one, sizeof(one));
		if (i > 0)
			strlcat(dst, ", ", dstlen);
		strlcat(dst, one, dstlen);
	}
}

int
listen_spec_check(const char *spec, const char **why)
{
	struct sockaddr_un sun;
	char host[256];
	in_port_t port;

	if (strncmp(spec, "fd:", 3) == 0) {
		strtonum(spec + 3, 3, INT_MAX, why);
		return *why == NULL ? 0 : -1;
	}
	if (strncmp(spec, "unix:", 5) != 0)
		return split_spec(spec, host, sizeof(host), &port, why);
	*why =
	    "an absolute path of at most 107 bytes is wanted after \"unix:\"";
	return spec[5] == '/' && strlen(spec + 5) < sizeof(sun.sun_path) ? 0
									 : -1;
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
