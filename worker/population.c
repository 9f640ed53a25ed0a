/* Owns the comparison of the people of one attribute in one bucket. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engine_int.h"
#include "worker/explain.h"
#include "worker/model_int.h"
#include "worker/population.h"

/* What is likelier cannot make a record, not even with others of its kind. */
#define EXPLAINED_LN_P (-1.6094379124341003) /* ln 0.2 */

/* The attribute at hand; [feature]. */
struct comparison {
	uint32_t series;
	struct series *attribute; /* of that number */
	const struct engine_detector *d;
	uint32_t n; /* people */
	uint32_t nshown;
	uint32_t nsample;		   /* of them */
	struct crowd crowd[FEATURES_MOST]; /* what is learnt, until it holds */
	struct crowd_view view[FEATURES_MOST];
	struct outlook outlook[FEATURES_MOST];
	enum function_side side[FEATURES_MOST];
	bool says[FEATURES_MOST];
	bool plotted;	    /* the member at hand */
	struct habit habit; /* of the member at hand */
	double sample[FEATURES_MOST][CROWD_SAMPLE];
};

static int
begin(struct engine *e, const struct attribute *a)
{
	struct people *people = &e->judge.people;
	struct series *s = e->table.series[a->series];
	const struct partition *p = e->table.partition[s->partition];
	int64_t passed = (e->judge.bucket->start_s - s->last_s) / e->span_s;
	double keep = passed > 0 ? pow(e->judge.model.keep, (double)passed) : 1;
	struct comparison *c = people->at_hand;

	if (c == NULL) {
		c = people->at_hand = malloc(sizeof(*c));
		if (c == NULL)
			return -1;
	}
	if (plot_is_on(e) && peopleplot_begin(&people->plot) == -1)
		return -1;
	c->series = a->series;
	c->attribute = s;
	c->d = &e->detector[p->detector];
	c->n = a->n;
	c->nshown = c->nsample = 0;
	for (uint32_t i = 0; i < c->d->nfeatures; i++) {
		c->crowd[i] = s->crowd[i];
		crowd_forget(&c->crowd[i], keep);
	}
	if (!e->judge.interim) {
		judge_fade(e, s);
		s->buckets++;
	}
	return 0;
}

/* The finish of splitmix64: a choice that is the same in each replay. */
static uint32_t
dice(uint32_t n)
{
	uint64_t z = (uint64_t)n * 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ z >> 31) >> 32);
}

/* Of many each has the same chance to be in the sample (Vitter, 1985). */
static int
show(struct engine *e, uint32_t leaf)
{
	struct comparison *c = e->judge.people.at_hand;
	const union statistic *stat = &e->judge.bucket->leaf[leaf].stat;
	uint32_t at = c->nshown++;

	if (at >= CROWD_SAMPLE)
		at = dice(at) % c->nshown;
	else
		c->nsample++;
	if (at >= CROWD_SAMPLE)
		return 0;
	for (uint32_t i = 0; i < c->d->nfeatures; i++) {
		double v = feature_value(&c->d->feature[i], stat);

		if (isnan(v))
			return -1;
		c->sample[i][at] = v;
	}
	return 0;
}

/* Where the middle is expected, give or take its usual error. */
static struct crowd_forecast
foretell(const struct engine *e, const struct model *m)
{
	struct crowd_forecast f = { .known = false };
	struct outlook o;

	model_look(m, MODEL_REAL, e->judge.local_s, 0, &o);
	if (!o.known || o.zero)
		return f;
	f.known = true;
	f.middle = o.expected;
	f.low = fmin(
	    f.middle, model_x(m, MODEL_REAL, m->power, o.forecast - o.scale));
	f.high = fmax(
	    f.middle, model_x(m, MODEL_REAL, m->power, o.forecast + o.scale));
	return f;
}

static void
make_ready(struct engine *e, uint32_t i)
{
	struct comparison *c = e->judge.people.at_hand;
	const struct feature *feature = &c->d->feature[i];
	const struct model *m = &c->attribute->model[i];
	struct crowd_forecast f = foretell(e, m);
	enum function_side towards = SIDE_BOTH;
	double middle;

	c->side[i] = feature->side == SIDE_BOTH ? c->d->conf->function->side
						: feature->side;
	c->says[i] = !e->judge.interim ||
	    completeness_side(
		&e->completeness, feature, c->crowd[i].negative, &c->side[i]);
	if (e->judge.interim && !e->completeness.nearly_whole)
		towards = c->side[i];
	middle = crowd_look(&c->crowd[i], feature->model, c->sample[i],
	    c->nsample, c->n, &f, towards, &c->view[i]);
	model_look(m, MODEL_REAL, e->judge.local_s, middle, &c->outlook[i]);
}

