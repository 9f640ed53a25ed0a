/* Owns PUT, GET and DELETE of a job. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "common/jsonmake.h"
#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/jobexpr.h"
#include "supervisor/server.h"

/* The configuration version that current servers report; see job_version. */
#define JOB_VERSION "12.0.0"

void
api_job_put(struct call *c)
{
	struct jobconf *conf;
	struct apierr e;

	if (c->body == NULL) {
		call_fail(c, 400, E_PARSE, "request body is required");
		return;
	}
	conf = jobconf_parse(c->job_id, c->body, c->body_len, c->old_path, &e);
	if (conf == NULL) {
		call_error(c, &e);
		return;
	}
	job_create(c->srv->jobs, c, conf);
}

struct json_object *
job_answer(const struct job *job)
{
	return jobconf_answer(job->conf, JOB_VERSION, job->create_time_ms,
	    job->finished_time_ms, job->model_snapshot_id);
}

static int
allow_no_match(struct call *c, bool *v, struct apierr *e)
{
	if (params_bool(&c->params, "allow_no_jobs", true, v, e) == -1)
		return -1;
	return params_bool(&c->params, "allow_no_match", *v, v, e);
}

void
api_job_list(struct call *c, struct json_object *(*one)(const struct job *))
{
	struct json_object *o, *array;
	struct job **list = NULL;
	struct apierr e;
	bool lenient;
	long n;

	if (allow_no_match(c, &lenient, &e) == -1 ||
	    (n = jobexpr_expand(
		 c->srv->jobs, c, c->job_id, lenient, &list, &e)) == -1) {
		call_error(c, &e);
		return;
	}
	o = json_object_new_object();
	array = json_object_new_array();
	jsonmake_int(&o, "count", n);
	for (long i = 0; i < n; i++)
		jsonmake_append(&array, one(list[i]));
	jsonmake_add(&o, "jobs", array);
	free(list);
	call_reply(c, 200, o);
}

/*
 * What a client could PUT again: nothing that the server made, and not the
 * mark that its user interface leaves in custom_settings.
 */
static struct json_object *
job_answer_to_put(const struct job *job)
{
	static const char *const generated[] = { "job_id", "job_type",
		"job_version", "create_time", "finished_time",
		"model_snapshot_id" };
	struct json_object *o = job_answer(job), *settings;

	if (o == NULL)
		return NULL;
	for (size_t i = 0; i < NELEM(generated); i++)
		json_object_object_del(o, generated[i]);
	if (json_object_object_get_ex(o, "custom_settings", &settings) &&
	    json_object_is_type(settings, json_type_object))
		json_object_object_del(settings, "created_by");
	return o;
}

void
api_job_get(struct call *c)
{
	struct apierr e;
	bool to_put;

	if (params_bool(&c->params, "exclude_generated", false, &to_put, &e) ==
	    -1)
		call_error(c, &e);
	else
		api_job_list(c, to_put ? job_answer_to_put : job_answer);
}

void
api_job_delete(struct call *c)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct apierr e;
	bool force;

	if (params_bool(&c->params, "force", false, &force, &e) == -1) {
		call_error(c, &e);
		return;
	}
	if (job == NULL) {
		call_no_such_job(c, c->job_id);
		return;
	}
	if (job->state != JOB_CLOSED && job->state != JOB_DELETING && !force) {
		call_fail(c, 409, E_STATUS,
		    "Cannot delete job [%s] because the job is %s", job->id,
		    job_state_name(job));
		return;
	}
	if (job_wait(job, c, WAIT_DELETED) == -1)
		return;
	if (job_event(job, EV_DELETE, "deleted by request") == 0)
		return;
	job->delete_when_closed = true;
	job_event(job, EV_FORCE, "deleted by force");
}
