/* Owns the walk over the models of a job that a forecast is made by. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/engine_int.h"
#include "worker/forecast.h"
#include "worker/forecaster.h"

#define PREFIX "Cannot run forecast: "
#define MODELS_MAX (UINT64_C(500) << 20) /* results-and-models 11.2 */
/*
 * Some 60 bytes each in results.db, at 100,000 a second: 3 GB, ten minutes. On
 * a disk that is nearly full what one may have is as much as min_free_size.
 */
#define POINTS_MOST UINT64_C(50000000)
#define POINTS_MOST_TIGHT UINT64_C(1000000)

/* ---- whether it can be ---- */

static bool
is_supported(const struct engine_detector *d)
{
	enum function_kind kind = d->conf->function->kind;

	return d->feature != NULL && d->conf->over_field_name == NULL &&
	    kind != FN_RARE && kind != FN_FREQ_RARE && kind != FN_LAT_LONG &&
	    kind != FN_TIME_OF_DAY && kind != FN_TIME_OF_WEEK;
}

static const struct engine_detector *
detector_of(const struct engine *e, const struct series *s)
{
	return &e->detector[e->table.partition[s->partition]->detector];
}

/* Neither free nor of a detector that foretells nothing. */
static bool
is_wanted(const struct engine *e, const struct series *s)
{
	return s != NULL && is_supported(detector_of(e, s));
}

static uint64_t
bytes_of_models(const struct engine *e)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < e->table.numbers.n; i++) {
		const struct series *s = e->table.series[i];

		if (!is_wanted(e, s))
			continue;
		bytes += sizeof(*s) + s->nmodels * sizeof(s->model[0]);
		for (uint32_t k = 0; k < s->nmodels; k++)
			bytes += model_bytes(&s->model[k]);
	}
	return bytes;
}

/* A model says no more of what is ahead than it has seen: seconds. */
static int64_t
outlook_of(const struct engine *e, const struct model *m)
{
	return engine_local(e, e->next_s) - m->first_s;
}

static uint64_t
count_points(const struct engine *e, int64_t duration_s)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < e->table.numbers.n; i++) {
		const struct series *s = e->table.series[i];

		if (!is_wanted(e, s))
			continue;
		for (uint32_t k = 0; k < s->nmodels; k++) {
			int64_t ahead_s = outlook_of(e, &s->model[k]);

			if (!forecast_is_known(&s->model[k]))
				break;
			if (ahead_s > duration_s)
				ahead_s = duration_s;
			if (ahead_s > 0)
				n += (uint64_t)(ahead_s / e->span_s);
		}
	}
	return n;
}

static int
refuse(struct apierr *e, const char *why)
{
	return apierr_set(e, 400, E_STATUS, PREFIX "%s", why);
}

static int
check_detectors(const struct engine *e, struct apierr *err)
{
	size_t supported = 0;

	for (size_t i = 0; i < e->conf->ndetectors; i++) {
		if (e->detector[i].conf->over_field_name != NULL)
			return refuse(err,
			    "Forecast is not supported for population "
			    "analysis");
		supported += is_supported(&e->detector[i]);
	}
	if (supported > 0)
		return 0;
	return refuse(err, "Forecast is not supported for the used functions");
}

/* Nobody may fill the disk by a few words. */
static int
check_points(
    const struct engine *e, const struct msg_forecast *m, struct apierr *err)
{
	uint64_t most = m->disk_has_room ? POINTS_MOST : POINTS_MOST_TIGHT;
	uint64_t n = count_points(e, m->duration_s);

	if (n <= most)
		return 0;
	return apierr_set(err, 400, E_STATUS,
	    PREFIX "it would have %" PRIu64 " points, one may have %" PRIu64
		   "%s: ask for a shorter [duration]",
	    n, most, m->disk_has_room ? "" : " on a disk with so little room");
}

int
forecaster_check(const struct engine *e, const struct msg_forecast *m,
    struct forecast_scope *s, struct apierr *err)
{
	if (check_detectors(e, err) == -1)
		return -1;
	if (e->timing.bucket_count == 0)
		return refuse(err,
		    "Forecast cannot be executed as job requires data to have "
		    "been processed and modeled");
	s->bytes = bytes_of_models(e);
	if (s->bytes == 0)
		return refuse(err,
		    "Forecast cannot be executed as model is not yet "
		    "established. Job requires more time to learn");
	if (e->size.memory_status != MEMORY_OK)
		return refuse(err,
		    "Forecast cannot be executed as model memory status is "
		    "not OK");
	if (s->bytes > MODELS_MAX)
		return refuse(err,
		    "Forecast cannot be executed as forecast memory usage is "
		    "predicted to exceed 500MB");
	if (s->bytes > m->max_memory_bytes && !m->disk_has_room)
		return refuse(err,
		    "Forecast cannot be executed as models exceed internal "
		    "memory limit and available disk space is insufficient");
	s->start_s = e->next_s;
	return check_points(e, m, err);
}

/* ---- the child's work ---- */

struct run {
	const struct engine *e;
	int fd;
	int64_t end_s;
	uint64_t known; /* series that have been foretold */
	bool *told_cut; /* [detector] */
	bool *told_young;
	struct forecast_at_time point[FORECAST_POINTS_MAX];
	size_t npoints;
};

