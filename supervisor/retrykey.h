/*
 * The header Idempotency-Key of an upload: whom its key belongs to, and a
 * digest of what is sent with it. Both are hashes (BLAKE2b, 128 bits): the
 * worker compares them and never sees the key.
 */
#ifndef SUPERVISOR_RETRYKEY_H
#define SUPERVISOR_RETRYKEY_H

#include <stddef.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"

#define RETRYKEY_MAX 255 /* bytes of a key */

struct call;
struct retrykey;

/*
 * Of the request of a call, whose job is in its path. *key: NULL when it has
 * no such header; else the caller's. Returns 0, or -1 with *e set: 400, the
 * header has a wrong form or stands there twice; 503, memory is out.
 */
int retrykey_new(
    const struct call *, struct retrykey **key, struct apierr *e) MUST_CHECK;
void retrykey_free(struct retrykey *); /* NULL is fine */

/* Bytes of the body as they are sent, in their order. NULL: nothing. */
void retrykey_add(struct retrykey *, const void *, size_t len);
/* After the last: fill in the seal. NULL: there is no key. */
void retrykey_seal(struct retrykey *, struct msg_upload_seal *);

#endif
