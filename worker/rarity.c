/* Owns the weights of values that may be rare. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/wire.h"
#include "worker/probability.h"
#include "worker/rarity.h"

/* Where a value that was there once, just now, begins: see RARITY_CLASSES. */
#define BEGIN_AT 135

/* Weights are at most 1e18. */
#define OCTAVES_MOST 64.0

/* By n/8 ln(1 + n), as models are. */
#define BOUND 0.125

/* 2^((i + 1/2) / 8): what values of a class weigh, in their geometric mean */
static const double middle[RARITY_OCTAVE] = { 1.0442737824274138,
	1.1387886347566916, 1.2418578120734840, 1.3542555469368927,
	1.4768261459394993, 1.6104903319492543, 1.7562521603732995,
	1.9152065613971474 };

#define RARITY_FIELDS(F, S)                                                    \
	F(S, I64, lowest, -1e17, 1e17)                                         \
	F(S, F64, buckets, 0, 1e18)                                            \
	F(S, I64, last_s, -1e16, 1e16)                                         \
	F(S, F64, missed, 0, 1e18)                                             \
	F(S, I64, missed_s, -1e16, 1e16)                                       \
	F(S, BYTES, tail, 0, 4 * (6 + TAIL_BINS))
SCHEMA_STRUCT(rarity_state, RARITY_FIELDS);
SCHEMA_DEFINE(rarity_state, RARITY_FIELDS);

void
rarity_clock_init(
    struct rarity_clock *c, int64_t span_s, double memory, bool fades)
{
	c->span_s = span_s;
	c->keep = exp(-1 / memory);
	c->per_s = fades ? RARITY_OCTAVE / M_LN2 / memory / (double)span_s : 0;
}

int64_t
rarity_class(const struct rarity_clock *c, double weight, int64_t last_s)
{
	double at = RARITY_OCTAVE * log2(fmin(weight, 1e18));

	return (int64_t)floor(at + (double)last_s * c->per_s);
}

static size_t
slot_of(const struct rarity *r, int64_t class)
{
	if (class <= r->lowest)
		return 0;
	if (class - r->lowest >= RARITY_CLASSES)
		return RARITY_CLASSES - 1;
	return (size_t)(class - r->lowest);
}

/* What has faded most is no longer told apart. */
static void
move_up(struct rarity *r, int64_t by)
{
	size_t n = by < RARITY_CLASSES ? (size_t)by : RARITY_CLASSES;
	uint32_t last = 0;

	for (size_t i = 0; i < n; i++)
		last += r->count[i];
	memmove(
	    r->count, &r->count[n], (RARITY_CLASSES - n) * sizeof(r->count[0]));
	memset(&r->count[RARITY_CLASSES - n], 0, n * sizeof(r->count[0]));
	r->count[0] += last;
	r->lowest += by;
}

void
rarity_add(struct rarity *r, int64_t class)
{
	if (r->n == 0 && r->buckets == 0)
		r->lowest = class - BEGIN_AT;
	if (class - r->lowest >= RARITY_CLASSES)
		move_up(r, class - r->lowest - (RARITY_CLASSES - 1));
	r->count[slot_of(r, class)]++;
	r->n++;
}

void
rarity_remove(struct rarity *r, int64_t class)
{
	r->count[slot_of(r, class)]--;
	r->n--;
}

/* A weight of then, now. */
static double
faded(
    const struct rarity_clock *c, double weight, int64_t then_s, int64_t now_s)
{
	int64_t passed = (now_s - then_s) / c->span_s;

	if (weight == 0 || passed <= 0)
		return weight;
	return weight * (passed == 1 ? c->keep : pow(c->keep, (double)passed));
}

static void
add_missed(struct rarity *r, const struct rarity_clock *c, double weight,
    int64_t time_s)
{
	if (r->missed == 0 || time_s > r->missed_s) {
		r->missed = faded(c, r->missed, r->missed_s, time_s) + weight;
		r->missed_s = time_s;
	} else {
		r->missed += faded(c, weight, time_s, r->missed_s);
	}
}

void
rarity_miss(struct rarity *r, const struct rarity_clock *c, int64_t start_s)
{
	if (r->missed == 0 || start_s > r->missed_s)
		add_missed(r, c, 1, start_s);
}

void
rarity_lose(struct rarity *r, const struct rarity_clock *c, double weight,
    int64_t last_s)
{
	add_missed(r, c, weight, last_s);
}

/* The weight of values in the first n classes. */
static double
weight_below(const struct rarity *r, size_t n, uint32_t *values)
{
	double unit = r->unit, sum = 0;
	size_t i = 0;

	*values = 0;
	for (; i < n; i += RARITY_OCTAVE, unit *= 2) {
		const uint32_t *k = &r->count[i];
		size_t most = n - i < RARITY_OCTAVE ? n - i : RARITY_OCTAVE;
		double part = 0;

		for (size_t at = 0; at < most; at++) {
			part += middle[at] * k[at];
			*values += k[at];
		}
		sum += part * unit;
	}
	return sum;
}

void
rarity_begin(struct rarity *r, const struct rarity_clock *c, int64_t start_s)
{
	double octaves =
	    ((double)r->lowest - (double)start_s * c->per_s) / RARITY_OCTAVE;
	uint32_t n;

	/* what was never so heavy has come with the state */
	r->unit = exp2(fmin(octaves, OCTAVES_MOST));
	r->total = weight_below(r, RARITY_CLASSES, &n);
	r->unknown = faded(c, r->missed, r->missed_s, start_s);
	r->now = faded(c, r->buckets, r->last_s, start_s);
	r->each = r->now > 0 ? fmax(r->total / r->now, 1) : 1;
	r->start_s = start_s;
	r->loudest = -1;
}

