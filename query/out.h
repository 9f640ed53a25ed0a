/*
 * Where the text of an answer goes. It is held back until it is complete, so
 * that a damaged row found late is still a clean error. An answer that is too
 * long for that is made twice: first only to see that it can be made, then
 * again to be sent as it is made.
 */
#ifndef QUERY_OUT_H
#define QUERY_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/wire.h"

/* Held back at most: a page of 10,000 records takes about 6 MB. */
#define OUT_HOLD_MAX (16 * 1024 * 1024)

/* Takes a piece of 1 to MSG_DATA_MAX bytes. 0, or -1 to give up. */
typedef int out_send(void *arg, const void *data, size_t len);

struct out {
	struct wbuf buf; /* to be written to; out_flush after each row */
	size_t hold_max;
	bool overflow; /* too long to be held */
	bool streaming;
	uint64_t bytes; /* sent */
	out_send *send;
	void *arg;
};

void out_init(struct out *, size_t hold_max, out_send *, void *arg);
void out_clear(struct out *);

/* To be called between rows. 0, or -1 (ENOMEM, or send gave up). */
int out_flush(struct out *) MUST_CHECK;
/* The answer is complete; true: it must be made again, out_again. */
bool out_must_repeat(const struct out *);
void out_again(struct out *);
/* Send all that is left. 0 or -1. */
int out_finish(struct out *) MUST_CHECK;

#endif
