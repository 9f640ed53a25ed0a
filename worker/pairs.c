/* Owns what series know of those that go with them. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/pairs.h"

/* Of less than this many buckets with both, sides say nothing. */
#define LIKENESS_LEAST 48

/* What was long ago fades with this time constant, in buckets with both. */
#define PAIR_KEEP 0.998
/* One spike must not make a correlation. */
#define PAIR_CLIP 4.0
/* Pearson's correlation from which on two go together (7.1), squared. */
#define SHARE_LEAST (0.3 * 0.3)
/*
 * And it is no chance: r sqrt(n) is normal for strangers, and 4 of them are
 * passed by one candidate in 16,000.
 */
#define KNOWN_LEAST 40.0
#define CHANCE 4.0

/*
 * Scales are means of 300 errors, so that nothing is known better than to a
 * tenth of one.
 */
#define OFF_LEAST 0.1

void
pairs_clear(struct pairs *p)
{
	for (uint32_t i = 0; i < p->room; i++)
		free(p->of[i]);
	free(p->of);
	memset(p, 0, sizeof(*p));
}

size_t
pairs_bytes(const struct pairs *p, uint32_t room)
{
	return room * sizeof(p->of[0]) + p->npaired * sizeof(struct paired);
}

int
pairs_reserve(struct pairs *p, uint32_t room)
{
	struct paired **grown;

	if (room <= p->room)
		return 0;
	grown = reallocarray(p->of, room, sizeof(p->of[0]));
	if (grown == NULL)
		return -1;
	memset(&grown[p->room], 0, (room - p->room) * sizeof(p->of[0]));
	p->of = grown;
	p->room = room;
	return 0;
}

struct paired *
pairs_add(struct pairs *p, uint32_t series, int64_t bucket)
{
	struct paired *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->born = bucket;
	x->newest = bucket - 1;
	p->of[series] = x;
	p->npaired++;
	return x;
}

struct paired *
pairs_of(const struct pairs *p, uint32_t series)
{
	return series < p->room ? p->of[series] : NULL;
}

void
pairs_forget(struct pairs *p, uint32_t series)
{
	struct paired *x = pairs_of(p, series);

	if (x == NULL)
		return;
	p->npairs -= x->nnear;
	p->npaired--;
	free(x);
	p->of[series] = NULL;
}

static uint32_t
place_of(int64_t bucket)
{
	return (uint32_t)bucket % PAIRS_SEEN;
}

/* Of buckets in which nothing was noted nothing is known. */
static void
pass_over(struct paired *x, int64_t bucket)
{
	int64_t from = x->newest + 1;

	if (bucket - from >= PAIRS_SEEN) {
		memset(x->there, 0, sizeof(x->there));
		from = bucket;
	}
	for (; from <= bucket; from++)
		x->there[place_of(from) / 64] &=
		    ~(UINT64_C(1) << place_of(from) % 64);
	x->newest = bucket;
}

void
paired_note(struct paired *x, int64_t bucket, double z)
{
	uint32_t word = place_of(bucket) / 64;
	uint64_t bit = UINT64_C(1) << place_of(bucket) % 64;

	pass_over(x, bucket);
	if (z == 0) /* on neither side */
		return;
	x->there[word] |= bit;
	x->above[word] &= ~bit;
	if (z > 0)
		x->above[word] |= bit;
}

/* The four-fold table of sides: its phi times the root of the number. */
double
paired_likeness(const struct paired *x, const struct paired *y)
{
	int both = 0, n = 0, nx = 0, ny = 0;
	double spread, off;

	for (int i = 0; i < PAIRS_WORDS; i++) {
		uint64_t there = x->there[i] & y->there[i];

		n += __builtin_popcountll(there);
		nx += __builtin_popcountll(there & x->above[i]);
		ny += __builtin_popcountll(there & y->above[i]);
		both += __builtin_popcountll(there & x->above[i] & y->above[i]);
	}
	spread = (double)nx * (n - nx) * ny * (n - ny);
	if (n < LIKENESS_LEAST || spread == 0)
		return 0;
	off = (double)n * both - (double)nx * ny;
	return fabs(off) * sqrt(n / spread);
}

bool
paired_has(const struct paired *x, uint32_t other, int64_t born)
{
	for (uint32_t i = 0; i < x->nnear; i++) {
		if (x->near[i].other == other && x->near[i].born == born)
			return true;
	}
	return false;
}

void
paired_take(struct pairs *p, struct paired *x, uint32_t other, int64_t born)
{
	if (x->nnear == PAIRS_NEAR || p->npairs >= PAIRS_MOST)
		return;
	x->near[x->nnear++] = (struct pair){ .other = other, .born = born };
	p->npairs++;
}

void
paired_drop(struct pairs *p, struct paired *x, uint32_t place)
{
	x->near[place] = x->near[--x->nnear];
	p->npairs--;
}

static double
clipped(double z)
{
	return fmin(fmax(z, -PAIR_CLIP), PAIR_CLIP);
}

void
pair_learn(struct pair *p, double x, double y)
{
	x = clipped(x);
	y = clipped(y);
	p->n = PAIR_KEEP * p->n + 1;
	p->xx = PAIR_KEEP * p->xx + x * x;
	p->yy = PAIR_KEEP * p->yy + y * y;
	p->xy = PAIR_KEEP * p->xy + x * y;
}

double
pair_share(const struct pair *p)
{
	double spread = p->xx * p->yy;

	return spread > 0 ? fmin(p->xy * p->xy / spread, 1) : 0;
}

bool
pair_is_known(const struct pair *p)
{
	return p->n >= KNOWN_LEAST;
}

bool
pair_holds(const struct pair *p)
{
	double share = pair_share(p);

	return pair_is_known(p) && share > SHARE_LEAST &&
	    share * p->n > CHANCE * CHANCE;
}

double
pair_expects(const struct pair *p, double y, double *off)
{
	double slope = p->xy / p->yy;
	double left = fmax(p->xx - slope * p->xy, 0) / p->n;
	double known = clipped(y);

	/* further out than it was ever learnt, it is told less exactly */
	*off = fmax(sqrt(left * (1 + 1 / p->n + y * y / p->yy)), OFF_LEAST);
	*off += fabs(slope * (y - known));
	return slope * known;
}
