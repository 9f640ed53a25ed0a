/* Owns the counts of failures. */
#include "common/compat.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/authlimit.h"

#define SLOTS 4096 /* of each table */

/*
 * Of each count only the time is kept at which it will be zero again: every
 * failure moves it on by one interval.
 */
_Static_assert(AUTHLIMIT_KEY_BYTES == crypto_shorthash_KEYBYTES, "its key");

struct authlimit {
	unsigned char key[crypto_shorthash_KEYBYTES];
	int64_t pair[SLOTS], place[SLOTS], user[SLOTS];
};

struct authlimit *
authlimit_new(const unsigned char *key)
{
	struct authlimit *l = calloc(1, sizeof(*l));

	if (l != NULL && key != NULL)
		memcpy(l->key, key, sizeof(l->key));
	else if (l != NULL)
		randombytes_buf(l->key, sizeof(l->key));
	return l;
}

void
authlimit_free(struct authlimit *l)
{
	free(l);
}

/* Of IPv6 everybody has a /64 to himself, and all addresses in it. */
static void
mask_ipv6(char *address, size_t size)
{
	struct in6_addr a;

	if (inet_pton(AF_INET6, address, &a) != 1 || IN6_IS_ADDR_V4MAPPED(&a))
		return;
	memset(&a.s6_addr[8], 0, 8);
	if (inet_ntop(AF_INET6, &a, address, (socklen_t)size) == NULL)
		address[0] = '\0';
}

void
authlimit_place(char dst[AUTHLIMIT_PLACE_MAX], const char *peer, int uid)
{
	char *end;

	if (uid >= 0) {
		snprintf(dst, AUTHLIMIT_PLACE_MAX, "uid %d", uid);
		return;
	}
	strlcpy(dst, peer[0] == '[' ? peer + 1 : peer, AUTHLIMIT_PLACE_MAX);
	end = peer[0] == '[' ? strchr(dst, ']') : strrchr(dst, ':');
	if (end != NULL)
		*end = '\0';
	if (peer[0] == '[')
		mask_ipv6(dst, AUTHLIMIT_PLACE_MAX);
}

static size_t
slot(const struct authlimit *l, const char *a, const char *b)
{
	unsigned char hash[crypto_shorthash_BYTES];
	char text[512];
	uint64_t v;
	int n = snprintf(text, sizeof(text), "%s\n%s", a, b);

	crypto_shorthash(hash, (const unsigned char *)text,
	    n < 0 ? 0 : strlen(text), l->key);
	memcpy(&v, hash, sizeof(v));
	return (size_t)(v % SLOTS);
}

void
authlimit_find(const struct authlimit *l, const char *place, const char *user,
    struct authlimit_at *at)
{
	at->pair = slot(l, place, user);
	at->place = slot(l, place, "");
	at->user = slot(l, "", user);
}

/* How long until one more fits; 0: it does. */
static int64_t
wait_us(int64_t zero_us, int64_t now_us, int burst, int interval_s)
{
	int64_t full_us = (int64_t)burst * interval_s * 1000000;
	int64_t next_us = (zero_us > now_us ? zero_us : now_us) +
	    interval_s * INT64_C(1000000);

	return next_us > now_us + full_us ? next_us - now_us - full_us : 0;
}

static void
count(int64_t *zero_us, int64_t now_us, int interval_s)
{
	if (*zero_us < now_us)
		*zero_us = now_us;
	*zero_us += interval_s * INT64_C(1000000);
}

bool
authlimit_is_full(
    const struct authlimit *l, const struct authlimit_at *at, int64_t now_us)
{
	return wait_us(l->place[at->place], now_us, AUTHLIMIT_PLACE_BURST,
		   AUTHLIMIT_PLACE_S) > 0;
}

enum authlimit_verdict
authlimit_take(struct authlimit *l, const struct authlimit_at *at, bool known,
    int64_t now_us, unsigned *wait_s)
{
	bool full = authlimit_is_full(l, at, now_us);
	int64_t pair = wait_us(
	    l->pair[at->pair], now_us, AUTHLIMIT_PAIR_BURST, AUTHLIMIT_PAIR_S);
	int64_t user = wait_us(
	    l->user[at->user], now_us, AUTHLIMIT_USER_BURST, AUTHLIMIT_USER_S);
	int64_t longest = pair > user ? pair : user;

	*wait_s = (unsigned)((longest + 999999) / 1000000);
	if (full && (!known || longest > 0))
		return AUTHLIMIT_HOLD;
	if (longest > 0)
		return AUTHLIMIT_STOP;
	count(&l->pair[at->pair], now_us, AUTHLIMIT_PAIR_S);
	count(&l->user[at->user], now_us, AUTHLIMIT_USER_S);
	if (full)
		return AUTHLIMIT_PLACE;
	count(&l->place[at->place], now_us, AUTHLIMIT_PLACE_S);
	return AUTHLIMIT_GO;
}

void
authlimit_give_back(struct authlimit *l, const struct authlimit_at *at,
    enum authlimit_verdict verdict)
{
	if (verdict == AUTHLIMIT_STOP || verdict == AUTHLIMIT_HOLD)
		return;
	l->pair[at->pair] -= AUTHLIMIT_PAIR_S * INT64_C(1000000);
	l->user[at->user] -= AUTHLIMIT_USER_S * INT64_C(1000000);
	if (verdict == AUTHLIMIT_GO)
		l->place[at->place] -= AUTHLIMIT_PLACE_S * INT64_C(1000000);
}
