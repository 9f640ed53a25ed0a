/*
 * A stream to a client: read, write, pending, finish. What carries it (plain
 * socket today) is behind the operations, so that whoever drives a connection
 * has one path for all kinds. Nothing here blocks.
 */
#ifndef SUPERVISOR_CONN_H
#define SUPERVISOR_CONN_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/compat.h"

struct evbuffer;
struct conn;

struct conn_ops {
	ssize_t (*read)(struct conn *, struct evbuffer *, size_t max);
	ssize_t (*write)(struct conn *, struct evbuffer *);
	bool (*pending)(const struct conn *);
	int (*finish)(struct conn *);
	void (*clear)(struct conn *); /* everything but the descriptor */
};

struct conn {
	const struct conn_ops *ops;
	int fd; /* owned */
};

/* A plain stream socket, not blocking. Owns fd. NULL with ENOMEM. */
struct conn *conn_new_plain(int fd);
/* Closes it. NULL is fine. */
void conn_free(struct conn *);

/*
 * Append up to max bytes to the buffer.
 *
 * Returns how many, 0 at the end of the stream, -1 with errno: EAGAIN when
 * nothing is there now, another when the stream is broken.
 */
ssize_t conn_read(struct conn *, struct evbuffer *, size_t max);
/* Write from the buffer what goes now and drain it. -1 as with conn_read. */
ssize_t conn_write(struct conn *, struct evbuffer *);
/* Bytes can be read although the descriptor shows no readable event. */
bool conn_pending(const struct conn *);
/* No more will be written; the other side sees the end of the stream. */
int conn_finish(struct conn *);

#endif
