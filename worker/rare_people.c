/*
 * Owns the judgement of people by the rare values that they show: how rare a
 * value is, is told by the number of people who ever did.
 */
#include "common/compat.h"

#include <math.h>

#include "worker/engine_int.h"
#include "worker/people.h"
#include "worker/probability.h"
#include "worker/rare.h"

/* Values are told apart by ln p, in steps; the last one has no end. */
#define STEP 0.25
#define STEPS 160

/* What somebody shows that is about as rare. */
struct shown {
	double n;    /* values, or records of them */
	double ln_p; /* of the most likely one */
};

static struct rarity *
rarity_of(const struct engine *e, uint32_t partition)
{
	return e->table.partition[partition]->rarity;
}

/* Nothing is learnt before all people are judged. */
static int
begin(struct engine *e, const struct attribute *a)
{
	rarity_begin(rarity_of(e, e->table.series[a->series]->partition),
	    &e->judge.rarity_people, e->judge.bucket->start_s);
	return 0;
}

static int
show(struct engine *e, uint32_t leaf)
{
	(void)e;
	(void)leaf;
	return 0;
}

static void
ready(struct engine *e)
{
	(void)e;
}

/*
 * What he never showed is a step beyond what is rare, and what nobody ever did
 * another one.
 */
static int
judge(struct engine *e, uint32_t leaf, struct verdict *v)
{
	const struct series *member =
	    e->table.series[e->judge.bucket->leaf[leaf].series];
	const struct series *value = e->table.series[member->attribute];
	const struct rarity *r = rarity_of(e, member->partition);

	v->says = true;
	v->feature = 0;
	v->actual = 1;
	v->ln_p = rarity_ln_share(r, rare_class(e, value));
	v->typical = r->total > 0 ? fmin(value->buckets / r->total, 1) : 0;
	if (member->buckets <= 0)
		v->ln_p += rarity_ln_step(r);
	if (value->buckets <= 0)
		v->ln_p += rarity_ln_step(r);
	return 0;
}

static int
end(struct engine *e)
{
	(void)e;
	return 0;
}

static void
collect(const struct engine *e, const struct person *who, bool by_records,
    struct shown *group)
{
	for (uint32_t leaf = who->first; leaf != PEOPLE_NONE;) {
		const struct verdict *v = &e->judge.people.verdict[leaf];
		double at = fmin(-v->ln_p / STEP, STEPS - 1);
		struct shown *g = &group[(size_t)fmax(at, 0)];

		g->ln_p = g->n > 0 ? fmax(g->ln_p, v->ln_p) : v->ln_p;
		g->n +=
		    by_records ? e->judge.bucket->leaf[leaf].stat.tally.n : 1;
		leaf = v->own;
	}
}

/*
 * How likely is it that of n values, or records, so many are so rare? The least
 * of that over all degrees of rarity, times their number, would hold if they
 * were drawn by themselves. They are not: as in aggregate.h, the result lies
 * half way between it and that of the rarest.
 */
static double
combine(const struct shown *group)
{
	double n = 0, m = 0, best = 0, one = 0, tried = 0;

	for (size_t i = 0; i < STEPS; i++)
		n += group[i].n;
	for (size_t i = STEPS; i-- > 0;) {
		double ln_p;

		if (group[i].n <= 0)
			continue;
		m += group[i].n;
		ln_p = probability_ln_at_least(m, n, group[i].ln_p);
		if (tried++ == 0)
			one = probability_ln_at_least(1, n, group[i].ln_p);
		best = fmin(best, ln_p);
	}
	if (tried == 0)
		return 0;
	best = fmin(one, best + log(tried));
	return fmin(0, (one + best) / 2);
}

static double
person(const struct engine *e, const struct person *who)
{
	const struct partition *p = e->table.partition[who->partition];
	bool by_records =
	    e->detector[p->detector].conf->function->kind == FN_FREQ_RARE;
	struct shown group[STEPS] = { { 0, 0 } };
	double surprise, ln_p;

	collect(e, who, by_records, group);
	surprise = rarity_surprise_among(p->rarity, p->people, combine(group));
	ln_p = rarity_ln_p(p->rarity, surprise);
	rarity_note(p->rarity, surprise, ln_p);
	return ln_p;
}

/* Of the rarest of his values. */
static void
explain_rare_person(const struct engine *e, const struct person *who,
    double ln_p, struct explanation *x)
{
	const struct leaf *leaf = &e->judge.bucket->leaf[who->worst];
	const struct series *member = e->table.series[leaf->series];

	rare_explain(e, e->table.series[member->attribute], ln_p, x);
}

const struct people_kind rare_people_kind = {
	.begin = begin,
	.show = show,
	.ready = ready,
	.judge = judge,
	.end = end,
	.person = person,
	.explain = explain_rare_person,
};
