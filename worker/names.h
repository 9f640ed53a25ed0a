/*
 * Field values as small numbers: each distinct text gets the lowest id that is
 * free, 0 first. What is done with ids never depends on the order of hashing,
 * only on the order in which texts came and went.
 */
#ifndef WORKER_NAMES_H
#define WORKER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "worker/numbers.h"

#define NAMES_NONE UINT32_MAX

struct names_entry {
	char *p; /* owned; NULL: the id is free */
	uint32_t len;
	uint32_t hash;
	uint32_t uses;
};

/* To be embedded; zeroed is empty. */
struct names {
	struct numbers ids;
	struct names_entry *entry; /* owned; [id] */
	uint32_t *slot;		   /* owned; id + 1, 0 is free */
	uint32_t nslots;	   /* power of two */
	size_t text_bytes;	   /* of all texts, as they are allocated */
};

void names_clear(struct names *); /* frees; empty afterwards */
/*
 * Free the last n texts, as a part of names_clear, which alone may follow.
 * Returns whether there are more.
 */
bool names_shed(struct names *, uint32_t n);

/* The id, or NAMES_NONE. */
uint32_t names_find(const struct names *, const char *p, size_t len);
/* The id, which is new if it was not there; NAMES_NONE with ENOMEM. */
uint32_t names_add(struct names *, const char *p, size_t len);
/*
 * Load what was saved: an id after the other, each with its text or free.
 * Returns 0, or -1 with ENOMEM, or EBADMSG: the text is there already. When
 * all are loaded, names_loaded gives the free ones back.
 */
int names_load(struct names *, bool is_free, struct span text) MUST_CHECK;
void names_loaded(struct names *);

/*
 * Somebody needs the id, or no longer does. When nobody is left it is free.
 * Tables in which nothing is ever dropped need not hold anything.
 */
void names_hold(struct names *, uint32_t id);
void names_drop(struct names *, uint32_t id);

/* Valid until it is dropped. */
struct span names_get(const struct names *, uint32_t id);

/* Bytes that are allocated, and what one more text would add. */
size_t names_bytes(const struct names *);
size_t names_growth(const struct names *, size_t len);

#endif
