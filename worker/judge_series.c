/*
 * Owns the judgement of one series in a bucket: its value, what its models say
 * of it, and that they learn it.
 */
#include "common/compat.h"

#include <math.h>

#include "worker/engine_int.h"
#include "worker/explain.h"
#include "worker/memory.h"
#include "worker/score.h"

/* Tables of seasons are made for all series within this time, */
#define GROWN_WITHIN_S 3600
/* and for so many at least in each bucket. */
#define GROWN_LEAST 16

/* Share of buckets above which a by value is frequent. */
#define FREQUENT 0.1

void
judge_fade(struct engine *e, struct series *s)
{
	int64_t passed = (e->judge.bucket->start_s - s->last_s) / e->span_s;
	double keep = e->judge.model.keep;

	if (passed <= 0)
		return;
	s->last_s = e->judge.bucket->start_s;
	s->buckets *= passed == 1 ? keep : pow(keep, (double)passed);
	if (s->role != SERIES_MEMBER && s->special != NULL)
		special_forget(s->special, pow(keep, (double)passed));
	if (passed == 1) {
		s->peak *= e->judge.keep_peak;
		return;
	}
	keep = pow(keep, (double)(passed - 1));
	for (uint32_t i = 0; i < s->nmodels; i++)
		model_forget(&s->model[i], keep);
	s->peak *= pow(e->judge.keep_peak, (double)passed);
}

/* Whether there is anything to judge. */
static bool
has_say(const struct engine *e, const struct series *s,
    const struct feature *feature, const struct leaf *leaf)
{
	const struct judge *j = &e->judge;

	if (leaf != NULL)
		return true;
	if (j->interim && !e->completeness.nearly_whole)
		return false;
	/* a series that began in a later bucket was not missing in this one */
	return feature->empty_is_zero && !j->quiet &&
	    s->last_s < j->bucket->start_s;
}

/*
 * Series that began together would all get their tables in the same bucket,
 * which would take many times as long as others: an hour has room for all, and
 * each of its buckets for its part of them.
 */
static bool
may_grow(const struct engine *e)
{
	int64_t parts = GROWN_WITHIN_S / e->span_s;
	uint32_t most = GROWN_LEAST;

	if (!memory_is_ample(e))
		return false;
	if (parts < 1)
		return true;
	if (e->table.numbers.n / parts > most)
		most = (uint32_t)(e->table.numbers.n / parts);
	return e->judge.ngrown < most;
}

int
judge_learn(
    struct engine *e, uint32_t series, struct model *m, const struct outlook *o)
{
	struct news_mark mark;
	size_t before = model_bytes(m), after;
	uint32_t searches = model_searches(m);
	int ret;

	if (news_reserve(&e->judge.news) == -1)
		return -1;
	news_mark(&mark, m, o);
	ret = model_learn(m, &e->judge.model, o, may_grow(e));
	after = model_bytes(m);
	e->judge.ngrown += after != before || model_searches(m) != searches;
	if (after != before) {
		e->table.bytes += after - before;
		engine_note_bytes(e);
	}
	if (ret == 0)
		news_note(e, series, m, o, &mark);
	return ret;
}

/* Of a bucket that is not over, what is likely to come is added first. */
static void
look(const struct engine *e, const struct model *m,
    const struct feature *feature, double actual, struct outlook *o)
{
	const struct judge *j = &e->judge;
	double whole;

	model_look(m, feature->model, j->local_s, actual, o);
	if (!j->interim || !o->known)
		return;
	whole = completeness_correct(
	    &e->completeness, feature, actual, o->expected);
	if (whole != actual)
		model_look(m, feature->model, j->local_s, whole, o);
}

/*
 * One feature of a series, of which the least probable makes the finding. A
 * function with several has so many chances to be odd (Bonferroni).
 */
