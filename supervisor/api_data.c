/* Owns POST _data: its parameters and who may post. */
#include "common/compat.h"

#include "common/clock.h"
#include "common/units.h"
#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

/*
 * reset_start and reset_end (jobs-and-data 5.10): whole seconds. Without a
 * start there is no reset; without an end it is one second long.
 */
static int
reset_range(struct call *c, int64_t *start_s, int64_t *end_s, struct apierr *e)
{
	const char *start = params_get(&c->params, "reset_start");
	const char *end = params_get(&c->params, "reset_end");
	int64_t now_ms = clock_wall_ms(), start_ms = 0, end_ms = 0;

	*start_s = *end_s = TIME_UNSET;
	if (start != NULL && *start != '\0' &&
	    units_date("start", start, now_ms, &start_ms, e) == -1)
		return -1;
	if (end != NULL && *end != '\0' &&
	    units_date("end", end, now_ms, &end_ms, e) == -1)
		return -1;
	if (start == NULL || *start == '\0')
		return 0;
	*start_s = start_ms / 1000;
	*end_s = *start_s + 1;
	if (end == NULL || *end == '\0')
		return 0;
	*end_s = end_ms / 1000;
	if (*end_s < *start_s)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Invalid time range: end time '%s' is earlier than start "
		    "time '%s'.",
		    end, start);
	if (*end_s == *start_s)
		*end_s = *start_s + 1;
	return 0;
}

void
api_job_data(struct call *c)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	int64_t start_s, end_s;
	struct apierr e;

	if (reset_range(c, &start_s, &end_s, &e) == -1) {
		call_error(c, &e);
		return;
	}
	if (job == NULL || job->state != JOB_OPENED) {
		call_fail(c, 409, E_STATUS,
		    "Cannot perform requested action because job [%s] is not "
		    "open",
		    c->job_id);
		return;
	}
	if (line_admit(job, c->old_path, &e) == -1) {
		call_error(c, &e);
		return;
	}
	upload_start(job, c, start_s, end_s);
}
