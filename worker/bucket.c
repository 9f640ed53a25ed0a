/* Owns the gathering of one bucket. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/bucket.h"

#define FIRST_LEAVES 8
#define FIRST_SEEN 4

static void
clear_leaf(struct leaf *leaf)
{
	for (uint32_t i = 0; i < leaf->nseen; i++)
		statistic_clear(&leaf->seen[i].stat, leaf->kind);
	free(leaf->seen);
	statistic_clear(&leaf->stat, leaf->kind);
}

/* Of what stays when it is reset. */
static size_t
table_bytes(const struct bucket *b)
{
	return b->leaf_cap * sizeof(struct leaf) +
	    b->nof_series * sizeof(uint32_t);
}

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
		clear_leaf(&b->leaf[i]);
	}
	names_clear(&b->values);
	b->start_s = start_s;
	b->events = 0;
	b->refused = false;
	b->nleaves = 0;
	b->bytes = table_bytes(b);
}

bool
bucket_shed(struct bucket *b, uint32_t n)
{
	for (uint32_t i = 0; i < n && b->nleaves > 0; i++) {
		struct leaf *leaf = &b->leaf[--b->nleaves];

		b->of_series[leaf->series] = 0;
		clear_leaf(leaf);
	}
	return names_shed(&b->values, n) || b->nleaves > 0;
}

const struct leaf *
bucket_find(const struct bucket *b, uint32_t series)
{
	if (series >= b->nof_series || b->of_series[series] == 0)
		return NULL;
	return &b->leaf[b->of_series[series] - 1];
}

static uint32_t
room_for(uint32_t has, uint32_t wanted)
{
	uint32_t n = has == 0 ? FIRST_LEAVES : has;

	while (n < wanted)
		n *= 2;
	return n;
}

static int
grow_of_series(struct bucket *b, uint32_t wanted)
{
	uint32_t n = room_for(b->nof_series, wanted), *grown;

	if (n == b->nof_series)
		return 0;
	grown = reallocarray(b->of_series, n, sizeof(*grown));
	if (grown == NULL)
		return -1;
	memset(grown + b->nof_series, 0, (n - b->nof_series) * sizeof(*grown));
	b->bytes += (n - b->nof_series) * sizeof(*grown);
	b->of_series = grown;
	b->nof_series = n;
	return 0;
}

static int
grow_leaves(struct bucket *b, uint32_t wanted)
{
	uint32_t n = room_for(b->leaf_cap, wanted);
	struct leaf *grown;

	if (n == b->leaf_cap)
		return 0;
	grown = reallocarray(b->leaf, n, sizeof(*grown));
	if (grown == NULL)
		return -1;
	b->bytes += (n - b->leaf_cap) * sizeof(*grown);
	b->leaf = grown;
	b->leaf_cap = n;
	return 0;
}

int
bucket_load_value(struct bucket *b, struct span text)
{
	size_t before = names_bytes(&b->values);
	int ret = names_load(&b->values, false, text);

	b->bytes += names_bytes(&b->values) - before;
	return ret;
}

int
bucket_reserve(struct bucket *b, uint32_t leaves, uint32_t nof_series)
{
	if ((leaves > 0 && grow_leaves(b, leaves) == -1) ||
	    (nof_series > 0 && grow_of_series(b, nof_series) == -1))
		return -1;
	return 0;
}

struct leaf *
bucket_leaf(struct bucket *b, uint32_t series, enum statistic_kind kind)
{
	struct leaf *leaf;

	if (series >= b->nof_series && grow_of_series(b, series + 1) == -1)
		return NULL;
	if (b->of_series[series] != 0)
		return &b->leaf[b->of_series[series] - 1];
	if (b->nleaves == b->leaf_cap && grow_leaves(b, b->nleaves + 1) == -1)
		return NULL;
	leaf = &b->leaf[b->nleaves++];
	memset(leaf, 0, sizeof(*leaf));
	leaf->series = series;
	leaf->kind = (uint8_t)kind;
	b->of_series[series] = b->nleaves;
	return leaf;
}

int
bucket_add_growing(struct bucket *b, union statistic *s,
    const struct observation *o, bool part)
{
	size_t before = statistic_bytes(s, o->kind);
	int ret = statistic_add(s, o, part);

	b->bytes += statistic_bytes(s, o->kind) - before;
	return ret;
}

void
bucket_note_loaded(struct bucket *b, const struct leaf *leaf)
{
	b->bytes += statistic_bytes(&leaf->stat, leaf->kind);
	for (uint32_t i = 0; i < leaf->nseen; i++)
		b->bytes += statistic_bytes(&leaf->seen[i].stat, leaf->kind);
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
	uint32_t n = leaf->nseen, room = n == 0 ? FIRST_SEEN : 2 * n;
	struct influence *grown;

	if (n == 0 || (n >= FIRST_SEEN && (n & (n - 1)) == 0)) {
		grown = reallocarray(leaf->seen, room, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		leaf->seen = grown;
		b->bytes += (room - n) * sizeof(*grown);
	}
	leaf->nseen++;
	memset(&leaf->seen[n], 0, sizeof(leaf->seen[n]));
	return &leaf->seen[n];
}

/*
 * Space-saving (Metwally and others, ICDT 2005): when there is no room, the
 * newcomer takes the place of the lightest and inherits its mass, so that
 * whatever carries much stays. The statistics start anew: they never claim
 * more than a value really had.
 */
static struct influence *
new_influence(struct bucket *b, struct leaf *leaf, uint32_t nfield,
    struct influence *lightest)
{
	if (nfield < BUCKET_INFLUENCES)
		return bucket_new_influence(b, leaf);
	b->bytes -= statistic_bytes(&lightest->stat, leaf->kind);
	statistic_clear(&lightest->stat, leaf->kind);
	return lightest;
}

int
bucket_see(struct bucket *b, struct leaf *leaf, uint32_t field, const char *p,
    size_t len, bool may_grow, const struct observation *o)
{
	struct influence *in, *lightest;
	size_t before = names_bytes(&b->values);
	uint32_t value = may_grow ? names_add(&b->values, p, len)
				  : names_find(&b->values, p, len);
	uint32_t nfield;

	if (value == NAMES_NONE)
		return may_grow ? -1 : 0;
	b->bytes += names_bytes(&b->values) - before;
	in = find_seen(leaf, field, value, &nfield, &lightest);
	if (in == NULL && !may_grow)
		return 0;
	if (in == NULL) {
		in = new_influence(b, leaf, nfield, lightest);
		if (in == NULL)
			return -1;
		in->field = field;
		in->value = value;
	}
	in->mass += statistic_mass(o);
	return bucket_add_growing(b, &in->stat, o, true);
}

size_t
bucket_growth(const struct bucket *b, uint32_t series)
{
	return (room_for(b->leaf_cap, b->nleaves + 1) - b->leaf_cap) *
	    sizeof(struct leaf) +
	    (room_for(b->nof_series, series + 1) - b->nof_series) *
	    sizeof(uint32_t);
}
