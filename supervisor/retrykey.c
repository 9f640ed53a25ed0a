/* Owns the reading of Idempotency-Key and the hashes of an upload. */
#include "common/compat.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/call.h"
#include "supervisor/retrykey.h"

#define HEADER "Idempotency-Key"
#define HASH_BYTES 16
#define STATE_ALIGN 64 /* of libsodium's state */

struct retrykey {
	crypto_generichash_state *digest; /* owned */
	uint8_t key[HASH_BYTES];
};

/* With its NUL, so that no two lists of texts give the same bytes. */
static void
add_text(crypto_generichash_state *st, const char *text)
{
	if (text == NULL)
		text = "";
	crypto_generichash_update(st, (const uint8_t *)text, strlen(text) + 1);
}

/*
 * The directory of a job has the answers, so that a job that is reset or made
 * anew knows none; and one that is restored from a backup keeps them.
 */
static void
hash_key(crypto_generichash_state *st, const struct call *c, const char *key,
    uint8_t dst[HASH_BYTES])
{
	crypto_generichash_init(st, NULL, 0, HASH_BYTES);
	add_text(st, "anomd retry key");
	add_text(st, realm_name(c->who.realm));
	add_text(st, c->who.user);
	add_text(st, c->who.key_id);
	add_text(st, c->job_id);
	add_text(st, key);
	crypto_generichash_final(st, dst, HASH_BYTES);
}

static void
begin_digest(crypto_generichash_state *st, const struct call *c)
{
	uint8_t encoding = (uint8_t)http_req_encoding(c->req);

	crypto_generichash_init(st, NULL, 0, HASH_BYTES);
	add_text(st, http_req_query(c->req));
	crypto_generichash_update(st, &encoding, 1);
}

static bool
is_key(const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < len; i++)
		if (key[i] < ' ' || key[i] > '~')
			return false;
	return len > 0 && len <= RETRYKEY_MAX;
}

static struct retrykey *
make(const struct call *c, const char *text)
{
	size_t bytes = crypto_generichash_statebytes();
	struct retrykey *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	bytes = (bytes + STATE_ALIGN - 1) / STATE_ALIGN * STATE_ALIGN;
	k->digest = aligned_alloc(STATE_ALIGN, bytes);
	if (k->digest == NULL) {
		free(k);
		return NULL;
	}
	hash_key(k->digest, c, text, k->key);
	begin_digest(k->digest, c);
	return k;
}

int
retrykey_new(const struct call *c, struct retrykey **key, struct apierr *e)
{
	unsigned at = 0;
	const char *text = http_req_header_next(c->req, HEADER, &at);

	*key = NULL;
	if (text == NULL)
		return 0;
	if (http_req_header_next(c->req, HEADER, &at) != NULL)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "the header [" HEADER "] may be given only once");
	if (!is_key(text))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "the header [" HEADER "] must have 1 to %d printable "
		    "ASCII characters",
		    RETRYKEY_MAX);
	*key = make(c, text);
	return *key != NULL ? 0 : apierr_set(e, 503, E_STATUS, "out of memory");
}

void
retrykey_free(struct retrykey *k)
{
	if (k == NULL)
		return;
	free(k->digest);
	free(k);
}

void
retrykey_add(struct retrykey *k, const void *data, size_t len)
{
	if (k != NULL)
		crypto_generichash_update(k->digest, data, len);
}

static void
split(const uint8_t hash[HASH_BYTES], uint64_t *hi, uint64_t *lo)
{
	uint64_t v[2];

	memcpy(v, hash, sizeof(v));
	*hi = be64toh(v[0]);
	*lo = be64toh(v[1]);
}

void
retrykey_seal(struct retrykey *k, struct msg_upload_seal *seal)
{
	uint8_t digest[HASH_BYTES];

	if (k == NULL)
		return;
	crypto_generichash_final(k->digest, digest, sizeof(digest));
	split(k->key, &seal->key_hi, &seal->key_lo);
	split(digest, &seal->digest_hi, &seal->digest_lo);
}
