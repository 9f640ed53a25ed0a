/* Owns the comparison of people. */
#include "common/compat.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/crowd.h"
#include "worker/level.h"
#include "worker/probability.h"

/* Anscombe's offset for roots of counts (Biometrika 35, 1948). */
#define COUNT_OFFSET 0.375
/* Standard deviation of rounding to whole numbers, 1 / sqrt(12). */
#define ROUNDING 0.29
/* Roots of counts scatter by a half (Anscombe), or less. */
#define COUNT_ROOT_SCALE 0.25
/* Relative scatter of people who are all alike: rounding is no anomaly. */
#define LEAST_VARIATION 1e-4

/* sqrt(pi / 2): from the mean size of normal errors to their deviation. */
#define SIZE_TO_SCALE 1.2533141373155003
/* From the distance of the quartiles to the deviation. */
#define QUARTILES_TO_SCALE (1 / 1.3489795003921634)
/* Variance of the median of n normal values: pi / 2 of that of the mean. */
#define MEDIAN_VARIANCE 1.5707963267948966

/* Distances count no further than this when the scatter is learnt. */
#define SCALE_CLIP 8.0
/* The scatter of so many past values counts beside that of the bucket. */
#define PAST_VALUES 50.0
/* Quartiles of fewer are chance. */
#define QUARTILES_LEAST 8
/* Of a bucket so few tell the scales apart: there are more buckets. */
#define WEIGHED 64
/* A lead that is no chance, and values without which there is none. */
#define LN_LEAD 12.0
#define WORTH_LEAST 32.0
/* The past of that counts for about so many values. */
#define WORTH_VALUES 1000.0
/* Tails of another scale are worth little. */
#define KEEP_OTHER_TAILS 0.1

/* Errors beyond this are not told apart: their squares stay finite. */
#define Z_MOST 1e8
/* A habit is believed when it has held for longer than this. */
#define HABIT_PROOF 3.0

/* What is left of a distance after each bucket, in sums of the last ones, */
#define RUN_KEEP 0.7
/* in which none counts for all. What is left of less is too long ago. */
#define RUN_CLIP 8.0
#define RUN_LEAST 0.1

/* A float counts no further by ones than 2^24. */
#define TAIL_N_MOST 4e6f

/* What is found beyond the bound of a young crowd: see model.c. */
#define BEYOND_BOUND 0.02

void
crowd_init(struct crowd *c)
{
	memset(c, 0, sizeof(*c));
	c->least = DBL_MAX;
	crowd_widths_init(c->width);
}

void
habit_init(struct habit *h)
{
	*h = (struct habit){ .spread = 1 };
}

static void
forget_tails(struct crowd *c, double keep)
{
	for (int s = 0; s < SIDES; s++) {
		tail_forget(&c->tail[s], keep);
		tail_forget(&c->run[s], keep);
	}
}

void
crowd_forget(struct crowd *c, double keep)
{
	c->n *= keep;
	forget_tails(c, keep);
}

static double
offset_of(enum model_kind kind)
{
	return kind == MODEL_COUNT ? COUNT_OFFSET : 0;
}

static double
to_scale(enum power p, enum model_kind kind, double zero, double x)
{
	if (p == POWER_LOG && kind == MODEL_REAL)
		x = fmax(x, zero);
	return power_of(p, offset_of(kind), x);
}

double
crowd_value(const struct crowd_view *v, double y)
{
	double x = power_back(v->power, offset_of(v->kind), y);

	return v->power == POWER_LINEAR ? x : fmax(x, 0);
}

/* Half of the smallest value. */
static double
zero_of(const struct crowd *c)
{
	return fmax(c->least / 2, DBL_MIN);
}

/* Whole numbers cannot be told apart better than by one. */
static double
least_scale(const struct crowd *c, enum model_kind kind, enum power p, double y)
{
	double step = c->fractions ? 0 : ROUNDING;

	switch (p) {
	case POWER_ROOT:
		if (kind == MODEL_COUNT)
			return fmax(COUNT_ROOT_SCALE, LEAST_VARIATION * y);
		return fmax(LEAST_VARIATION * y, step / 2 / fmax(y, 1));
	case POWER_LOG:
		if (kind == MODEL_COUNT)
			return ROUNDING;
		return fmax(LEAST_VARIATION, step * exp(-fmax(y, 0)));
	case POWER_LINEAR:
	case POWERS:
		break;
	}
	return fmax(fmax(step, LEAST_VARIATION * fabs(y)), DBL_MIN);
}

static int
ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* What the values say of themselves. */
static void
note_values(struct crowd *c, const double *x, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		c->negative |= x[i] < 0;
		c->fractions |= x[i] != floor(x[i]);
		if (x[i] > 0)
			c->least = fmin(c->least, x[i]);
	}
}

