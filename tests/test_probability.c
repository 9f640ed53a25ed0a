/* Tail masses against values of 50 digits. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>

#include "tests/probability_values.h"
#include "worker/probability.h"

/*
 * Logarithms: 1e-10 relative is what scores could ever show; the absolute part
 * is for probabilities next to 1, whose logarithm is next to 0.
 */
static void
expect_ln(double got, double want, const char *what, const double *args)
{
	cr_expect(fabs(got - want) <= 1e-10 * fabs(want) + 1e-12,
	    "%s(%g, %g, %g): %.17g, wanted %.17g", what, args[0], args[1],
	    args[2], got, want);
}

Test(probability, student_tails_hold_to_the_far_end)
{
	for (size_t i = 0; i < NELEM(student_values); i++) {
		const double *v = student_values[i];

		expect_ln(
		    probability_ln_student_upper(v[0], v[1]), v[2], "upper", v);
		expect_ln(probability_ln_student_density(v[0], v[1]), v[3],
		    "density", v);
	}
}

Test(probability, normal_tails_hold_to_the_far_end)
{
	for (size_t i = 0; i < NELEM(normal_values); i++) {
		const double args[3] = { normal_values[i][0] };

		expect_ln(probability_ln_normal_upper(args[0]),
		    normal_values[i][1], "normal", args);
	}
}

Test(probability, count_tails_hold_to_the_far_end)
{
	for (size_t i = 0; i < NELEM(count_values); i++) {
		const double *v = count_values[i];

		expect_ln(probability_ln_count_upper(v[0], v[1], v[2]), v[3],
		    "upper", v);
		expect_ln(probability_ln_count_lower(v[0], v[1], v[2]), v[4],
		    "lower", v);
		expect_ln(probability_ln_count_mass(v[0], v[1], v[2]), v[5],
		    "mass", v);
	}
}

Test(probability, at_least_m_of_n)
{
	for (size_t i = 0; i < NELEM(at_least_values); i++) {
		const double *v = at_least_values[i];

		expect_ln(probability_ln_at_least(v[0], v[1], log(v[2])), v[3],
		    "at least", v);
	}
}

Test(probability, student_beyond_the_range_of_doubles)
{
	/* df = 1 is Cauchy: P(T >= t) is 1 / (pi t) far out */
	double ln = probability_ln_student_upper(1e200, 1);

	cr_expect_float_eq(ln, -log(M_PI) - 200 * log(10), 1e-9);
	cr_expect_eq(probability_ln_student_upper(INFINITY, 5), -INFINITY);
	cr_expect_eq(probability_ln_student_upper(-INFINITY, 5), 0);
}

Test(probability, the_two_tails_of_a_count_share_its_mass)
{
	for (double k = 0; k < 40; k++) {
		double up = exp(probability_ln_count_upper(k, 7, 0.4));
		double low = exp(probability_ln_count_lower(k, 7, 0.4));
		double mass = exp(probability_ln_count_mass(k, 7, 0.4));

		cr_expect_float_eq(up + low - mass, 1, 1e-12);
	}
}

Test(probability, adding_in_log_space)
{
	cr_expect_float_eq(
	    probability_ln_add(log(0.25), log(0.5)), log(0.75), 1e-15);
	cr_expect_eq(probability_ln_add(-INFINITY, -3), -3);
	cr_expect_eq(probability_ln_add(-INFINITY, -INFINITY), -INFINITY);
	cr_expect_float_eq(
	    probability_ln_add(-2000, -2001), -2000 + log1p(exp(-1)), 1e-9);
	cr_expect_eq(probability_ln_not(-INFINITY), 0);
	cr_expect_eq(probability_ln_not(0), -INFINITY);
	cr_expect_float_eq(probability_ln_not(-1e-20), log(1e-20), 1e-12);
}

Test(probability, quantile_undoes_the_tail)
{
	const double ln_p[] = { log(0.5), log(0.49), -1, log(0.025), -20,
		-700 };

	for (size_t i = 0; i < NELEM(ln_p); i++) {
		double z = probability_normal_quantile(ln_p[i]);

		cr_expect_float_eq(probability_ln_normal_upper(z), ln_p[i],
		    1e-12 * fmax(1, -ln_p[i]));
	}
	/* the value of every table */
	cr_expect_float_eq(
	    probability_normal_quantile(log(0.025)), 1.9599639845400542, 1e-14);
}
