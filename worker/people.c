/* Owns the people of the bucket at hand. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engine_int.h"
#include "worker/population.h"
#include "worker/probability.h"
#include "worker/rare.h"
#include "worker/score.h"
#include "worker/whereabouts.h"

#define LEAVES_PER_STEP 64
#define SPECIALS_PER_STEP 8
#define PERSONS_PER_STEP 64
#define FIRST_ROOM 16

/* Rows of members are made for these only (gather.c). */
static const struct people_kind *
kind_of(const struct engine *e, uint32_t partition)
{
	static const struct people_kind *const kinds[] = {
		[ANALYSIS_POPULATION] = &population_kind,
		[ANALYSIS_RARE_PEOPLE] = &rare_people_kind,
		[ANALYSIS_WHEREABOUTS] = &whereabouts_kind,
	};
	const struct partition *p = e->table.partition[partition];

	return kinds[e->detector[p->detector].kind];
}

void
people_clear(struct engine *e)
{
	struct people *p = &e->judge.people;

	for (uint32_t i = 0; i < p->nattributes; i++)
		e->table.series[p->attribute[i].series]->place = 0;
	for (uint32_t i = 0; i < p->npersons; i++)
		e->table.partition[p->person[i].partition]->people = 0;
	free(p->verdict);
	free(p->attribute);
	free(p->person);
	free(p->at_hand);
	peopleplot_clear(&p->plot);
	whereabouts_free(p->whereabouts);
	free(p->why);
	keys_clear(&p->of_person);
	memset(p, 0, sizeof(*p));
}

static void *
grow(void *table, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t room = *cap == 0 ? FIRST_ROOM : 2 * *cap;
	void *grown;

	if (n < *cap)
		return table;
	grown = reallocarray(table, room, size);
	if (grown != NULL)
		*cap = room;
	return grown;
}

int
people_reserve_why(struct people *p)
{
	struct explanation *grown =
	    grow(p->why, p->nwhys, &p->why_cap, sizeof(*grown));

	if (grown == NULL)
		return -1;
	p->why = grown;
	return 0;
}

