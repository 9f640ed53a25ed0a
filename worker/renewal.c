/* Owns the moments of new scores, and the new scores. */
#include "common/compat.h"

#include <math.h>
#include <string.h>

#include "worker/engine_int.h"
#include "worker/renewal.h"
#include "worker/score.h"

#define DAY_S INT64_C(86400)
#define WINDOW_DAYS 30
#define WINDOW_BUCKETS 100
#define WINDOW_MOST INT64_C(1000000) /* days */

/* A maximum that grows by more than this is news (4.6). */
#define LOUDER 1.1
#define EVERY_S (6 * INT64_C(3600))
/* Scores that may be looked at for each that was written. */
#define WORK 4.0
/* No more than about so many are looked at: rescore.h. */
#define LOAD_MOST 15000.0

#define RENEWAL_FIELDS(F, S)                                                   \
	F(S, BOOL, began, 0, 1)                                                \
	F(S, I64, since_s, -1e16, 1e16)                                        \
	F(S, F64, written, 0, INFINITY)                                        \
	F(S, F64, load, 0, INFINITY)
SCHEMA_STRUCT(renewal_state, RENEWAL_FIELDS);
SCHEMA_DEFINE(renewal_state, RENEWAL_FIELDS);

void
renewal_init(struct renewal *r, const struct jobconf *conf)
{
	int64_t span = conf->bucket_span_s;

	memset(r, 0, sizeof(*r));
	r->window_s = WINDOW_DAYS * DAY_S > WINDOW_BUCKETS * span
	    ? WINDOW_DAYS * DAY_S
	    : WINDOW_BUCKETS * span;
	/* Not of the job's own window: an update must not change a replay. */
	r->keep = exp(-(double)span / (double)r->window_s);
	if (conf->has_renormalization_window)
		r->window_s = conf->renormalization_window_days < WINDOW_MOST
		    ? conf->renormalization_window_days * DAY_S
		    : WINDOW_MOST * DAY_S;
}

void
renewal_note(struct renewal *r, double raw, double peak)
{
	r->louder |= raw > LOUDER * peak;
}

static void
begin(struct renewal *r, int64_t bucket_s, int64_t now_s)
{
	r->since_s = bucket_s;
	r->written = 0;
	r->under_way = false;
	r->now_s = now_s;
}

bool
renewal_is_due(struct renewal *r, int64_t bucket_s, uint64_t scores)
{
	double load = fmin(r->load, LOAD_MOST); /* less this bucket */
	bool louder = r->louder;

	r->louder = false;
	r->load = r->load * r->keep + (double)scores;
	r->written += (double)scores;
	if (!r->began) {
		r->began = true;
		r->since_s = bucket_s;
	}
	if (load < 1 ||
	    (!louder &&
		(bucket_s - r->since_s < EVERY_S || WORK * r->written < load)))
		return false;
	begin(r, bucket_s, bucket_s);
	return true;
}

static double
score_again(const struct normaliser *q, double raw, double peak)
{
	double score = normalise_score(q, raw);

	return peak > 0 ? fmin(score, normalise_maximum(raw / peak)) : score;
}

/* The index of an influencer field; the number of scopes: there is none. */
static size_t
scope_of(const struct engine *e, const char *field)
{
	size_t i = 1;

	while (i < e->judge.nscopes &&
	    strcmp(e->conf->influencer[i - 1], field) != 0)
		i++;
	return i;
}

/* A field may have the name that the scope of the bucket itself is shown by. */
static double
bucket_again(void *arg, size_t place, const struct bucket_influencer *in)
{
	const struct engine *e = arg;
	const struct judge_scope *sc = e->judge.scope;
	size_t i = place == 0 ? 0 : scope_of(e, in->influencer_field_name);

	if (i == e->judge.nscopes)
		return -1;
	return score_again(&sc[i].scores, in->raw_anomaly_score, sc[i].peak);
}

static double
influencer_again(void *arg, const struct influencer_result *r)
{
	const struct engine *e = arg;
	const struct judge_scope *sc = e->judge.scope;
	size_t i = scope_of(e, r->field_name);

	if (i == e->judge.nscopes)
		return -1;
	return score_again(
	    &sc[i].values, score_raw(log(r->probability)), sc[i].value_peak);
}

static uint32_t
name_of(const struct engine *e, uint32_t field, struct span value)
{
	return field == FIELD_NONE ? NAMES_NONE
				   : names_find(&e->names, value.p, value.len);
}

/* Series are seen to when they have something to say. */
static double
faded(const struct engine *e, double peak, int64_t last_s)
{
	int64_t passed = (e->judge.renewal.now_s - last_s) / e->span_s;

	return passed <= 0 ? peak
			   : peak * pow(e->judge.keep_peak, (double)passed);
}

/* The greatest of a series, or of all people of a partition (4.6); -1: none */
static double
peak_of(const struct engine *e, const struct record_result *r,
    const struct engine_detector *d, uint32_t partition)
{
	const struct partition *p = e->table.partition[partition];
	const struct series *s;
	uint32_t series;

	if (d->over != FIELD_NONE)
		return faded(e, p->peak, p->peak_s);
	series = series_find(
	    &e->table, partition, name_of(e, d->by, r->by_field_value));
	/* given up: without its greatest the score would rise again */
	if (series == SERIES_NONE)
		return -1;
	s = e->table.series[series];
	return faded(e, s->peak, s->last_s);
}

static double
record_again(void *arg, const struct record_result *r)
{
	const struct engine *e = arg;
	const struct engine_detector *d;
	uint32_t partition, detector = (uint32_t)r->detector_index;
	double peak;

	if (detector >= e->conf->ndetectors)
		return -1;
	d = &e->detector[detector];
	partition = partition_find(&e->table, detector,
	    name_of(e, d->partition, r->partition_field_value));
	if (partition == SERIES_NONE)
		return -1;
	peak = peak_of(e, r, d, partition);
	if (peak < 0)
		return -1;
	return score_again(&e->table.partition[partition]->scores,
	    score_raw(log(r->probability)), peak);
}

int
renewal_step(struct engine *e)
{
	struct renewal *r = &e->judge.renewal;
	int64_t now_s = r->now_s;
	const struct rescorer how = {
		.anew = !r->under_way,
		.from_ms = (now_s - r->window_s) * 1000,
		.to_ms = now_s * 1000,
		.bucket = bucket_again,
		.influencer = influencer_again,
		.record = record_again,
		.arg = e,
	};
	int rc;

	if (e->sink.rescore == NULL)
		return 0;
	rc = e->sink.rescore(e->sink.arg, &how);
	r->under_way |= rc == 1;
	return rc;
}

/* The last bucket's, too: it will not be at hand any more. */
int
engine_renew(struct engine *e)
{
	struct renewal *r = &e->judge.renewal;
	int rc;

	if (!r->at_close) {
		if (!(r->written > 0))
			return 0;
		begin(r, e->next_s - e->span_s, e->next_s);
		r->at_close = true;
	}
	rc = renewal_step(e);
	r->at_close = rc == 1;
	return rc;
}

int
renewal_save(const struct renewal *r, struct snapshot_writer *w)
{
	struct renewal_state s = { r->began, r->since_s, r->written, r->load };

	return snapshot_put(w, &renewal_state_schema, &s);
}

int
renewal_load(struct renewal *r, struct snapshot_reader *rd)
{
	struct renewal_state s;

	if (snapshot_get(rd, &renewal_state_schema, &s) == -1)
		return -1;
	r->began = s.began;
	r->since_s = s.since_s;
	r->written = s.written;
	r->load = s.load;
	return 0;
}