double
rarity_ln_share(const struct rarity *r, int64_t class)
{
	double part = 1 / ((double)r->n + 1), weight = 0;
	uint32_t n = 0;

	if (class != RARITY_NEW)
		weight = weight_below(r, slot_of(r, class) + 1, &n);
	weight += r->unknown + part * ((double)n + 1);
	return log(fmin(weight / (r->total + r->unknown + 1), 1));
}

double
rarity_ratio(const struct rarity *r, int64_t class)
{
	double part = 1 / ((double)r->n + 1), weight = part, mean;

	mean = r->n > 0 ? r->total / (double)r->n : 0;
	if (class != RARITY_NEW) {
		size_t slot = slot_of(r, class);

		weight += middle[slot % RARITY_OCTAVE] *
		    ldexp(r->unit, (int)(slot / RARITY_OCTAVE));
	}
	return (mean + part) / weight;
}

double
rarity_share(const struct rarity *r, const struct rarity_clock *c,
    double weight, int64_t last_s)
{
	if (r->now <= 0)
		return 0;
	return fmin(faded(c, weight, last_s, r->start_s) / r->now, 1);
}

/* No surprise is greater than so many buckets can tell. */
static double
bound(double n)
{
	return BOUND * n * log1p(n);
}

double
rarity_ln_step(const struct rarity *r)
{
	return -log1p(sqrt(M_PI * (double)r->tail.n));
}

double
rarity_surprise_among(const struct rarity *r, double n, double ln_p)
{
	return fmin(-probability_ln_at_least(1, fmax(n, 1), fmin(ln_p, 0)),
	    bound((double)r->tail.n));
}

double
rarity_surprise(const struct rarity *r, int64_t class)
{
	double n = (double)r->tail.n, ln_p = rarity_ln_share(r, class);

	if (class == RARITY_NEW)
		ln_p += rarity_ln_step(r);
	else
		ln_p = probability_ln_not(r->each * probability_ln_not(ln_p));
	return fmin(-ln_p, bound(n));
}

double
rarity_ln_p(const struct rarity *r, double surprise)
{
	double ln_p = tail_ln_p(&r->tail, fmax(surprise, 0));

	return fmin(0, fmax(ln_p, -bound((double)r->tail.n)));
}

void
rarity_note(struct rarity *r, double surprise, double ln_p)
{
	if (surprise <= r->loudest)
		return;
	r->loudest = fmax(surprise, 0);
	r->loudest_ln_p = ln_p;
}

void
rarity_learn(struct rarity *r, const struct rarity_clock *c, int64_t start_s)
{
	int64_t passed = (start_s - r->last_s) / c->span_s;

	if (r->buckets > 0 && passed > 0)
		tail_forget(&r->tail, pow(c->keep, (double)passed));
	r->buckets = faded(c, r->buckets, r->last_s, start_s) + 1;
	r->last_s = start_s;
	if (r->loudest >= 0)
		tail_learn(&r->tail, r->loudest, r->loudest_ln_p);
	/* buckets with new values are no single long event */
	r->tail.row = 0;
	r->loudest = -1;
}

static int
put_tail(const struct tail *t, struct wbuf *wb)
{
	const float *const field[] = { &t->n, &t->excesses, &t->fitted, &t->sum,
		&t->squares, &t->row };
	uint32_t bits;

	for (size_t i = 0; i < NELEM(field) + TAIL_BINS; i++) {
		memcpy(&bits,
		    i < NELEM(field) ? field[i] : &t->bin[i - NELEM(field)],
		    sizeof(bits));
		if (wire_put_u32(wb, bits) == -1)
			return -1;
	}
	return 0;
}

static int
get_tail(struct tail *t, struct span blob)
{
	float *const field[] = { &t->n, &t->excesses, &t->fitted, &t->sum,
		&t->squares, &t->row };
	struct rbuf rb;
	uint32_t bits;

	rbuf_init(&rb, blob.p, blob.len);
	for (size_t i = 0; i < NELEM(field) + TAIL_BINS; i++) {
		float *v =
		    i < NELEM(field) ? field[i] : &t->bin[i - NELEM(field)];

		if (wire_get_u32(&rb, &bits) == -1)
			return -1;
		memcpy(v, &bits, sizeof(bits));
		if (!isfinite(*v) || *v < 0)
			return -1;
	}
	return rb.left == 0 ? 0 : -1;
}

int
rarity_save(const struct rarity *r, struct snapshot_writer *w)
{
	struct rarity_state s = { r->lowest, r->buckets, r->last_s, r->missed,
		r->missed_s, { NULL, 0 } };
	struct wbuf wb;
	int ret = -1;

	wbuf_init(&wb, 0);
	if (put_tail(&r->tail, &wb) == -1) {
		errno = ENOMEM;
		goto out;
	}
	s.tail = (struct span){ (const char *)wb.data, wb.len };
	ret = snapshot_put(w, &rarity_state_schema, &s);
out:
	wbuf_clear(&wb);
	return ret;
}

int
rarity_load(struct rarity *r, struct snapshot_reader *rd)
{
	struct rarity_state s;

	if (snapshot_get(rd, &rarity_state_schema, &s) == -1)
		return -1;
	if (get_tail(&r->tail, s.tail) == -1) {
		errno = EBADMSG;
		return -1;
	}
	r->lowest = s.lowest;
	r->buckets = s.buckets;
	r->last_s = s.last_s;
	r->missed = s.missed;
	r->missed_s = s.missed_s;
	return 0;
}
