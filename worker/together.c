/* Owns the judgement of series by those that go with them. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engine_int.h"
#include "worker/explain.h"
#include "worker/memory.h"
#include "worker/model_int.h"
#include "worker/pairs.h"
#include "worker/probability.h"
#include "worker/score.h"
#include "worker/together.h"

#define ENTRIES_PER_STEP 32

/* Each series looks for others in one bucket of so many, */
#define SEARCH_EACH 64
/* among so many of its partition, each time among the next ones. */
#define SEARCH_MOST 1024
/* Candidates: chance does this to one pair in 2,000. */
#define LIKENESS 3.5
/* One takes the place of another that is alike by so much less. */
#define LIKENESS_MORE 3.0

/* Those that leave up to so many times the variance of the best are as sure. */
#define AS_SURE 2.0

/* To the four ways of a model one is added; both sides count. */
#define WAYS 5.0
#define WAYS_ALONE 4.0

/* What was told is no news for about 30 buckets, unless there is more of it. */
#define TOLD_KEEP 0.97
#define TOLD_AGAIN 0.3
#define TOLD_MORE 1.4

/* A series that has a say in the bucket. */
struct together_entry {
	struct finding f;
	double alone; /* its ln_p by itself */
	enum function_side side;
	bool speaks;
	bool known; /* there is a forecast; else nothing below counts */
	double z;
	double slow;
	/* How errors become values. */
	double forecast;
	double scale;
	double origin;
	double lowest, highest;
	enum power power;
	enum model_kind kind;
};

/* What one that goes with it says of a series. */
struct witness {
	const struct together_entry *y;
	const struct pair *pair;
	double expected; /* error */
	double off;	 /* standard deviation of it */
	double e;
};

bool
together_is_for(const struct engine *e, const struct engine_detector *d)
{
	return e->conf->multivariate_by_fields && d->by != FIELD_NONE &&
	    d->kind == ANALYSIS_INDIVIDUAL && d->nmodels == 1;
}

void
together_clear(struct together *t)
{
	free(t->entry);
	free(t->order);
	free(t->first);
	memset(t, 0, sizeof(*t));
}

static int64_t
bucket_number(const struct engine *e)
{
	return e->judge.bucket->start_s / e->span_s;
}

static int
reserve_entry(struct together *t)
{
	uint32_t n = t->cap == 0 ? 64 : 2 * t->cap;
	struct together_entry *grown;

	if (t->n < t->cap)
		return 0;
	grown = reallocarray(t->entry, n, sizeof(*grown));
	if (grown == NULL)
		return -1;
	t->entry = grown;
	t->cap = n;
	return 0;
}

int
together_reserve(struct engine *e, uint32_t number)
{
	const struct series *s = e->table.series[number];

	if (reserve_entry(&e->judge.together) == -1 ||
	    pairs_reserve(&e->pairs, e->table.numbers.room) == -1)
		return -1;
	memset(&e->judge.together.entry[e->judge.together.n], 0,
	    sizeof(e->judge.together.entry[0]));
	/* alone in its partition it has nobody to go with */
	if (pairs_of(&e->pairs, number) != NULL || !memory_is_plenty(e) ||
	    e->table.partition[s->partition]->nseries < 2)
		return 0;
	if (pairs_add(&e->pairs, number, bucket_number(e)) == NULL)
		return -1;
	engine_note_bytes(e);
	return 0;
}

void
together_see(struct engine *e, const struct model *m, const struct outlook *o,
    enum function_side side)
{
	struct together *t = &e->judge.together;
	struct together_entry *x = &t->entry[t->n];

	x->side = side;
	x->known = o->known && !o->zero;
	x->z = o->z;
	x->slow = o->slow;
	x->forecast = o->forecast;
	x->scale = o->scale;
	x->origin = m->origin;
	x->lowest = m->lowest;
	x->highest = m->highest;
	x->power = m->power;
	x->kind = o->kind;
}

