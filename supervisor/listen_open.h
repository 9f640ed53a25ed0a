/*
 * From a specification ("127.0.0.1:9200", "unix:/path", "fd:3") to listening
 * sockets, and back to what a person reads.
 */
#ifndef SUPERVISOR_LISTEN_OPEN_H
#define SUPERVISOR_LISTEN_OPEN_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "common/compat.h"

#define LISTEN_SOCKETS_MAX 8 /* addresses that one name may stand for */
#define LISTEN_NAME_MAX 64   /* bytes of an address as text, with NUL */

struct listen_sockets {
	int fd[LISTEN_SOCKETS_MAX]; /* owned; not blocking, close on exec */
	unsigned n;
	bool is_unix;
	/* The Unix socket that was made here, to unlink it and no other. */
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	dev_t path_dev;
	ino_t path_ino;
};

/*
 * Make them, in the forms that http_listen knows. Names are looked up, which
 * may block: for the start only.
 *
 * why  receives a text for the log on failure
 *
 * Returns 0, or -1 with errno; ls is then empty.
 */
int listen_open(const char *spec, struct listen_sockets *ls, const char **why);
/*
 * Has it one of the forms that http_listen knows? Nothing is looked up.
 * Returns 0, or -1 with *why set.
 */
int listen_spec_check(const char *spec, const char **why);
/* Close them, and unlink a Unix socket that was made here. */
void listen_close(struct listen_sockets *);

/* Where they listen, ", " between several. */
void listen_describe(const struct listen_sockets *, char *dst, size_t dstlen);
/* "127.0.0.1:53211", "[::1]:4", "unix". */
void listen_address_text(const struct sockaddr *, char *dst, size_t dstlen);
/* True when only this machine can reach what the specification names. */
bool listen_spec_is_local(const char *spec);

#endif
