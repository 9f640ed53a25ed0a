/* Owns the history of raw scores and the ceilings that it sets. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "worker/narrow.h"
#include "worker/normalise.h"
#include "worker/score.h"

#define RAW_LEAST 1e-3
#define RAW_MOST 100.0
#define LN_KNEE (-9.2103403719761827361) /* ln 1e-4 */

/* A raw score that is this much above the median is a full score. */
#define NOISE_SLOPE 10.0
#define NOISE_AT_MEDIAN 1.0
/* Half the width of a 70 % interval in standard deviations, squared. */
#define BAND_Z2 1.0741941708575866

static const struct knot {
	double at;
	double score;
} knots[] = {
	{ 0, 0 },
	{ 70, 1 },
	{ 85, 1.2 },
	{ 90, 1.5 },
	{ 95, 3 },
	{ 97, 20 },
	{ 99, 50 },
	{ 99.9, 90 },
	{ 100, 100 },
};

#define NORMALISER_FIELDS(F, S)                                                \
	F(S, BYTES, bins, NORMALISE_BINS * 8, NORMALISE_BINS * 8)              \
	F(S, F64, held, 0, RAW_MOST)                                           \
	F(S, U32, nheld, 0, INFINITY)
SCHEMA_STRUCT(normaliser_state, NORMALISER_FIELDS);
SCHEMA_DEFINE(normaliser_state, NORMALISER_FIELDS);

void
normalise_params_init(
    struct normalise_params *p, int64_t bucket_span_s, double memory_buckets)
{
	double span = (double)bucket_span_s;
	double n = floor(3600 / fmin(fmax(2 * span, 300), 3600));

	p->buckets_per_sample = (uint32_t)n;
	p->keep = exp(-n / memory_buckets);
}

/* Position on the logarithmic scale, in bins: 1 for RAW_LEAST. */
static double
scale_position(double raw)
{
	double pos;

	if (!(raw >= RAW_LEAST))
		return 0;
	pos = 1 +
	    (NORMALISE_BINS - 1) * log(raw / RAW_LEAST) /
		log(RAW_MOST / RAW_LEAST);
	return fmin(pos, NORMALISE_BINS - 1e-9);
}

double
normalise_samples(const struct normaliser *q)
{
	double n = 0;

	for (size_t i = 0; i < NORMALISE_BINS; i++)
		n += (double)q->bin[i];
	return n;
}

/* Samples below raw; those of its own bin in proportion. */
static double
samples_below(const struct normaliser *q, double raw)
{
	double pos = scale_position(raw), whole = floor(pos), n = 0;
	size_t bin = (size_t)whole;

	for (size_t i = 0; i < bin; i++)
		n += (double)q->bin[i];
	/* all scores of bin 0 are the same: none of them is below */
	return bin == 0 ? 0 : n + (pos - whole) * (double)q->bin[bin];
}

static double
median(const struct normaliser *q)
{
	double left = normalise_samples(q) / 2, pos;

	for (size_t i = 0; i < NORMALISE_BINS; i++) {
		double in = (double)q->bin[i];

		if (in < left) {
			left -= in;
			continue;
		}
		if (i == 0)
			return 0;
		pos = (double)(i - 1) + left / in;
		return RAW_LEAST *
		    pow(RAW_MOST / RAW_LEAST, pos / (NORMALISE_BINS - 1));
	}
	return 0;
}

void
normalise_add(
    struct normaliser *q, const struct normalise_params *p, double raw)
{
	q->held = fmax(q->held, raw);
	if (++q->nheld < p->buckets_per_sample)
		return;
	for (size_t i = 0; i < NORMALISE_BINS; i++)
		q->bin[i] = narrow((double)q->bin[i] * p->keep);
	q->bin[(size_t)scale_position(q->held)] += 1;
	q->held = 0;
	q->nheld = 0;
}

double
normalise_noise(const struct normaliser *q, double raw)
{
	double quiet = (double)q->bin[0] / normalise_samples(q);
	double allowance = fmax(2 * fmin(quiet / 0.5, 1) - 1, 0);

	return fmax(0, NOISE_AT_MEDIAN + NOISE_SLOPE * (raw - median(q))) +
	    100 * allowance;
}

/* The curve through the knots; level before the first and after the last. */
static double
follow(const struct knot *k, size_t n, double at)
{
	if (at <= k[0].at)
		return k[0].score;
	for (size_t i = 1; i < n; i++) {
		const struct knot *a = &k[i - 1], *b = &k[i];

		if (at <= b->at)
			return a->score +
			    (b->score - a->score) * (at - a->at) /
			    (b->at - a->at);
	}
	return k[n - 1].score;
}