void
together_note(struct engine *e, const struct finding *f, bool speaks)
{
	struct together *t = &e->judge.together;
	struct paired *p = pairs_of(&e->pairs, f->series);
	struct together_entry *x = &t->entry[t->n];

	x->f = *f;
	x->alone = f->ln_p;
	x->speaks = speaks;
	if (p != NULL && x->known) {
		paired_note(p, bucket_number(e), x->z);
		p->entry = t->n;
	}
	t->n++;
}

/* Counting sort by partition; within one the order stays. */
static int
group(struct engine *e)
{
	struct together *t = &e->judge.together;
	uint32_t n = e->table.partitions.n;

	t->order = calloc(t->n, sizeof(*t->order));
	free(t->first); /* of a step that is tried again */
	t->first = calloc(n + 2, sizeof(*t->first));
	if (t->order == NULL || t->first == NULL) {
		free(t->order);
		t->order = NULL;
		return -1;
	}
	/* counted two places on, so that filling one place on moves it there */
	for (uint32_t i = 0; i < t->n; i++)
		t->first[t->entry[i].f.partition + 2]++;
	for (uint32_t i = 2; i < n + 2; i++)
		t->first[i] += t->first[i - 1];
	for (uint32_t i = 0; i < t->n; i++)
		t->order[t->first[t->entry[i].f.partition + 1]++] = i;
	return 0;
}

/* The other, if it is the same that it was; NULL: it is gone. */
static const struct paired *
other_of(const struct engine *e, const struct pair *p)
{
	const struct paired *y = pairs_of(&e->pairs, p->other);

	return y != NULL && y->born == p->born ? y : NULL;
}

/* What came of the other in this bucket; NULL: nothing. */
static const struct together_entry *
entry_of(const struct engine *e, const struct pair *p)
{
	const struct together *t = &e->judge.together;
	const struct paired *y = other_of(e, p);

	if (y == NULL || y->newest != bucket_number(e) || y->entry >= t->n ||
	    t->entry[y->entry].f.series != p->other)
		return NULL;
	return &t->entry[y->entry];
}

/* Whichever is nearer: of the forecast, or of the slow one. */
static void
ask(struct witness *w, const struct together_entry *x)
{
	double off, slow, e;

	w->expected = pair_expects(w->pair, w->y->z, &w->off);
	slow = pair_expects(w->pair, w->y->slow, &off);
	e = (x->z - w->expected) / w->off;
	slow = (x->slow - slow) / off;
	w->e = fabs(slow) < fabs(e) ? slow : e;
	if ((slow < 0) != (e < 0))
		w->e = 0;
}

/* Those that did something that is usual for them. */
static uint32_t
list_witnesses(const struct engine *e, const struct together_entry *x,
    const struct paired *p, struct witness list[PAIRS_NEAR])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->nnear; i++) {
		struct witness *w = &list[n];

		w->pair = &p->near[i];
		w->y = entry_of(e, w->pair);
		if (w->y == NULL || w->y->alone < JUDGE_LN_RECORD ||
		    !pair_holds(w->pair))
			continue;
		ask(w, x);
		n++;
	}
	return n;
}

/* The one that counts; NULL: there is none. */
static const struct witness *
choose(const struct witness *list, uint32_t n)
{
	const struct witness *best = NULL;
	double most = 0;

	for (uint32_t i = 0; i < n; i++)
		most = fmax(most, pair_share(list[i].pair));
	for (uint32_t i = 0; i < n; i++) {
		double left = 1 - pair_share(list[i].pair);

		if (left > AS_SURE * (1 - most))
			continue;
		if (best == NULL || fabs(list[i].e) < fabs(best->e))
			best = &list[i];
	}
	return best;
}

static double
news_ln_p(const struct paired *p, enum model_side s, double ln_p)
{
	return -ln_p > TOLD_MORE * p->told[s] ? ln_p : TOLD_AGAIN * ln_p;
}

static double
surprise(double e)
{
	return e < 0 ? 0 : -probability_ln_normal_upper(e);
}

