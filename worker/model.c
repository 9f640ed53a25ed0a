/* Owns the averaging over families, and what is learnt of a value. */
#include "common/compat.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "worker/model.h"
#include "worker/probability.h"

SCHEMA_DEFINE(model_state, MODEL_STATE_FIELDS);

/*
 * Relative spread that is always allowed for. Series without noise would find
 * a change in the fourth digit impossible.
 */
#define LEAST_VARIATION 1e-4

/* A whole number stands for an interval of width 1: variance 1/12. */
#define COUNT_ROUNDING (1.0 / 12)
#define COUNT_HALF 0.5

/*
 * Smaller counts are too coarse for a scale of logarithms: a density there is
 * no probability.
 */
#define LN_LOG_COUNT_LEAST 2.3025850929940456840

/*
 * A value is ordinary as long as it is within this many scales: 80 % of a
 * normal, less of anything with heavier tails. Most values are; for them no
 * tail is computed.
 */
#define ORDINARY 1.28

/*
 * Prior chance that a series which was never (or always) zero can also be
 * something else. With n values of one sort the first of the other has
 * probability of about this / n^2.
 */
#define ZERO_PRIOR 0.01

/* Outliers are learnt with weight 1 at 1e-3, falling to 0.01 at 1e-5. */
#define LN_OUTLIER (-6.9077552789821370521)
#define LN_OUTLIER_FULL (-11.512925464970228420)
#define OUTLIER_WEIGHT 0.01
/*
 * And not at their full distance: the first counts as if it were this many
 * scales off (about 1e-5), the next twice as many, and so on.
 */
#define OUTLIER_SCALES 7.0

/*
 * So many outliers in a row are a change, not a disturbance: by chance, at
 * 1e-3 each, this never happens. The past then counts for no more than a few
 * values: enough to keep the memory that such jumps occur, little enough that
 * the new state is learnt in as many buckets.
 */
#define CHANGE_RUN 12
#define CHANGE_KEEP 6.0

/* Forgetting ends here, so that rare series can be judged at all. */
#define EVIDENCE_LEAST 30.0

/* Less likely than this is the same as impossible. */
#define LN_P_LEAST (-1e6)
/* Least of all adds this share of the bound for each e-fold below it. */
#define BELOW_LEAST 0.05

/* One value speaks against a family with this many nats at most. */
#define LN_DENSITY_LEAST (-100.0)
/* Beyond this a family's weight is nothing; keeps the weights finite. */
#define LN_WEIGHT_LEAST (-1000.0)

enum family { NORMAL, LOG_NORMAL, POISSON, NFAMILIES };

/* All that a judgement needs, worked out once per value. */
struct outlook {
	bool is[NFAMILIES]; /* the family has a say */
	struct student level;
	struct student log_level;
	struct gamma_rate rate;
	double ln_zero;	    /* share of zeros */
	double ln_not_zero; /* and of the rest */
	double rounding;    /* half the width of a value */
};

void
model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
}

static double
evidence(const struct model *m)
{
	return m->s.zeros + m->level.n;
}

/*
 * A young model is not believed when it finds something impossible: after n
 * values ln p is hardly less than -n/8 ln(1 + n). What would be, is drawn
 * together below that, but stays in its order. Bites only where there is
 * little spread; elsewhere the Student tails say the same.
 */
static double
believe(double ln_p, double n)
{
	double least = -n / 8 * log1p(n);

	if (ln_p >= least)
		return ln_p;
	ln_p = fmax(ln_p, LN_P_LEAST);
	return least * (1 + BELOW_LEAST * log1p(least - ln_p));
}

static void
share_zeros(const struct model *m, struct outlook *o)
{
	double n = evidence(m), prior = ZERO_PRIOR / (n + 1);

	o->ln_zero = log((m->s.zeros + prior) / (n + 2 * prior));
	o->ln_not_zero = log((m->level.n + prior) / (n + 2 * prior));
	o->ln_zero = believe(o->ln_zero, n);
	o->ln_not_zero = believe(o->ln_not_zero, n);
}

