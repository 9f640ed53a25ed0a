/* Many probabilities to one. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "tests/random.h"
#include "worker/aggregate.h"

#define MEMBERS 40

static struct aggregate
aggregate_of(const double *p, size_t n)
{
	struct aggregate a;

	aggregate_clear(&a);
	for (size_t i = 0; i < n; i++)
		aggregate_add(&a, log(p[i]));
	return a;
}

Test(aggregate, nothing_is_certain)
{
	struct aggregate a = aggregate_of(NULL, 0);

	cr_expect_eq(aggregate_ln_p(&a, 5), 0);
}

Test(aggregate, one_member_keeps_its_probability)
{
	struct aggregate a = aggregate_of((double[]){ 1e-7 }, 1);

	cr_expect_float_eq(aggregate_ln_p(&a, 5), log(1e-7), 1e-12);
}

Test(aggregate, looking_in_ten_places_is_corrected_for)
{
	double p[10] = { 1, 1, 1, 0.001, 1, 1, 1, 1, 1, 1 };
	struct aggregate a = aggregate_of(p, 10);

	/* the reference's vector: 1 - 0.999^10 */
	cr_expect_float_eq(exp(aggregate_ln_p(&a, 1)), 0.00995512, 5e-9);
}

Test(aggregate, several_mild_ones_speak_for_each_other)
{
	double p[20];
	struct aggregate a;

	for (size_t i = 0; i < 20; i++)
		p[i] = i % 5 == 2 ? 0.002 : 0.7;
	a = aggregate_of(p, 20);
	cr_expect_lt(aggregate_ln_p(&a, 5), aggregate_ln_p(&a, 1) + log(0.1));
}

Test(aggregate, the_order_of_members_does_not_matter)
{
	double up[8], down[8];
	struct aggregate a, b;

	for (size_t i = 0; i < 8; i++)
		up[i] = down[7 - i] = 0.01 * (double)(i + 1);
	a = aggregate_of(up, 8);
	b = aggregate_of(down, 8);
	cr_expect_eq(aggregate_ln_p(&a, 5), aggregate_ln_p(&b, 5));
	cr_expect_eq(a.nleast, 5);
	cr_expect_float_eq(a.least[4], log(0.05), 1e-12);
}

/* ---- as the header has it, by sums over all that may happen ---- */

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* That m or more of n are as unlikely as p: the binomial's upper tail. */
static long double
at_least(int m, int n, long double p)
{
	long double sum = 0, ways = 1;

	for (int k = 0; k <= n; k++) {
		if (k > 0)
			ways = ways * (n - k + 1) / k;
		if (k >= m)
			sum += ways * powl(p, k) * powl(1 - p, n - k);
	}
	return sum;
}

/* p in ascending order. */
static double
slow_ln_p(const double *p, int n, int most)
{
	int tried = n < most ? n : most;
	long double one = at_least(1, n, p[0]), best = 1;

	for (int m = 1; m <= tried; m++)
		best = fminl(best, at_least(m, n, p[m - 1]));
	best = fminl(one, best * tried);
	return (double)fminl(0, (logl(one) + logl(best)) / 2);
}

Test(aggregate, any_members_are_as_by_sums_over_all_that_may_happen)
{
	struct random r = random_seed(7);

	for (int round = 0; round < 500; round++) {
		int n = 1 + (int)(MEMBERS * random_uniform(&r));
		int most = 1 + round % AGGREGATE_SERIES;
		double p[MEMBERS], slow;
		struct aggregate a;

		for (int i = 0; i < n; i++)
			p[i] = pow(random_uniform(&r), 1 + round % 4);
		a = aggregate_of(p, (size_t)n);
		qsort(p, (size_t)n, sizeof(p[0]), ascending);
		slow = slow_ln_p(p, n, most);
		cr_assert_float_eq(aggregate_ln_p(&a, (uint32_t)most), slow,
		    1e-9 * fmax(1, fabs(slow)), "%d of %d: %.12g, not %.12g",
		    most, n, aggregate_ln_p(&a, (uint32_t)most), slow);
	}
}
