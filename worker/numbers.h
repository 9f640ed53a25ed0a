/*
 * Numbers of things that come and go: the lowest that is free is given out.
 * So which number comes next follows from which are taken, and nothing else of
 * the past need be remembered.
 */
#ifndef WORKER_NUMBERS_H
#define WORKER_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

/* To be embedded; zeroed is empty. */
struct numbers {
	uint32_t n;	/* all that were ever given out are below */
	uint32_t nfree; /* of them */
	uint32_t room;	/* of tables of them: a power of two, or 0 */
	uint32_t *heap; /* owned; [room]; the free ones, the least first */
};

void numbers_clear(struct numbers *); /* frees; empty afterwards */

/*
 * Make room for one more in the table of the owner, which has so many elements
 * as numbers have room; new elements are zeroed. Returns the table, which may
 * have moved, or NULL with ENOMEM, and it is as it was.
 */
void *numbers_table(struct numbers *, void *table, size_t size) MUST_CHECK;
/* The next number, for which there is room. */
uint32_t numbers_take(struct numbers *);
void numbers_give_back(struct numbers *, uint32_t);

/* How many are taken. */
uint32_t numbers_taken(const struct numbers *);

/* Bytes of the table and what is kept here; and what one more would add. */
size_t numbers_bytes(const struct numbers *, size_t size);
size_t numbers_growth(const struct numbers *, size_t size);

#endif