static void
look_out(const struct model *m, enum model_kind kind, struct outlook *o)
{
	bool count = kind == MODEL_COUNT;
	double rounding = count ? COUNT_ROUNDING : 0;

	o->rounding = count ? COUNT_HALF : 0;
	o->is[NORMAL] = normal_expect(&m->level,
	    LEAST_VARIATION * fabs(m->level.mean), rounding, &o->level);
	/* the same rounding, seen through the logarithm */
	o->is[LOG_NORMAL] = !m->s.negative &&
	    (!count || m->log_level.mean > LN_LOG_COUNT_LEAST) &&
	    normal_expect(&m->log_level, LEAST_VARIATION,
		rounding * exp(-2 * m->log_level.mean), &o->log_level);
	o->is[POISSON] = count && poisson_expect(&m->rate, &o->rate);
	share_zeros(m, o);
}

static double
family_ln_weight(const struct model *m, enum family f)
{
	switch (f) {
	case NORMAL:
		return m->s.ln_normal;
	case LOG_NORMAL:
		return m->s.ln_log;
	case POISSON:
	case NFAMILIES:
		break;
	}
	return m->s.ln_poisson;
}

/* Distance of the value from what the family expects, with its sign. */
static double
family_distance(const struct outlook *o, enum family f, double x)
{
	double mean, d;

	switch (f) {
	case NORMAL:
		d = student_distance(&o->level, x, o->rounding);
		return x < o->level.location ? -d : d;
	case LOG_NORMAL:
		if (x <= 0)
			return -INFINITY;
		return (log(x) - o->log_level.location) / o->log_level.scale;
	case POISSON:
	case NFAMILIES:
		break;
	}
	mean = o->rate.shape / o->rate.rate;
	return (x - mean) / sqrt(mean + mean / o->rate.rate);
}

static bool
is_ordinary(const struct outlook *o, enum function_side side, double x)
{
	/* half of all values are like this: the share costs no more than 2 */
	if ((x == 0 ? o->ln_zero : o->ln_not_zero) < log(0.5))
		return false;
	for (enum family f = NORMAL; f < NFAMILIES; f++) {
		double d;

		if (!o->is[f] || (x == 0 && f != POISSON))
			continue;
		d = family_distance(o, f, x);
		if ((d > ORDINARY && side != SIDE_LOW) ||
		    (d < -ORDINARY && side != SIDE_HIGH))
			return false;
	}
	return true;
}

static double
normal_tail(const struct outlook *o, enum function_side side, double x)
{
	double d = family_distance(o, NORMAL, x);

	if (side == SIDE_BOTH)
		return M_LN2 +
		    probability_ln_student_upper(fabs(d), o->level.df);
	return probability_ln_student_upper(
	    side == SIDE_HIGH ? d : -d, o->level.df);
}

/*
 * On both sides: all values of lower density than x. The density of a
 * log-normal is not symmetric; its mode in logarithms is location - scale^2,
 * and the value of the same density lies about as far on the other side. So
 * next to zero nothing is unlikely when large values are common.
 */
static double
log_tail(const struct outlook *o, enum function_side side, double x)
{
	const struct student *s = &o->log_level;
	double d, mirror;

	if (x <= 0)
		return side == SIDE_HIGH ? 0 : -INFINITY;
	d = (log(x) - s->location) / s->scale;
	if (side != SIDE_BOTH)
		return probability_ln_student_upper(
		    side == SIDE_HIGH ? d : -d, s->df);
	mirror = -2 * s->scale - d;
	return probability_ln_add(
	    probability_ln_student_upper(fmax(d, mirror), s->df),
	    probability_ln_student_upper(-fmin(d, mirror), s->df));
}

static double
poisson_tail(const struct outlook *o, enum function_side side, double x)
{
	double high = 0, low = 0;

	if (side != SIDE_LOW)
		high =
		    probability_ln_count_upper(x, o->rate.shape, o->rate.rate);
	if (side != SIDE_HIGH)
		low =
		    probability_ln_count_lower(x, o->rate.shape, o->rate.rate);
	return side == SIDE_BOTH ? fmin(0, M_LN2 + fmin(low, high))
				 : fmin(low, high);
}

/* The tail of a value of the continuous families among zeros and others. */
static double
with_zeros(
    const struct outlook *o, enum function_side side, double x, double ln_tail)
{
	double ln_p = o->ln_not_zero + fmin(0, ln_tail);
	bool zero_counts = x == 0 || (side == SIDE_LOW && x > 0) ||
	    (side == SIDE_HIGH && x < 0);

	return zero_counts ? probability_ln_add(ln_p, o->ln_zero) : ln_p;
}

static double
family_ln_p(const struct model *m, const struct outlook *o, enum family f,
    enum function_side side, double x)
{
	double tail;

