/* Owns POST _data: its parameters and who may post. */
#include "common/compat.h"

#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/diskroom.h"
#include "supervisor/job.h"
#include "supervisor/options.h"
#include "supervisor/server.h"

/* Without a start there is no reset (jobs-and-data 5.10). */
static int
reset_range(struct call *c, int64_t *start_s, int64_t *end_s, struct apierr *e)
{
	if (options_time_range(params_get(&c->params, "reset_start"),
		params_get(&c->params, "reset_end"), start_s, end_s, e) == -1)
		return -1;
	if (*start_s == TIME_UNSET)
		*end_s = TIME_UNSET;
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
	if (job == NULL || !job_has_line(job)) {
		call_fail(c, 409, E_STATUS,
		    "Cannot perform requested action because job [%s] is not "
		    "open",
		    c->job_id);
		return;
	}
	if (line_admit(job, c->old_path, &e) == -1 ||
	    diskroom_admit(c->srv, &e) == -1) {
		call_error(c, &e);
		return;
	}
	upload_start(job, c, start_s, end_s);
}
