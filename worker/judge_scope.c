/*
 * Owns what the scopes of a bucket come to: bucket_time, of all detectors, and
 * each influencer field, of the records that name it.
 */
#include "common/compat.h"

#include <math.h>

#include "worker/engine_int.h"
#include "worker/judge_scope.h"
#include "worker/report.h"
#include "worker/score.h"

static double
bucket_ln_p(const struct engine *e)
{
	struct aggregate all;

	aggregate_clear(&all);
	for (size_t i = 0; i < e->conf->ndetectors; i++) {
		const struct aggregate *d = &e->judge.detector[i];

		if (d->n > 0)
			aggregate_add(
			    &all, aggregate_ln_p(d, AGGREGATE_PARTITIONS));
	}
	return aggregate_ln_p(&all, AGGREGATE_DETECTORS);
}

/* What this bucket was like becomes history. */
static void
remember_scopes(struct judge *j)
{
	for (size_t i = 0; i < j->nscopes; i++) {
		struct judge_scope *sc = &j->scope[i];

		renewal_note(&j->renewal, sc->raw, sc->peak * j->keep_peak);
		sc->peak = fmax(sc->peak * j->keep_peak, sc->raw);
		normalise_add(&sc->scores, &j->normalise, sc->raw);
		if (i == 0)
			continue;
		sc->value_peak =
		    fmax(sc->value_peak * j->keep_peak, sc->value_raw);
		normalise_add(&sc->values, &j->normalise, sc->value_raw);
	}
}

/* The records of a field were found among all that was looked at. */
static double
scope_ln_p(const struct judge *j, const struct judge_scope *sc)
{
	struct aggregate named = sc->named;

	if (named.n > 0)
		named.n = j->nleaves;
	return aggregate_ln_p(&named, AGGREGATE_SERIES);
}

int
judge_step_bucket(struct engine *e)
{
	struct judge *j = &e->judge;
	bool learns = !j->interim && !j->quiet;

	for (size_t i = 0; i < j->nscopes; i++) {
		struct judge_scope *sc = &j->scope[i];

		sc->ln_p = i == 0 ? bucket_ln_p(e) : scope_ln_p(j, sc);
		sc->raw = j->nfindings == 0 ? 0 : score_raw(sc->ln_p);
	}
	if (report_bucket(e) == -1 ||
	    (learns && completeness_learn(e, j->bucket) == -1))
		return -1;
	j->phase = j->interim ? JUDGE_IDLE : JUDGE_SHEDDING;
	if (j->interim) {
		people_clear(e);
		return 0;
	}
	if (j->quiet)
		return 1;
	remember_scopes(j);
	if (renewal_is_due(&j->renewal, j->bucket->start_s,
		j->nfindings + j->culprits.n + (j->nfindings > 0)))
		j->phase = JUDGE_RENEWAL;
	return 1;
}
