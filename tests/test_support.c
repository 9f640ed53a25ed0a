/* The sample of past values. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>

#include "tests/random.h"
#include "worker/support.h"

static void
fill(struct support *s, size_t n, double (*value)(struct random *))
{
	struct random r = random_seed(3);

	for (size_t i = 0; i < n; i++)
		support_learn(s, value(&r), 1000);
}

static double
two_levels(struct random *r)
{
	double level = random_uniform(r) < 0.5 ? 20 : 80;

	return level + random_normal(r);
}

Test(support, says_nothing_of_few_values)
{
	struct support s = { .n = 0 };

	for (int i = 0; i < 7; i++)
		support_learn(&s, i, 1000);
	cr_expect_eq(support_distance(&s, 1000), 0);
	support_learn(&s, 7, 1000);
	cr_expect_eq(support_distance(&s, 1000), 995, "the third is 5");
}

Test(support, is_in_order_and_full)
{
	struct support s = { .n = 0 };

	fill(&s, 5000, two_levels);
	cr_assert_eq(s.n, SUPPORT_SIZE);
	for (uint32_t i = 1; i < s.n; i++)
		cr_assert_leq(s.value[i - 1], s.value[i]);
}

Test(support, gaps_are_far_and_usual_values_are_not)
{
	struct support s = { .n = 0 };

	fill(&s, 5000, two_levels);
	cr_expect_lt(support_distance(&s, 20), 0.5);
	cr_expect_lt(support_distance(&s, 80), 0.5);
	cr_expect_gt(support_distance(&s, 50), 25);
	cr_expect_gt(support_distance(&s, 110), 25);
	cr_expect_gt(support_distance(&s, -20), 35);
}

Test(support, the_past_fades)
{
	struct support s = { .n = 0 };

	fill(&s, 2000, two_levels);
	for (int i = 0; i < 5000; i++)
		support_learn(&s, 500, 1000);
	cr_expect_eq(support_distance(&s, 500), 0);
	cr_expect_gt(support_distance(&s, 20), 100);
}

Test(support, the_same_values_give_the_same_sample)
{
	struct support a = { .n = 0 }, b = { .n = 0 };

	fill(&a, 3000, two_levels);
	fill(&b, 3000, two_levels);
	for (uint32_t i = 0; i < SUPPORT_SIZE; i++)
		cr_assert_eq(a.value[i], b.value[i]);
}

Test(support, extremes_do_no_harm)
{
	struct support s = { .n = 0 };

	for (int i = 0; i < 200; i++)
		support_learn(&s, i % 2 == 0 ? 1e30 : -1e30, 100);
	cr_expect_lt(support_distance(&s, 1e30), 1e24);
	cr_expect_gt(support_distance(&s, 0), 1e29);
	/* infinite distances end the search instead of overrunning */
	cr_expect_geq(support_distance(&s, INFINITY), 0);
}
