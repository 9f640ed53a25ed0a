/* Owns the requests about forecasts: checked, then made a task or a query. */
#include "common/compat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/jsonmake.h"
#include "common/log.h"
#include "common/units.h"
#include "supervisor/api.h"
#include "supervisor/ask.h"
#include "supervisor/call.h"
#include "supervisor/chores.h"
#include "supervisor/forecasting.h"
#include "supervisor/job.h"
#include "supervisor/options.h"
#include "supervisor/serieswish.h"
#include "supervisor/server.h"

#define PAGE_DEFAULT 100
#define DAY_S INT64_C(86400)
#define MEMORY_DEFAULT (UINT64_C(20) << 20)
#define MEMORY_LEAST (UINT64_C(1) << 20)
#define MEMORY_MOST (UINT64_C(500) << 20)
/* Of the job's own limit: a forecast may take so much of it. */
#define LIMIT_SHARE 0.4
/* What the API wants to be free before models go to the disk. */
#define DISK_LEAST (UINT64_C(4) << 30)

/* ---- a new one ---- */

struct forecast_options {
	const char *duration;
	const char *expires_in;
	const char *max_model_memory;
};

#define AT(member) offsetof(struct forecast_options, member)
static const struct option forecast_options[] = {
	{ "duration", OPTION_STRING, AT(duration), 0 },
	{ "expires_in", OPTION_STRING, AT(expires_in), 0 },
	{ "max_model_memory", OPTION_STRING, AT(max_model_memory), 0 },
};
#undef AT

static const struct option_table forecast_table = {
	"cluster:admin/xpack/ml/job/forecast", forecast_options,
	NELEM(forecast_options), false
};

static int
take_duration(const char *text, struct msg_forecast *m, struct apierr *e)
{
	int64_t ns;

	m->duration_s = DAY_S;
	m->duration_given = text != NULL;
	if (text == NULL)
		return 0;
	if (units_duration("duration", text, &ns, e) == -1)
		return -1;
	if (ns <= 0)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[duration] must be positive: [%s]", text);
	if (ns / UNITS_NS_PER_S > MSG_FORECAST_S_MAX ||
	    (ns / UNITS_NS_PER_S == MSG_FORECAST_S_MAX &&
		ns % UNITS_NS_PER_S > 0))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[duration] must be 3650d or less: [%s]", text);
	m->duration_s = ns / UNITS_NS_PER_S;
	return 0;
}

static int
take_expiry(const char *text, struct msg_forecast *m, struct apierr *e)
{
	int64_t ns;

	m->expires_in_ms = 14 * DAY_S * 1000;
	m->expiry_given = text != NULL;
	if (text == NULL)
		return 0;
	if (units_duration("expires_in", text, &ns, e) == -1)
		return -1;
	if (ns < 0)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[expires_in] must be non-negative: [%s]", text);
	m->expires_in_ms = ns / (UNITS_NS_PER_S / 1000);
	/* less than that is not never, which is what 0 means */
	if (ns > 0 && m->expires_in_ms == 0)
		m->expires_in_ms = 1;
	return 0;
}

static int
take_memory(const char *text, struct msg_forecast *m, struct apierr *e)
{
	m->max_memory_bytes = MEMORY_DEFAULT;
	if (text == NULL)
		return 0;
	if (units_size("max_model_memory", text, &m->max_memory_bytes, e) == -1)
		return -1;
	if (m->max_memory_bytes < MEMORY_LEAST)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[max_model_memory] must be at least 1mb.");
	if (m->max_memory_bytes >= MEMORY_MOST)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[max_model_memory] must be less than 500mb");
	return 0;
}

/* Silently, as the API has it; whoever reads the log is told. */
static void
limit_memory(const struct job *job, struct msg_forecast *m)
{
	uint64_t limit = job->conf->model_memory_limit_mb << 20;
	uint64_t most = (uint64_t)((double)limit * LIMIT_SHARE);

	if (limit == 0 || m->max_memory_bytes < most)
		return;
	m->max_memory_bytes = most > 1 ? most - 1 : 1;
	log_warnx("job %s: max_model_memory of a forecast is more than 40%% "
		  "of model_memory_limit: it is %" PRIu64 " bytes instead",
	    job->id, m->max_memory_bytes);
}

static int
check_span(const struct job *job, const struct forecast_options *f,
    const struct msg_forecast *m, struct apierr *e)
{
	int64_t span_s = job->conf->bucket_span_s;
	char shown[UNITS_DURATION_BYTES], span[UNITS_DURATION_BYTES];

	if (m->duration_s >= span_s)
		return 0;
	units_print_duration(shown, m->duration_s * UNITS_NS_PER_S);
	units_print_duration(span, span_s * UNITS_NS_PER_S);
	return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
	    "[duration] must be greater or equal to the bucket span: [%s/%s]",
	    f->duration != NULL ? f->duration : shown, span);
}

static int
forecast_read(
    const struct forecast_options *f, struct msg_forecast *m, struct apierr *e)
{
	if (take_duration(f->duration, m, e) == -1 ||
	    take_expiry(f->expires_in, m, e) == -1)
		return -1;
	return take_memory(f->max_model_memory, m, e);
}

