/*
 * Who may repeat an upload, and with what: two hashes that the supervisor has
 * made (UPLOAD_SEAL) and that are compared here, never looked into.
 */
#ifndef WORKER_RETRY_H
#define WORKER_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"

struct retry {
	uint64_t key_hi;    /* of the principal, the job and the client's key */
	uint64_t key_lo;    /* both 0: it cannot be repeated */
	uint64_t digest_hi; /* of the body as sent and its parameters */
	uint64_t digest_lo;
};

static inline bool
retry_is_set(const struct retry *r)
{
	return (r->key_hi | r->key_lo) != 0;
}

static inline bool
retry_has_key_of(const struct retry *a, const struct retry *b)
{
	return a->key_hi == b->key_hi && a->key_lo == b->key_lo;
}

static inline bool
retry_has_digest_of(const struct retry *a, const struct retry *b)
{
	return a->digest_hi == b->digest_hi && a->digest_lo == b->digest_lo;
}

#endif
