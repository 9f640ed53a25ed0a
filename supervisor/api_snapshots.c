/* Owns the requests about model snapshots: checked, then made a task. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonmake.h"
#include "supervisor/api.h"
#include "supervisor/ask.h"
#include "supervisor/call.h"
#include "supervisor/chores.h"
#include "supervisor/job.h"
#include "supervisor/options.h"
#include "supervisor/server.h"

#define PAGE_DEFAULT 100
#define UPGRADE_TIMEOUT_MS (30 * 60 * 1000) /* as the API says */
#define DESCRIPTION_MAX 4096		    /* bytes */

/* ---- the list ---- */

struct list_options {
	int64_t start_ms;
	int64_t end_ms;
	const char *sort;
	bool desc;
	int64_t from;
	int64_t size;
};

#define AT(member) offsetof(struct list_options, member)
static const struct option list_options[] = {
	{ "start", OPTION_DATE_MS, AT(start_ms), OPTION_NULL },
	{ "end", OPTION_DATE_MS, AT(end_ms), OPTION_NULL },
	{ "sort", OPTION_STRING, AT(sort), 0 },
	{ "desc", OPTION_BOOL, AT(desc), 0 },
	{ "from", OPTION_INT, AT(from), OPTION_PAGED },
	{ "size", OPTION_INT, AT(size), OPTION_PAGED },
};
#undef AT

static const struct option_table list_table = {
	"cluster:monitor/xpack/ml/job/model_snapshots/get", list_options,
	NELEM(list_options), false
};

static void
list_ask(struct call *c, const struct job *job, const struct list_options *l)
{
	struct msg_query m = { .kind = QUERY_SNAPSHOTS };

	m.timestamp_ms = TIME_UNSET;
	m.start_ms = l->start_ms;
	m.end_ms = l->end_ms;
	m.desc = l->desc;
	m.from = (uint32_t)l->from;
	m.size = (uint32_t)l->size;
	m.sort = span_of(l->sort);
	m.ids = span_of(c->item);
	ask_query(c, job, &m);
}

void
api_snapshots(struct call *c)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct list_options l = { .start_ms = TIME_UNSET,
		.end_ms = TIME_UNSET,
		.desc = true,
		.size = PAGE_DEFAULT };
	struct options os;
	struct apierr e;
	int rc;

	if (job == NULL) {
		call_no_such_job(c, c->job_id);
		return;
	}
	rc = options_read(&os, &list_table, c, &l, &e);
	if (rc == 0)
		rc = options_page(l.from, l.size, &e);
	/* The texts of a body live until options_clear. */
	if (rc == -1)
		call_error(c, &e);
	else
		list_ask(c, job, &l);
	options_clear(&os);
}

/* ---- changes ---- */

/* NULL: the call was answered. */
static struct job *
job_of(struct call *c)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);

	if (job == NULL)
		call_no_such_job(c, c->job_id);
	return job;
}

struct update_options {
	const char *description;
	bool retain;
};

static const struct option update_options[] = {
	{ "description", OPTION_STRING,
	    offsetof(struct update_options, description), 0 },
	{ "retain", OPTION_BOOL, offsetof(struct update_options, retain), 0 },
};

static const struct option_table update_table = {
	"cluster:admin/xpack/ml/job/model_snapshots/update", update_options,
	NELEM(update_options), false
};

void
api_snapshot_update(struct call *c)
{
	struct update_options u = { .description = NULL };
	struct msg_chore m = { .kind = CHORE_UPDATE };
	struct job *job = job_of(c);
	struct options os;
	struct apierr e;

	if (job == NULL)
		return;
	if (options_read(&os, &update_table, c, &u, &e) == -1) {
		options_clear(&os);
		call_error(c, &e);
		return;
	}
	m.snapshot_id = span_of(c->item);
	m.describe = u.description != NULL;
	m.description = span_of(u.description);
	m.retain = !options_given(&os, "retain") ? CHORE_RETAIN_AS_IT_IS
	    : u.retain				 ? CHORE_RETAIN
						 : CHORE_RETAIN_NOT;
	if (m.description.len > DESCRIPTION_MAX)
		call_fail(c, 400, E_ILLEGAL_ARGUMENT,
		    "[description] is longer than [%d] bytes", DESCRIPTION_MAX);
	else
		chore_ask(job, c, CHORE_ANSWER_UPDATE, &m);
	options_clear(&os);
}

