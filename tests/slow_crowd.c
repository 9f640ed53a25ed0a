/* Owns the slow comparison of people. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/slow_crowd.h"

#define U0 (-log(0.05))

enum { AS_IS, ROOT, LOGARITHM };
enum { SINGLE, RUN };

void
slow_init(struct slow_crowd *c, bool counts, double keep)
{
	memset(c, 0, sizeof(*c));
	c->counts = counts;
	c->keep = keep;
}

void
slow_clear(struct slow_crowd *c)
{
	free(c->seen);
	free(c->bucket);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median_of(const double *x, int n)
{
	double copy[512];

	memcpy(copy, x, (size_t)n * sizeof(*x));
	qsort(copy, (size_t)n, sizeof(*x), ascending);
	return (copy[(n - 1) / 2] + copy[n / 2]) / 2;
}

/* Half of the least value above zero that was ever there. */
static double
zero(const struct slow_crowd *c)
{
	double least = DBL_MAX;

	for (size_t i = 0; i < c->nseen; i++) {
		if (c->seen[i].x > 0)
			least = fmin(least, c->seen[i].x);
	}
	return least / 2;
}

static bool
has_negative(const struct slow_crowd *c)
{
	for (size_t i = 0; i < c->nseen; i++) {
		if (c->seen[i].x < 0)
			return true;
	}
	return false;
}

static bool
has_fractions(const struct slow_crowd *c)
{
	for (size_t i = 0; i < c->nseen; i++) {
		if (c->seen[i].x != floor(c->seen[i].x))
			return true;
	}
	return false;
}

static double
forth(const struct slow_crowd *c, int scale, double x)
{
	double offset = c->counts ? 0.375 : 0;

	if (scale == ROOT)
		return sqrt(fmax(x + offset, 0));
	if (scale == LOGARITHM)
		return log(c->counts ? x + offset : fmax(x, zero(c)));
	return x;
}

static double
back(const struct slow_crowd *c, int scale, double y)
{
	double offset = c->counts ? 0.375 : 0;

	if (scale == ROOT)
		return fmax(fmax(y, 0) * fmax(y, 0) - offset, 0);
	if (scale == LOGARITHM)
		return fmax(exp(y) - offset, 0);
	return y;
}

/* Values cannot be told apart better than that where the scale has y. */
static double
least_scatter(const struct slow_crowd *c, int scale, double y)
{
	double step = has_fractions(c) ? 0 : 0.29;

	if (scale == AS_IS)
		return fmax(step, 1e-4 * fabs(y));
	if (scale == ROOT)
		return c->counts ? fmax(0.25, 1e-4 * y)
				 : fmax(1e-4 * y, step / 2 / fmax(y, 1));
	return c->counts ? 0.29 : fmax(1e-4, step / exp(fmax(y, 0)));
}

/* Values of earlier buckets, by what is left of them. */
static double
past_values(const struct slow_crowd *c, int bucket)
{
	double n = 0;

	for (size_t i = 0; i < c->nbuckets; i++)
		n +=
		    c->bucket[i].n * pow(c->keep, bucket - c->bucket[i].bucket);
	return n;
}

/* The mean size of distances in earlier buckets. */
static double
past_scatter(const struct slow_crowd *c, int bucket, int scale)
{
	double sum = 0;

	for (size_t i = 0; i < c->nbuckets; i++)
		sum += c->bucket[i].size[scale] * c->bucket[i].n *
		    pow(c->keep, bucket - c->bucket[i].bucket);
	return sum > 0 ? sum / past_values(c, bucket) : 0;
}

/* What a scale was worth in all buckets; those after it count from one on. */
static double
worth(const struct slow_crowd *c, int scale)
{
	double sum = 0;

	for (size_t i = 0; i < c->nbuckets; i++) {
		int after = 0;

		for (size_t k = i + 1; k < c->nbuckets; k++)
			after += c->bucket[k].weighed;
		sum += c->bucket[i].worth[scale] * exp(-after / 1000.0);
	}
	return sum;
}

