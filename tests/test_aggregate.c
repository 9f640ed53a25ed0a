/* Many probabilities to one. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>

#include "worker/aggregate.h"

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
