/* Owns the choice of a snapshot when there are too many. */
#include "common/compat.h"

#include "worker/snapthin.h"

/*
 * The gap that it would leave, in units of its age. Clocks may be set back, so
 * neither need be positive.
 */
static double
gap_without(const struct snapthin *list, size_t n, size_t i)
{
	double gap = (double)list[i + 1].ms - (double)list[i - 1].ms;
	double age = (double)list[n - 1].ms - (double)list[i].ms;

	return (gap < 0 ? 0 : gap) / (age < 1 ? 1 : age);
}

size_t
snapthin_choose(const struct snapthin *list, size_t n)
{
	size_t best = n;
	double least = 0;

	for (size_t i = 1; i + 1 < n; i++) {
		double gap = gap_without(list, n, i);

		if (list[i].stays || (best != n && gap >= least))
			continue;
		best = i;
		least = gap;
	}
	if (best == n && n > 0 && !list[0].stays)
		best = 0;
	return best;
}