/* The distance of the quartiles of the bucket. */
static double
quartiles(const struct slow_crowd *c, int scale, const double *sorted, int n)
{
	if (n < 8)
		return 0;
	return (forth(c, scale, sorted[n - 1 - n / 4]) -
		   forth(c, scale, sorted[n / 4])) /
	    1.3489795003921634;
}

/* ln of the density of a value, as Student's with 4 degrees, as it is. */
static double
ln_density(const struct slow_crowd *c, int scale, double x, double error,
    double scatter)
{
	double at = forth(c, scale, x) - error, t;
	double offset = c->counts ? 0.375 : 0, slope = 0;

	scatter = fmax(scatter, least_scatter(c, scale, at));
	t = fmin(fabs(error / scatter), 6.0);
	if (scale != AS_IS && !c->counts)
		x = scale == LOGARITHM ? fmax(x, zero(c)) : x;
	if (scale == ROOT)
		slope = log(0.5 / sqrt(x + offset));
	else if (scale == LOGARITHM)
		slope = log(1 / (x + offset));
	return -2.5 * log(1 + t * t / 4) - log(scatter) + slope;
}

/* What the bucket, the last of all, says of one scale. */
static void
measure(
    struct slow_crowd *c, int scale, const double *sorted, int n, double middle)
{
	struct slow_bucket *b = &c->bucket[c->nbuckets - 1];
	double past = 0, scatter, most;

	c->nbuckets--; /* before it */
	past = past_values(c, b->bucket);
	scatter = past >= 50 ? past_scatter(c, b->bucket, scale)
			     : quartiles(c, scale, sorted, n);
	c->nbuckets++;
	most = scatter > 0 ? 8 * scatter / sqrt(M_PI / 2) : DBL_MAX;
	b->weighed = 0;
	for (int i = 0; i < n; i++) {
		double error =
		    forth(c, scale, sorted[i]) - forth(c, scale, middle);
		int step = (n + 63) / 64;

		b->size[scale] += fmin(fabs(error), most);
		if (i % step != step / 2 ||
		    (sorted[i] <= 0 && !has_negative(c)))
			continue;
		b->worth[scale] +=
		    ln_density(c, scale, sorted[i], error, scatter);
		b->weighed++;
	}
	b->size[scale] *= sqrt(M_PI / 2) / n;
}

static int
choose_scale(const struct slow_crowd *c, int bucket, int now)
{
	double n = past_values(c, bucket);
	int best = now;

	if (has_negative(c))
		return AS_IS;
	for (int s = 0; s < SLOW_SCALES; s++) {
		if (worth(c, s) > worth(c, best))
			best = s;
	}
	return n >= 32 && worth(c, best) >= worth(c, now) + 12 ? best : now;
}

/* Tails: what is left of a surprise that was learnt then. */
static double
left_of(const struct slow_crowd *c, const struct slow_seen *s)
{
	const struct slow_bucket *b = &c->bucket[c->nbuckets - 1];
	double left = pow(c->keep, b->bucket - s->bucket);

	for (size_t i = (size_t)s->nth + 1; i < c->nbuckets; i++) {
		if (c->bucket[i].scale != c->bucket[i - 1].scale)
			left *= 0.1;
	}
	return left;
}

struct fit {
	double n, excesses, fitted, sum, squares, known;
};

static double
size_class(double u)
{
	return fmin(log(u / U0) / 0.45, 16);
}

/* How much of one surprise is about as large as another, or larger. */
static double
as_large(double seen, double asked)
{
	double a = size_class(seen), b = size_class(asked), part = 0;

	for (int k = 0; k < 2; k++) {
		double cell = floor(a) + k;
		double share = k == 0 ? 1 - (a - floor(a)) : a - floor(a);

		if (cell > floor(b))
			part += share;
		else if (cell == floor(b))
			part += share * (1 - (b - floor(b)));
	}
	return part;
}

