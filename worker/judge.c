/*
 * Owns the judgement of a bucket. The path of a value: statistics of the
 * bucket (bucket.h), value of the function (feature.h), probability
 * (model.h), raw score (score.h), score (normalise.h).
 */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "worker/engine_int.h"
#include "worker/explain.h"
#include "worker/judge_scope.h"
#include "worker/memory.h"
#include "worker/prune.h"
#include "worker/rare.h"
#include "worker/report.h"
#include "worker/score.h"

/*
 * What was learnt fades with this time constant: two weeks, so that each day
 * of the week is known twice; and never less than 500 buckets, so that tails
 * of 1e-3 rest on something.
 */
#define MODEL_MEMORY_S (14.0 * 86400)
#define MODEL_MEMORY_BUCKETS 500.0
/* Percentiles of 99.9 need thousands of samples: scores are kept longer. */
#define SCORE_MEMORY 4.0

#define SERIES_PER_STEP 64
#define PARTITIONS_PER_STEP 64
/* Each may ask for the influence of hundreds of values. */
#define RECORDS_PER_STEP 4
/* A series may have been seen with 16 values of each of 32 fields. */
#define CROWD_PER_STEP 64
/* Each may own as many statistics. */
#define LEAVES_PER_STEP 64

#define FINDINGS_MOST (2 * (size_t)RESULT_MAX_RECORDS_PER_BUCKET)

int
judge_init(struct judge *j, const struct jobconf *conf)
{
	int64_t span_s = conf->bucket_span_s;
	double memory =
	    fmax(MODEL_MEMORY_S / (double)span_s, MODEL_MEMORY_BUCKETS);

	j->nscopes = 1 +
	    (conf->ninfluencers < RESULT_MAX_INFLUENCERS
		    ? conf->ninfluencers
		    : RESULT_MAX_INFLUENCERS);
	renewal_init(&j->renewal, conf);
	model_params_init(&j->model, span_s, memory);
	rarity_clock_init(&j->rarity, span_s, memory, true);
	rarity_clock_init(&j->rarity_people, span_s, memory, false);
	j->keep_peak = exp(-1 / (memory * SCORE_MEMORY));
	normalise_params_init(&j->normalise, span_s, memory * SCORE_MEMORY);
	j->finding = calloc(FINDINGS_MOST, sizeof(*j->finding));
	j->detector = calloc(conf->ndetectors, sizeof(*j->detector));
	j->record = calloc(1, sizeof(*j->record));
	if (j->finding == NULL || j->detector == NULL || j->record == NULL)
		return -1;
	return 0;
}

size_t
judge_bytes(size_t ndetectors)
{
	return FINDINGS_MOST * sizeof(struct finding) +
	    ndetectors * sizeof(struct aggregate) +
	    sizeof(struct record_result);
}

void
judge_clear(struct judge *j)
{
	free(j->finding);
	free(j->detector);
	free(j->record);
	free(j->touched);
	free(j->judged);
	culprits_free(&j->culprits);
	news_clear(&j->news);
	plot_clear(&j->plot);
	together_clear(&j->together);
	memset(j, 0, sizeof(*j));
}

void
judge_begin(struct engine *e, struct bucket *b, bool interim, bool quiet)
{
	struct judge *j = &e->judge;

	plot_begin(e);
	j->phase = JUDGE_SERIES;
	j->bucket = b;
	j->local_s = engine_local(e, b->start_s);
	j->interim = interim;
	j->quiet = quiet;
	j->cursor = 0;
	j->us = 0;
	j->nfindings = 0;
	j->ntouched = 0;
	j->nleaves = 0;
	j->ngrown = 0;
	if (interim)
		completeness_look(e, b);
	for (size_t i = 0; i < e->conf->ndetectors; i++)
		aggregate_clear(&j->detector[i]);
	if (j->judged_words > 0)
		memset(j->judged, 0, j->judged_words * sizeof(*j->judged));
	culprits_clear(&j->culprits);
	for (size_t i = 0; i < j->nscopes; i++) {
		aggregate_clear(&j->scope[i].named);
		j->scope[i].value_raw = 0;
	}
}