	switch (f) {
	case NORMAL:
		if (!o->is[NORMAL]) /* zero or not: nothing else is known */
			return with_zeros(o, side, x, 0);
		tail = normal_tail(o, side, x);
		return with_zeros(o, side, x, believe(tail, m->level.n));
	case LOG_NORMAL:
		tail = log_tail(o, side, x);
		return with_zeros(o, side, x, believe(tail, m->level.n));
	case POISSON:
	case NFAMILIES:
		break;
	}
	return believe(poisson_tail(o, side, x), m->rate.buckets);
}

static double
average_ln_p(const struct model *m, const struct outlook *o,
    enum function_side side, double x)
{
	double ln_sum = -INFINITY, ln_weights = -INFINITY;

	for (enum family f = NORMAL; f < NFAMILIES; f++) {
		double w;

		if (!o->is[f] && f != NORMAL)
			continue;
		w = family_ln_weight(m, f);
		ln_weights = probability_ln_add(ln_weights, w);
		ln_sum = probability_ln_add(
		    ln_sum, w + family_ln_p(m, o, f, side, x));
	}
	return fmin(0, ln_sum - ln_weights);
}

double
model_judge(const struct model *m, enum model_kind kind,
    enum function_side side, double x)
{
	struct outlook o;

	if (evidence(m) < 2)
		return 0;
	look_out(m, kind, &o);
	if (is_ordinary(&o, side, x))
		return 0;
	return average_ln_p(m, &o, side, x);
}

static double
family_centre(const struct model *m, enum family f)
{
	switch (f) {
	case NORMAL:
		return m->level.mean;
	case LOG_NORMAL:
		return exp(m->log_level.mean);
	case POISSON:
	case NFAMILIES:
		break;
	}
	return m->rate.events / m->rate.buckets;
}

double
model_typical(const struct model *m, enum model_kind kind)
{
	enum family best = NORMAL;
	double best_weight = -INFINITY;
	struct outlook o;

	look_out(m, kind, &o);
	for (enum family f = NORMAL; f < NFAMILIES; f++) {
		double w = family_ln_weight(m, f);

		if (o.is[f] && w > best_weight) {
			best = f;
			best_weight = w;
		}
	}
	if (best != POISSON && m->s.zeros > m->level.n)
		return 0;
	return family_centre(m, best);
}

/* ln density of x, one count being an interval of width 1. */
static double
family_ln_density(const struct outlook *o, enum family f, double x)
{
	const struct student *s = f == NORMAL ? &o->level : &o->log_level;
	double y = f == NORMAL ? x : log(x), ln;

	if (f == POISSON)
		return probability_ln_count_mass(
		    x, o->rate.shape, o->rate.rate);
	if (x == 0)
		return o->ln_zero;
	ln = probability_ln_student_density(
		 (y - s->location) / s->scale, s->df) -
	    log(s->scale) - (f == LOG_NORMAL ? y : 0);
	if (o->rounding > 0) /* stands for a mass, which is at most 1 */
		ln = fmin(ln, 0);
	return o->ln_not_zero + ln;
}

static double *
family_weight(struct model *m, enum family f)
{
	switch (f) {
	case NORMAL:
		return &m->s.ln_normal;
	case LOG_NORMAL:
		return &m->s.ln_log;
	case POISSON:
	case NFAMILIES:
		break;
	}
	return &m->s.ln_poisson;
}

/*
 * Each family is weighted by what it said of x. Families that have no say yet
 * stay level with the best, so only what all have seen tells them apart.
 */
static void
reweigh(struct model *m, const struct outlook *o, double x, double weight)
{
	double best = -INFINITY;

	if (!o->is[NORMAL] || (!o->is[LOG_NORMAL] && !o->is[POISSON]))
		return;
	for (enum family f = NORMAL; f < NFAMILIES; f++) {
		double ln;

		if (!o->is[f])
			continue;
		ln = fmax(family_ln_density(o, f, x), LN_DENSITY_LEAST);
		*family_weight(m, f) += weight * ln;
		best = fmax(best, *family_weight(m, f));
	}
	for (enum family f = NORMAL; f < NFAMILIES; f++) {
		double *w = family_weight(m, f);

		*w = o->is[f] ? fmax(*w - best, LN_WEIGHT_LEAST) : 0;
	}
}

