/* Owns the combination of probabilities within a bucket. */
#include "common/compat.h"

#include <math.h>
#include <string.h>

#include "worker/aggregate.h"
#include "worker/probability.h"

void
aggregate_clear(struct aggregate *a)
{
	a->n = 0;
	a->nleast = 0;
}

void
aggregate_add(struct aggregate *a, double ln_p)
{
	uint32_t at = a->nleast;

	a->n++;
	while (at > 0 && a->least[at - 1] > ln_p)
		at--;
	if (at == NELEM(a->least))
		return;
	if (a->nleast < NELEM(a->least))
		a->nleast++;
	memmove(&a->least[at + 1], &a->least[at],
	    (a->nleast - 1 - at) * sizeof(a->least[0]));
	a->least[at] = ln_p;
}

void
aggregate_least(struct aggregate *a, double ln_p)
{
	if (a->n > 0 && a->least[0] <= ln_p)
		return;
	aggregate_clear(a);
	aggregate_add(a, ln_p);
}

double
aggregate_ln_p(const struct aggregate *a, uint32_t most)
{
	uint32_t tried = a->nleast < most ? a->nleast : most;
	double best = 0, one;

	for (uint32_t m = 0; m < tried; m++)
		best = fmin(best,
		    probability_ln_at_least(m + 1, (double)a->n, a->least[m]));
	if (tried == 0)
		return 0;
	one = probability_ln_at_least(1, (double)a->n, a->least[0]);
	best = fmin(one, best + log(tried));
	/* members often share a cause: half of what several add is believed */
	return fmin(0, (one + best) / 2);
}