static void
forecast_ask(struct call *c, struct job *job, struct msg_forecast *m)
{
	if (m->max_memory_bytes != MEMORY_DEFAULT)
		limit_memory(job, m);
	m->receipt_ms = clock_wall_ms();
	m->disk_has_room = c->srv->disk_free_bytes >= DISK_LEAST;
	forecasting_ask(job, c, m);
}

void
api_forecast(struct call *c)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct forecast_options f = { .duration = NULL };
	struct msg_forecast m = { .duration_s = 0 };
	struct options os;
	struct apierr e;
	int rc = options_read(&os, &forecast_table, c, &f, &e);

	if (rc == 0)
		rc = forecast_read(&f, &m, &e);
	if (rc == -1)
		call_error(c, &e);
	else if (job == NULL)
		call_no_such_job(c, c->job_id);
	else if (line_admit(job, c->old_path, &e) == -1 ||
	    check_span(job, &f, &m, &e) == -1)
		call_error(c, &e);
	else
		forecast_ask(c, job, &m);
	options_clear(&os);
}

/* ---- removal ---- */

struct delete_options {
	int64_t timeout_ms;
	bool allow_no_forecasts;
};

#define AT(member) offsetof(struct delete_options, member)
static const struct option delete_options[] = {
	{ "timeout", OPTION_DURATION, AT(timeout_ms), 0 },
	{ "allow_no_forecasts", OPTION_BOOL, AT(allow_no_forecasts), 0 },
};
#undef AT

static const struct option_table delete_table = {
	"cluster:admin/xpack/ml/job/forecast/delete", delete_options,
	NELEM(delete_options), false
};

void
api_forecast_delete(struct call *c)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct delete_options d = { .timeout_ms = 30000,
		.allow_no_forecasts = true };
	struct msg_chore m = { .kind = CHORE_FORECASTS,
		.retain = CHORE_RETAIN_AS_IT_IS };
	struct options os;
	struct apierr e;
	int rc = options_read(&os, &delete_table, c, &d, &e);

	options_clear(&os);
	m.snapshot_id = span_of(c->item == NULL ? "_all" : c->item);
	m.allow_none = d.allow_no_forecasts;
	if (rc == -1)
		call_error(c, &e);
	else if (job == NULL)
		call_no_such_job(c, c->job_id);
	else if (m.snapshot_id.len > MSG_ITEM_MAX)
		call_fail(c, 400, E_ILLEGAL_ARGUMENT,
		    "the list of forecasts is longer than [%d] bytes",
		    MSG_ITEM_MAX);
	else
		chore_ask(job, c, CHORE_ANSWER_FORECASTS, &m);
}

/* ---- reading ---- */

struct read_options {
	int64_t start_ms;
	int64_t end_ms;
	int64_t from;
	int64_t size;
	struct serieswish series;
};

#define AT(member) offsetof(struct read_options, member)
static const struct option read_options[] = {
	{ "start", OPTION_DATE_MS, AT(start_ms), OPTION_NULL },
	{ "end", OPTION_DATE_MS, AT(end_ms), OPTION_NULL },
	{ "from", OPTION_INT, AT(from), OPTION_PAGED },
	{ "size", OPTION_INT, AT(size), OPTION_PAGED },
	SERIESWISH_OPTIONS(AT(series)),
};
#undef AT

static const struct option_table read_table = {
	"cluster:monitor/xpack/ml/job/results/forecasts/get", read_options,
	NELEM(read_options), false
};

static void
read_ask(struct call *c, const struct job *job, const struct read_options *r)
{
	struct msg_query m = { .kind = QUERY_FORECAST,
		.timestamp_ms = TIME_UNSET };

	m.start_ms = r->start_ms;
	m.end_ms = r->end_ms;
	m.from = (uint32_t)r->from;
	m.size = (uint32_t)r->size;
	m.ids = span_of(c->item);
	serieswish_put(&r->series, &m);
	ask_query(c, job, &m);
}

/* The series is of points, which only the list of one forecast has. */
static int
read_check(const struct call *c, const struct options *os,
    const struct read_options *r, struct apierr *e)
{
	const char *name = serieswish_given(os);

	if (c->item == NULL && name != NULL)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[%s] is for the points of one forecast: put its id into "
		    "the path",
		    name);
	return serieswish_check(os, &r->series, e);
}

void
api_forecasts(struct call *c)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct read_options r = { .start_ms = TIME_UNSET,
		.end_ms = TIME_UNSET,
		.size = PAGE_DEFAULT,
		.series = SERIESWISH_ANY };
	struct options os;
	struct apierr e;
	int rc;

	if (job == NULL) {
		call_no_such_job(c, c->job_id);
		return;
	}
	rc = options_read(&os, &read_table, c, &r, &e);
	if (rc == 0)
		rc = options_page(r.from, r.size, &e);
	if (rc == 0)
		rc = read_check(c, &os, &r, &e);
	if (rc == -1)
		call_error(c, &e);
	else if (c->item != NULL && strlen(c->item) > MSG_ID_MAX)
		call_fail(c, 404, E_NOT_FOUND,
		    "No forecast(s) [%s] exists for job [%s]", c->item,
		    c->job_id);
	else
		read_ask(c, job, &r);
	options_clear(&os);
}
