/* Owns upgrade mode: its endpoint, its place in the catalogue, its effect. */
#include "common/compat.h"

#include "common/log.h"
#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/catalogue.h"
#include "supervisor/job.h"
#include "supervisor/options.h"
#include "supervisor/server.h"
#include "supervisor/upgrade.h"

#define SETTING "upgrade_mode"
#define TIMEOUT_MS 30000 /* as the API says */

struct upgrade_options {
	bool enabled;
	int64_t timeout_ms;
};

#define AT(member) offsetof(struct upgrade_options, member)
static const struct option upgrade_options[] = {
	{ "enabled", OPTION_BOOL, AT(enabled), 0 },
	{ "timeout", OPTION_DURATION, AT(timeout_ms), 0 },
};
#undef AT

static const struct option_table upgrade_table = {
	"cluster:admin/xpack/ml/upgrade_mode", upgrade_options,
	NELEM(upgrade_options), false
};

void
upgrade_load(
    struct server *srv, const struct msg_keep_setting *m, bool at_start)
{
	if (!span_eq(m->name, SETTING))
		return;
	srv->upgrade_stored = span_eq(m->value, "true");
	if (at_start)
		srv->upgrade_mode = srv->upgrade_stored;
}

static void
rest_all(struct server *srv, struct gather *g)
{
	for (struct job *job = jobs_first(srv->jobs, ""); job != NULL;
	     job = job_next(job))
		if (job->state == JOB_OPENED &&
		    gather_add(g, job, WAIT_PAUSED) == 0)
			job_event(job, EV_PAUSE, "upgrade mode");
}

/*
 * Those that are on their way to rest look again when they are there. At the
 * end of the daemon all rest on: nobody would close them again.
 */
static void
resume_all(struct server *srv)
{
	for (struct job *job = jobs_first(srv->jobs, "");
	     job != NULL && !srv->stopping; job = job_next(job))
		if (job->state == JOB_PAUSED)
			job_event(job, EV_RESUME, "upgrade mode has ended");
}

static void
change_ended(struct server *srv)
{
	srv->upgrade_changes = false;
}

static void
change_stored(struct gather *g, const struct apierr *e, bool enabled)
{
	struct server *srv = gather_server(g);

	/* A keeper may have stored it and died, and the next one refused. */
	if (e != NULL && srv->upgrade_stored != enabled) {
		gather_fail(g, e);
	} else {
		srv->upgrade_mode = srv->upgrade_stored = enabled;
		log_info("upgrade mode is %s", enabled ? "on" : "off");
		if (enabled)
			rest_all(srv, g);
		else
			resume_all(srv);
	}
	gather_end(g);
}

static void
on_stored_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	(void)unused;
	change_stored(arg, e, true);
}

static void
off_stored_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	(void)unused;
	change_stored(arg, e, false);
}

static void
change_begin(struct call *c, const struct upgrade_options *opts)
{
	struct msg_keep_setting m = { span_of(SETTING),
		span_of(opts->enabled ? "true" : "false") };
	struct server *srv = c->srv;
	struct gather *g;

	g = gather_new(srv->jobs, c, "acknowledged", "Changing [" SETTING "]",
	    opts->timeout_ms, change_ended);
	if (g == NULL)
		return;
	srv->upgrade_changes = true;
	catalogue_setting(srv->catalogue, &m,
	    opts->enabled ? on_stored_cb : off_stored_cb, g);
}

void
api_set_upgrade_mode(struct call *c)
{
	struct upgrade_options opts = { .timeout_ms = TIMEOUT_MS };
	struct options os;
	struct apierr e;
	int rc = options_read(&os, &upgrade_table, c, &opts, &e);

	options_clear(&os);
	if (rc == -1)
		call_error(c, &e);
	else if (c->srv->upgrade_changes)
		call_fail(c, 429, E_STATUS,
		    "Cannot change [" SETTING "]. Previous request is still "
		    "being processed.");
	else if (opts.enabled == c->srv->upgrade_mode)
		call_reply_true(c, "acknowledged");
	else
		change_begin(c, &opts);
}
