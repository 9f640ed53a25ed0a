/* Owns the making of results. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engine_int.h"
#include "worker/report.h"
#include "worker/score.h"

/* Values that account for less are not named (4.4). */
#define INFLUENCE_LEAST 0.4

struct candidate {
	double influence;
	uint32_t order;
	uint32_t value;
};

static int
by_influence(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->influence != y->influence)
		return x->influence > y->influence ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void
name_values(struct engine *e, const struct finding *f, uint32_t influencer,
    struct record_influencer *out)
{
	struct candidate found[BUCKET_INFLUENCES] = { { .value = 0 } };
	size_t n = 0;

	for (uint32_t i = 0; f->leaf != NULL && i < f->leaf->nseen; i++) {
		const struct influence *in = &f->leaf->seen[i];
		struct candidate c = { .order = i, .value = in->value };

		if (in->field != influencer)
			continue;
		c.influence = feature_influence(f->feature, &f->leaf->stat,
		    &in->stat, f->typical, f->actual);
		if (c.influence >= INFLUENCE_LEAST && n < NELEM(found))
			found[n++] = c;
	}
	qsort(found, n, sizeof(found[0]), by_influence);
	for (size_t i = 0; i < n; i++)
		out->value[i] =
		    names_get(&e->judge.bucket->values, found[i].value);
	out->nvalues = n;
}

static struct span
split_value(const struct engine *e, uint32_t name)
{
	return name == NAMES_NONE ? (struct span){ NULL, 0 }
				  : names_get(&e->names, name);
}

static void
name_influencers(
    struct engine *e, const struct finding *f, struct record_result *r)
{
	const struct engine_detector *d = &e->detector[f->detector];

	r->ninfluencers = 0;
	for (uint32_t i = 0; i + 1 < e->judge.nscopes; i++) {
		struct record_influencer *in = &r->influencer[r->ninfluencers];
		uint32_t field = e->influencer[i];

		in->field_name = e->conf->influencer[i];
		in->nvalues = 1;
		if (field == d->by)
			in->value[0] = r->by_field_value;
		else if (field == d->partition)
			in->value[0] = r->partition_field_value;
		else
			name_values(e, f, i, in);
		/* an empty value is a missing one, and explains nothing */
		if (in->nvalues > 0 && in->value[0].len > 0)
			r->ninfluencers++;
	}
}

static void
note_scopes(
    struct engine *e, const struct finding *f, const struct record_result *r)
{
	size_t named = 0;

	for (size_t i = 1; i < e->judge.nscopes; i++) {
		if (named < r->ninfluencers &&
		    r->influencer[named].field_name ==
			e->conf->influencer[i - 1]) {
			named++;
			aggregate_add(&e->judge.scope[i].named, f->ln_p);
		}
	}
}

int
report_record(struct engine *e, const struct finding *f)
{
	const struct engine_detector *d = &e->detector[f->detector];
	const struct series *s = e->table.series[f->series];
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
	r->by_field_value = split_value(e, s->by);
	r->partition_field_name = d->conf->partition_field_name;
	r->partition_field_value =
	    split_value(e, e->table.partition[s->partition]->name);
	r->nvalues = 1;
	r->typical[0] = f->typical;
	r->actual[0] = f->actual;
	name_influencers(e, f, r);
	if (e->sink.record(e->sink.arg, r) == -1)
		return -1;
	note_scopes(e, f, r);
	return 0;
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