/* ln of the probability on the sides that count, and which it was. */
static double
judge_sides(const struct together_entry *x, const struct paired *p,
    const struct witness *w, const double ln[SIDES], enum model_side *odd)
{
	double ways = x->side == SIDE_BOTH ? 2 * WAYS : WAYS, ln_p = 0, n;

	for (enum model_side s = UP; s < SIDES; s++) {
		double one = news_ln_p(p, s, ln[s]);

		if (x->side == (s == UP ? SIDE_LOW : SIDE_HIGH) || one >= ln_p)
			continue;
		ln_p = one;
		*odd = s;
	}
	/* no more than so many buckets can tell */
	n = w->pair->n;
	return fmax(fmin(0, ln_p + log(ways)), -n / 8 * log1p(n));
}

/* What never was is not expected. */
static double
value_of(const struct together_entry *x, double error)
{
	double offset = x->kind == MODEL_COUNT ? MODEL_COUNT_OFFSET : 0;
	double y = x->forecast + error * x->scale;

	y = x->power == POWER_LINEAR ? y + x->origin
				     : power_back(x->power, offset, y);
	return fmin(fmax(y, x->lowest), x->highest);
}

static void
find(struct together_entry *x, const struct paired *p, const struct witness *w,
    double ln_p, enum model_side side)
{
	struct finding *f = &x->f;

	f->ln_p = ln_p;
	if (ln_p >= JUDGE_LN_RECORD)
		return;
	f->deserts = true;
	f->leader = w->y->f.by;
	f->told.typical = value_of(x, w->expected);
	f->impact = -SCORE_IMPACT_MOST;
	explain_single(ln_p, &f->why);
	f->why.has |= EXPLAINED_TYPE | EXPLAINED_LENGTH | EXPLAINED_BOUNDS;
	f->why.dip = side == DOWN;
	f->why.anomaly_length = 1 + (uint32_t)p->tail[side].row;
	f->why.lower_confidence_bound =
	    value_of(x, w->expected - EXPLAIN_WIDTH * w->off);
	f->why.typical_value = f->told.typical;
	f->why.upper_confidence_bound =
	    value_of(x, w->expected + EXPLAIN_WIDTH * w->off);
}

static void
judge_entry(struct engine *e, struct together_entry *x, struct paired *p)
{
	struct witness list[PAIRS_NEAR];
	const struct witness *w = choose(list, list_witnesses(e, x, p, list));
	double u[SIDES], ln[SIDES], ln_p;
	enum model_side odd = UP;

	if (w == NULL)
		return;
	u[UP] = surprise(w->e);
	u[DOWN] = surprise(-w->e);
	for (enum model_side s = UP; s < SIDES; s++)
		ln[s] = tail_ln_p(&p->tail[s], u[s]);
	ln_p = judge_sides(x, p, w, ln, &odd);
	/* one more way in which it could have been odd */
	x->f.ln_p = fmin(0, x->f.ln_p + log(WAYS / WAYS_ALONE));
	if (ln_p < x->f.ln_p)
		find(x, p, w, ln_p, odd);
	for (enum model_side s = UP; s < SIDES; s++) {
		if (-ln[s] > TOLD_MORE * p->told[s])
			p->told[s] = -ln[s];
		p->told[s] *= TOLD_KEEP;
		tail_forget(&p->tail[s], e->judge.model.keep);
		tail_learn(&p->tail[s], u[s], ln[s]);
	}
}

static void
learn_entry(struct engine *e, const struct together_entry *x, struct paired *p)
{
	for (uint32_t i = 0; i < p->nnear; i++) {
		const struct together_entry *y = entry_of(e, &p->near[i]);

		if (y != NULL)
			pair_learn(&p->near[i], x->z, y->z);
	}
}

/* What is gone, long silent, or no pair after all makes room. */
static void
drop_some(struct engine *e, struct paired *p)
{
	for (uint32_t i = p->nnear; i-- > 0;) {
		const struct pair *one = &p->near[i];
		const struct paired *y = other_of(e, one);

		if (y == NULL || bucket_number(e) - y->newest > PAIRS_SEEN ||
		    (pair_is_known(one) && !pair_holds(one)))
			paired_drop(&e->pairs, p, i);
	}
}

