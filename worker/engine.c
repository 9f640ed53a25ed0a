/*
 * Owns the time of the engine: which bucket a record belongs to, when a bucket
 * is final, what a jump does.
 */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/zones.h"
#include "worker/engine_int.h"
#include "worker/memory.h"
#include "worker/prune.h"
#include "worker/zone.h"

/* Each may own the statistics of hundreds of influencers' values. */
#define LEAVES_PER_STEP 64

/* The exponential mean of bucket times (jobs-and-data 6.3). */
#define TIMING_KEEP 0.99

static uint32_t
find_field(const struct jobconf *conf, const char *name)
{
	for (uint32_t i = 0; name != NULL && i < conf->nfields; i++) {
		if (strcmp(conf->field[i], name) == 0)
			return i;
	}
	return FIELD_NONE;
}

bool
engine_is_rare(const struct engine_detector *d)
{
	return d->kind == ANALYSIS_RARE || d->kind == ANALYSIS_RARE_PEOPLE;
}

static enum analysis_kind
kind_of(const struct engine_detector *d)
{
	if (d->feature == NULL)
		return ANALYSIS_NONE;
	if (feature_is_rarity(d->feature))
		return d->conf->over_field_name != NULL ? ANALYSIS_RARE_PEOPLE
							: ANALYSIS_RARE;
	if (d->conf->over_field_name == NULL)
		return ANALYSIS_INDIVIDUAL;
	return d->feature->special == SPECIAL_NONE ? ANALYSIS_POPULATION
						   : ANALYSIS_WHEREABOUTS;
}

static void
plan_detector(struct engine *e, size_t index)
{
	const struct detector *conf = &e->conf->detector[index];
	struct engine_detector *d = &e->detector[index];

	d->conf = conf;
	d->feature = feature_find(conf->function->kind,
	    e->summary_count != FIELD_NONE, &d->nfeatures);
	d->kind = kind_of(d);
	e->has_people |=
	    d->kind != ANALYSIS_NONE && conf->over_field_name != NULL;
	e->has_rare |= engine_is_rare(d);
	if (d->kind == ANALYSIS_NONE)
		log_warnx("job %s: detector %zu: no results are computed for "
			  "%s yet",
		    e->conf->job_id, index, conf->function->name);
	else if (d->feature->special == SPECIAL_NONE && !engine_is_rare(d))
		d->nmodels = d->nfeatures;
	d->argument = find_field(e->conf, conf->field_name);
	d->by = find_field(e->conf, conf->by_field_name);
	d->over = find_field(e->conf, conf->over_field_name);
	d->partition = find_field(e->conf, conf->partition_field_name);
	d->goes_together = together_is_for(e, d);
	e->has_pairs |= d->goes_together;
	for (size_t i = 0; i + 1 < e->judge.nscopes; i++) {
		if (e->influencer[i] != d->by && e->influencer[i] != d->over &&
		    e->influencer[i] != d->partition)
			d->other_influencers++;
	}
}

static int
allocate(struct engine *e)
{
	const struct jobconf *conf = e->conf;
	size_t latency =
	    (size_t)((conf->latency_s + e->span_s - 1) / e->span_s);

	e->nopen = latency + 1;
	e->open = calloc(e->nopen, sizeof(*e->open));
	e->detector = calloc(conf->ndetectors, sizeof(*e->detector));
	e->influencer = calloc(conf->ninfluencers + 1, sizeof(*e->influencer));
	e->field = calloc(conf->nfields + 1, sizeof(*e->field));
	if (e->open == NULL || e->detector == NULL || e->influencer == NULL ||
	    e->field == NULL)
		return -1;
	e->fixed_bytes = sizeof(*e) + e->nopen * sizeof(*e->open) +
	    conf->ndetectors * sizeof(*e->detector) +
	    (conf->ninfluencers + 1) * sizeof(*e->influencer) +
	    (conf->nfields + 1) * sizeof(*e->field) +
	    judge_bytes(conf->ndetectors);
	return judge_init(&e->judge, conf);
}

/* What is as large as the plans are. */
static int
allocate_planned(struct engine *e)
{
	for (size_t i = 0; i < e->conf->ndetectors; i++) {
		struct engine_detector *d = &e->detector[i];

		d->siblings = calloc(d->nfeatures + 1, sizeof(*d->siblings));
		if (d->siblings == NULL)
			return -1;
		e->fixed_bytes += (d->nfeatures + 1) * sizeof(*d->siblings);
	}
	return 0;
}