static int
put(const struct run *r, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(r->fd, p, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
put_frame(const struct run *r, enum forecast_frame_type type, const void *data,
    size_t len)
{
	struct forecast_frame f = { (uint32_t)type, (uint32_t)len };

	if (put(r, &f, sizeof(f)) == -1)
		return -1;
	return len == 0 ? 0 : put(r, data, len);
}

static int
flush_points(struct run *r)
{
	size_t n = r->npoints;

	r->npoints = 0;
	if (n == 0)
		return 0;
	return put_frame(r, FORECAST_POINTS, r->point, n * sizeof(r->point[0]));
}

static int
put_series(const struct run *r, const struct series *s, uint32_t feature)
{
	const struct partition *p = r->e->table.partition[s->partition];
	struct forecast_series h = { p->detector, feature, -1, -1 };
	struct span by = { NULL, 0 }, partition = { NULL, 0 };
	struct forecast_frame f = { FORECAST_SERIES, sizeof(h) };

	if (s->by != NAMES_NONE) {
		by = names_get(&r->e->names, s->by);
		h.by_len = (int64_t)by.len;
	}
	if (p->name != NAMES_NONE) {
		partition = names_get(&r->e->names, p->name);
		h.partition_len = (int64_t)partition.len;
	}
	f.len += (uint32_t)(by.len + partition.len);
	if (put(r, &f, sizeof(f)) == -1 || put(r, &h, sizeof(h)) == -1 ||
	    (by.len > 0 && put(r, by.p, by.len) == -1))
		return -1;
	return partition.len == 0 ? 0 : put(r, partition.p, partition.len);
}

/* Once for each detector, however many series it has. */
static int
tell(const struct run *r, bool *told, uint32_t detector, const char *what)
{
	char text[256];

	if (told[detector])
		return 0;
	told[detector] = true;
	snprintf(
	    text, sizeof(text), "Detector[%u]: %s", (unsigned)detector, what);
	return put_frame(r, FORECAST_MESSAGE, text, strlen(text));
}

static int
put_model(struct run *r, const struct series *s, uint32_t feature)
{
	const struct engine *e = r->e;
	const struct model *m = &s->model[feature];
	enum model_kind kind = detector_of(e, s)->feature[feature].model;
	int64_t last_s = e->next_s + outlook_of(e, m);
	int64_t step = (e->next_s - s->last_s) / e->span_s - 1;

	/* no further ahead than it looks back */
	if (last_s < r->end_s &&
	    tell(r, r->told_cut, e->table.partition[s->partition]->detector,
		"Unable to accurately forecast for the full requested time "
		"interval") == -1)
		return -1;
	if (last_s > r->end_s)
		last_s = r->end_s;
	if (put_series(r, s, feature) == -1)
		return -1;
	for (int64_t t = e->next_s; t < last_s; t += e->span_s) {
		struct forecast_at_time *p = &r->point[r->npoints++];
		struct forecast f;

		forecast_at(m, kind, engine_local(e, t), (double)++step, &f);
		*p = (struct forecast_at_time){ t * 1000, f.lower, f.upper,
			f.prediction };
		if (r->npoints == FORECAST_POINTS_MAX && flush_points(r) == -1)
			return -1;
	}
	return flush_points(r);
}

static int
put_one(struct run *r, const struct series *s)
{
	for (uint32_t i = 0; i < s->nmodels; i++) {
		if (!forecast_is_known(&s->model[i]))
			return tell(r, r->told_young,
			    r->e->table.partition[s->partition]->detector,
			    "Insufficient history to forecast");
		if (put_model(r, s, i) == -1)
			return -1;
	}
	r->known++;
	return 0;
}

static int
put_all(struct run *r)
{
	const struct series_table *t = &r->e->table;
	struct forecast_done done = { 0, t->numbers.n };
	const char *none = "Insufficient history to forecast for all models";

	for (uint32_t i = 0; i < t->numbers.n; i++) {
		if (is_wanted(r->e, t->series[i]) &&
		    put_one(r, t->series[i]) == -1)
			return -1;
		done.series = i + 1;
		if (done.series < done.of &&
		    put_frame(r, FORECAST_DONE, &done, sizeof(done)) == -1)
			return -1;
	}
	if (r->known == 0 &&
	    put_frame(r, FORECAST_MESSAGE, none, strlen(none)) == -1)
		return -1;
	return put_frame(r, FORECAST_DONE, &done, sizeof(done));
}

int
forecaster_run(const struct engine *e, const struct msg_forecast *m, int fd)
{
	struct run *r = calloc(1, sizeof(*r));
	int rc = -1;

	if (r == NULL)
		return -1;
	r->e = e;
	r->fd = fd;
	r->end_s = e->next_s + m->duration_s;
	r->told_cut = calloc(e->conf->ndetectors, sizeof(bool));
	r->told_young = calloc(e->conf->ndetectors, sizeof(bool));
	if (r->told_cut != NULL && r->told_young != NULL)
		rc = put_all(r);
	free(r->told_cut);
	free(r->told_young);
	free(r);
	return rc;
}
