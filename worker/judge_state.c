/*
 * Owns the section of a snapshot that has what came to the judge after the
 * engine's own section was laid out. Where it is missing, an earlier version
 * has written the file, and what is in it begins anew.
 */
#include "common/compat.h"

#include <errno.h>
#include <math.h>

#include "worker/engine_int.h"

#define SCORES_FIELDS(F, S) F(S, U32, nscopes, 1, RESULT_MAX_INFLUENCERS + 1)
SCHEMA_STRUCT(scores_state, SCORES_FIELDS);
SCHEMA_DEFINE(scores_state, SCORES_FIELDS);

#define VALUES_FIELDS(F, S) F(S, F64, value_peak, 0, 100)
SCHEMA_STRUCT(values_state, VALUES_FIELDS);
SCHEMA_DEFINE(values_state, VALUES_FIELDS);

static int
bad(void)
{
	errno = EBADMSG;
	return -1;
}

int
judge_save(const struct judge *j, struct snapshot_writer *w)
{
	struct scores_state s = { .nscopes = (uint32_t)j->nscopes };

	if (snapshot_section(w, SNAPSHOT_SCORES) == -1 ||
	    snapshot_put(w, &scores_state_schema, &s) == -1)
		return -1;
	if (renewal_save(&j->renewal, w) == -1)
		return -1;
	for (size_t i = 1; i < j->nscopes; i++) {
		const struct judge_scope *sc = &j->scope[i];
		struct values_state v = { sc->value_peak };

		if (snapshot_put(w, &values_state_schema, &v) == -1 ||
		    normalise_save(&sc->values, w) == -1)
			return -1;
	}
	return 0;
}

int
judge_load(struct judge *j, struct snapshot_reader *r)
{
	int rc = snapshot_enter_if(r, SNAPSHOT_SCORES);
	struct scores_state s;

	if (rc != 1)
		return rc;
	if (snapshot_get(r, &scores_state_schema, &s) == -1)
		return -1;
	if (s.nscopes != j->nscopes)
		return bad();
	if (renewal_load(&j->renewal, r) == -1)
		return -1;
	for (size_t i = 1; i < j->nscopes; i++) {
		struct judge_scope *sc = &j->scope[i];
		struct values_state v;

		if (snapshot_get(r, &values_state_schema, &v) == -1 ||
		    normalise_load(&sc->values, r) == -1)
			return -1;
		sc->value_peak = v.value_peak;
	}
	return snapshot_left(r) == 0 ? 0 : bad();
}