struct engine *
engine_new(const struct jobconf *conf, const struct result_sink *sink)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->conf = conf;
	e->sink = *sink;
	e->span_s = conf->bucket_span_s;
	e->target_s = e->end_s = e->next_s = e->interim_s = TIME_UNSET;
	/* a process before this one may have left some */
	e->interim_left = true;
	e->size.timestamp = TIME_UNSET;
	e->prune_share = 1;
	completeness_init(&e->completeness);
	if (allocate(e) == -1 || !plotconf_copy(&e->plot, &conf->plot)) {
		engine_free(e);
		errno = ENOMEM;
		return NULL;
	}
	for (size_t i = 0; i < conf->ninfluencers; i++)
		e->influencer[i] = find_field(conf, conf->influencer[i]);
	if (conf->ninfluencers >= e->judge.nscopes)
		log_warnx("job %s: only the first %zu of its %zu influencers "
			  "are looked at",
		    conf->job_id, e->judge.nscopes - 1, conf->ninfluencers);
	e->summary_count = find_field(conf, conf->summary_count_field_name);
	for (size_t i = 0; i < conf->ndetectors; i++)
		plan_detector(e, i);
	if (allocate_planned(e) == -1) {
		engine_free(e);
		errno = ENOMEM;
		return NULL;
	}
	if (zone_use(conf->time_zone) == -1)
		log_warn("job %s: custom_settings.time_zone [%s] cannot be "
			 "read from %s: days and weeks are those of UTC",
		    conf->job_id, conf->time_zone, zones_dir());
	return e;
}

void
engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; e->open != NULL && i < e->nopen; i++)
		bucket_free(&e->open[i]);
	people_clear(e);
	plotconf_clear(&e->plot);
	plotconf_clear(&e->plot_next);
	judge_clear(&e->judge);
	pairs_clear(&e->pairs);
	completeness_clear(&e->completeness);
	series_clear(&e->table);
	names_clear(&e->names);
	for (size_t i = 0; e->detector != NULL && i < e->conf->ndetectors; i++)
		free(e->detector[i].siblings);
	free(e->open);
	free(e->detector);
	free(e->influencer);
	free(e->field);
	free(e);
}

int64_t
engine_floor(const struct engine *e, int64_t time_s)
{
	int64_t over = time_s % e->span_s;

	return time_s - (over < 0 ? over + e->span_s : over);
}

int64_t
engine_ceil(const struct engine *e, int64_t time_s)
{
	int64_t start = engine_floor(e, time_s);

	return start == time_s ? start : start + e->span_s;
}

int64_t
engine_local(const struct engine *e, int64_t time_s)
{
	return e->conf->time_zone == NULL ? time_s
					  : time_s + zone_offset_s(time_s);
}

struct span
engine_value_of(const struct engine *e, uint32_t name)
{
	return name == NAMES_NONE ? (struct span){ NULL, 0 }
				  : names_get(&e->names, name);
}

static size_t
ring_place(const struct engine *e, int64_t start_s)
{
	int64_t n = (int64_t)e->nopen, at = start_s / e->span_s % n;

	return (size_t)(at < 0 ? at + n : at);
}

static void
empty_bucket(struct engine *e, struct bucket *b, int64_t start_s)
{
	e->open_bytes -= b->bytes;
	bucket_reset(b, start_s);
	e->open_bytes += b->bytes;
}

struct bucket *
engine_bucket(struct engine *e, int64_t start_s)
{
	struct bucket *b = &e->open[ring_place(e, start_s)];

	if (b->start_s != start_s)
		empty_bucket(e, b, start_s);
	return b;
}

static bool
is_time(int64_t time_s)
{
	return time_s >= -ENGINE_TIME_MOST && time_s <= ENGINE_TIME_MOST;
}

void
engine_target(struct engine *e, int64_t time_s)
{
	if (!is_time(time_s))
		return;
	if (e->target_s == TIME_UNSET) {
		e->end_s = engine_floor(e, time_s) - e->conf->latency_s;
		e->next_s = engine_floor(e, e->end_s);
	}
	if (time_s > e->target_s)
		e->target_s = time_s;
}

static bool
is_due(const struct engine *e)
{
	return e->target_s != TIME_UNSET &&
	    e->next_s + e->span_s + e->conf->latency_s <= e->target_s;
}