static double
median(const double *x, uint32_t n)
{
	return n % 2 == 1 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

/*
 * The scatter of this bucket alone on a scale, whoever is far out in it. 0:
 * there is nobody to compare.
 */
static double
scatter(const struct crowd *c, enum model_kind kind, enum power p,
    const double *x, uint32_t n)
{
	double zero = zero_of(c);
	double low = to_scale(p, kind, zero, x[n / 4]);
	double high = to_scale(p, kind, zero, x[n - 1 - n / 4]);

	if (n < QUARTILES_LEAST)
		return 0;
	return QUARTILES_TO_SCALE * (high - low);
}

/* What one value less its bucket's middle is worth on a scale. */
static double
worth_of(const struct crowd *c, enum model_kind kind, enum power p, double x,
    double error, double scale)
{
	double least =
	    least_scale(c, kind, p, to_scale(p, kind, zero_of(c), x) - error);

	if (p == POWER_LOG && kind == MODEL_REAL)
		x = fmax(x, zero_of(c));
	return level_ln_density(error, fmax(scale, least)) +
	    power_ln_slope(p, offset_of(kind), fmax(x, DBL_MIN));
}

/*
 * Learn how values lie around the middle on one scale. Every so many-th of the
 * sample tells what the scale is worth, so that both ends are among them.
 */
static void
learn_scale(struct crowd *c, enum model_kind kind, enum power p,
    const double *x, uint32_t n, double middle)
{
	double zero = zero_of(c), at = to_scale(p, kind, zero, middle);
	double scale =
	    c->n >= PAST_VALUES ? c->scale[p] : scatter(c, kind, p, x, n);
	double clip = scale > 0 ? SCALE_CLIP * scale / SIZE_TO_SCALE : DBL_MAX;
	double size = 0, worth = 0;
	uint32_t step = (n + WEIGHED - 1) / WEIGHED, weighed = 0;

	for (uint32_t i = 0; i < n; i++) {
		double error = to_scale(p, kind, zero, x[i]) - at;

		size += fmin(fabs(error), clip);
		if (i % step != step / 2 || !(x[i] > 0 || c->negative))
			continue;
		worth += worth_of(c, kind, p, x[i], error, scale);
		weighed++;
	}
	size *= SIZE_TO_SCALE / n;
	c->scale[p] += (size - c->scale[p]) * n / (n + c->n);
	c->worth[p] =
	    c->worth[p] * exp(-(double)weighed / WORTH_VALUES) + worth;
}

/* A scale that is no longer possible, or clearly not the best. */
static void
choose_power(struct crowd *c)
{
	enum power best = c->power;

	for (enum power p = POWER_LINEAR; p < POWERS; p++) {
		if (c->worth[p] > c->worth[best])
			best = p;
	}
	if (c->worth[best] < c->worth[c->power] + LN_LEAD || c->n < WORTH_LEAST)
		best = c->power;
	if (c->negative)
		best = POWER_LINEAR;
	if (best == c->power)
		return;
	c->power = best;
	forget_tails(c, KEEP_OTHER_TAILS);
	crowd_widths_init(c->width);
}

/* The middle of all values but one, which is below, in or above it. */
static double
middle_without(const double *y, uint32_t n, int place)
{
	uint32_t k = n / 2;

	if (n % 2 == 0)
		return place == 2 ? y[k - 1] : y[k];
	if (place == 0)
		return (y[k] + y[k + 1]) / 2;
	if (place == 1)
		return (y[k - 1] + y[k + 1]) / 2;
	return (y[k - 1] + y[k]) / 2;
}

/* Two estimates of a middle, with their variances, as one. */
static double
pool(double a, double va, double b, double vb, double *variance)
{
	*variance = va * vb / (va + vb);
	return (a * vb + b * va) / (va + vb);
}

/* A forecast and its variance, on the scale of the view. */
struct ahead {
	bool known;
	double middle;
	double variance;
};

static struct ahead
look_ahead(const struct crowd_view *v, const struct crowd_forecast *f)
{
	struct ahead a = { .known = f->known };
	double error;

	if (!f->known)
		return a;
	a.middle = to_scale(v->power, v->kind, v->zero, f->middle);
	error = (to_scale(v->power, v->kind, v->zero, f->high) -
		    to_scale(v->power, v->kind, v->zero, f->low)) /
	    2;
	a.variance = error * error;
	return a;
}

/*
 * The middle of so many others, of which the bucket's own is mid. While people
 * still come it is taken for where it may yet move.
 */
static double
middle_of(const struct ahead *a, double mid, double others, double scale,
    enum function_side towards, double *variance)
{
	double vb = MEDIAN_VARIANCE * scale * scale / others, middle;

	if (others < 1) {
		*variance = a->variance;
		return a->middle;
	}
	if (!a->known || !(a->variance + vb > 0)) {
		*variance = vb;
		return mid;
	}
	middle = pool(mid, vb, a->middle, a->variance, variance);
	if (towards == SIDE_HIGH)
		middle = fmax(mid, a->middle);
	else if (towards == SIDE_LOW)
		middle = fmin(mid, a->middle);
	return middle;
}

static void
set_middles(const struct crowd *c, const double *y, uint32_t n, double all,
    double scale, const struct ahead *a, enum function_side towards,
    struct crowd_view *v)
{
	for (int place = 0; place < 3; place++) {
		double mid = a->middle, variance, least;

		if (n > 1)
			mid = n < CROWD_SAMPLE ? middle_without(y, n, place)
					       : median(y, n);
		v->middle[place] =
		    middle_of(a, mid, all - 1, scale, towards, &variance);
		least = least_scale(c, v->kind, v->power, v->middle[place]);
		v->scale[place] = fmax(sqrt(scale * scale + variance), least);
		v->typical[place] = crowd_value(v, v->middle[place]);
	}
	v->low = y[(n - 1) / 2];
	v->high = y[n / 2];
}

/* The scatter: that of the bucket, and that of the past for so many values. */
static double
pooled_scale(double past, double n_past, double now, double n_now)
{
	double w = fmin(n_past, PAST_VALUES);

	if (!(now > 0))
		n_now = 0;
	if (!(w + n_now > 0))
		return 0;
	return sqrt((w * past * past + n_now * now * now) / (w + n_now));
}

/* The middle that is learnt: that of few people is no middle. */
static double
learnt_middle(const struct crowd_view *v, const struct ahead *a, double mid,
    double n, double scale)
{
	double variance;

	if (!a->known || n >= QUARTILES_LEAST)
		return crowd_value(v, mid);
	return crowd_value(
	    v, middle_of(a, mid, n, scale, SIDE_BOTH, &variance));
}

double
crowd_look(struct crowd *c, enum model_kind kind, double *x, uint32_t nsample,
    double n, const struct crowd_forecast *f, enum function_side towards,
    struct crowd_view *v)
{
	double past[POWERS], n_past = c->n, mid, scale, others;
	struct ahead a;

	qsort(x, nsample, sizeof(*x), ascending);
	mid = median(x, nsample);
	note_values(c, x, nsample);
	memcpy(past, c->scale, sizeof(past));
	if (nsample > 1 || f->known) {
		double middle = nsample > 1 ? mid : f->middle;

		for (enum power p = POWER_LINEAR; p < POWERS; p++) {
			if (p == POWER_LINEAR || !c->negative)
				learn_scale(c, kind, p, x, nsample, middle);
		}
	}
	if (nsample > 1 || f->known) /* of one who is alone nothing is learnt */
		c->n += n;
	choose_power(c);
	memset(v, 0, sizeof(*v));
	v->kind = kind;
	v->negative = c->negative;
	v->past = n_past;
	v->n = n;
	memcpy(v->width, c->width, sizeof(v->width));
	v->power = c->power;
	v->zero = zero_of(c);
	memcpy(v->tail, c->tail, sizeof(v->tail));
	memcpy(v->run, c->run, sizeof(v->run));
	others = fmax(c->n - 1, 0);
	v->bound = -others / 8 * log1p(others);
	scale = pooled_scale(past[c->power], n_past,
	    scatter(c, kind, c->power, x, nsample), nsample);
	a = look_ahead(v, f);
	v->known = a.known || nsample > 1;
	for (uint32_t i = 0; i < nsample; i++)
		x[i] = to_scale(v->power, kind, v->zero, x[i]);
	set_middles(c, x, nsample, n, scale, &a, towards, v);
	return learnt_middle(v, &a, median(x, nsample), n, scale);
}

/* How surprising it is to be z scales up or more. Below: not at all. */
static double
surprise(double z)
{
	return z <= 0 ? 0 : -probability_ln_normal_upper(z);
}

double
habit_usual(const struct habit *h)
{
	double n = (double)h->n;

	return (double)h->mean * n / (n + HABIT_PROOF);
}

/* Distance from what is usual for him, where that is on the same side. */
static double
own_distance(const struct habit *h, double z)
{
	double usual = habit_usual(h);

	if (usual * z <= 0)
		return z;
	return (z - usual) / fmax(1, (double)h->spread);
}

/*
 * The last distances of one person together. They tell while they grow: what
 * was far out a while ago is not so again.
 */
static void
look_at_run(const struct crowd_view *v, const struct habit *h, double passed,
    struct crowd_place *p, double distance)
{
	double keep = pow(RUN_KEEP, passed), run, squares, z = 0;

	distance = fmin(fmax(distance, -RUN_CLIP), RUN_CLIP);
	run = keep * (double)h->run + distance;
	squares = keep * keep * (double)h->run_squares + 1;
	p->run = (float)run;
	p->run_squares = (float)squares;
	if (squares > 1 + RUN_LEAST && fabs(run) > fabs((double)h->run))
		z = run / sqrt(squares);
	p->run_surprise[UP] = surprise(z);
	p->run_surprise[DOWN] = surprise(-z);
	for (int s = 0; s < SIDES; s++)
		p->run_ln_p[s] = tail_ln_p(&v->run[s], p->run_surprise[s]);
}

/* The lesser of two distances, and none if they are to different sides. */
static double
lesser(double a, double b)
{
	if (a * b <= 0)
		return 0;
	return fabs(a) < fabs(b) ? a : b;
}

void
crowd_place(const struct crowd_view *v, const struct habit *h, double passed,
    double x, struct crowd_place *p)
{
	double y = to_scale(v->power, v->kind, v->zero, x);
	int place = 1;

	memset(p, 0, sizeof(*p));
	if (y < v->low)
		place = 0;
	else if (y > v->high || (y == v->high && v->high > v->low))
		place = 2;
	p->at = place;
	p->typical = v->typical[place];
	if (!v->known)
		return;
	p->z = (y - v->middle[place]) / v->scale[place];
	p->z = fmin(fmax(p->z, -Z_MOST), Z_MOST);
	p->own = lesser(p->z, own_distance(h, p->z));
	p->surprise[UP] = surprise(p->own);
	p->surprise[DOWN] = surprise(-p->own);
	look_at_run(v, h, passed, p, p->own);
	for (int s = 0; s < SIDES; s++)
		p->ln_p[s] = tail_ln_p(&v->tail[s], p->surprise[s]);
}

double
crowd_ln_p(const struct crowd_view *v, const struct crowd_place *p,
    enum function_side side)
{
	double ln_p = 0;

	if (!v->known)
		return 0;
	if (side != SIDE_LOW)
		ln_p = fmin(p->ln_p[UP], p->run_ln_p[UP]);
	if (side != SIDE_HIGH)
		ln_p = fmin(ln_p, fmin(p->ln_p[DOWN], p->run_ln_p[DOWN]));
	/* two ways to look at it, on each side that counts (Bonferroni) */
	ln_p = fmin(0, ln_p + (side == SIDE_BOTH ? 2 * M_LN2 : M_LN2));
	if (ln_p >= v->bound)
		return ln_p;
	return v->bound - BEYOND_BOUND * log1p(v->bound - ln_p);
}

/* Sums overlap, of one person; those of many do not follow one another. */
static void
learn_run(struct tail *t, double u, double ln_p)
{
	if (t->n > TAIL_N_MOST)
		tail_forget(t, 0.5);
	tail_learn(t, u, ln_p);
	t->row = 0;
}

/*
 * Somebody who is far out for many buckets on end is one event. Who comes
 * after him in the bucket has nothing to do with it.
 */
static void
learn_tails(struct crowd *c, struct habit *h, const struct crowd_place *p)
{
	float row = h->row;

	h->row = 0;
	for (int s = 0; s < SIDES; s++) {
		struct tail *t = &c->tail[s];

		if (t->n > TAIL_N_MOST)
			tail_forget(t, 0.5);
		t->row = row;
		tail_learn(t, p->surprise[s], p->ln_p[s]);
		h->row = fmaxf(h->row, t->row);
		t->row = 0;
		learn_run(&c->run[s], p->run_surprise[s], p->run_ln_p[s]);
	}
}

void
crowd_learn(struct crowd *c, struct habit *h, const struct crowd_view *v,
    const struct crowd_place *p)
{
	double z = fmin(fmax(p->z, -HABIT_MOST), HABIT_MOST), off;
	double n = fmin((double)h->n + 1, HABIT_BUCKETS);

	learn_tails(c, h, p);
	crowd_widths_learn(c->width, v, p);
	h->run = p->run;
	h->run_squares = p->run_squares;
	off = z - (double)h->mean;
	h->mean += (float)(off / n);
	/* the first one has no distance from itself; one scale is presumed */
	h->spread += (float)((SIZE_TO_SCALE * fabs(z - (double)h->mean) -
				 (double)h->spread) /
	    (n + HABIT_PROOF));
	h->n = (float)n;
}
