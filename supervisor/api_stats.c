/* Owns GET _stats: what the supervisor was told, without asking anybody. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/jsonmake.h"
#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/node.h"

static void
add_assignment(struct json_object **o, const struct job *job)
{
	const char *why = job_explanation(job);
	int64_t open_ms = job_open_ms(job);
	char seconds[32];

	if (job_is_assigned(job))
		jsonmake_add(o, "node", node_json(job->srv));
	if (why != NULL)
		jsonmake_string(o, "assignment_explanation", why);
	if (open_ms == TIME_UNSET)
		return;
	snprintf(
	    seconds, sizeof(seconds), "%llds", (long long)(open_ms / 1000));
	jsonmake_string(o, "open_time", seconds);
}

/* What was never recorded has been looked at now. */
static struct json_object *
size_json(const struct job *job)
{
	struct model_size size = job->totals.size;

	if (size.log_time == TIME_UNSET)
		size.log_time = clock_wall_ms();
	return model_size_json(&size, job->id);
}

static struct json_object *
job_stats(const struct job *job)
{
	struct json_object *o = json_object_new_object();
	const struct job_totals *t = &job->totals;
	struct json_object *recovery, *quarantined;

	jsonmake_string(&o, "job_id", job->id);
	jsonmake_add(&o, "data_counts",
	    data_counts_json(&t->counts, job->id, t->size.log_time));
	jsonmake_add(&o, "model_size_stats", size_json(job));
	jsonmake_add(
	    &o, "forecasts_stats", forecast_totals_json(&job->forecasts));
	jsonmake_string(&o, "state", job_state_name(job));
	add_assignment(&o, job);
	if ((recovery = recovery_json(job)) != NULL)
		jsonmake_add(&o, "recovery", recovery);
	if ((quarantined = quarantined_json(job)) != NULL)
		jsonmake_add(&o, "quarantine", quarantined);
	jsonmake_add(&o, "timing_stats", timing_json(&t->timing, job->id));
	if (job->state == JOB_DELETING || job->delete_when_closed)
		jsonmake_bool(&o, "deleting", true);
	return o;
}

void
api_job_stats(struct call *c)
{
	api_job_list(c, job_stats);
}