struct candidate {
	uint32_t number;
	double likeness;
};

/* Into the list of the most likely ones; of two alike the first one stays. */
static void
offer(struct candidate *list, uint32_t *n, struct candidate c)
{
	uint32_t at = *n;

	while (at > 0 && list[at - 1].likeness < c.likeness)
		at--;
	if (at == PAIRS_NEAR)
		return;
	if (*n < PAIRS_NEAR)
		++*n;
	memmove(&list[at + 1], &list[at], (*n - 1 - at) * sizeof(*list));
	list[at] = c;
}

static void
take_up(struct engine *e, struct paired *p, const struct candidate *c)
{
	const struct paired *y = pairs_of(&e->pairs, c->number);
	uint32_t weakest = 0;
	double least = INFINITY;

	for (uint32_t i = 0; i < p->nnear && p->nnear == PAIRS_NEAR; i++) {
		double like = paired_likeness(p, other_of(e, &p->near[i]));

		if (like < least) {
			least = like;
			weakest = i;
		}
	}
	if (c->likeness < least + LIKENESS_MORE && p->nnear == PAIRS_NEAR)
		return;
	if (p->nnear == PAIRS_NEAR)
		paired_drop(&e->pairs, p, weakest);
	paired_take(&e->pairs, p, c->number, y->born);
}

/* Others of the partition, of whom each round sees the next ones. */
static void
search(struct engine *e, const struct together_entry *x, struct paired *p)
{
	const struct together *t = &e->judge.together;
	uint32_t first = t->first[x->f.partition];
	uint32_t m = t->first[x->f.partition + 1] - first;
	uint32_t most = m < SEARCH_MOST ? m : SEARCH_MOST, n = 0;
	uint64_t round = (uint64_t)bucket_number(e) / SEARCH_EACH;
	uint32_t from = (uint32_t)(round % m * SEARCH_MOST % m);
	struct candidate list[PAIRS_NEAR];

	for (uint32_t i = 0; i < most; i++) {
		const struct together_entry *y =
		    &t->entry[t->order[first + (from + i) % m]];
		const struct paired *other = pairs_of(&e->pairs, y->f.series);
		struct candidate c = { y->f.series, 0 };

		if (other == NULL || other == p || !y->known ||
		    paired_has(p, c.number, other->born))
			continue;
		c.likeness = paired_likeness(p, other);
		if (c.likeness >= LIKENESS)
			offer(list, &n, c);
	}
	for (uint32_t i = 0; i < n; i++)
		take_up(e, p, &list[i]);
}

/*
 * When memory is short, pairs go before anything else does. True: it took as
 * long as all else of a step.
 */
static bool
look_for_others(
    struct engine *e, const struct together_entry *x, struct paired *p)
{
	if ((bucket_number(e) + x->f.series) % SEARCH_EACH != 0)
		return false;
	if (!memory_is_ample(e)) {
		pairs_forget(&e->pairs, x->f.series);
		return false;
	}
	drop_some(e, p);
	search(e, x, p);
	return true;
}

int
together_step(struct engine *e)
{
	struct judge *j = &e->judge;
	struct together *t = &j->together;
	uint32_t stop = j->cursor + ENTRIES_PER_STEP;

	if (t->n > 0 && t->order == NULL)
		return group(e) == -1 ? -1 : 1;
	for (; j->cursor < t->n && j->cursor < stop; j->cursor++) {
		struct together_entry *x = &t->entry[j->cursor];
		struct paired *p = pairs_of(&e->pairs, x->f.series);

		if (judge_reserve(e) == -1)
			return -1;
		if (p != NULL && x->known) {
			judge_entry(e, x, p);
			learn_entry(e, x, p);
			/* those whose turn it is may be all that are there */
			if (look_for_others(e, x, p))
				stop = j->cursor + 1;
		}
		if (x->speaks)
			judge_say(e, &x->f);
	}
	if (j->cursor < t->n)
		return 1;
	j->cursor = 0;
	together_clear(t);
	return 0;
}
