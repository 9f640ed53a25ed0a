/* Owns GET _stats: what the supervisor was told, without asking anybody. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

static void
add(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *
node_json(const struct server *srv)
{
	struct json_object *o = json_object_new_object();
	struct json_object *attributes = json_object_new_object();
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	char memory[32];

	snprintf(memory, sizeof(memory), "%lld", (long long)pages * page);
	add(attributes, "ml.machine_memory", memory);
	add(o, "id", srv->node_id);
	add(o, "name", srv->node_name);
	add(o, "ephemeral_id", srv->node_id);
	add(o, "transport_address", srv->address);
	json_object_object_add(o, "attributes", attributes);
	return o;
}

static struct json_object *
forecasts_json(void)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "total", json_object_new_int(0));
	json_object_object_add(o, "forecasted_jobs", json_object_new_int(0));
	return o;
}

static void
add_running(struct json_object *o, const struct job *job)
{
	char seconds[32];

	json_object_object_add(o, "node", node_json(job->srv));
	add(o, "assignment_explanation", "");
	if (job->state != JOB_OPENED)
		return;
	snprintf(seconds, sizeof(seconds), "%llds",
	    (long long)((clock_wall_ms() - job->opened_ms) / 1000));
	add(o, "open_time", seconds);
}

static struct json_object *
job_stats(const struct job *job)
{
	struct json_object *o = json_object_new_object();
	const struct job_totals *t = &job->totals;

	add(o, "job_id", job->id);
	json_object_object_add(o, "data_counts",
	    data_counts_json(&t->counts, job->id, TIME_UNSET));
	json_object_object_add(
	    o, "model_size_stats", model_size_json(&t->size, job->id));
	json_object_object_add(o, "forecasts_stats", forecasts_json());
	add(o, "state", job_state_name(job));
	if (job->state == JOB_FAILED)
		add(o, "assignment_explanation", job->cause);
	else if (job->state == JOB_OPENING || job->state == JOB_OPENED ||
	    job->state == JOB_CLOSING)
		add_running(o, job);
	json_object_object_add(
	    o, "timing_stats", timing_json(&t->timing, job->id));
	if (job->state == JOB_DELETING)
		json_object_object_add(
		    o, "deleting", json_object_new_boolean(true));
	return o;
}

void
api_job_stats(struct call *c)
{
	api_job_list(c, job_stats);
}
