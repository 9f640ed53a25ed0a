/* Owns the fit of the tail. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>

#include "common/schema.h"
#include "worker/tail.h"

/* What is believed before anything was seen: so many surprises as foretold. */
#define PRIOR_N 20.0
#define PRIOR_SHARE 0.05
/* As many excesses as a fit of two moments needs to be better than a guess. */
#define PRIOR_EXCESSES 8.0

/* Beyond this shape the variance is infinite and says nothing of it. */
#define SHAPE_MOST 0.5

/*
 * Learnt excesses are drawn in to so many times their mean: of exponential
 * ones 1 in 1,100 is further out ...
 */
#define DRAWN_IN 7.0
/* ... and weigh less when they were this unlikely: 1e-4. */
#define LN_RARE (-9.2103403719761827361)
#define RARE_WEIGHT 0.1

/* Sizes are told apart in steps of this factor; the last bin has no end. */
#define LN_STEP 0.45
/* So many of a size may be chance, or anomalies. */
#define KNOWN 3.0

/* Position of a size among the bins, which stand for u0 and what follows. */
static double
place_of(double u)
{
	return fmin(log(u / TAIL_U0) / LN_STEP, TAIL_BINS - 1);
}

/* Between two bins it is shared between them. */
static void
count(struct tail *t, double u, double weight)
{
	double at = place_of(u), part = at - floor(at);
	size_t i = (size_t)at;

	t->bin[i] += (float)(weight * (1 - part));
	if (i + 1 < TAIL_BINS)
		t->bin[i + 1] += (float)(weight * part);
}

/* How many were about as large, or larger. */
static double
known(const struct tail *t, double u)
{
	double at = place_of(u), n;
	size_t i = (size_t)at;

	n = (1 + (double)i - at) * (double)t->bin[i];
	while (++i < TAIL_BINS)
		n += (double)t->bin[i];
	return n;
}

static double
mean_excess(const struct tail *t)
{
	return ((double)t->sum + PRIOR_EXCESSES) /
	    ((double)t->fitted + PRIOR_EXCESSES);
}

/* ln P(excess >= y) */
static double
ln_beyond(const struct tail *t, double y)
{
	double n = (double)t->fitted + PRIOR_EXCESSES, mean = mean_excess(t);
	/* squared coefficient of variation: 1 / (1 - 2 shape) */
	double spread =
	    ((double)t->squares + 2 * PRIOR_EXCESSES) / (n * mean * mean) - 1;
	double shape = spread > 1 ? fmin((1 - 1 / spread) / 2, SHAPE_MOST) : 0;
	double scale = mean * (1 - shape);

	shape += 1 / n;
	return -log1p(shape * y / scale) / shape;
}

/*
 * What k of n surprises have been is never less likely than (k/n)^(1 + 2/k):
 * the third of its kind is told once more, but no longer as what nobody has
 * ever seen, and the first has no bound. What keeps coming is as likely as it
 * is frequent.
 */
static double
ln_seen(double k, double n)
{
	double ln_p = -INFINITY;

	if (k > 0 && k < n)
		ln_p = (1 + 2 / k) * log(k / n);
	return k > KNOWN ? fmax(ln_p, log((k - KNOWN) / n)) : ln_p;
}

double
tail_ln_p(const struct tail *t, double u)
{
	double n = (double)t->n + PRIOR_N, ln_p;

	if (u <= 0) /* the other side's: half of all */
		return 0;
	ln_p = log(((double)t->excesses + PRIOR_SHARE * PRIOR_N) / n);
	if (u < TAIL_U0) /* so that there is no step at the threshold */
		return ln_p * u / TAIL_U0;
	u = fmin(u, TAIL_U_MOST);
	ln_p += ln_beyond(t, u - TAIL_U0);
	return fmax(ln_p, ln_seen(known(t, u), n));
}

void
tail_learn(struct tail *t, double u, double ln_p)
{
	double weight, y;

	t->n += 1;
	if (u < TAIL_U0) {
		t->row = 0;
		return;
	}
	u = fmin(u, TAIL_U_MOST);
	y = u - TAIL_U0;
	t->excesses += 1;
	t->row += 1;
	weight = 1 / (double)t->row;
	count(t, u, weight);
	if (known(t, u) <= KNOWN + 1) {
		if (ln_p < LN_RARE)
			weight *= RARE_WEIGHT;
		y = fmin(y, DRAWN_IN * mean_excess(t));
	}
	t->fitted += (float)weight;
	t->sum += (float)(weight * y);
	t->squares += (float)(weight * y * y);
}

void
tail_forget(struct tail *t, double keep)
{
	float k = (float)keep;

	t->n *= k;
	t->excesses *= k;
	t->fitted *= k;
	t->sum *= k;
	t->squares *= k;
	/* all but one: four at a time */
	for (size_t i = 0; i < TAIL_BINS - 1; i++)
		t->bin[i] *= k;
	t->bin[TAIL_BINS - 1] *= k;
}

#define TAIL_VALUE_FIELDS(F, S) F(S, F64, value, 0, INFINITY)
SCHEMA_STRUCT(tail_value, TAIL_VALUE_FIELDS);
SCHEMA_DEFINE(tail_value, TAIL_VALUE_FIELDS);

#define TAIL_VALUES (6 + TAIL_BINS)

/*
 * What is read is no greater than what can be learnt, so that sums stay finite:
 * squares of TAIL_U_MOST, of some millions of surprises; and a float that
 * counts by ones comes no further than 2^24.
 */
#define VALUE_MOST 1e37
#define ROW_MOST 16777216.0f

/* All of them, in the order in which they are saved. */
static void
list_values(struct tail *t, float *list[TAIL_VALUES])
{
	float *alone[] = { &t->n, &t->excesses, &t->fitted, &t->sum,
		&t->squares, &t->row };
	size_t n = 0;

	for (size_t i = 0; i < NELEM(alone); i++)
		list[n++] = alone[i];
	for (size_t i = 0; i < TAIL_BINS; i++)
		list[n++] = &t->bin[i];
}

int
tail_save(const struct tail *t, struct snapshot_writer *w)
{
	struct tail copy = *t;
	float *list[TAIL_VALUES];

	list_values(&copy, list);
	for (size_t i = 0; i < TAIL_VALUES; i++) {
		struct tail_value s = { (double)*list[i] };

		if (snapshot_put(w, &tail_value_schema, &s) == -1)
			return -1;
	}
	return 0;
}

static int
bad(void)
{
	errno = EBADMSG;
	return -1;
}

int
tail_load(struct tail *t, struct snapshot_reader *r)
{
	float *list[TAIL_VALUES];

	list_values(t, list);
	for (size_t i = 0; i < TAIL_VALUES; i++) {
		struct tail_value s;

		if (snapshot_get(r, &tail_value_schema, &s) == -1)
			return -1;
		*list[i] = (float)s.value;
		if (s.value > VALUE_MOST)
			return bad();
	}
	return t->row <= ROW_MOST ? 0 : bad();
}
