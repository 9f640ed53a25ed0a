/* How much alike two names are, for "did you mean". */
#ifndef COMMON_LIKENESS_H
#define COMMON_LIKENESS_H

#include <stddef.h>

#define LIKENESS_BYTES 64 /* of a name; a longer one is like nothing */

/*
 * The bytes that need not be inserted, deleted or replaced to make b of a, as
 * a share of the longer one: 1 is equal, 0 has nothing in common. What is
 * offered should have more than 0.5.
 *
 * Source: Levenshtein, Soviet Physics Doklady 10(8), 1966.
 */
double likeness(const char *a, size_t alen, const char *b, size_t blen);

#endif
