/* Owns the comparison of people by their times and places in one bucket. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engine_int.h"
#include "worker/explain.h"
#include "worker/haunts.h"
#include "worker/memory.h"
#include "worker/whereabouts.h"

/* The attribute at hand. */
struct whereabouts {
	const struct engine_detector *d;
	enum special_kind kind;
	struct series *attribute;
	struct special *copy;	     /* owned; what is learnt */
	const struct special *known; /* before this bucket */
	double nats;		     /* that it can say; 0: nothing */
	double greatest; /* surprise of the member's groups, to others */
	/* By the cell of times: */
	double ln_share[GROUPS_TIMES_MOST]; /* > 0: not asked for yet */
	float people[GROUPS_TIMES_MOST];
};

void
whereabouts_free(struct whereabouts *w)
{
	if (w == NULL)
		return;
	special_free(w->copy);
	free(w);
}

static struct whereabouts *
at_hand(struct engine *e)
{
	struct people *people = &e->judge.people;

	if (people->whereabouts == NULL)
		people->whereabouts = calloc(1, sizeof(*people->whereabouts));
	return people->whereabouts;
}

static int
begin(struct engine *e, const struct attribute *a)
{
	struct series *s = e->table.series[a->series];
	const struct partition *p = e->table.partition[s->partition];
	int64_t passed = (e->judge.bucket->start_s - s->last_s) / e->span_s;
	struct whereabouts *w = at_hand(e);
	struct special *copy = w == NULL ? NULL : special_copy(s->special);

	if (copy == NULL)
		return -1;
	if (passed > 0)
		special_forget(copy, pow(e->judge.model.keep, (double)passed));
	special_free(w->copy);
	w->copy = copy;
	w->known = copy;
	w->d = &e->detector[p->detector];
	w->kind = special_kind_of(copy);
	w->attribute = s;
	if (!e->judge.interim) {
		judge_fade(e, s);
		s->buckets++;
		w->known = s->special;
	}
	w->nats = special_nats(w->known, e->judge.local_s);
	for (size_t i = 0; i < NELEM(w->ln_share); i++) {
		w->ln_share[i] = 1;
		w->people[i] = 0;
	}
	return 0;
}

/* There is nothing that only all of them could tell. */
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

/* How surprising it is to be there, whoever it is. */
static double
surprise_of(struct whereabouts *w, const struct group *g)
{
	double *known;

	if (w->kind == SPECIAL_PLACE)
		return -special_ln_share(w->known, g);
	known = &w->ln_share[g->cell];
	if (*known > 0)
		*known = special_ln_share(w->known, g);
	return -*known;
}

/* His oddest group. *surprise: of it among as many. */
static const struct group *
oddest(struct whereabouts *w, const struct haunts *own, double keep,
    const struct groups *g, double *surprise)
{
	const struct group *odd = &g->group[0];

	*surprise = w->greatest = 0;
	for (uint32_t i = 0; i < g->ngroups; i++) {
		double u = surprise_of(w, &g->group[i]);

		w->greatest = fmax(w->greatest, u);
		if (own != NULL)
			u /= 1 +
			    keep * haunts_weight(own, w->kind, &g->group[i]);
		if (u > *surprise) {
			*surprise = u;
			odd = &g->group[i];
		}
	}
	*surprise = fmax(0, *surprise - log(g->ngroups));
	return odd;
}

/*
 * Only what is odd for the others is noted for one of them, and only while
 * there is memory for it.
 */
static int
note_haunts(struct engine *e, struct series *member, const struct groups *g)
{
	struct whereabouts *w = e->judge.people.whereabouts;
	uint32_t seen = 0;

	for (uint32_t i = 0; i < g->ngroups; i++) {
		if (surprise_of(w, &g->group[i]) < TAIL_U0)
			continue;
		if (member->haunts == NULL) {
			if (engine_bytes(e) + sizeof(*member->haunts) >
			    memory_limit(e))
				return 0;
			if (series_make_haunts(&e->table, member) == -1)
				return -1;
			engine_note_bytes(e);
		}
		haunts_learn(member->haunts, w->kind, &g->group[i], &seen);
	}
	return 0;
}

static int
learn(struct engine *e, struct series *member, const struct groups *g,
    double keep, const struct special_look *o)
{
	struct whereabouts *w = e->judge.people.whereabouts;
	float row = 0;

	if (member->haunts != NULL) {
		haunts_forget(member->haunts, keep);
		row = member->haunts->row;
	}
	/* It fails only where there were none, so it can be done again. */
	if (fmin(w->greatest, w->nats) >= TAIL_U0 &&
	    note_haunts(e, member, g) == -1)
		return -1;
	special_learn_person(w->copy, g, o, w->nats > 0 ? &row : NULL);
	if (member->haunts != NULL)
		member->haunts->row = row;
	for (uint32_t i = 0; w->kind != SPECIAL_PLACE && i < g->ngroups; i++)
		w->people[g->group[i].cell]++;
	judge_fade(e, member);
	member->buckets++;
	return 0;
}

static int
judge(struct engine *e, uint32_t leaf, struct verdict *v)
{
	struct whereabouts *w = e->judge.people.whereabouts;
	const struct leaf *l = &e->judge.bucket->leaf[leaf];
	struct series *member = e->table.series[l->series];
	const struct partition *p = e->table.partition[member->partition];
	const struct groups *g = l->stat.groups;
	int64_t passed =
	    (e->judge.bucket->start_s - member->last_s) / e->span_s;
	/* whoever came in a later bucket first is new in this one, too */
	double keep = pow(e->judge.model.keep, fmax((double)passed, 0));
	struct special_look o = { .ln_p = 0 };
	const struct group *odd = &g->group[0];
	double surprise = 0;

	w->greatest = 0;
	if (w->nats > 0)
		odd = oddest(w, member->haunts, keep, g, &surprise);
	special_measure(w->known, w->nats, surprise, &o);
	special_tell(w->known, odd, &o);
	v->says = w->nats > 0;
	v->ln_p = o.ln_p;
	v->feature = 0;
	v->typical = o.typical[0];
	v->typical_2 = o.typical[1];
	v->actual = o.actual[0];
	v->actual_2 = o.actual[1];
	v->cell = o.cell;
	if (w->d->conf->exclude_frequent_by && w->d->by != FIELD_NONE &&
	    judge_is_frequent(e, w->attribute, p))
		v->says = false;
	return e->judge.interim ? 0 : learn(e, member, g, keep, &o);
}

static int
end(struct engine *e)
{
	struct whereabouts *w = e->judge.people.whereabouts;

	if (e->judge.interim)
		return 0;
	special_learn_people(w->copy, w->people, e->judge.local_s);
	special_free(w->attribute->special);
	w->attribute->special = w->copy;
	w->copy = NULL;
	return 0;
}

static void
explain_whereabouts(const struct engine *e, const struct person *who,
    double ln_p, struct explanation *x)
{
	(void)ln_p;
	explain_single(e->judge.people.verdict[who->worst].ln_p, x);
}

const struct people_kind whereabouts_kind = {
	.begin = begin,
	.show = show,
	.ready = ready,
	.judge = judge,
	.end = end,
	.explain = explain_whereabouts,
};