static struct attribute *
attribute_of(struct engine *e, uint32_t number)
{
	struct people *p = &e->judge.people;
	struct series *s = e->table.series[number];
	struct attribute *grown;

	if (s->place > 0)
		return &p->attribute[s->place - 1];
	grown = grow(
	    p->attribute, p->nattributes, &p->attribute_cap, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	p->attribute = grown;
	grown = &grown[p->nattributes++];
	*grown = (struct attribute){ number, PEOPLE_NONE, PEOPLE_NONE, 0 };
	s->place = p->nattributes;
	return grown;
}

static struct person *
new_person(struct engine *e, const struct series *s)
{
	struct people *p = &e->judge.people;
	struct person *grown =
	    grow(p->person, p->npersons, &p->person_cap, sizeof(*grown));

	if (grown == NULL)
		return NULL;
	p->person = grown;
	if (judge_reserve(e) == -1)
		return NULL;
	if (s->by != NAMES_NONE &&
	    keys_add(&p->of_person, s->partition, s->over, p->npersons) == -1)
		return NULL;
	grown = &grown[p->npersons++];
	memset(grown, 0, sizeof(*grown));
	grown->partition = s->partition;
	grown->over = s->over;
	grown->first = grown->last = grown->worst = PEOPLE_NONE;
	judge_touch(e, s->partition);
	e->table.partition[s->partition]->people++;
	return grown;
}

/* Without attributes to tell apart each member is a person. */
static struct person *
person_of(struct engine *e, const struct series *s)
{
	struct people *p = &e->judge.people;
	uint32_t at = KEYS_NONE;

	if (s->by != NAMES_NONE)
		at = keys_find(&p->of_person, s->partition, s->over);
	return at == KEYS_NONE ? new_person(e, s) : &p->person[at];
}

static int
link_leaf(struct engine *e, uint32_t leaf)
{
	struct people *p = &e->judge.people;
	const struct series *s =
	    e->table.series[e->judge.bucket->leaf[leaf].series];
	struct verdict *v = &p->verdict[leaf];
	struct attribute *a;
	struct person *who;

	if (s->role != SERIES_MEMBER)
		return 0;
	a = attribute_of(e, s->attribute);
	who = a == NULL ? NULL : person_of(e, s);
	if (who == NULL)
		return -1;
	v->next = v->own = v->why = PEOPLE_NONE;
	v->person = (uint32_t)(who - p->person);
	if (a->first == PEOPLE_NONE)
		a->first = leaf;
	else
		p->verdict[a->last].next = leaf;
	a->last = leaf;
	a->n++;
	if (who->first == PEOPLE_NONE)
		who->first = leaf;
	else
		p->verdict[who->last].own = leaf;
	who->last = leaf;
	who->n++;
	return 0;
}

int
people_link(struct engine *e)
{
	struct people *p = &e->judge.people;
	uint32_t n = e->judge.bucket->nleaves, stop;

	if (n > 0 && p->verdict == NULL) {
		p->verdict = calloc(n, sizeof(*p->verdict));
		if (p->verdict == NULL)
			return -1;
	}
	stop = p->cursor + LEAVES_PER_STEP;
	for (; p->cursor < n && p->cursor < stop; p->cursor++) {
		if (link_leaf(e, p->cursor) == -1)
			return -1;
	}
	if (p->cursor < n)
		return 1;
	p->cursor = 0;
	p->leaf = PEOPLE_NONE;
	return 0;
}

/* He is judged in all of his attributes that have something to say. */
static void
note_verdict(struct engine *e, uint32_t leaf)
{
	struct people *p = &e->judge.people;
	const struct verdict *v = &p->verdict[leaf];
	struct person *who = &p->person[v->person];

	if (!v->says)
		return;
	aggregate_add(&who->attributes, v->ln_p);
	if (who->worst == PEOPLE_NONE || v->ln_p < p->verdict[who->worst].ln_p)
		who->worst = leaf;
}

static int
pass_leaf(struct engine *e, const struct people_kind *kind, uint32_t leaf)
{
	struct people *p = &e->judge.people;

	if (!p->shown)
		return kind->show(e, leaf);
	if (kind->judge(e, leaf, &p->verdict[leaf]) == -1)
		return -1;
	note_verdict(e, leaf);
	return 0;
}

/*
 * Values of some functions take milliseconds to tell, and each of somebody's
 * places a few microseconds.
 */
static int
leaves_per_step(const struct engine *e, const struct attribute *a)
{
	const struct series *s = e->table.series[a->series];
	const struct partition *p = e->table.partition[s->partition];
	const struct feature *f = e->detector[p->detector].feature;

	if (f->slow)
		return 1;
	return f->special != SPECIAL_NONE ? SPECIALS_PER_STEP : LEAVES_PER_STEP;
}

/* The next leaves of the attribute at hand. 1: there are more. */
static int
pass_leaves(
    struct engine *e, const struct people_kind *kind, const struct attribute *a)
{
	struct people *p = &e->judge.people;
	int n = leaves_per_step(e, a);

	for (int i = 0; i < n && p->leaf != PEOPLE_NONE; i++) {
		if (pass_leaf(e, kind, p->leaf) == -1)
			return -1;
		p->leaf = p->verdict[p->leaf].next;
	}
	return p->leaf != PEOPLE_NONE;
}

int
people_compare(struct engine *e)
{
	struct people *p = &e->judge.people;
	const struct people_kind *kind;
	const struct attribute *a;
	int more;

	if (p->cursor == p->nattributes) {
		p->cursor = 0;
		return 0;
	}
	a = &p->attribute[p->cursor];
	kind = kind_of(e, e->table.series[a->series]->partition);
	if (p->leaf == PEOPLE_NONE) {
		if (kind->begin(e, a) == -1)
			return -1;
		p->shown = false;
		p->leaf = a->first;
	}
	more = pass_leaves(e, kind, a);
	if (more != 0)
		return more;
	if (!p->shown) {
		kind->ready(e);
		p->shown = true;
		p->leaf = a->first;
		return 1;
	}
	if (kind->end(e) == -1)
		return -1;
	p->cursor++;
	return 1;
}

/*
 * The record is of the one person who stands out most of so many: the more
 * there are, the further out somebody will be.
 */
static void
find_person(struct engine *e, uint32_t index)
{
	struct judge *j = &e->judge;
	const struct person *who = &j->people.person[index];
	struct partition *p = e->table.partition[who->partition];
	const struct engine_detector *d = &e->detector[p->detector];
	const struct people_kind *kind = kind_of(e, who->partition);
	const struct verdict *v = &j->people.verdict[who->worst];
	struct finding f = { .detector = p->detector,
		.partition = who->partition,
		.by = NAMES_NONE,
		.over = who->over,
		.person = index };
	double ln_p;

	f.leaf = &j->bucket->leaf[who->worst];
	f.series = f.leaf->series;
	f.feature = &d->feature[v->feature];
	f.told.typical = v->typical;
	f.told.actual = v->actual;
	f.told.cell = v->cell;
	f.typical_2 = v->typical_2;
	f.actual_2 = v->actual_2;
	f.impact = -SCORE_IMPACT_MOST;
	if (kind->person != NULL) {
		f.ln_p = kind->person(e, who);
		aggregate_least(&p->members, f.ln_p);
	} else {
		ln_p = aggregate_ln_p(&who->attributes, AGGREGATE_SERIES);
		f.ln_p = probability_ln_at_least(1, p->people, ln_p);
		aggregate_add(&p->members, ln_p);
	}
	if (f.ln_p < JUDGE_LN_RECORD)
		kind->explain(e, who, f.ln_p, &f.why);
	f.raw = score_raw(f.ln_p);
	p->loudest = fmax(p->loudest, f.raw);
	judge_add(e, &f);
}

/* Who is there in most buckets may not be wanted (6.1). */
static bool
is_excluded(const struct engine *e, const struct person *who)
{
	const struct series *s =
	    e->table.series[e->judge.bucket->leaf[who->worst].series];
	const struct partition *p = e->table.partition[who->partition];

	return e->detector[p->detector].conf->exclude_frequent_over &&
	    judge_is_frequent(e, s, p);
}

int
people_judge(struct engine *e)
{
	struct people *p = &e->judge.people;
	uint32_t stop = p->cursor + PERSONS_PER_STEP;

	for (; p->cursor < p->npersons && p->cursor < stop; p->cursor++) {
		const struct person *who = &p->person[p->cursor];

		if (who->worst != PEOPLE_NONE && !is_excluded(e, who))
			find_person(e, p->cursor);
	}
	return p->cursor < p->npersons;
}
