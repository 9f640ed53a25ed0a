/* Owns PUT, GET and DELETE of a job. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonmake.h"
#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/jobexpr.h"
#include "supervisor/options.h"
#include "supervisor/server.h"

/* The configuration version that current servers report; see job_version. */
#define JOB_VERSION "12.0.0"

struct jobconf_rules
api_rules(const struct call *c)
{
	return (struct jobconf_rules){ .old = c->old_path,
		.max_model_memory_bytes = c->srv->conf->max_model_memory_bytes,
		.zones = c->srv->zones };
}

void
api_job_put(struct call *c)
{
	struct jobconf_rules rules = api_rules(c);
	struct jobconf *conf;
	struct apierr e;

	if (c->body == NULL) {
		call_fail(c, 400, E_PARSE, "request body is required");
		return;
	}
	conf = jobconf_parse(c->job_id, c->body, c->body_len, &rules, &e);
	if (conf == NULL) {
		call_error(c, &e);
		return;
	}
	job_create(c->srv->jobs, c, conf);
}

static void
add_blocked(struct json_object **o, const struct job *job, const char *reason)
{
	struct json_object *blocked = json_object_new_object();
	char task[JOB_TASK_BYTES];

	job_task(job, task);
	jsonmake_string(&blocked, "reason", reason);
	jsonmake_string(&blocked, "task_id", task);
	if (strcmp(reason, "delete") == 0)
		jsonmake_bool(o, "deleting", true);
	jsonmake_add(o, "blocked", blocked);
}

struct json_object *
job_answer(const struct job *job)
{
	struct json_object *o = jobconf_answer(job->conf, JOB_VERSION,
	    job->create_time_ms, job->finished_time_ms, job->model_snapshot_id);
	const char *blocked = job_blocked(job);

	if (o != NULL && blocked != NULL)
		add_blocked(&o, job, blocked);
	return o;
}

static int
allow_no_match(struct call *c, bool *v, struct apierr *e)
{
	if (params_bool(&c->params, "allow_no_jobs", true, v, e) == -1)
		return -1;
	return params_bool(&c->params, "allow_no_match", *v, v, e);
}

long
api_jobs_meant(struct call *c, struct job ***list, struct apierr *e)
{
	bool lenient;

	if (allow_no_match(c, &lenient, e) == -1)
		return -1;
	return jobexpr_expand(c->srv->jobs, c, c->job_id, lenient, list, e);
}

void
api_job_list(struct call *c, struct json_object *(*one)(const struct job *))
{
	struct json_object *o, *array;
	struct job **list = NULL;
	struct apierr e;
	long n = api_jobs_meant(c, &list, &e);

	if (n == -1) {
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
		"model_snapshot_id", "deleting", "blocked" };
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

struct delete_options {
	bool force;
	bool wait_for_completion;
	bool delete_user_annotations; /* there are none */
	int64_t timeout_ms;	      /* of a cluster that there is not */
	int64_t master_timeout_ms;
};

#define AT(member) offsetof(struct delete_options, member)
static const struct option delete_options[] = {
	{ "force", OPTION_BOOL, AT(force), 0 },
	{ "wait_for_completion", OPTION_BOOL, AT(wait_for_completion), 0 },
	{ "delete_user_annotations", OPTION_BOOL, AT(delete_user_annotations),
	    0 },
	{ "timeout", OPTION_DURATION, AT(timeout_ms), 0 },
	{ "master_timeout", OPTION_DURATION, AT(master_timeout_ms), 0 },
};
#undef AT

static const struct option_table delete_table = {
	"cluster:admin/xpack/ml/job/delete", delete_options,
	NELEM(delete_options), false
};

void
api_reply_task(struct call *c, const struct job *job)
{
	struct json_object *o = json_object_new_object();
	char task[JOB_TASK_BYTES];

	job_task(job, task);
	jsonmake_string(&o, "task", task);
	call_reply(c, 200, o);
}

/* One that runs is killed first. */
static void
job_delete(struct job *job)
{
	if (job_task_begin(job, EV_DELETE, "deleted by request") == 0)
		return;
	job->delete_when_closed = true;
	job_interrupt_close(job);
	job_event(job, EV_FORCE, "deleted by force");
}

/* A second one waits for the first. */
void
api_job_delete(struct call *c)
{
	struct delete_options opts = { .wait_for_completion = true };
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct options os;
	struct apierr e;
	int rc = options_read(&os, &delete_table, c, &opts, &e);

	options_clear(&os);
	if (rc == -1) {
		call_error(c, &e);
		return;
	}
	if (job == NULL) {
		call_no_such_job(c, c->job_id);
		return;
	}
	if (!opts.force && !job->delete_when_closed &&
	    strcmp(job_state_name(job), "closed") != 0) {
		call_fail(c, 409, E_STATUS,
		    "Cannot delete job [%s] because the job is %s", job->id,
		    job_state_name(job));
		return;
	}
	if (opts.wait_for_completion && job_wait(job, c, WAIT_DELETED) == -1)
		return;
	job_delete(job);
	if (!opts.wait_for_completion)
		api_reply_task(c, job);
}