bool
engine_is_busy(const struct engine *e)
{
	return e->judge.phase != JUDGE_IDLE || is_due(e) ||
	    e->empty_from_s != e->empty_to_s;
}

/* What a large bucket holds is not freed at once. */
static void
empty_some(struct engine *e)
{
	struct bucket *b = &e->open[e->empty_at];

	if (b->start_s >= e->empty_from_s && b->start_s < e->empty_to_s) {
		if (bucket_shed(b, LEAVES_PER_STEP))
			return;
		empty_bucket(e, b, b->start_s);
	}
	if (++e->empty_at == e->nopen)
		e->empty_from_s = e->empty_to_s;
}

/* The open buckets that start in a range, step by step. */
static void
begin_to_empty(struct engine *e, int64_t from_s, int64_t to_s)
{
	while (e->empty_from_s != e->empty_to_s)
		empty_some(e);
	e->empty_from_s = from_s;
	e->empty_to_s = to_s;
	e->empty_at = 0;
}

static void
note_timing(struct engine *e)
{
	struct timing *t = &e->timing;
	double ms = (double)e->judge.us / 1000;
	double per_hour = 3600.0 / (double)e->span_s;

	if (t->bucket_count == 0) {
		t->minimum_ms = t->maximum_ms = ms;
		t->exponential_average_ms = ms;
	}
	t->bucket_count++;
	t->total_ms += ms;
	if (ms < t->minimum_ms)
		t->minimum_ms = ms;
	if (ms > t->maximum_ms)
		t->maximum_ms = ms;
	t->exponential_average_ms =
	    TIMING_KEEP * t->exponential_average_ms + (1 - TIMING_KEEP) * ms;
	t->exponential_average_per_hour_ms =
	    t->exponential_average_ms * (per_hour > 1 ? per_hour : 1);
}

/* The bucket is judged: it is final. */
static void
finish_bucket(struct engine *e)
{
	struct bucket *b = e->judge.bucket;

	note_timing(e);
	empty_bucket(e, b, b->start_s);
	prune_pass_time(e, e->next_s, e->next_s + e->span_s);
	e->next_s += e->span_s;
	e->end_s = e->next_s;
}

/* Start of the first open bucket with records, or past the last due one. */
static int64_t
silence_ends(const struct engine *e)
{
	int64_t stop = engine_floor(e, e->target_s - e->conf->latency_s);

	for (size_t i = 0; i < e->nopen; i++) {
		const struct bucket *b = &e->open[i];

		if (b->events > 0 && b->start_s >= e->next_s &&
		    b->start_s < stop)
			stop = b->start_s;
	}
	return stop;
}

/* The source has been silent for so long that the rest is not worth a row. */
static void
jump_over_silence(struct engine *e)
{
	int64_t stop = silence_ends(e);

	if (stop <= e->next_s)
		return;
	log_warnx("job %s: no record for %d buckets: %lld more without records "
		  "have no results",
	    e->conf->job_id, ENGINE_EMPTY_MOST,
	    (long long)((stop - e->next_s) / e->span_s));
	e->next_s = e->end_s = stop;
	e->empty_run = 0;
}

int
engine_drop_interim(struct engine *e)
{
	int more;

	if (!e->interim_left)
		return 0;
	more = e->sink.drop_interim(e->sink.arg, INT64_MIN);
	e->interim_left = more != 0;
	return more;
}

/* 0, also when it is to be called again; or -1. */
static int
start_bucket(struct engine *e)
{
	struct bucket *b;
	int more;

	if (e->empty_run >= ENGINE_EMPTY_MOST) {
		jump_over_silence(e);
		if (!is_due(e))
			return 0;
	}
	e->news |= e->interim_left && e->nopen > 1;
	more = engine_drop_interim(e);
	if (more != 0)
		return more == -1 ? -1 : 0;
	b = engine_bucket(e, e->next_s);
	e->empty_run = b->events > 0 ? 0 : e->empty_run + 1;
	judge_begin(e, b, false, e->empty_run > ENGINE_EMPTY_LEARNED);
	return 0;
}

int
engine_step(struct engine *e)
{
	int64_t stop;

	/* Asked with each record, and the clock costs as much as one. */
	if (!engine_is_busy(e))
		return 0;
	stop = clock_mono_us() + ENGINE_SLICE_US;
	do {
		int more;

		if (e->empty_from_s != e->empty_to_s) {
			empty_some(e);
			continue;
		}
		if (e->judge.phase == JUDGE_IDLE) {
			if (!is_due(e))
				return 0;
			if (start_bucket(e) == -1)
				return -1;
			continue;
		}
		more = judge_step(e);
		if (more == -1)
			return -1;
		if (more == 0)
			finish_bucket(e);
	} while (clock_mono_us() < stop);
	return engine_is_busy(e);
}