/* Everything that was learnt before seen[until]. */
static struct fit
fit_tail(const struct slow_crowd *c, size_t until, int look, int side, double u)
{
	struct fit f = { .n = 0 };

	for (size_t i = 0; i < until; i++) {
		const struct slow_seen *s = &c->seen[i];
		double left = left_of(c, s);
		double seen =
		    look == RUN ? s->run_surprise[side] : s->surprise[side];
		double w = look == RUN ? s->run_weight[side] : s->weight[side];
		double y = look == RUN ? s->run_excess[side] : s->excess[side];
		double k = look == RUN ? 1 : s->row;

		if (!s->learnt)
			continue;
		f.n += left;
		if (seen < U0)
			continue;
		f.excesses += left;
		f.fitted += left * w;
		f.sum += left * w * y;
		f.squares += left * w * y * y;
		if (u >= U0)
			f.known += left / k * as_large(seen, u);
	}
	return f;
}

static double
mean_excess(const struct fit *f)
{
	return (f->sum + 8) / (f->fitted + 8);
}

static double
tail_ln_p(const struct fit *f, double u)
{
	double n = f->fitted + 8, m = mean_excess(f), v, shape, scale, ln_p, k;
	double ln_q = log((f->excesses + 1) / (f->n + 20));

	if (u <= 0)
		return 0;
	if (u < U0)
		return ln_q * u / U0;
	v = (f->squares + 16) / (n * m * m) - 1;
	shape = v > 1 ? fmin((1 - 1 / v) / 2, 0.5) : 0;
	scale = m * (1 - shape);
	shape += 1 / n;
	ln_p = ln_q - log(1 + shape * (u - U0) / scale) / shape;
	k = f->known;
	n = f->n + 20;
	if (k > 0)
		ln_p = fmax(ln_p, (1 + 2 / k) * log(k / n));
	if (k > 3)
		ln_p = fmax(ln_p, log((k - 3) / n));
	return ln_p;
}

/* How a surprise is learnt, the k-th of his in a row. */
static void
learn_as(const struct slow_crowd *c, size_t at, int look, int side, double u,
    double ln_p, double k, double *weight, double *excess)
{
	struct fit f;

	*weight = *excess = 0;
	if (u < U0)
		return;
	f = fit_tail(c, at, look, side, u);
	*weight = 1 / k;
	*excess = u - U0;
	if (f.known + as_large(u, u) / k > 4)
		return;
	if (ln_p < log(1e-4))
		*weight *= 0.1;
	*excess = fmin(*excess, 7 * mean_excess(&f));
}

/* -ln P(Z > z) */
static double
surprise(double z)
{
	if (z <= 0)
		return 0;
	if (z > 100)
		return z * z / 2 + log(z * sqrt(2 * M_PI)) + 1 / (z * z);
	return (double)-logl(erfcl((long double)z / sqrtl(2)) / 2);
}

/* What is usual for him, from all of his distances so far. */
static void
habit_of(const struct slow_crowd *c, size_t until, int who, double *n,
    double *mean, double *spread)
{
	*n = *mean = 0;
	*spread = 1;
	for (size_t i = 0; i < until; i++) {
		double z = fmin(fmax(c->seen[i].z, -100), 100);

		if (c->seen[i].who != who || !c->seen[i].learnt)
			continue;
		*n = fmin(*n + 1, 100);
		*mean += (z - *mean) / *n;
		*spread +=
		    (sqrt(M_PI / 2) * fabs(z - *mean) - *spread) / (*n + 3);
	}
}

static double
own_distance(const struct slow_crowd *c, size_t until, int who, double z)
{
	double n, mean, spread, usual, own;

	habit_of(c, until, who, &n, &mean, &spread);
	usual = mean * n / (n + 3);
	if (usual == 0 || (usual > 0) != (z > 0))
		return z;
	own = (z - usual) / fmax(1, spread);
	if ((own > 0) != (z > 0))
		return 0;
	return fabs(own) < fabs(z) ? own : z;
}

