/*
 * Tail masses and densities in log space. A probability of 1e-300 is ln
 * -690.8 here, and nothing underflows on the way to it: doubles run out, their
 * logarithms do not.
 *
 * Everything is built on the regularised incomplete beta function
 * I_x(a, b) (NIST DLMF 8.17). Relative error of the logarithm: at most 1e-10
 * for parameters up to 1e7 (tests/test_probability.c has the values that this
 * was compared with).
 */
#ifndef WORKER_PROBABILITY_H
#define WORKER_PROBABILITY_H

#include "common/compat.h"

/* The smallest probability that is shown: what a normal double can hold. */
#define PROBABILITY_MIN 2.2250738585072014e-308
#define PROBABILITY_LN_MIN (-708.39641853226408)

/* ln(e^a + e^b); either may be -INFINITY. */
double probability_ln_add(double a, double b);

/* ln(1 - e^a), a <= 0, exact at both ends. */
double probability_ln_not(double a);

/* ln B(a, b), a > 0, b > 0; no cancellation when one of them is large. */
double probability_ln_beta(double a, double b);

/*
 * ln I_x(a, b), a > 0, b > 0. x comes as ln x and ln(1 - x), so that neither
 * end loses digits.
 */
double probability_ln_beta_part(double a, double b, double ln_x, double ln_1mx);

/*
 * ln P(Z >= z) of the normal distribution, z >= 0 (DLMF 7.12.1 from 25 on).
 */
double probability_ln_normal_upper(double z);

/* The z of which that is ln_p; ln_p <= ln(1/2). */
double probability_normal_quantile(double ln_p);

/* ln P(T >= t) of Student's t with df > 0 degrees of freedom; any t. */
double probability_ln_student_upper(double t, double df);

/* ln of the density of Student's t at t. */
double probability_ln_student_density(double t, double df);

/*
 * Counts whose rate has a gamma distribution (shape, rate per unit of
 * exposure): the negative binomial. k is a whole number >= 0.
 * upper: ln P(K >= k), lower: ln P(K <= k), mass: ln P(K = k).
 */
double probability_ln_count_upper(double k, double shape, double rate);
double probability_ln_count_lower(double k, double shape, double rate);
double probability_ln_count_mass(double k, double shape, double rate);

/*
 * ln P(at least m of n independent events of probability e^ln_p happen),
 * 1 <= m <= n.
 */
double probability_ln_at_least(double m, double n, double ln_p);

#endif
