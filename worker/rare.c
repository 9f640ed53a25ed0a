/* Owns the judgement of rare values. */
#include "common/compat.h"

#include <math.h>

#include "worker/engine_int.h"
#include "worker/rare.h"
#include "worker/score.h"

#define LEAVES_PER_STEP 64

/* It was learnt in some bucket. */
static bool
is_known(const struct series *s)
{
	return s->buckets > 0;
}

/* Buckets of a value fade; the people of an attribute stay as many. */
static const struct rarity_clock *
clock_of(const struct engine *e, const struct series *s)
{
	return s->role == SERIES_VALUE ? &e->judge.rarity
				       : &e->judge.rarity_people;
}

int64_t
rare_class(const struct engine *e, const struct series *s)
{
	return is_known(s) ? rarity_class(clock_of(e, s), s->buckets, s->last_s)
			   : RARITY_NEW;
}

void
rare_explain(const struct engine *e, const struct series *s, double ln_p,
    struct explanation *x)
{
	const struct rarity *r = e->table.partition[s->partition]->rarity;
	int64_t class = rare_class(e, s);

	*x = (struct explanation){ .has = EXPLAINED_SINGLE | EXPLAINED_RARITY };
	if (class == RARITY_NEW)
		x->has |= EXPLAINED_FIRST;
	x->single_bucket_impact = (uint32_t)round(-ln_p / M_LN10);
	x->relative_rarity = rarity_ratio(r, class);
}

/*
 * What is said of a value is measured by whole buckets: of several rare ones
 * the bucket is as unlikely as the rarest.
 */
static void
tell(struct engine *e, struct finding *f, struct partition *p)
{
	f->raw = score_raw(f->ln_p);
	judge_touch(e, f->partition);
	aggregate_least(&p->members, f->ln_p);
	p->loudest = fmax(p->loudest, f->raw);
	judge_add(e, f);
}

static int
look_at(struct engine *e, const struct leaf *leaf)
{
	struct judge *j = &e->judge;
	const struct series *s = e->table.series[leaf->series];
	struct partition *p = e->table.partition[s->partition];
	const struct engine_detector *d = &e->detector[p->detector];
	int64_t class;
	double surprise;
	struct finding f = { .series = leaf->series,
		.detector = p->detector,
		.partition = s->partition,
		.by = s->by,
		.over = NAMES_NONE,
		.person = PEOPLE_NONE,
		.impact = -SCORE_IMPACT_MOST,
		.feature = d->feature,
		.leaf = leaf };

	if (s->role != SERIES_VALUE)
		return 0;
	if (judge_reserve(e) == -1)
		return -1;
	if (p->members.n == 0)
		rarity_begin(p->rarity, &j->rarity, j->bucket->start_s);
	class = rare_class(e, s);
	surprise = rarity_surprise(p->rarity, class);
	f.ln_p = rarity_ln_p(p->rarity, surprise);
	rarity_note(p->rarity, surprise, f.ln_p);
	f.told.actual = feature_value(f.feature, &leaf->stat);
	f.told.typical =
	    rarity_share(p->rarity, &j->rarity, s->buckets, s->last_s);
	rare_explain(e, s, f.ln_p, &f.why);
	tell(e, &f, p);
	return 0;
}

int
rare_look(struct engine *e)
{
	struct judge *j = &e->judge;
	uint32_t stop = j->cursor + LEAVES_PER_STEP, n = j->bucket->nleaves;

	for (; j->cursor < n && j->cursor < stop; j->cursor++) {
		if (look_at(e, &j->bucket->leaf[j->cursor]) == -1)
			return -1;
	}
	if (j->cursor < n)
		return 1;
	j->cursor = 0;
	return 0;
}

/* The weight of a value becomes another one. */
static void
weigh(struct engine *e, struct series *s, double weight)
{
	struct rarity *r = e->table.partition[s->partition]->rarity;

	if (is_known(s))
		rarity_remove(r, rare_class(e, s));
	s->buckets = weight;
	if (is_known(s))
		rarity_add(r, rare_class(e, s));
}

static void
learn_value(struct engine *e, struct series *s)
{
	struct rarity *r = e->table.partition[s->partition]->rarity;

	if (is_known(s))
		rarity_remove(r, rare_class(e, s));
	judge_fade(e, s);
	s->buckets += 1;
	rarity_add(r, rare_class(e, s));
}

static void
learn_member(struct engine *e, struct series *s)
{
	struct series *value = e->table.series[s->attribute];

	if (!is_known(s))
		weigh(e, value, value->buckets + 1);
	judge_fade(e, s);
	s->buckets += 1;
}

static void
learn(struct engine *e, struct series *s)
{
	const struct judge *j = &e->judge;
	struct rarity *r = e->table.partition[s->partition]->rarity;

	if (r == NULL)
		return;
	if (s->role == SERIES_VALUE)
		learn_value(e, s);
	else
		learn_member(e, s);
	/* with the first of its values */
	if (r->loudest >= 0)
		rarity_learn(r, &j->rarity, j->bucket->start_s);
}

int
rare_learn(struct engine *e)
{
	struct judge *j = &e->judge;
	uint32_t stop = j->cursor + LEAVES_PER_STEP, n = j->bucket->nleaves;

	for (; !j->interim && j->cursor < n && j->cursor < stop; j->cursor++)
		learn(e, e->table.series[j->bucket->leaf[j->cursor].series]);
	if (!j->interim && j->cursor < n)
		return 1;
	j->cursor = 0;
	return 0;
}

void
rare_recall(struct engine *e, const struct series *s)
{
	struct rarity *r = e->table.partition[s->partition]->rarity;

	if (r != NULL && s->role != SERIES_MEMBER && is_known(s))
		rarity_add(r, rare_class(e, s));
}

void
rare_forget(struct engine *e, struct series *s)
{
	struct rarity *r = e->table.partition[s->partition]->rarity;
	struct series *value = s;
	double weight = s->buckets;

	if (r == NULL || !is_known(s))
		return;
	if (s->role == SERIES_MEMBER) {
		value = e->table.series[s->attribute];
		weight = 1;
	}
	if (e->prune_share < 1)
		rarity_lose(r, &e->judge.rarity, weight, s->last_s);
	weigh(e, value,
	    s->role == SERIES_MEMBER ? fmax(value->buckets - 1, 0) : 0);
}

void
rare_miss(struct engine *e, uint32_t partition, int64_t start_s)
{
	struct rarity *r = e->table.partition[partition]->rarity;

	if (r != NULL)
		rarity_miss(r, &e->judge.rarity, start_s);
}
