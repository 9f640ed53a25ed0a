/*
 * What was right last: a keyed hash of a user's name and password, so that a
 * client who says them with every request is checked in microseconds. The key
 * is made anew by each process, and no password can be had from the hash of
 * this process without guessing.
 */
#ifndef SUPERVISOR_AUTHCACHE_H
#define SUPERVISOR_AUTHCACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"

#define AUTHCACHE_BYTES 32
#define AUTHCACHE_TTL_US (INT64_C(300) * 1000000) /* since its last use */

/* One for each user: it is dropped with the user, and when he changes. */
struct authcache {
	bool set;
	uint8_t token[AUTHCACHE_BYTES];
	int64_t used_us;
};

enum authcache_verdict {
	AUTHCACHE_MISS,
	AUTHCACHE_HIT,
	AUTHCACHE_STALE, /* right once; to be checked again, but no guess */
};

/* The two strings are kept apart, whatever they hold. */
void authcache_token(uint8_t token[AUTHCACHE_BYTES],
    const uint8_t key[AUTHCACHE_BYTES], const char *name, const char *password);
/* Takes the same time for every token. A hit counts as a use. */
enum authcache_verdict authcache_look(
    struct authcache *, const uint8_t token[AUTHCACHE_BYTES], int64_t now_us);
void authcache_set(
    struct authcache *, const uint8_t token[AUTHCACHE_BYTES], int64_t now_us);
void authcache_drop(struct authcache *);

#endif
