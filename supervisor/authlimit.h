/*
 * How often somebody may be wrong. Three things are counted: the user from one
 * place, the place (an address, of IPv6 its /64), and the user from anywhere.
 * The counts are in tables of a fixed size, found by keyed hashes: they cannot
 * be made to grow, nor aimed at somebody else's place in them. Nor can one
 * place fill them: names that nobody has count no more once it has used up its
 * own.
 */
#ifndef SUPERVISOR_AUTHLIMIT_H
#define SUPERVISOR_AUTHLIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

struct authlimit;

/* Failures at once, and one more with each so many seconds. */
#define AUTHLIMIT_PAIR_BURST 5
#define AUTHLIMIT_PAIR_S 10
#define AUTHLIMIT_PLACE_BURST 20
#define AUTHLIMIT_PLACE_S 5
#define AUTHLIMIT_USER_BURST 20
#define AUTHLIMIT_USER_S 5

enum authlimit_verdict {
	AUTHLIMIT_GO,
	/* Too many names from this place: only who is known may be tried, */
	AUTHLIMIT_PLACE,
	AUTHLIMIT_HOLD, /* and nobody else, who must look the same. */
	AUTHLIMIT_STOP,
};

/* Where an attempt counts. */
struct authlimit_at {
	size_t pair, place, user;
};

#define AUTHLIMIT_PLACE_MAX 64 /* bytes of the text of a place */

#define AUTHLIMIT_KEY_BYTES 16
/*
 * key: of AUTHLIMIT_KEY_BYTES, says which names share a count; NULL: a random
 * one, so that no stranger can know. NULL with ENOMEM.
 */
struct authlimit *authlimit_new(const unsigned char *key);
void authlimit_free(struct authlimit *);

/* "127.0.0.1:53211" is from 127.0.0.1, "[2001:db8::1]:7" from 2001:db8::. */
void authlimit_place(char dst[AUTHLIMIT_PLACE_MAX], const char *peer, int uid);
void authlimit_find(const struct authlimit *, const char *place,
    const char *user, struct authlimit_at *);

/* Has the place used up its failures? */
bool authlimit_is_full(
    const struct authlimit *, const struct authlimit_at *, int64_t now_us);
/*
 * An attempt is about to be made: it counts as a failure unless it is given
 * back. known: there is such a user, who is let in. *wait_s, of
 * AUTHLIMIT_STOP: when the next one may be made.
 */
enum authlimit_verdict authlimit_take(struct authlimit *,
    const struct authlimit_at *, bool known, int64_t now_us, unsigned *wait_s);
/* It was right after all, or not judged. */
void authlimit_give_back(
    struct authlimit *, const struct authlimit_at *, enum authlimit_verdict);

#endif
