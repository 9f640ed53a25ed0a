/* Owns what the values of influencer fields have to do with one bucket. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "common/results.h"
#include "worker/engine_int.h"
#include "worker/influence.h"
#include "worker/score.h"

#define FIRST_CULPRITS 16

void
culprits_clear(struct culprits *c)
{
	c->n = 0;
	keys_clear(&c->of_seen);
	keys_clear(&c->of_name);
}

void
culprits_free(struct culprits *c)
{
	culprits_clear(c);
	free(c->list);
	memset(c, 0, sizeof(*c));
}

static struct culprit *
find(struct culprits *c, uint32_t field, uint32_t seen, uint32_t name)
{
	uint32_t at = KEYS_NONE;

	if (seen != NAMES_NONE)
		at = keys_find(&c->of_seen, field, seen);
	else if (name != NAMES_NONE)
		at = keys_find(&c->of_name, field, name);
	return at == KEYS_NONE ? NULL : &c->list[at];
}

static int
grow(struct culprits *c)
{
	uint32_t n = c->cap == 0 ? FIRST_CULPRITS : 2 * c->cap;
	struct culprit *grown = reallocarray(c->list, n, sizeof(*grown));

	if (grown == NULL)
		return -1;
	c->list = grown;
	c->cap = n;
	return 0;
}

/* The text may be known as a value of either kind, through two detectors. */
static int
introduce(struct engine *e, uint32_t field, struct span value)
{
	struct culprits *c = &e->judge.culprits;
	uint32_t seen =
	    names_find(&e->judge.bucket->values, value.p, value.len);
	uint32_t name = names_find(&e->names, value.p, value.len);
	struct culprit *x;

	if (c->n == c->cap && grow(c) == -1)
		return -1;
	if ((seen != NAMES_NONE &&
		keys_add(&c->of_seen, field, seen, c->n) == -1) ||
	    (name != NAMES_NONE &&
		keys_add(&c->of_name, field, name, c->n) == -1))
		return -1;
	x = &c->list[c->n];
	memset(x, 0, sizeof(*x));
	x->field = field;
	x->order = c->n++;
	x->value = value;
	return 0;
}

static int
accuse(struct engine *e, uint32_t field, const struct blame *b, double ln_p)
{
	struct culprits *c = &e->judge.culprits;
	struct culprit *x = find(c, field, b->seen, b->name);

	if (x == NULL) {
		if (c->n == CULPRITS_MOST)
			return 0;
		if (introduce(e, field, b->value) == -1)
			return -1;
		x = &c->list[c->n - 1];
	}
	aggregate_add(&x->records, ln_p * b->influence);
	return 0;
}

int
culprits_add(struct engine *e, const struct finding *f)
{
	struct blame list[BUCKET_INFLUENCES];

	for (uint32_t i = 0; i + 1 < e->judge.nscopes; i++) {
		size_t n = influence_find(e, f, i, list);

		if (n > 0)
			aggregate_add(&e->judge.scope[1 + i].named,
			    f->ln_p * list[0].influence);
		for (size_t k = 0; k < n; k++) {
			if (accuse(e, i, &list[k], f->ln_p) == -1)
				return -1;
		}
	}
	return 0;
}

static void
count(struct culprits *c, uint32_t field, uint32_t seen, uint32_t name)
{
	struct culprit *x = find(c, field, seen, name);

	if (x != NULL)
		x->nlooked++;
}

void
culprits_look(struct engine *e, uint32_t index)
{
	struct culprits *c = &e->judge.culprits;
	const struct series *s = e->table.series[index];
	const struct partition *p = e->table.partition[s->partition];
	const struct engine_detector *d = &e->detector[p->detector];
	const struct leaf *leaf = bucket_find(e->judge.bucket, index);

	for (uint32_t i = 0; i + 1 < e->judge.nscopes; i++) {
		if (e->influencer[i] == d->by)
			count(c, i, NAMES_NONE, s->by);
		else if (e->influencer[i] == d->over)
			count(c, i, NAMES_NONE, s->over);
		else if (e->influencer[i] == d->partition)
			count(c, i, NAMES_NONE, p->name);
	}
	for (uint32_t i = 0; leaf != NULL && i < leaf->nseen; i++)
		count(c, leaf->seen[i].field, leaf->seen[i].value, NAMES_NONE);
}

/* Most unlikely first; the rest only makes the order complete. */
static int
by_rarity(const void *a, const void *b)
{
	const struct culprit *x = a, *y = b;

	if (x->ln_p != y->ln_p)
		return x->ln_p < y->ln_p ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void
culprits_judge(struct culprits *c)
{
	for (uint32_t i = 0; i < c->n; i++) {
		struct culprit *x = &c->list[i];

		/* it was seen at least where it is named */
		if (x->records.n < x->nlooked)
			x->records.n = x->nlooked;
		x->ln_p = aggregate_ln_p(&x->records, AGGREGATE_SERIES);
		x->raw = score_raw(x->ln_p);
	}
	if (c->n > 0)
		qsort(c->list, c->n, sizeof(*c->list), by_rarity);
	if (c->n > RESULT_MAX_INFLUENCES_PER_BUCKET)
		c->n = RESULT_MAX_INFLUENCES_PER_BUCKET;
	/* numbers in the list have changed */
	keys_clear(&c->of_seen);
	keys_clear(&c->of_name);
}
