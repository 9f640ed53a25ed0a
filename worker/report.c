/* Owns the making of results. */
#include "common/compat.h"

#include <math.h>
#include <string.h>

#include "worker/engine_int.h"
#include "worker/influence.h"
#include "worker/report.h"
#include "worker/score.h"

/* Attributes within this factor of the most unlikely one are causes, too. */
#define CAUSE_FACTOR 1.1

static void
name_influencers(
    struct engine *e, const struct finding *f, struct record_result *r)
{
	struct blame list[BUCKET_INFLUENCES];

	r->ninfluencers = 0;
	for (uint32_t i = 0; i + 1 < e->judge.nscopes; i++) {
		struct record_influencer *in = &r->influencer[r->ninfluencers];

		in->field_name = e->conf->influencer[i];
		in->nvalues = influence_find(e, f, i, list);
		for (size_t k = 0; k < in->nvalues; k++)
			in->value[k] = list[k].value;
		r->ninfluencers += in->nvalues > 0;
	}
}

/* Where a cause is told, and how many are. */
static size_t
place_cause(const struct record_result *r, double probability)
{
	size_t at = r->ncauses;

	while (at > 0 && r->cause[at - 1].probability > probability)
		at--;
	return at;
}

static void
add_cause(struct record_result *r, const struct record_cause *c)
{
	size_t at = place_cause(r, c->probability);

	if (at == RESULT_MAX_CAUSES)
		return;
	if (r->ncauses < RESULT_MAX_CAUSES)
		r->ncauses++;
	memmove(&r->cause[at + 1], &r->cause[at],
	    (r->ncauses - 1 - at) * sizeof(*c));
	r->cause[at] = *c;
}

/* Of a place there are two. */
static size_t
values_of(const struct finding *f)
{
	return f->feature->special == SPECIAL_PLACE ? 2 : 1;
}

/*
 * The attributes in which a person stands out: those that are about as
 * unlikely as the most unlikely one, or below 0.05 (6.1). All are of the same
 * feature, for a record has one description.
 */
static void
name_causes(struct engine *e, const struct finding *f, struct record_result *r)
{
	const struct people *p = &e->judge.people;
	const struct person *who;
	const struct verdict *worst;
	double most;

	r->ncauses = 0;
	if (f->person == PEOPLE_NONE)
		return;
	who = &p->person[f->person];
	worst = &p->verdict[who->worst];
	most = fmax(worst->ln_p + log(CAUSE_FACTOR), SCORE_LN_UNREMARKABLE);
	for (uint32_t i = who->first; i != PEOPLE_NONE; i = p->verdict[i].own) {
		const struct verdict *v = &p->verdict[i];
		uint32_t series = e->judge.bucket->leaf[i].series;
		struct record_cause c = { .nvalues = values_of(f) };

		if (!v->says || v->feature != worst->feature || v->ln_p > most)
			continue;
		c.probability = score_probability(v->ln_p);
		c.by_field_value =
		    engine_value_of(e, e->table.series[series]->by);
		c.typical[0] = v->typical;
		c.typical[1] = v->typical_2;
		c.actual[0] = v->actual;
		c.actual[1] = v->actual_2;
		add_cause(r, &c);
	}
}

int
report_record(struct engine *e, const struct finding *f)
{
	const struct engine_detector *d = &e->detector[f->detector];
	struct record_result *r = e->judge.record;

	r->timestamp_ms = e->judge.bucket->start_s * 1000;
	r->bucket_span_s = e->span_s;
	r->detector_index = (int)f->detector;
	r->is_interim = e->judge.interim;
	r->probability = score_probability(f->ln_p);
	r->multi_bucket_impact = f->impact;
	r->record_score = f->score;
	r->initial_record_score = f->score;
	r->function = d->conf->function->name;
	r->function_description = f->feature->description;
	r->field_name = d->conf->field_name;
	r->by_field_name = d->conf->by_field_name;
	r->by_field_value = engine_value_of(e, f->by);
	r->over_field_name = d->conf->over_field_name;
	r->over_field_value = engine_value_of(e, f->over);
	r->partition_field_name = d->conf->partition_field_name;
	r->partition_field_value =
	    engine_value_of(e, e->table.partition[f->partition]->name);
	r->nvalues = values_of(f);
	if (f->person != PEOPLE_NONE)
		r->nvalues = 0; /* they are told with the causes */
	r->typical[0] = f->told.typical;
	r->actual[0] = f->told.actual;
	r->typical[1] = f->typical_2;
	r->actual[1] = f->actual_2;
	r->why = f->why;
	if (f->deserts) {
		r->why.has |= EXPLAINED_LEADER;
		r->why.leader = engine_value_of(e, f->leader);
	}
	name_causes(e, f, r);
	name_influencers(e, f, r);
	return e->sink.record(e->sink.arg, r);
}

int
report_influencer(struct engine *e, const struct culprit *c)
{
	const struct judge_scope *sc = &e->judge.scope[1 + c->field];
	struct influencer_result r = {
		.timestamp_ms = e->judge.bucket->start_s * 1000,
		.bucket_span_s = e->span_s,
		.is_interim = e->judge.interim,
		.probability = score_probability(c->ln_p),
		.influencer_score = normalise_score(&sc->values, c->raw),
		.field_name = e->conf->influencer[c->field],
		.field_value = c->value,
	};

	r.initial_influencer_score = r.influencer_score;
	return e->sink.influencer(e->sink.arg, &r);
}

static void
scope_result(const struct engine *e, size_t index, struct bucket_influencer *r)
{
	const struct judge_scope *sc = &e->judge.scope[index];

	r->influencer_field_name =
	    index == 0 ? "bucket_time" : e->conf->influencer[index - 1];
	r->anomaly_score = normalise_score(&sc->scores, sc->raw);
	r->initial_anomaly_score = r->anomaly_score;
	r->raw_anomaly_score = sc->raw;
	r->probability = score_probability(sc->ln_p);
}

int
report_bucket(struct engine *e)
{
	const struct judge *j = &e->judge;
	struct bucket_result r = {
		.timestamp_ms = j->bucket->start_s * 1000,
		.bucket_span_s = e->span_s,
		.event_count = j->bucket->events,
		.is_interim = j->interim,
		.processing_time_ms = j->us / 1000,
	};

	for (size_t i = 0; i < j->nscopes && j->nfindings > 0; i++) {
		struct bucket_influencer *in = &r.influencer[r.ninfluencers];

		if (i > 0 && j->scope[i].named.n == 0)
			continue;
		scope_result(e, i, in);
		r.anomaly_score = fmax(r.anomaly_score, in->anomaly_score);
		r.ninfluencers++;
	}
	r.initial_anomaly_score = r.anomaly_score;
	return e->sink.bucket(e->sink.arg, &r);
}
