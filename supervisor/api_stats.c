/* Owns GET _stats: what the supervisor was told, without asking anybody. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/jsonmake.h"
#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

static struct json_object *
node_json(const struct server *srv)
{
	struct json_object *o = json_object_new_object();
	struct json_object *attributes = json_object_new_object();

	jsonmake_string(&attributes, "ml.machine_memory", srv->machine_memory);
	jsonmake_string(&o, "id", srv->node_id);
	jsonmake_string(&o, "name", srv->node_name);
	jsonmake_string(&o, "ephemeral_id", srv->node_id);
	jsonmake_string(&o, "transport_address", srv->address);
	jsonmake_add(&o, "attributes", attributes);
	return o;
}

static struct json_object *
forecasts_json(void)
{
	struct json_object *o = json_object_new_object();

	jsonmake_int(&o, "total", 0);
	jsonmake_int(&o, "forecasted_jobs", 0);
	return o;
}

static void
add_running(struct json_object **o, const struct job *job)
{
	char seconds[32];

	jsonmake_add(o, "node", node_json(job->srv));
	jsonmake_string(o, "assignment_explanation", job_explanation(job));
	if (job->state != JOB_OPENED)
		return;
	snprintf(seconds, sizeof(seconds), "%llds",
	    (long long)((clock_wall_ms() - job->opened_ms) / 1000));
	jsonmake_string(o, "open_time", seconds);
}

static struct json_object *
job_stats(const struct job *job)
{
	struct json_object *o = json_object_new_object();
	const struct job_totals *t = &job->totals;

	jsonmake_string(&o, "job_id", job->id);
	jsonmake_add(&o, "data_counts",
	    data_counts_json(&t->counts, job->id, t->size.log_time));
	jsonmake_add(
	    &o, "model_size_stats", model_size_json(&t->size, job->id));
	jsonmake_add(&o, "forecasts_stats", forecasts_json());
	jsonmake_string(&o, "state", job_state_name(job));
	if (job_is_assigned(job))
		add_running(&o, job);
	else if (job_explanation(job) != NULL)
		jsonmake_string(
		    &o, "assignment_explanation", job_explanation(job));
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