/* Most unlikely first; the rest only makes the order complete. */
static int
by_rarity(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->ln_p != y->ln_p)
		return x->ln_p < y->ln_p ? -1 : 1;
	return x->series < y->series ? -1 : x->series > y->series;
}

static int
by_detector(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->detector != y->detector)
		return x->detector < y->detector ? -1 : 1;
	return by_rarity(a, b);
}

static void
keep_most_unlikely(struct judge *j)
{
	qsort(j->finding, j->nfindings, sizeof(*j->finding), by_rarity);
	if (j->nfindings > RESULT_MAX_RECORDS_PER_BUCKET)
		j->nfindings = RESULT_MAX_RECORDS_PER_BUCKET;
}

static void
add_finding(struct judge *j, const struct finding *f)
{
	if (j->nfindings == FINDINGS_MOST)
		keep_most_unlikely(j);
	j->finding[j->nfindings++] = *f;
}

/* Room to touch one more partition. */
static int
reserve_touched(struct judge *j)
{
	uint32_t n = j->touched_cap == 0 ? 16 : 2 * j->touched_cap;
	uint32_t *grown;

	if (j->ntouched < j->touched_cap)
		return 0;
	grown = reallocarray(j->touched, n, sizeof(*j->touched));
	if (grown == NULL)
		return -1;
	j->touched = grown;
	j->touched_cap = n;
	return 0;
}

void
judge_touch(struct engine *e, uint32_t index)
{
	struct judge *j = &e->judge;
	struct partition *p = e->table.partition[index];

	if (p->members.n > 0 || p->people > 0)
		return;
	j->touched[j->ntouched++] = index;
	aggregate_clear(&p->members);
	p->loudest = 0;
}

/* For whoever asks in how many series a value was looked for. */
static int
reserve_judged(struct judge *j, uint32_t nseries)
{
	uint32_t words = (nseries + 63) / 64;
	uint64_t *grown;

	if (j->nscopes == 1 || words <= j->judged_words)
		return 0;
	grown = reallocarray(j->judged, words, sizeof(*j->judged));
	if (grown == NULL)
		return -1;
	memset(&grown[j->judged_words], 0,
	    (words - j->judged_words) * sizeof(*grown));
	j->judged = grown;
	j->judged_words = words;
	return 0;
}

int
judge_reserve(struct engine *e)
{
	struct judge *j = &e->judge;

	if (reserve_touched(j) == -1)
		return -1;
	return reserve_judged(j, e->table.numbers.n);
}

void
judge_add(struct engine *e, const struct finding *f)
{
	struct judge *j = &e->judge;

	j->nleaves++;
	if (j->nscopes > 1)
		j->judged[f->series / 64] |= UINT64_C(1) << f->series % 64;
	if (f->ln_p < JUDGE_LN_RECORD)
		add_finding(j, f);
}

/* A record is measured by the history of its partition, less this bucket. */
static void
score_findings(struct engine *e)
{
	struct judge *j = &e->judge;

	keep_most_unlikely(j);
	for (size_t i = 0; i < j->nfindings; i++) {
		struct finding *f = &j->finding[i];
		struct series *s = e->table.series[f->series];

		if (s->role == SERIES_VALUE && !j->interim)
			s->peak = fmax(s->peak, f->raw);
		f->score = normalise_score(
		    &e->table.partition[f->partition]->scores, f->raw);
	}
}

/* What a slice of series has left to be written. */
static int
write_noted(struct engine *e)
{
	return plot_write(e) == -1 ? -1 : news_write(e);
}

static int
step_series(struct engine *e)
{
	struct judge *j = &e->judge;
	uint32_t n = e->table.numbers.n, stop = j->cursor + SERIES_PER_STEP;

	if (write_noted(e) == -1) /* of a step that is tried again */
		return -1;
	for (; j->cursor < n && j->cursor < stop; j->cursor++) {
		size_t noted = j->plot.npoints, heard = j->news.n;

		if (e->table.series[j->cursor] == NULL ||
		    (!j->interim && prune_series(e, j->cursor)) ||
		    e->table.series[j->cursor]->role != SERIES_ALONE)
			continue;
		if (judge_series(e, j->cursor) == -1) {
			plot_forget(&j->plot, noted);
			news_forget(&j->news, heard);
			return -1;
		}
		if (judge_is_slow(e, j->cursor))
			stop = j->cursor + 1;
	}
	if (write_noted(e) == -1)
		return -1;
	if (j->cursor < n)
		return 1;
	j->cursor = 0;
	j->phase = JUDGE_TOGETHER;
	return 1;
}

