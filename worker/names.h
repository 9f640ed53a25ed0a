/*
 * Field values as small numbers: each distinct text gets the next id, 0 first.
 * What is done with ids never depends on the order of hashing, only on the
 * order in which texts were first seen.
 */
#ifndef WORKER_NAMES_H
#define WORKER_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"

#define NAMES_NONE UINT32_MAX

struct names_chunk;

struct names_entry {
	const char *p; /* in a chunk */
	uint32_t len;
	uint32_t hash;
};

/* To be embedded; zeroed is empty. */
struct names {
	struct names_entry *entry; /* owned; [id] */
	uint32_t n;
	uint32_t *slot;		    /* owned; id + 1, 0 is free */
	uint32_t nslots;	    /* power of two */
	struct names_chunk *chunks; /* owned; the text */
	size_t text_bytes;
};

void names_clear(struct names *); /* frees; empty afterwards */

/* The id, or NAMES_NONE. */
uint32_t names_find(const struct names *, const char *p, size_t len);
/* The id, which is new if it was not there; NAMES_NONE with ENOMEM. */
uint32_t names_add(struct names *, const char *p, size_t len);
/* Valid until names_clear. */
struct span names_get(const struct names *, uint32_t id);

/* Bytes that one text costs, and all texts: a function of what is in. */
size_t names_cost(size_t len);
size_t names_bytes(const struct names *);

#endif