/* The bucket of a record, mostly that of the one before: no division then. */
static struct bucket *
bucket_of(struct engine *e, int64_t time_s)
{
	struct bucket *b = e->recent;

	if (b == NULL || time_s < b->start_s ||
	    time_s - b->start_s >= e->span_s)
		b = e->recent = engine_bucket(e, engine_floor(e, time_s));
	return b;
}

int
engine_add(struct engine *e, int64_t time_s, const struct record *rec)
{
	struct bucket *b;

	if (time_s < e->end_s || !is_time(time_s))
		return 0;
	if (time_s > e->target_s || engine_is_busy(e)) {
		errno = EINVAL;
		return -1;
	}
	b = bucket_of(e, time_s);
	e->news = true;
	if (e->size.timestamp < b->start_s * 1000)
		e->size.timestamp = b->start_s * 1000;
	return gather_record(e, b, time_s, rec);
}

/* No bucket lies beyond, and sums of what is within cannot overflow. */
static int64_t
time_within(int64_t time_s)
{
	if (time_s < -ENGINE_TIME_MOST)
		return -ENGINE_TIME_MOST;
	return time_s > ENGINE_TIME_MOST ? ENGINE_TIME_MOST : time_s;
}

void
engine_reset_buckets(struct engine *e, int64_t start_s, int64_t end_s)
{
	int64_t start = engine_floor(e, time_within(start_s));
	int64_t stop = engine_ceil(e, time_within(end_s));

	if (start >= stop)
		return;
	begin_to_empty(e, start, stop);
	e->news = true;
}

void
engine_skip(struct engine *e, int64_t time_s)
{
	int64_t start;

	if (!is_time(time_s))
		return;
	start = engine_ceil(e, time_s);
	if (start <= e->end_s)
		return;
	judge_abandon(e);
	begin_to_empty(e, INT64_MIN, start);
	e->next_s = e->end_s = start;
	e->empty_run = 0;
	if (e->target_s < start)
		e->target_s = start;
}

bool
engine_has_news(const struct engine *e)
{
	return e->news;
}

int64_t
engine_last_finalized_ms(const struct engine *e)
{
	return e->end_s == TIME_UNSET ? TIME_UNSET : e->end_s * 1000;
}

uint32_t
engine_partitions_each(const struct engine *e)
{
	uint32_t each =
	    numbers_taken(&e->table.partitions) / (uint32_t)e->conf->ndetectors;

	/* there are detectors that no record is for */
	return each > 0 ? each : 1;
}

size_t
engine_bytes(const struct engine *e)
{
	size_t pairs =
	    e->has_pairs ? pairs_bytes(&e->pairs, e->table.numbers.room) : 0;

	return e->fixed_bytes + names_bytes(&e->names) +
	    series_bytes(&e->table) + pairs + e->open_bytes;
}

void
engine_note_bytes(struct engine *e)
{
	size_t bytes = engine_bytes(e);

	if (bytes > e->size.peak_model_bytes)
		e->size.peak_model_bytes = bytes;
}

/* Without room the next series that is refused sets the status again. */
void
engine_opened(struct engine *e)
{
	if (engine_bytes(e) <= memory_limit(e))
		e->size.memory_status = MEMORY_OK;
}

void
engine_size(const struct engine *e, struct model_size *size)
{
	int64_t log_time = size->log_time;
	uint64_t limit = memory_limit(e);

	*size = e->size;
	size->log_time = log_time;
	size->model_bytes = engine_bytes(e);
	if (size->model_bytes > size->peak_model_bytes)
		size->peak_model_bytes = size->model_bytes;
	size->model_bytes_memory_limit = limit;
	size->total_by_field_count =
	    numbers_taken(&e->table.numbers) - e->table.nmembers;
	size->total_over_field_count = e->table.nmembers;
	size->total_partition_field_count = numbers_taken(&e->table.partitions);
	if (size->memory_status == MEMORY_OK && !memory_is_ample(e))
		size->memory_status = MEMORY_SOFT_LIMIT;
}

void
engine_timing(const struct engine *e, struct timing *t)
{
	*t = e->timing;
}
