/* Owns the life of a job's analytic parts. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "worker/analysis.h"
#include "worker/forecasts.h"

/* Intake and engine without any past. */
static int
parts_new(struct analysis *a)
{
	struct result_sink sink;

	results_sink(a->results, &sink);
	a->intake = intake_new(a->conf);
	a->engine = engine_new(a->conf, &sink);
	if (a->intake == NULL || a->engine == NULL) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static void
parts_free(struct analysis *a)
{
	intake_free(a->intake);
	engine_free(a->engine);
	a->intake = NULL;
	a->engine = NULL;
}

struct analysis *
analysis_new(struct jobconf *conf)
{
	struct analysis *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		jobconf_free(conf);
		return NULL;
	}
	a->conf = conf;
	a->log_time_ms = TIME_UNSET;
	a->snapshot_ms = TIME_UNSET;
	a->results = results_new();
	if (a->results != NULL)
		a->forecasts = forecasts_new(a->results);
	if (a->forecasts == NULL || parts_new(a) == -1) {
		analysis_free(a);
		errno = ENOMEM;
		return NULL;
	}
	return a;
}

void
analysis_free(struct analysis *a)
{
	if (a == NULL)
		return;
	forecasts_free(a->forecasts);
	parts_free(a);
	reader_free(a->reader);
	if (a->results != NULL)
		results_free(a->results);
	jobconf_free(a->conf);
	free(a);
}

int
analysis_update(struct analysis *a, const void *text, size_t len)
{
	struct plotconf mine, old;
	struct jobconf *conf;
	struct apierr e;

	conf = jobconf_restore(a->conf->job_id, text, len, &e);
	if (conf == NULL) {
		log_warnx("configuration: %s", e.link[0].reason);
		errno = EBADMSG;
		return -1;
	}
	if (!plotconf_copy(&mine, &conf->plot)) {
		plotconf_clear(&mine);
		jobconf_free(conf);
		errno = ENOMEM;
		return -1;
	}
	engine_set_plot(a->engine, &mine);
	/* an engine that is made anew begins with it */
	old = a->conf->plot;
	a->conf->plot = conf->plot;
	conf->plot = old;
	jobconf_free(conf);
	return 0;
}

struct reader *
analysis_reader(struct analysis *a)
{
	if (a->reader == NULL)
		a->reader = reader_new(a->conf);
	return a->reader;
}

void
analysis_mute(struct analysis *a, bool muted)
{
	a->muted = muted;
	results_mute(a->results, muted);
}

void
analysis_totals(const struct analysis *a, struct job_totals *jt)
{
	job_totals_init(jt);
	jt->counts = *intake_totals(a->intake);
	engine_size(a->engine, &jt->size);
	jt->size.log_time = a->log_time_ms;
	engine_timing(a->engine, &jt->timing);
}

bool
analysis_is_blank(const struct analysis *a)
{
	return intake_totals(a->intake)->last_data_time == TIME_UNSET &&
	    data_counts_input_records(intake_totals(a->intake)) == 0 &&
	    engine_last_finalized_ms(a->engine) == TIME_UNSET;
}

int
analysis_save(const struct analysis *a, struct snapshot_writer *w)
{
	struct job_totals jt;

	analysis_totals(a, &jt);
	if (snapshot_section(w, SNAPSHOT_TOTALS) == -1 ||
	    snapshot_put(w, &data_counts_schema, &jt.counts) == -1 ||
	    snapshot_put(w, &model_size_schema, &jt.size) == -1 ||
	    snapshot_put(w, &timing_schema, &jt.timing) == -1)
		return -1;
	if (intake_save(a->intake, w) == -1)
		return -1;
	return engine_save(a->engine, w);
}

/* Of the totals only the time of the log is not known to their owners. */
static int
load_parts(struct analysis *a, struct snapshot_reader *r)
{
	struct job_totals jt;

	if (snapshot_enter(r, SNAPSHOT_TOTALS) == -1 ||
	    snapshot_get(r, &data_counts_schema, &jt.counts) == -1 ||
	    snapshot_get(r, &model_size_schema, &jt.size) == -1)
		return -1;
	if (intake_load(a->intake, r) == -1 || engine_load(a->engine, r) == -1)
		return -1;
	a->log_time_ms = jt.size.log_time;
	a->applied_seq = a->data_seq = a->snapshot_seq =
	    snapshot_reader_head(r)->applied_seq;
	a->snapshot_ms = snapshot_reader_head(r)->created_ms;
	return 0;
}

int
analysis_load(struct analysis *a, struct snapshot_reader *r)
{
	int saved;

	if (load_parts(a, r) == 0)
		return 0;
	saved = errno;
	parts_free(a);
	if (parts_new(a) == -1)
		return -1;
	errno = saved;
	return -1;
}
