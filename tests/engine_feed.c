/* Owns the feeding of an engine in tests. */
#include "common/compat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/engine_feed.h"

static void *
grown(void *array, size_t n, size_t size)
{
	if (n != 0 && (n & (n - 1)) != 0)
		return array;
	array = reallocarray(array, n == 0 ? 1 : 2 * n, size);
	if (array == NULL)
		abort();
	return array;
}

static void
keep_text(char *dst, struct span *s)
{
	dst[0] = '\0';
	if (s->p == NULL)
		return;
	snprintf(dst, FEED_TEXT, "%.*s", (int)s->len, s->p);
	s->p = dst;
}

static bool
sink_full(struct feed *f)
{
	if (f->fail_after != 0 && f->nwritten >= f->fail_after) {
		errno = ENOSPC;
		return true;
	}
	f->nwritten++;
	return false;
}

static int
take_record(void *arg, const struct record_result *r)
{
	struct feed *f = arg;
	struct feed_record *kept;

	if (sink_full(f))
		return -1;
	if (f->keep_nothing) {
		f->nrecords++;
		return 0;
	}
	f->record = grown(f->record, f->nrecords, sizeof(*f->record));
	kept = &f->record[f->nrecords++];
	memset(kept, 0, sizeof(*kept));
	kept->r = *r;
	keep_text(kept->by, &kept->r.by_field_value);
	keep_text(kept->partition, &kept->r.partition_field_value);
	keep_text(kept->over, &kept->r.over_field_value);
	keep_text(kept->leader, &kept->r.why.leader);
	for (size_t i = 0; i < r->ninfluencers && i < 2; i++)
		keep_text(kept->influencer[i], &kept->r.influencer[i].value[0]);
	return 0;
}

static int
take_influencer(void *arg, const struct influencer_result *r)
{
	struct feed *f = arg;
	struct feed_influencer *kept;

	if (sink_full(f))
		return -1;
	if (f->keep_nothing) {
		f->ninfluencers++;
		return 0;
	}
	f->told = grown(f->told, f->ninfluencers, sizeof(*f->told));
	kept = &f->told[f->ninfluencers++];
	kept->r = *r;
	keep_text(kept->value, &kept->r.field_value);
	return 0;
}

static int
take_bucket(void *arg, const struct bucket_result *r)
{
	struct feed *f = arg;

	if (sink_full(f))
		return -1;
	if (!f->keep_nothing) {
		f->bucket = grown(f->bucket, f->nbuckets, sizeof(*f->bucket));
		f->bucket[f->nbuckets] = *r;
	}
	f->nbuckets++;
	return 0;
}

/* Done in three calls. */
static int
take_rescore(void *arg, const struct rescorer *how)
{
	struct feed *f = arg;

	if (how->anew) {
		f->nrescores++;
		f->rescored = *how;
		f->rescore_left = 2;
	}
	return f->rescore_left-- > 0;
}

static int
take_drop(void *arg, int64_t from_ms)
{
	struct feed *f = arg;
	size_t n = 0;

	f->ndrops++;
	if (f->keep_nothing)
		return 0;
	for (size_t i = 0; i < f->nbuckets; i++) {
		if (!f->bucket[i].is_interim ||
		    f->bucket[i].timestamp_ms < from_ms)
			f->bucket[n++] = f->bucket[i];
	}
	f->nbuckets = n;
	for (n = 0; n < f->nrecords && !f->record[n].r.is_interim; n++)
		;
	f->nrecords = n; /* interim ones are always the last */
	for (n = 0; n < f->ninfluencers && !f->told[n].r.is_interim; n++)
		;
	f->ninfluencers = n;
	return 0;
}

static void
add_field(struct feed *f, const char *name)
{
	size_t at = 0;

	if (name == NULL)
		return;
	while (at < f->conf.nfields && strcmp(f->field[at], name) < 0)
		at++;
	if (at < f->conf.nfields && strcmp(f->field[at], name) == 0)
		return;
	memmove(&f->field[at + 1], &f->field[at],
	    (f->conf.nfields++ - at) * sizeof(f->field[0]));
	f->field[at] = strdup(name);
}

static char *
copy(const char *s)
{
	return s == NULL ? NULL : strdup(s);
}

