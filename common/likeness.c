/* Owns the likeness of names. */
#include "common/compat.h"

#include "common/likeness.h"

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

double
likeness(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t row[LIKENESS_BYTES + 1];

	if (alen > LIKENESS_BYTES || blen > LIKENESS_BYTES || alen + blen == 0)
		return 0.0;
	for (size_t j = 0; j <= blen; j++)
		row[j] = j;
	for (size_t i = 1; i <= alen; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			size_t above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1,
			    diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
			diagonal = above;
		}
	}
	return 1.0 - (double)row[blen] / (double)(alen > blen ? alen : blen);
}