void
api_snapshot_delete(struct call *c)
{
	struct msg_chore m = { .kind = CHORE_DELETE,
		.retain = CHORE_RETAIN_AS_IT_IS };
	struct job *job = job_of(c);

	if (job == NULL)
		return;
	m.snapshot_id = span_of(c->item);
	if (job->model_snapshot_id != NULL &&
	    strcmp(job->model_snapshot_id, c->item) == 0)
		call_fail(c, 400, E_ILLEGAL_ARGUMENT,
		    "Model snapshot '%s' is the active snapshot for job '%s', "
		    "so cannot be deleted",
		    c->item, job->id);
	else
		chore_ask(job, c, CHORE_ANSWER_DELETE, &m);
}

struct revert_options {
	bool delete_results;
};

static const struct option revert_options[] = {
	{ "delete_intervening_results", OPTION_BOOL,
	    offsetof(struct revert_options, delete_results), 0 },
};

static const struct option_table revert_table = {
	"cluster:admin/xpack/ml/job/model_snapshots/revert", revert_options,
	NELEM(revert_options), false
};

void
api_snapshot_revert(struct call *c)
{
	struct msg_chore m = { .kind = CHORE_REVERT,
		.retain = CHORE_RETAIN_AS_IT_IS };
	struct revert_options r = { .delete_results = false };
	struct job *job = job_of(c);
	struct options os;
	struct apierr e;
	int rc;

	if (job == NULL)
		return;
	rc = options_read(&os, &revert_table, c, &r, &e);
	options_clear(&os);
	m.snapshot_id = span_of(c->item);
	m.delete_results = r.delete_results;
	if (rc == -1)
		call_error(c, &e);
	else if (strcmp(job_state_name(job), "closed") != 0)
		call_fail(c, 409, E_STATUS,
		    "Can only revert to a model snapshot when the job is "
		    "closed.");
	else
		chore_ask(job, c, CHORE_ANSWER_REVERT, &m);
}

/* ---- upgrade: every snapshot that can be read is of this version ---- */

struct upgrade_options {
	int64_t timeout_ms;
	bool wait_for_completion;
};

#define AT(member) offsetof(struct upgrade_options, member)
static const struct option upgrade_options[] = {
	{ "timeout", OPTION_DURATION, AT(timeout_ms), 0 },
	{ "wait_for_completion", OPTION_BOOL, AT(wait_for_completion), 0 },
};
#undef AT

static const struct option_table upgrade_table = {
	"cluster:admin/xpack/ml/job/model_snapshots/upgrade", upgrade_options,
	NELEM(upgrade_options), false
};

void
api_snapshot_upgrade(struct call *c)
{
	struct upgrade_options u = { .timeout_ms = UPGRADE_TIMEOUT_MS };
	struct msg_chore m = { .kind = CHORE_LOOK,
		.retain = CHORE_RETAIN_AS_IT_IS };
	struct job *job = job_of(c);
	struct options os;
	struct apierr e;
	int rc;

	if (job == NULL)
		return;
	rc = options_read(&os, &upgrade_table, c, &u, &e);
	options_clear(&os);
	m.snapshot_id = span_of(c->item);
	if (rc == -1)
		call_error(c, &e);
	else
		chore_ask(job, c, CHORE_ANSWER_UPGRADE, &m);
}

struct stats_options {
	bool allow_no_match;
};

static const struct option stats_options[] = {
	{ "allow_no_match", OPTION_BOOL,
	    offsetof(struct stats_options, allow_no_match), 0 },
};

static const struct option_table stats_table = {
	"cluster:monitor/xpack/ml/job/model_snapshots/upgrade/stats",
	stats_options, NELEM(stats_options), false
};

/* Only upgrades that run are listed, and none ever does. */
void
api_snapshot_upgrade_stats(struct call *c)
{
	struct stats_options s = { .allow_no_match = true };
	struct json_object *o;
	struct options os;
	struct apierr e;
	int rc;

	if (job_of(c) == NULL)
		return;
	rc = options_read(&os, &stats_table, c, &s, &e);
	options_clear(&os);
	if (rc == -1) {
		call_error(c, &e);
		return;
	}
	if (!s.allow_no_match) {
		call_fail(c, 404, E_NOT_FOUND,
		    "No model snapshot upgrade with id [%s] exists for job "
		    "[%s]",
		    c->item, c->job_id);
		return;
	}
	o = json_object_new_object();
	jsonmake_int(&o, "count", 0);
	jsonmake_add(&o, "model_snapshot_upgrades", json_object_new_array());
	call_reply(c, 200, o);
}