static void
ready(struct engine *e)
{
	const struct comparison *c = e->judge.people.at_hand;

	for (uint32_t i = 0; i < c->d->nfeatures; i++)
		make_ready(e, i);
}

/* What he was expected to have, before anything of it is learnt. */
static void
plot_member(struct engine *e, uint32_t member, uint32_t i, double ln_p,
    const struct habit *habit, const struct crowd_place *place, double x)
{
	const struct comparison *c = e->judge.people.at_hand;
	struct plot_point at = { .series = member,
		.feature = &c->d->feature[i],
		.has_actual = true,
		.actual = x };

	if (crowd_bounds(&c->view[i], habit, place, &at.expected))
		peopleplot_add(&e->judge.people.plot, &at, ln_p);
}

/* Why the member is told, should there be a record of it. There is room. */
static void
explain_member(struct engine *e, uint32_t i, const struct crowd_place *place,
    double row, struct verdict *v)
{
	struct people *p = &e->judge.people;
	const struct comparison *c = p->at_hand;

	if (v->ln_p >= EXPLAINED_LN_P)
		return;
	if (v->why == PEOPLE_NONE)
		v->why = p->nwhys++;
	explain_person(
	    &c->view[i], place, c->side[i], row, v->ln_p, &p->why[v->why]);
}

/*
 * One feature of a member. What is usual for somebody is told by the first
 * feature; of several the least probable counts (Bonferroni).
 */
static void
judge_feature(
    struct engine *e, uint32_t number, uint32_t i, double x, struct verdict *v)
{
	struct comparison *c = e->judge.people.at_hand;
	const struct series *member = e->table.series[number];
	struct habit habit = member->habit;
	struct crowd_place place;
	double ln_p,
	    passed = (double)((e->judge.bucket->start_s - member->last_s) /
		e->span_s);

	/* whoever came in a later bucket first is new in this one, too */
	crowd_place(&c->view[i], &habit, fmax(passed, 1), x, &place);
	ln_p = crowd_ln_p(&c->view[i], &place, c->side[i]);
	if (c->plotted)
		plot_member(e, number, i, ln_p, &habit, &place, x);
	if (c->d->nfeatures > 1)
		ln_p = fmin(0, ln_p + log(c->d->nfeatures));
	if (c->says[i] && c->view[i].known && (!v->says || ln_p < v->ln_p)) {
		v->says = true;
		v->ln_p = ln_p;
		v->typical = place.typical;
		v->actual = x;
		v->feature = (uint8_t)i;
		explain_member(
		    e, i, &place, i == 0 ? (double)habit.row : -1, v);
	}
	if (!e->judge.interim && c->view[i].known)
		crowd_learn(&c->crowd[i], &habit, &c->view[i], &place);
	if (i == 0)
		c->habit = habit;
}

static int
judge(struct engine *e, uint32_t leaf, struct verdict *v)
{
	struct comparison *c = e->judge.people.at_hand;
	const struct leaf *l = &e->judge.bucket->leaf[leaf];
	struct series *member = e->table.series[l->series];
	const struct partition *p = e->table.partition[member->partition];

	if (people_reserve_why(&e->judge.people) == -1)
		return -1;
	c->plotted = plot_wants(e, l->series);
	for (uint32_t i = 0; i < c->d->nfeatures; i++) {
		double x = feature_value(&c->d->feature[i], &l->stat);

		if (isnan(x))
			return -1;
		judge_feature(e, l->series, i, x, v);
	}
	if (!e->judge.interim) {
		judge_fade(e, member);
		member->buckets++;
		member->habit = c->habit;
	}
	if (c->d->conf->exclude_frequent_by && c->d->by != FIELD_NONE &&
	    judge_is_frequent(e, c->attribute, p))
		v->says = false;
	return 0;
}

static int
end(struct engine *e)
{
	struct comparison *c = e->judge.people.at_hand;

	if (e->judge.interim)
		return 0;
	for (uint32_t i = 0; i < c->d->nfeatures; i++) {
		if (judge_learn(e, c->series, &c->attribute->model[i],
			&c->outlook[i]) == -1)
			return -1;
		c->attribute->crowd[i] = c->crowd[i];
	}
	return 0;
}

static void
explain_population(const struct engine *e, const struct person *who,
    double ln_p, struct explanation *x)
{
	const struct people *p = &e->judge.people;
	uint32_t why = p->verdict[who->worst].why;

	(void)ln_p;
	if (why != PEOPLE_NONE)
		*x = p->why[why];
}

const struct people_kind population_kind = {
	.begin = begin,
	.show = show,
	.ready = ready,
	.judge = judge,
	.end = end,
	.explain = explain_population,
};