/* 0 for what is no outlier, 1 for one beyond doubt. */
static double
outlier_degree(double ln_p)
{
	double d = (ln_p - LN_OUTLIER) / (LN_OUTLIER_FULL - LN_OUTLIER);

	return fmin(fmax(d, 0), 1);
}

static void
scale_evidence(struct model *m, double keep)
{
	normal_forget(&m->level, keep);
	normal_forget(&m->log_level, keep);
	poisson_forget(&m->rate, keep);
	m->s.zeros *= keep;
	m->s.ln_normal *= keep;
	m->s.ln_log *= keep;
	m->s.ln_poisson *= keep;
	m->s.outliers *= keep;
}

/*
 * The weight to learn with. Outliers that keep coming are no outliers: each
 * one seen before raises the weight of the next. A long run is a change.
 */
static double
learning_weight(struct model *m, double ln_p)
{
	double degree = outlier_degree(ln_p), known = m->s.outliers;

	m->s.outliers += degree;
	m->s.run = degree > 0 ? m->s.run + 1 : 0;
	if (m->s.run < CHANGE_RUN)
		return pow(OUTLIER_WEIGHT, degree / (1 + known));
	m->s.run = 0;
	if (evidence(m) > CHANGE_KEEP)
		scale_evidence(m, CHANGE_KEEP / evidence(m));
	return 1;
}

/* x, but no further from the middle than so many scales. */
static double
draw_in(double x, double middle, double scale, double scales)
{
	double most = scale * scales;

	return fmin(fmax(x, middle - most), middle + most);
}

static void
learn_count(struct model *m, const struct outlook *o, double x, double weight,
    double scales)
{
	double mean;

	if (o->is[POISSON]) {
		mean = o->rate.shape / o->rate.rate;
		x = fmax(0, draw_in(x, mean, sqrt(mean + 1), scales));
	}
	poisson_learn(&m->rate, x, weight);
}

static void
learn_in_family(struct normal *n, const struct student *expected, double x,
    double weight, double scales)
{
	if (expected != NULL)
		x = draw_in(x, expected->location, expected->scale, scales);
	normal_learn(n, x, weight);
}

/* Each family learns x, drawn in by its own measure. */
static void
learn_drawn_in(struct model *m, const struct outlook *o, enum model_kind kind,
    double x, double weight, double scales)
{
	if (kind == MODEL_COUNT)
		learn_count(m, o, x, weight, scales);
	if (x == 0) {
		m->s.zeros += weight;
		return;
	}
	learn_in_family(
	    &m->level, o->is[NORMAL] ? &o->level : NULL, x, weight, scales);
	if (!m->s.negative)
		learn_in_family(&m->log_level,
		    o->is[LOG_NORMAL] ? &o->log_level : NULL, log(x), weight,
		    scales);
}

void
model_learn(struct model *m, enum model_kind kind, double x, double ln_p)
{
	double weight = 1, scales = INFINITY;
	struct outlook o;

	if (ln_p < LN_OUTLIER) {
		scales = OUTLIER_SCALES * (1 + m->s.outliers);
		weight = learning_weight(m, ln_p);
		if (weight == 1) /* a change: all of it */
			scales = INFINITY;
	} else {
		m->s.run = 0;
	}
	m->s.negative |= x < 0;
	look_out(m, kind, &o);
	reweigh(m, &o, x, weight);
	learn_drawn_in(m, &o, kind, x, weight, scales);
}

void
model_forget(struct model *m, double keep)
{
	double n = evidence(m);

	if (n > EVIDENCE_LEAST)
		scale_evidence(m, fmax(keep, EVIDENCE_LEAST / n));
}

int
model_save(const struct model *m, struct snapshot_writer *w)
{
	if (snapshot_put(w, &normal_schema, &m->level) == -1 ||
	    snapshot_put(w, &normal_schema, &m->log_level) == -1 ||
	    snapshot_put(w, &poisson_schema, &m->rate) == -1)
		return -1;
	return snapshot_put(w, &model_state_schema, &m->s);
}

int
model_load(struct model *m, struct snapshot_reader *r)
{
	if (snapshot_get(r, &normal_schema, &m->level) == -1 ||
	    snapshot_get(r, &normal_schema, &m->log_level) == -1 ||
	    snapshot_get(r, &poisson_schema, &m->rate) == -1)
		return -1;
	return snapshot_get(r, &model_state_schema, &m->s);
}