/* 1 as long as the phase goes on; then there is another one. */
static int
go_on(struct judge *j, int more, enum judge_phase next)
{
	if (more == 0)
		j->phase = next;
	return more == -1 ? -1 : 1;
}

static int
step_together(struct engine *e)
{
	return go_on(&e->judge, together_step(e),
	    e->has_rare ? JUDGE_VALUES : JUDGE_LINKS);
}

static int
step_values(struct engine *e)
{
	return go_on(&e->judge, rare_look(e), JUDGE_LINKS);
}

static int
step_links(struct engine *e)
{
	if (!e->has_people) {
		e->judge.phase = JUDGE_VALUES_LEARNT;
		return 1;
	}
	return go_on(&e->judge, people_link(e), JUDGE_MEMBERS);
}

static int
step_members(struct engine *e)
{
	if (write_noted(e) == -1) /* of the step before */
		return -1;
	return go_on(&e->judge, people_compare(e), JUDGE_PEOPLE);
}

static int
step_people(struct engine *e)
{
	int more;

	if (write_noted(e) == -1)
		return -1;
	more = peopleplot_note(e);
	if (more != 0)
		return more;
	return go_on(&e->judge, people_judge(e), JUDGE_VALUES_LEARNT);
}

/* Learnt after all were looked at; then findings are complete. */
static int
step_values_learnt(struct engine *e)
{
	int more = e->has_rare ? rare_learn(e) : 0;

	if (more == 0)
		score_findings(e);
	return go_on(&e->judge, more, JUDGE_CULPRITS);
}

/* The most unlikely findings first: culprits.h relies on it. */
static int
step_culprits(struct engine *e)
{
	struct judge *j = &e->judge;
	uint32_t stop = j->cursor + RECORDS_PER_STEP;

	for (; j->nscopes > 1 && j->cursor < j->nfindings && j->cursor < stop;
	     j->cursor++) {
		if (culprits_add(e, &j->finding[j->cursor]) == -1)
			return -1;
	}
	if (j->nscopes > 1 && j->cursor < j->nfindings)
		return 1;
	qsort(j->finding, j->nfindings, sizeof(*j->finding), by_detector);
	j->cursor = 0;
	j->phase = JUDGE_CROWD;
	return 1;
}

static int
step_crowd(struct engine *e)
{
	struct judge *j = &e->judge;
	uint32_t n = e->table.numbers.n, stop = j->cursor + CROWD_PER_STEP;

	for (; j->culprits.n > 0 && j->cursor < n && j->cursor < stop;
	     j->cursor++) {
		if (j->judged[j->cursor / 64] >> j->cursor % 64 & 1)
			culprits_look(e, j->cursor);
	}
	if (j->culprits.n > 0 && j->cursor < n)
		return 1;
	culprits_judge(&j->culprits);
	j->cursor = 0;
	j->phase = JUDGE_PARTITIONS;
	return 1;
}

/* Those that began together tell in turn. */
static void
tell_scores(struct engine *e, const struct partition *p, uint32_t number)
{
	struct engine_detector *d = &e->detector[p->detector];
	int64_t turn = e->judge.bucket->start_s / e->span_s + number;

	if (d->kind == ANALYSIS_INDIVIDUAL && turn % SIBLINGS_TELL_EACH == 0)
		siblings_tell_scores(
		    &d->scores, &p->scores, engine_partitions_each(e));
}

/* What this bucket was like becomes history. */
static void
remember_partition(struct engine *e, struct partition *p, uint32_t number)
{
	struct judge *j = &e->judge;
	int64_t passed = (j->bucket->start_s - p->peak_s) / e->span_s;

	normalise_add(&p->scores, &j->normalise, p->loudest);
	tell_scores(e, p, number);
	if (p->people == 0)
		return;
	if (passed > 0)
		p->peak *= pow(j->keep_peak, (double)passed);
	p->peak_s = j->bucket->start_s;
	p->peak = fmax(p->peak, p->loudest);
}

