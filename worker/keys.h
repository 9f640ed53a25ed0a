/* From a pair of small numbers to a third one: which series is this? */
#ifndef WORKER_KEYS_H
#define WORKER_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

#define KEYS_NONE UINT32_MAX

struct keys_slot {
	uint32_t a;
	uint32_t b;
	uint32_t value; /* KEYS_NONE: free */
};

/* To be embedded; zeroed is empty. */
struct keys {
	struct keys_slot *slot; /* owned */
	uint32_t n;
	uint32_t nslots; /* power of two */
};

void keys_clear(struct keys *); /* frees; empty afterwards */
/* The value, or KEYS_NONE. */
uint32_t keys_find(const struct keys *, uint32_t a, uint32_t b);
/*
 * Set the value of a pair that has none; value is not KEYS_NONE. Returns 0,
 * or -1 with ENOMEM.
 */
int keys_add(struct keys *, uint32_t a, uint32_t b, uint32_t value) MUST_CHECK;
/* Forget a pair that has a value. */
void keys_remove(struct keys *, uint32_t a, uint32_t b);
/* Room for so many pairs, as if they had been there. 0, or -1 with ENOMEM. */
int keys_reserve(struct keys *, uint32_t n) MUST_CHECK;

/* Bytes that are allocated, and what one more pair would add. */
size_t keys_bytes(const struct keys *);
size_t keys_growth(const struct keys *);

#endif