static int
judge_feature(struct engine *e, struct series *s, uint32_t index,
    const struct engine_detector *d, struct finding *f)
{
	struct judge *j = &e->judge;
	const struct feature *feature = &d->feature[index];
	struct model *m = &s->model[index];
	enum function_side side = feature->side == SIDE_BOTH
	    ? d->conf->function->side
	    : feature->side;
	double actual = 0, ln_p;
	struct outlook o;

	if (j->interim &&
	    !completeness_side(&e->completeness, feature, m->negative, &side))
		return 0;
	if (f->leaf != NULL)
		actual = feature_value(feature, &f->leaf->stat);
	if (isnan(actual))
		return -1;
	look(e, m, feature, actual, &o);
	if (f->plotted && plot_note(e, f->series, feature, m, &o, true) == -1)
		return -1;
	ln_p = model_ln_p(m, &o, side);
	if (d->goes_together && !j->interim)
		together_see(e, m, &o, side);
	if (d->nfeatures > 1)
		ln_p = fmin(0, ln_p + log(d->nfeatures));
	if (f->feature == NULL || ln_p < f->ln_p) {
		f->feature = feature;
		f->ln_p = ln_p;
		f->told.actual = actual;
		f->told.typical = o.expected;
		if (ln_p < JUDGE_LN_RECORD) {
			f->impact = model_impact(m, &o, side);
			explain(m, &o, side, ln_p, &f->why);
		}
	}
	if (j->interim)
		return 0;
	if (judge_learn(e, f->series, m, &o) == -1)
		return -1;
	siblings_meet(&d->siblings[index], m, &o);
	return 0;
}

/*
 * Events whose value is no number on a line. What was odd of them stays odd,
 * whatever may still come.
 */
static void
judge_special(struct engine *e, struct series *s, struct finding *f)
{
	const struct groups *g = f->leaf->stat.groups;
	int64_t local_s = e->judge.local_s;
	struct special_look o;

	special_see(s->special, g, local_s, &o);
	f->feature = e->detector[f->detector].feature;
	f->ln_p = o.ln_p;
	f->told = (struct feature_told){ o.typical[0], o.actual[0], o.cell };
	f->typical_2 = o.typical[1];
	f->actual_2 = o.actual[1];
	f->impact = -SCORE_IMPACT_MOST;
	explain_single(o.ln_p, &f->why);
	if (!e->judge.interim)
		special_learn(s->special, g, local_s, &o);
}

/*
 * Of the buckets since its partition began. What was long ago fades in both
 * numbers.
 */
bool
judge_is_frequent(
    const struct engine *e, const struct series *s, const struct partition *p)
{
	double keep = e->judge.model.keep, age;

	age = (double)((e->judge.bucket->start_s - p->first_s) / e->span_s) + 1;
	return s->buckets >
	    FREQUENT * (1 - pow(keep, fmax(age, 1))) / (1 - keep);
}

bool
judge_is_slow(const struct engine *e, uint32_t index)
{
	const struct partition *p =
	    e->table.partition[e->table.series[index]->partition];

	return e->detector[p->detector].feature->slow &&
	    bucket_find(e->judge.bucket, index) != NULL;
}

void
judge_say(struct engine *e, struct finding *f)
{
	struct series *s = e->table.series[f->series];
	struct partition *p = e->table.partition[f->partition];

	judge_touch(e, f->partition);
	f->raw = score_raw(f->ln_p);
	aggregate_add(&p->members, f->ln_p);
	p->loudest = fmax(p->loudest, f->raw);
	judge_add(e, f);
	if (!e->judge.interim)
		s->peak = fmax(s->peak, f->raw);
}

int
judge_series(struct engine *e, uint32_t index)
{
	struct judge *j = &e->judge;
	struct series *s = e->table.series[index];
	struct partition *p = e->table.partition[s->partition];
	const struct engine_detector *d = &e->detector[p->detector];
	struct finding f = { .series = index,
		.detector = p->detector,
		.partition = s->partition,
		.by = s->by,
		.over = NAMES_NONE,
		.person = PEOPLE_NONE };
	bool speaks;

	f.leaf = bucket_find(j->bucket, index);
	f.plotted = plot_wants(e, index);
	if (!has_say(e, s, d->feature, f.leaf))
		return f.plotted ? plot_note_absent(e, index) : 0;
	if (judge_reserve(e) == -1)
		return -1;
	if (d->goes_together && !j->interim && together_reserve(e, index) == -1)
		return -1;
	if (!j->interim) {
		judge_fade(e, s);
		s->buckets += f.leaf != NULL;
	}
	for (uint32_t i = 0; i < s->nmodels; i++) {
		if (judge_feature(e, s, i, d, &f) == -1)
			return -1;
	}
	if (s->special != NULL)
		judge_special(e, s, &f);
	speaks = f.feature != NULL &&
	    (!d->conf->exclude_frequent_by || d->by == FIELD_NONE ||
		!judge_is_frequent(e, s, p));
	if (d->goes_together && !j->interim)
		together_note(e, &f, speaks);
	else if (speaks)
		judge_say(e, &f);
	return 0;
}