double
normalise_knots(double percentile)
{
	return follow(knots, NELEM(knots), percentile);
}

/*
 * The interval of Wilson (JASA 22, 1927) around the share: unlike the textbook
 * one it has a width where the share is 1, which is where new highs stand.
 */
double
normalise_percentile(const struct normaliser *q, double raw)
{
	double n = normalise_samples(q), f = samples_below(q, raw) / n;
	double mid = f + BAND_Z2 / (2 * n);
	double half = sqrt(BAND_Z2 * (f * (1 - f) + BAND_Z2 / (4 * n)) / n);
	double width = 1 + BAND_Z2 / n;
	double lo = fmax(0, (mid - half) / width);
	double hi = fmin(1, (mid + half) / width);

	return (normalise_knots(100 * lo) + normalise_knots(100 * hi)) / 2;
}

double
normalise_maximum(double ratio)
{
	return 100 * fmin(1.5 * ratio, 0.5 + 0.5 * ratio);
}

double
normalise_absolute(double ln_p)
{
	double share =
	    (SCORE_LN_UNREMARKABLE - ln_p) / (SCORE_LN_UNREMARKABLE - LN_KNEE);

	return fmin(100, 100 * (0.95 * share + 0.05));
}

/*
 * What an operator is to be told at all. One probability of 1e-4 is no news
 * when ten thousand buckets are looked at, so it takes that much for a score
 * of 50, and each further digit counts less.
 */
double
normalise_evidence(double ln_p)
{
	static const struct knot curve[] = {
		{ 1.3, 0 },
		{ 3, 25 },
		{ 3.85, 50 },
		{ 5.5, 70 },
		{ 8, 82 },
		{ 14, 92 },
		{ 50, 99 },
		{ 308, 100 },
	};

	return follow(curve, NELEM(curve), ln_p / -M_LN10);
}

double
normalise_score(const struct normaliser *q, double raw)
{
	double score;

	if (raw <= 0 || normalise_samples(q) <= 0)
		return 0;
	score = normalise_absolute(score_ln_probability(raw));
	score = fmin(score, normalise_evidence(score_ln_probability(raw)));
	score = fmin(score, normalise_noise(q, raw));
	score = fmin(score, normalise_percentile(q, raw));
	return fmin(fmax(score, 0), 100);
}

void
normalise_fade(
    struct normaliser *mean, const struct normaliser *q, double share)
{
	for (size_t i = 0; i < NORMALISE_BINS; i++) {
		double from = (double)mean->bin[i], to = (double)q->bin[i];

		mean->bin[i] = narrow(from + share * (to - from));
	}
}

void
normalise_borrow(
    struct normaliser *q, const struct normaliser *mean, double most)
{
	double n = normalise_samples(mean), part = n > most ? most / n : 1;

	for (size_t i = 0; i < NORMALISE_BINS; i++)
		q->bin[i] = narrow(part * (double)mean->bin[i]);
}

int
normalise_save(const struct normaliser *q, struct snapshot_writer *w)
{
	struct normaliser_state s = { { NULL, 0 }, q->held, q->nheld };
	struct wbuf wb;
	int ret = -1;

	wbuf_init(&wb, 0);
	for (size_t i = 0; i < NORMALISE_BINS; i++) {
		if (wire_put_f64(&wb, (double)q->bin[i]) == -1) {
			errno = ENOMEM;
			goto out;
		}
	}
	s.bins = (struct span){ (const char *)wb.data, wb.len };
	ret = snapshot_put(w, &normaliser_state_schema, &s);
out:
	wbuf_clear(&wb);
	return ret;
}

int
normalise_load(struct normaliser *q, struct snapshot_reader *r)
{
	struct normaliser_state s;
	struct rbuf rb;

	if (snapshot_get(r, &normaliser_state_schema, &s) == -1)
		return -1;
	rbuf_init(&rb, s.bins.p, s.bins.len);
	for (size_t i = 0; i < NORMALISE_BINS; i++) {
		double in;

		if (wire_get_f64(&rb, &in) == -1 || !(in >= 0) ||
		    !isfinite(in)) {
			errno = EBADMSG;
			return -1;
		}
		q->bin[i] = narrow(in);
	}
	q->held = s.held;
	q->nheld = s.nheld;
	return 0;
}
