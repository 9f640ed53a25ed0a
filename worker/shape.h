/*
 * The shape of the last record: for each of its members, the bytes from the
 * value before it to its own value, name included, and the field that the
 * name is. Records of one source look alike, so mostly these bytes come again
 * and neither the name need be scanned nor the field be looked up.
 */
#ifndef WORKER_SHAPE_H
#define WORKER_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/compat.h"

#define SHAPE_MEMBERS 64 /* of one record; the rest is read as it comes */
#define SHAPE_WORDS 5
#define SHAPE_BYTES (SHAPE_WORDS * sizeof(uint64_t))

struct shape_member {
	uint64_t word[SHAPE_WORDS]; /* the bytes, then zeros */
	uint64_t mask;		    /* of the last word that holds some */
	uint8_t nwords;		    /* 0: nothing is known */
	uint8_t len;
	bool first; /* the first member of its object */
	size_t field;
};

/* Zeroed, it knows nothing. */
struct shape {
	struct shape_member member[SHAPE_MEMBERS];
};

/* What stood before the value of member n, or NULL. Long texts are not kept. */
static inline const struct shape_member *
shape_member(const struct shape *s, unsigned n)
{
	return n < SHAPE_MEMBERS ? &s->member[n] : NULL;
}

/* Whether that stands at p, where at least SHAPE_BYTES can be read. */
static inline bool
shape_matches(const struct shape_member *m, const char *p)
{
	uint64_t w, differ = 0;
	unsigned last = m->nwords - 1u;

	if (m->nwords == 0)
		return false;
	for (unsigned i = 0; i < last; i++) {
		memcpy(&w, p + i * sizeof(w), sizeof(w));
		differ |= w ^ m->word[i];
	}
	memcpy(&w, p + last * sizeof(w), sizeof(w));
	return (differ | ((w ^ m->word[last]) & m->mask)) == 0;
}

/* From now on this is what is known of member n. */
void shape_learn(struct shape *, unsigned n, const char *text, size_t len,
    bool first, size_t field);

#endif