/* His last distances together, and how many deviations that is. */
static double
run_of(const struct slow_crowd *c, size_t until, struct slow_seen *s)
{
	double sum = 0, squares = 0, last = 0;

	for (size_t i = 0; i < until; i++) {
		double left = pow(0.7, s->bucket - c->seen[i].bucket);

		if (c->seen[i].who != s->who || !c->seen[i].learnt)
			continue;
		sum += left * fmin(fmax(c->seen[i].own, -8), 8);
		squares += left * left;
		last = c->seen[i].run;
	}
	s->run = sum + fmin(fmax(s->own, -8), 8);
	squares += 1;
	if (squares <= 1.1 || fabs(s->run) <= fabs(last))
		return 0;
	return s->run / sqrt(squares);
}

/* Buckets in a row in which he was far out, before this one. */
static double
row_of(const struct slow_crowd *c, size_t until, int who)
{
	double row = 0;

	for (size_t i = 0; i < until; i++) {
		const struct slow_seen *s = &c->seen[i];

		if (s->who == who && s->learnt)
			row = fmax(s->surprise[0], s->surprise[1]) >= U0
			    ? row + 1
			    : 0;
	}
	return row;
}

/* The middle of others that is believed, and its variance. */
static double
middle_of(const struct slow_crowd *c, int scale, double others, double mid,
    double scatter, const struct slow_forecast *f, double *variance)
{
	double at = forth(c, scale, f->middle);
	double error = (forth(c, scale, f->high) - forth(c, scale, f->low)) / 2;
	double va = error * error, vb = M_PI / 2 * scatter * scatter / others;

	if (others < 1) {
		*variance = va;
		return at;
	}
	*variance = vb;
	if (!f->known || va + vb == 0)
		return mid;
	*variance = 1 / (1 / va + 1 / vb);
	if (va == 0 || vb == 0)
		*variance = 0;
	return (mid * va + at * vb) / (va + vb);
}

/* Where one of n people is; `past` values of earlier buckets scattered so. */
static void
place(struct slow_crowd *c, struct slow_seen *s, size_t before, int i, int n,
    const double *x, const struct slow_forecast *f, double scatter)
{
	int scale = c->bucket[c->nbuckets - 1].scale;
	double others[512], mid = 0, middle, variance = 0, wide, z;
	int k = 0;

	for (int j = 0; j < n; j++) {
		if (j != i)
			others[k++] = forth(c, scale, x[j]);
	}
	if (k > 0)
		mid = median_of(others, k);
	middle = middle_of(c, scale, k, mid, scatter, f, &variance);
	wide = fmax(sqrt(scatter * scatter + variance),
	    least_scatter(c, scale, middle));
	s->typical = back(c, scale, middle);
	if (!c->known)
		return;
	s->z = fmin(fmax((forth(c, scale, s->x) - middle) / wide, -1e8), 1e8);
	s->own = own_distance(c, before, s->who, s->z);
	z = run_of(c, before, s);
	for (int side = 0; side < 2; side++) {
		int sign = side == 0 ? 1 : -1;
		struct fit t;

		s->surprise[side] = surprise(sign * s->own);
		s->run_surprise[side] = surprise(sign * z);
		t = fit_tail(c, before, SINGLE, side, s->surprise[side]);
		s->ln_p[side] = tail_ln_p(&t, s->surprise[side]);
		t = fit_tail(c, before, RUN, side, s->run_surprise[side]);
		s->run_ln_p[side] = tail_ln_p(&t, s->run_surprise[side]);
	}
}

/* After him those before him in the bucket are known, too. */
static void
learn(struct slow_crowd *c, size_t at, size_t before)
{
	struct slow_seen *s = &c->seen[at];
	double row = row_of(c, before, s->who);

	s->row = row + 1;
	s->learnt = true;
	for (int side = 0; side < 2; side++) {
		learn_as(c, at, SINGLE, side, s->surprise[side], s->ln_p[side],
		    s->row, &s->weight[side], &s->excess[side]);
		learn_as(c, at, RUN, side, s->run_surprise[side],
		    s->run_ln_p[side], 1, &s->run_weight[side],
		    &s->run_excess[side]);
	}
}

