/* Owns the share that a value of an influencer field has in a finding. */
#include "common/compat.h"

#include <stdlib.h>

#include "worker/engine_int.h"
#include "worker/influence.h"

/* Values that account for less are not named (4.4). */
#define INFLUENCE_LEAST 0.4

static int
by_influence(const void *a, const void *b)
{
	const struct blame *x = a, *y = b;

	if (x->influence != y->influence)
		return x->influence > y->influence ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static size_t
find_seen(const struct engine *e, const struct finding *f, uint32_t influencer,
    struct blame *list)
{
	size_t n = 0;

	for (uint32_t i = 0; f->leaf != NULL && i < f->leaf->nseen; i++) {
		const struct influence *in = &f->leaf->seen[i];
		struct blame b = {
			.order = i, .seen = in->value, .name = NAMES_NONE
		};

		if (in->field != influencer || n == BUCKET_INFLUENCES)
			continue;
		b.influence = feature_influence(
		    f->feature, &f->leaf->stat, &in->stat, &f->told);
		if (!(b.influence >= INFLUENCE_LEAST))
			continue;
		b.value = names_get(&e->judge.bucket->values, in->value);
		list[n++] = b;
	}
	qsort(list, n, sizeof(*list), by_influence);
	return n;
}

/* An empty value is a missing one, and explains nothing. */
static size_t
own_value(const struct engine *e, uint32_t name, struct blame *list)
{
	if (name == NAMES_NONE)
		return 0;
	list[0] = (struct blame){ 1, 0, NAMES_NONE, name,
		names_get(&e->names, name) };
	return list[0].value.len > 0;
}

size_t
influence_find(const struct engine *e, const struct finding *f,
    uint32_t influencer, struct blame list[BUCKET_INFLUENCES])
{
	const struct engine_detector *d = &e->detector[f->detector];
	const struct series *s = e->table.series[f->series];
	uint32_t field = e->influencer[influencer];

	if (field == d->by)
		return own_value(e, s->by, list);
	if (field == d->over)
		return own_value(e, s->over, list);
	if (field == d->partition)
		return own_value(
		    e, e->table.partition[s->partition]->name, list);
	return find_seen(e, f, influencer, list);
}
