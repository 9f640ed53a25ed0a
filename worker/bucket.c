/* Owns the gathering of one bucket. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/bucket.h"

#define FIRST_LEAVES 8
#define FIRST_SEEN 4

void
bucket_free(struct bucket *b)
{
	bucket_reset(b, 0);
	free(b->leaf);
	free(b->of_series);
	memset(b, 0, sizeof(*b));
}

void
bucket_reset(struct bucket *b, int64_t start_s)
{
	for (uint32_t i = 0; i < b->nleaves; i++) {
		b->of_series[b->leaf[i].series] = 0;
		free(b->leaf[i].seen);
	}
	names_clear(&b->values);
	b->start_s = start_s;
	b->events = 0;
	b->refused = false;
	b->nleaves = 0;
	b->nseen = 0;
}

const struct leaf *
bucket_find(const struct bucket *b, uint32_t series)
{
	if (series >= b->nof_series || b->of_series[series] == 0)
		return NULL;
	return &b->leaf[b->of_series[series] - 1];
}

static int
grow_of_series(struct bucket *b, uint32_t series)
{
	uint32_t n = b->nof_series == 0 ? FIRST_LEAVES : b->nof_series, *grown;

	while (n <= series)
		n *= 2;
	grown = reallocarray(b->of_series, n, sizeof(*grown));
	if (grown == NULL)
		return -1;
	memset(grown + b->nof_series, 0, (n - b->nof_series) * sizeof(*grown));
	b->of_series = grown;
	b->nof_series = n;
	return 0;
}

static int
grow_leaves(struct bucket *b)
{
	uint32_t n = b->leaf_cap == 0 ? FIRST_LEAVES : b->leaf_cap * 2;
	struct leaf *grown = reallocarray(b->leaf, n, sizeof(*grown));

	if (grown == NULL)
		return -1;
	b->leaf = grown;
	b->leaf_cap = n;
	return 0;
}

struct leaf *
bucket_leaf(struct bucket *b, uint32_t series)
{
	struct leaf *leaf;

	if (series >= b->nof_series && grow_of_series(b, series) == -1)
		return NULL;
	if (b->of_series[series] != 0)
		return &b->leaf[b->of_series[series] - 1];
	if (b->nleaves == b->leaf_cap && grow_leaves(b) == -1)
		return NULL;
	leaf = &b->leaf[b->nleaves++];
	memset(leaf, 0, sizeof(*leaf));
	leaf->series = series;
	b->of_series[series] = b->nleaves;
	return leaf;
}

/* The entry of the value; else the one of the field with the least mass. */
static struct influence *
find_seen(struct leaf *leaf, uint32_t field, uint32_t value, uint32_t *nfield,
    struct influence **lightest)
{
	*nfield = 0;
	*lightest = NULL;
	for (uint32_t i = 0; i < leaf->nseen; i++) {
		struct influence *in = &leaf->seen[i];

		if (in->field != field)
			continue;
		if (in->value == value)
			return in;
		++*nfield;
		if (*lightest == NULL || in->mass < (*lightest)->mass)
			*lightest = in;
	}
	return NULL;
}

struct influence *
bucket_new_influence(struct bucket *b, struct leaf *leaf)
{
	uint32_t n = leaf->nseen;

	if (n == 0 || (n >= FIRST_SEEN && (n & (n - 1)) == 0)) {
		struct influence *grown;

		grown = reallocarray(
		    leaf->seen, n == 0 ? FIRST_SEEN : 2 * n, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		leaf->seen = grown;
	}
	b->nseen++;
	return &leaf->seen[leaf->nseen++];
}

static void
merge(struct tally *into, const struct tally *part)
{
	struct tally was = *into;

	tally_add(into, part->sum, part->n, false);
	into->least = was.n > 0 ? fmin(was.least, part->least) : part->least;
	into->greatest =
	    was.n > 0 ? fmax(was.greatest, part->greatest) : part->greatest;
}

/*
 * Space-saving (Metwally and others, ICDT 2005): when there is no room, the
 * newcomer takes the place of the lightest and inherits its mass, so that
 * whatever carries much stays. The statistics start anew: they never claim
 * more than a value really had.
 */
int
bucket_see(struct bucket *b, struct leaf *leaf, uint32_t field, const char *p,
    size_t len, bool may_grow, const struct tally *part)
{
	struct influence *in, *lightest;
	uint32_t value = may_grow ? names_add(&b->values, p, len)
				  : names_find(&b->values, p, len);
	uint32_t nfield;

	if (value == NAMES_NONE)
		return may_grow ? -1 : 0;
	in = find_seen(leaf, field, value, &nfield, &lightest);
	if (in == NULL) {
		double mass = 0;

		if (nfield < BUCKET_INFLUENCES) {
			in = bucket_new_influence(b, leaf);
			if (in == NULL)
				return -1;
		} else {
			in = lightest;
			mass = in->mass;
		}
		memset(in, 0, sizeof(*in));
		in->field = field;
		in->value = value;
		in->mass = mass;
	}
	in->mass += fabs(part->sum);
	merge(&in->tally, part);
	return 0;
}

size_t
bucket_bytes(const struct bucket *b)
{
	return b->nleaves * (sizeof(struct leaf) + sizeof(uint32_t)) +
	    b->nseen * sizeof(struct influence) + names_bytes(&b->values);
}