/* The scatter: of the bucket, and of the past, as so many values. */
static double
pool_scatter(double past, double n_past, double now, int n)
{
	double w = fmin(n_past, 50), m = now > 0 ? n : 0;

	return w + m > 0 ? sqrt((w * past * past + m * now * now) / (w + m))
			 : 0;
}

static void
take(struct slow_crowd *c, int bucket, int n, const int *who, const double *x)
{
	c->seen = reallocarray(c->seen, c->nseen + (size_t)n, sizeof(*c->seen));
	c->bucket =
	    reallocarray(c->bucket, c->nbuckets + 1, sizeof(*c->bucket));
	cr_assert(c->seen != NULL && c->bucket != NULL);
	memset(&c->bucket[c->nbuckets], 0, sizeof(*c->bucket));
	for (int i = 0; i < n; i++) {
		struct slow_seen *s = &c->seen[c->nseen + (size_t)i];

		memset(s, 0, sizeof(*s));
		s->bucket = bucket;
		s->nth = (int)c->nbuckets;
		s->who = who[i];
		s->x = x[i];
	}
	c->nseen += (size_t)n;
	c->bucket[c->nbuckets].bucket = bucket;
	c->bucket[c->nbuckets].n = n;
	c->nbuckets++;
}

void
slow_judge(struct slow_crowd *c, int bucket, int n, const int *who,
    const double *x, const struct slow_forecast *f)
{
	size_t before = c->nseen;
	double n_past = past_values(c, bucket), past[SLOW_SCALES], sorted[512];
	double scatter, variance;
	int scale = c->nbuckets == 0 ? AS_IS : c->bucket[c->nbuckets - 1].scale;

	cr_assert(n > 0 && n < 512);
	for (int s = 0; s < SLOW_SCALES; s++)
		past[s] = past_scatter(c, bucket, s);
	take(c, bucket, n, who, x);
	c->known = n > 1 || f->known;
	if (!c->known) /* nobody is there to compare with */
		c->bucket[c->nbuckets - 1].n = 0;
	memcpy(sorted, x, (size_t)n * sizeof(*x));
	qsort(sorted, (size_t)n, sizeof(*x), ascending);
	for (int s = 0; s < SLOW_SCALES && (n > 1 || f->known); s++) {
		if (s == AS_IS || !has_negative(c))
			measure(c, s, sorted, n,
			    n > 1 ? median_of(x, n) : f->middle);
	}
	scale = choose_scale(c, bucket, scale);
	c->bucket[c->nbuckets - 1].scale = scale;
	c->bound = fmax(past_values(c, bucket) - 1, 0);
	c->bound *= -log(1 + c->bound) / 8;
	scatter = pool_scatter(
	    past[scale], n_past, quartiles(c, scale, sorted, n), n);
	for (int i = 0; i < n; i++)
		place(c, &c->seen[before + (size_t)i], before, i, n, x, f,
		    scatter);
	for (int i = 0; i < n && c->known; i++)
		learn(c, before + (size_t)i, before);
	for (int i = 0; i < n; i++)
		sorted[i] = forth(c, scale, sorted[i]);
	c->median = median_of(sorted, n);
	c->learnt_middle = back(c, scale,
	    !f->known || n >= 8
		? c->median
		: middle_of(c, scale, n, c->median, scatter, f, &variance));
}

double
slow_ln_p(const struct slow_crowd *c, const struct slow_seen *s, int side)
{
	double ln_p = 0;

	if (!c->known)
		return 0;
	for (int i = 0; i < 2; i++) {
		if ((i == 0 && side >= 0) || (i == 1 && side <= 0))
			ln_p = fmin(ln_p, fmin(s->ln_p[i], s->run_ln_p[i]));
	}
	ln_p = fmin(0, ln_p + log(side == 0 ? 4 : 2));
	if (ln_p < c->bound)
		ln_p = c->bound - 0.02 * log(1 + c->bound - ln_p);
	return ln_p;
}
