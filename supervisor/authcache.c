/* Owns the keyed hashes of credentials that were right. */
#include "common/compat.h"

#include <sodium.h>
#include <string.h>

#include "supervisor/authcache.h"

_Static_assert(AUTHCACHE_BYTES == crypto_generichash_BYTES, "hash");
_Static_assert(AUTHCACHE_BYTES == crypto_generichash_KEYBYTES, "key");

void
authcache_token(uint8_t token[AUTHCACHE_BYTES],
    const uint8_t key[AUTHCACHE_BYTES], const char *name, const char *password)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, key, AUTHCACHE_BYTES, AUTHCACHE_BYTES);
	/* With its NUL: no other two strings give the same bytes. */
	crypto_generichash_update(
	    &st, (const unsigned char *)name, strlen(name) + 1);
	crypto_generichash_update(
	    &st, (const unsigned char *)password, strlen(password));
	crypto_generichash_final(&st, token, AUTHCACHE_BYTES);
	sodium_memzero(&st, sizeof(st));
}

enum authcache_verdict
authcache_look(
    struct authcache *c, const uint8_t token[AUTHCACHE_BYTES], int64_t now_us)
{
	bool same = sodium_memcmp(c->token, token, AUTHCACHE_BYTES) == 0;

	if (!c->set || !same)
		return AUTHCACHE_MISS;
	if (now_us - c->used_us > AUTHCACHE_TTL_US)
		return AUTHCACHE_STALE;
	c->used_us = now_us;
	return AUTHCACHE_HIT;
}

void
authcache_set(
    struct authcache *c, const uint8_t token[AUTHCACHE_BYTES], int64_t now_us)
{
	memcpy(c->token, token, AUTHCACHE_BYTES);
	c->used_us = now_us;
	c->set = true;
}

void
authcache_drop(struct authcache *c)
{
	sodium_memzero(c, sizeof(*c));
}
