/* The raw score against the reference's check values. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>

#include "worker/probability.h"
#include "worker/score.h"

static const struct {
	double p;
	double raw;
	double tolerance; /* of the digits that were published */
} known[] = {
	{ 5.75042e-6, 2.321190, 5e-7 },
	{ 1e-3, 0.0981964, 5e-8 },
	{ 1.3882308899968812e-4, 0.7197808, 5e-8 },
	{ 1e-6, 3.1304348, 5e-8 },
	{ 1e-10, 7.3913043, 5e-8 },
	{ 1e-100, 59.702986, 5e-7 },
	{ 0.05, 0, 0 },
	{ 1, 0, 0 },
	{ PROBABILITY_MIN, 100, 1e-12 },
};

Test(score, check_values_of_the_reference)
{
	for (size_t i = 0; i < NELEM(known); i++)
		cr_expect_float_eq(score_raw(log(known[i].p)), known[i].raw,
		    known[i].tolerance, "raw(%g) is %.9g", known[i].p,
		    score_raw(log(known[i].p)));
}

Test(score, never_falls_when_the_event_is_rarer)
{
	double last = 0;

	for (double ln_p = 0; ln_p > -800; ln_p -= 0.01) {
		double raw = score_raw(ln_p);

		cr_assert_geq(raw, last);
		last = raw;
	}
	cr_expect_eq(score_raw(-INFINITY), 100);
}

Test(score, the_way_back_meets_the_way_there)
{
	for (double ln_p = -3; ln_p > -708; ln_p -= 0.37)
		cr_expect_float_eq(
		    score_ln_probability(score_raw(ln_p)), ln_p, 1e-9);
	cr_expect_eq(score_ln_probability(0), SCORE_LN_UNREMARKABLE);
}

Test(score, a_shown_probability_is_a_normal_double)
{
	cr_expect_eq(score_probability(-1e6), PROBABILITY_MIN);
	cr_expect_eq(score_probability(-INFINITY), PROBABILITY_MIN);
	cr_expect_eq(score_probability(0), 1);
}

Test(score, impact_of_the_buckets_before)
{
	/* each 10 times less likely than the other: 5 * 2 * ln 10 / ln 1000 */
	cr_expect_float_eq(
	    score_multi_bucket_impact(log(1e-1), log(1e-2)), 3.33, 1e-9);
	cr_expect_float_eq(
	    score_multi_bucket_impact(log(1e-2), log(1e-1)), -3.34, 1e-9);
	cr_expect_eq(score_multi_bucket_impact(log(1e-20), 0), -5);
	cr_expect_eq(score_multi_bucket_impact(0, log(1e-20)), 5);
	cr_expect_eq(score_multi_bucket_impact(log(1e-9), log(1e-9)), 0);
	cr_expect_eq(score_multi_bucket_impact(0, 0), 0);
}
