/* Owns the numerics of tail masses in log space. */
#include "common/compat.h"

#include <float.h>
#include <math.h>

#include "worker/probability.h"

#define LN_2 0.69314718055994530942
#define LN_SQRT_2PI 0.91893853320467274178

/*
 * The continued fraction needs about sqrt(max(a, b)) terms near the middle of
 * the distribution; 20,000 are enough for parameters of 1e8 and still bounded.
 */
#define FRACTION_TERMS 20000

/* Five leave 1e-12 at any probability; one more costs 50 ns. */
#define QUANTILE_STEPS 6

/* From here on four terms of the asymptotic series leave 1e-11. */
#define NORMAL_FAR 25.0

double
probability_ln_add(double a, double b)
{
	double hi = fmax(a, b), lo = fmin(a, b);

	if (lo == -INFINITY)
		return hi;
	return hi + log1p(exp(lo - hi));
}

double
probability_ln_not(double a)
{
	/* Maechler's rule: the form that keeps the digits on either side. */
	return a > -LN_2 ? log(-expm1(a)) : log1p(-exp(a));
}

/*
 * What Stirling's formula leaves of ln Gamma(x), x >= 10 (DLMF 5.11.1). The
 * last term is 1e-16 there.
 */
static double
stirling_rest(double x)
{
	static const double c[] = { 1.0 / 12, -1.0 / 360, 1.0 / 1260,
		-1.0 / 1680, 1.0 / 1188, -691.0 / 360360, 1.0 / 156,
		-3617.0 / 122400 };
	double x2 = 1 / (x * x), sum = 0;

	for (size_t i = NELEM(c); i-- > 0;)
		sum = sum * x2 + c[i];
	return sum / x;
}

double
probability_ln_beta(double a, double b)
{
	double lo = fmin(a, b), hi = fmax(a, b), rest;

	if (hi < 10)
		return lgamma(lo) + lgamma(hi) - lgamma(lo + hi);
	/* lgamma of large arguments cancels; subtract Stirling by hand. */
	rest = stirling_rest(hi) - stirling_rest(lo + hi);
	if (lo < 10)
		return lgamma(lo) + rest - (lo + hi - 0.5) * log1p(lo / hi) -
		    lo * log(hi) + lo;
	return LN_SQRT_2PI + stirling_rest(lo) + rest -
	    (lo - 0.5) * log1p(hi / lo) - hi * log1p(lo / hi) - 0.5 * log(hi);
}

static double
away_from_zero(double v)
{
	return fabs(v) < DBL_MIN ? DBL_MIN : v;
}

/*
 * The continued fraction of DLMF 8.17.22, from the front by the method of
 * Lentz. Converges fast for x < (a + 1) / (a + b + 2).
 */
static double
beta_fraction(double a, double b, double x)
{
	double f = 1, c = 1, d = 0, coef, delta;

	for (int i = 1; i <= FRACTION_TERMS; i++) {
		double m = floor(i / 2.0);

		if (i % 2 == 0)
			coef =
			    m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		else
			coef = -(a + m) * (a + b + m) * x /
			    ((a + 2 * m) * (a + 2 * m + 1));
		d = 1 / away_from_zero(1 + coef * d);
		c = away_from_zero(1 + coef / c);
		delta = c * d;
		f *= delta;
		if (fabs(delta - 1) < DBL_EPSILON)
			break;
	}
	return 1 / f;
}

static double
beta_part_front(double a, double b, double ln_x, double ln_1mx)
{
	double ln_front =
	    a * ln_x + b * ln_1mx - log(a) - probability_ln_beta(a, b);

	return fmin(0, ln_front + log(beta_fraction(a, b, exp(ln_x))));
}

double
probability_ln_beta_part(double a, double b, double ln_x, double ln_1mx)
{
	if (ln_x == -INFINITY)
		return -INFINITY;
	if (ln_1mx == -INFINITY)
		return 0;
	if (exp(ln_x) < (a + 1) / (a + b + 2))
		return beta_part_front(a, b, ln_x, ln_1mx);
	return probability_ln_not(beta_part_front(b, a, ln_1mx, ln_x));
}

double
probability_ln_normal_upper(double z)
{
	double x = 1 / (z * z), rest;

	if (z < NORMAL_FAR)
		return log(0.5 * erfc(z * M_SQRT1_2));
	rest = log1p(x * (-1 + x * (3 + x * (-15 + x * 105))));
	return -z * z / 2 - log(z) - LN_SQRT_2PI + rest;
}

/*
 * Newton's method on the logarithm, which is concave and nearly a parabola:
 * from outside it comes nearer in each step, and four digits become eight.
 */
double
probability_normal_quantile(double ln_p)
{
	double z = sqrt(fmax(0, -2 * (ln_p + LN_2)));

	for (int i = 0; i < QUANTILE_STEPS; i++) {
		double ln_upper = probability_ln_normal_upper(z);
		double ln_density = -z * z / 2 - LN_SQRT_2PI;

		z += (ln_upper - ln_p) / exp(ln_density - ln_upper);
	}
	return z;
}

double
probability_ln_student_upper(double t, double df)
{
	double ratio, ln_x, ln_1mx, ln_half;

	if (t == 0)
		return -LN_2;
	ratio = fabs(t) / sqrt(df);
	if (ratio > 1e150) { /* its square would overflow */
		ln_x = -2 * log(ratio);
		ln_1mx = 0;
	} else {
		ln_x = -log1p(ratio * ratio);
		ln_1mx = -log1p(1 / (ratio * ratio));
	}
	ln_half = probability_ln_beta_part(df / 2, 0.5, ln_x, ln_1mx) - LN_2;
	return t > 0 ? ln_half : probability_ln_not(ln_half);
}

double
probability_ln_student_density(double t, double df)
{
	double ratio = fabs(t) / sqrt(df), ln_kernel;

	ln_kernel = ratio > 1e150 ? 2 * log(ratio) : log1p(ratio * ratio);
	return -(df + 1) / 2 * ln_kernel - probability_ln_beta(df / 2, 0.5) -
	    0.5 * log(df);
}

double
probability_ln_count_upper(double k, double shape, double rate)
{
	if (k <= 0)
		return 0;
	return probability_ln_beta_part(
	    k, shape, -log1p(rate), -log1p(1 / rate));
}

double
probability_ln_count_lower(double k, double shape, double rate)
{
	return probability_ln_beta_part(
	    shape, k + 1, -log1p(1 / rate), -log1p(rate));
}

double
probability_ln_count_mass(double k, double shape, double rate)
{
	double ln_hit = -log1p(rate), ln_miss = -log1p(1 / rate);

	if (k <= 0)
		return shape * ln_miss;
	/* Gamma(k + a) / (Gamma(a) k!) = 1 / (k B(a, k)) */
	return k * ln_hit + shape * ln_miss - log(k) -
	    probability_ln_beta(shape, k);
}

double
probability_ln_at_least(double m, double n, double ln_p)
{
	if (ln_p >= 0)
		return 0;
	if (m == 1) /* 1 - (1 - p)^n */
		return probability_ln_not(n * probability_ln_not(ln_p));
	return probability_ln_beta_part(
	    m, n - m + 1, ln_p, probability_ln_not(ln_p));
}