void
feed_init(struct feed *f, int64_t span_s, const struct feed_detector *d,
    const char *const *influencers)
{
	memset(f, 0, sizeof(*f));
	f->conf.job_id = strdup("fed");
	f->conf.bucket_span_s = span_s;
	f->conf.detector = f->detector;
	f->conf.influencer = f->influencer;
	f->conf.field = f->field;
	f->conf.model_memory_limit_mb = 1024;
	for (; d->function != NULL; d++) {
		struct detector *c = &f->detector[f->conf.ndetectors++];

		c->function = function_find(d->function);
		if (c->function == NULL)
			abort();
		c->field_name = copy(d->field);
		c->by_field_name = copy(d->by);
		c->partition_field_name = copy(d->partition);
		c->over_field_name = copy(d->over);
		c->use_null = d->use_null;
		c->exclude_frequent_by = d->exclude_frequent;
		add_field(f, d->field);
		add_field(f, d->by);
		add_field(f, d->partition);
		add_field(f, d->over);
	}
	for (; influencers != NULL && *influencers != NULL; influencers++) {
		f->influencer[f->conf.ninfluencers++] = strdup(*influencers);
		add_field(f, *influencers);
	}
}

static struct engine *
new_engine(struct feed *f)
{
	struct result_sink sink = { .record = take_record,
		.bucket = take_bucket,
		.drop_interim = take_drop,
		.influencer = take_influencer,
		.rescore = take_rescore,
		.arg = f };
	struct engine *e = engine_new(&f->conf, &sink);

	if (e == NULL)
		abort();
	return e;
}

void
feed_start(struct feed *f)
{
	add_field(f, f->conf.summary_count_field_name);
	f->rec.field = f->value;
	f->rec.nfields = 1 + f->conf.nfields;
	f->engine = new_engine(f);
}

void
feed_clear(struct feed *f)
{
	engine_free(f->engine);
	for (size_t i = 0; i < f->conf.ndetectors; i++) {
		free(f->detector[i].field_name);
		free(f->detector[i].by_field_name);
		free(f->detector[i].partition_field_name);
		free(f->detector[i].over_field_name);
	}
	for (size_t i = 0; i < f->conf.ninfluencers; i++)
		free(f->influencer[i]);
	for (size_t i = 0; i < f->conf.nfields; i++)
		free(f->field[i]);
	free(f->conf.job_id);
	free(f->record);
	free(f->told);
	free(f->bucket);
	memset(f, 0, sizeof(*f));
}

size_t
feed_field(const struct feed *f, const char *field)
{
	for (size_t i = 0; i < f->conf.nfields; i++) {
		if (strcmp(f->field[i], field) == 0)
			return i;
	}
	abort();
}

void
feed_put(struct feed *f, size_t field, const char *text, size_t len)
{
	f->value[1 + field] = (struct field_value){ text, len, true };
}

void
feed_set(struct feed *f, const char *field, const char *text)
{
	struct field_value *v = &f->value[1 + feed_field(f, field)];

	v->p = text;
	v->len = text == NULL ? 0 : strlen(text);
	v->present = text != NULL;
}

int
feed_advance(struct feed *f, int64_t time_s)
{
	int more;

	engine_target(f->engine, time_s);
	while ((more = engine_step(f->engine)) == 1)
		;
	return more;
}

int
feed_interim(struct feed *f, int64_t start_s, int64_t end_s)
{
	int more;

	while ((more = engine_interim(f->engine, start_s, end_s)) == 1)
		;
	return more;
}

int
feed_add(struct feed *f, int64_t time_s)
{
	if (feed_advance(f, time_s) == -1)
		return -1;
	return engine_add(f->engine, time_s, &f->rec);
}

void
feed_restart(struct feed *f)
{
	struct snapshot_writer *w = snapshot_writer_memory();
	struct snapshot_reader *r;
	const uint8_t *data;
	size_t len;

	if (engine_save(f->engine, w) == -1 ||
	    snapshot_memory(w, &data, &len) == -1)
		abort();
	engine_free(f->engine);
	f->engine = new_engine(f);
	r = snapshot_reader_memory(data, len);
	if (r == NULL || engine_load(f->engine, r) == -1)
		abort();
	snapshot_reader_free(r);
	snapshot_writer_free(w);
}

const struct feed_record *
feed_top_record(const struct feed *f)
{
	const struct feed_record *top = NULL;

	for (size_t i = 0; i < f->nrecords; i++) {
		if (top == NULL ||
		    f->record[i].r.record_score > top->r.record_score)
			top = &f->record[i];
	}
	return top;
}

const struct bucket_result *
feed_top_bucket(const struct feed *f)
{
	const struct bucket_result *top = NULL;

	for (size_t i = 0; i < f->nbuckets; i++) {
		if (top == NULL ||
		    f->bucket[i].anomaly_score > top->anomaly_score)
			top = &f->bucket[i];
	}
	return top;
}