static int
step_partitions(struct engine *e)
{
	struct judge *j = &e->judge;
	uint32_t stop = j->cursor + PARTITIONS_PER_STEP;

	for (; j->cursor < j->ntouched && j->cursor < stop; j->cursor++) {
		struct partition *p = e->table.partition[j->touched[j->cursor]];

		aggregate_add(&j->detector[p->detector],
		    aggregate_ln_p(&p->members,
			p->people > 0 ? AGGREGATE_PEOPLE : AGGREGATE_SERIES));
		aggregate_clear(&p->members);
		if (!j->interim)
			remember_partition(e, p, j->touched[j->cursor]);
	}
	if (j->cursor < j->ntouched)
		return 1;
	j->cursor = 0;
	j->phase = JUDGE_RECORDS;
	return 1;
}

static int
step_records(struct engine *e)
{
	struct judge *j = &e->judge;
	uint32_t stop = j->cursor + RECORDS_PER_STEP;

	for (; j->cursor < j->nfindings && j->cursor < stop; j->cursor++) {
		if (report_record(e, &j->finding[j->cursor]) == -1)
			return -1;
	}
	if (j->cursor < j->nfindings)
		return 1;
	j->cursor = 0;
	j->phase = JUDGE_INFLUENCERS;
	return 1;
}

static int
step_influencers(struct engine *e)
{
	struct judge *j = &e->judge;
	uint32_t stop = j->cursor + RECORDS_PER_STEP;

	for (; j->cursor < j->culprits.n && j->cursor < stop; j->cursor++) {
		const struct culprit *c = &j->culprits.list[j->cursor];
		struct judge_scope *sc = &j->scope[1 + c->field];

		if (e->sink.influencer != NULL && report_influencer(e, c) == -1)
			return -1;
		sc->value_raw = fmax(sc->value_raw, c->raw);
	}
	if (j->cursor == j->culprits.n)
		j->phase = JUDGE_BUCKET;
	return 1;
}

static int
step_renewal(struct engine *e)
{
	int rc = renewal_step(e);

	if (rc == 0)
		e->judge.phase = JUDGE_SHEDDING;
	return rc == -1 ? -1 : 1;
}

static int
step_shedding(struct engine *e)
{
	struct judge *j = &e->judge;

	people_clear(e);
	if (bucket_shed(j->bucket, LEAVES_PER_STEP))
		return 1;
	j->phase = JUDGE_IDLE;
	return 0;
}

int
judge_step(struct engine *e)
{
	static int (*const step[])(struct engine *) = {
		[JUDGE_SERIES] = step_series,
		[JUDGE_TOGETHER] = step_together,
		[JUDGE_VALUES] = step_values,
		[JUDGE_VALUES_LEARNT] = step_values_learnt,
		[JUDGE_LINKS] = step_links,
		[JUDGE_MEMBERS] = step_members,
		[JUDGE_PEOPLE] = step_people,
		[JUDGE_CULPRITS] = step_culprits,
		[JUDGE_CROWD] = step_crowd,
		[JUDGE_PARTITIONS] = step_partitions,
		[JUDGE_RECORDS] = step_records,
		[JUDGE_INFLUENCERS] = step_influencers,
		[JUDGE_BUCKET] = judge_step_bucket,
		[JUDGE_RENEWAL] = step_renewal,
		[JUDGE_SHEDDING] = step_shedding,
	};
	int64_t began = clock_mono_us();
	int ret;

	if (e->judge.phase == JUDGE_IDLE)
		return 0;
	ret = step[e->judge.phase](e);
	e->judge.us += (uint64_t)(clock_mono_us() - began);
	return ret;
}

void
judge_abandon(struct engine *e)
{
	struct judge *j = &e->judge;

	for (uint32_t i = 0; i < j->ntouched; i++)
		aggregate_clear(&e->table.partition[j->touched[i]]->members);
	j->ntouched = 0;
	plot_forget(&j->plot, 0);
	news_forget(&j->news, 0);
	people_clear(e);
	together_clear(&j->together);
	j->phase = JUDGE_IDLE;
}
