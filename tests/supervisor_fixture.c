/* Owns the supervisor that tests drive from all its sides. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/accounts.h"
#include "supervisor/auth.h"
#include "supervisor/catalogue.h"
#include "supervisor/querypool.h"
#include "supervisor/retention.h"
#include "supervisor/route.h"
#include "supervisor/upgrade.h"
#include "tests/supervisor_fixture.h"

struct server sv;
unsigned sv_loaded, sv_failed;

static struct conf *conf;
static uint64_t next_incarnation;

static void
on_setting(void *arg, const struct msg_keep_setting *m)
{
	(void)arg;
	upgrade_load(&sv, m, sv_loaded == 0);
}

static void
on_job(void *arg, const struct msg_keep_job *m)
{
	(void)arg;
	jobs_load(sv.jobs, m);
}

static void
on_user(void *arg, const struct msg_keep_user *m)
{
	(void)arg;
	if (sv.auth != NULL)
		accounts_loaded_user(auth_accounts(sv.auth), m);
}

static void
on_key(void *arg, const struct msg_keep_key *m)
{
	(void)arg;
	if (sv.auth != NULL)
		accounts_loaded_key(auth_accounts(sv.auth), m);
}

static void
on_loaded(void *arg)
{
	(void)arg;
	if (sv.auth != NULL)
		accounts_loaded(auth_accounts(sv.auth));
	jobs_loaded(sv.jobs);
	sv_loaded++;
}

static void
on_failed(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	sv_failed++;
}

static const struct catalogue_handlers handlers = {
	.setting = on_setting,
	.job = on_job,
	.user = on_user,
	.key = on_key,
	.loaded = on_loaded,
	.failed = on_failed,
};

void
sv_begin(void)
{
	log_init("test", LOG_LEVEL_WARN);
	signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	fx_begin();
	fx_conf.limits.max_connections = 4000;
	fx_conf.limits.max_body_bytes = 64 << 20;
	fx_conf.arg = &sv;
	fx_start(route_request);
	conf = conf_new();
	cr_assert_not_null(conf);
	conf->max_query_processes = 1;
	sv = (struct server){
		.base = fx_base, .conf = conf, .http = fx_http, .processors = 8
	};
	sv.jobs = jobs_new(&sv);
	sv.queries = querypool_new(&sv);
	sv.retention = retention_new(&sv);
	sv.catalogue = catalogue_new(&sv, &handlers, NULL);
	cr_assert(sv.jobs != NULL && sv.queries != NULL &&
	    sv.retention != NULL && sv.catalogue != NULL);
}

void
sv_keeper_loads(void)
{
	struct child *keeper = fake_last(SV_KEEPER);
	struct msg_keep_done done = { 0 };
	uint32_t request;

	fake_ready(keeper);
	request = fake_expect(keeper, MSG_KEEP_LOAD, NULL);
	fake_say(keeper, MSG_KEEP_DONE, request, &done);
}

void
sv_start(void)
{
	sv_begin();
	sv_keeper_loads();
}

/* In the order of the daemon's own end. */
void
sv_end(void)
{
	http_free(fx_http);
	fx_http = NULL;
	querypool_free(sv.queries);
	retention_free(sv.retention);
	jobs_free(sv.jobs);
	catalogue_free(sv.catalogue);
	auth_free(sv.auth);
	fake_end();
	fx_end();
	conf_free(conf);
}

int
sv_ask(const char *method, const char *path, const char *body)
{
	int fd = fx_connect();
	char *text;

	cr_assert_neq(asprintf(&text,
			  "%s %s HTTP/1.1\r\nHost: localhost\r\n"
			  "Content-Type: application/json\r\n"
			  "Content-Length: %zu\r\n\r\n%s",
			  method, path, body == NULL ? 0 : strlen(body),
			  body == NULL ? "" : body),
	    -1);
	fx_say(fd, text);
	free(text);
	return fd;
}

const char *
sv_talk(const char *method, const char *path, const char *body)
{
	int fd = sv_ask(method, path, body);
	const char *heard = fx_hear(fd);

	close(fd);
	fx_turn();
	return heard;
}

void
sv_tick(unsigned s)
{
	while (s-- > 0) {
		fx_pass_ms(1000);
		jobs_tick(sv.jobs);
		retention_tick(sv.retention);
		catalogue_tick(sv.catalogue);
		querypool_tick(sv.queries);
		fx_turn();
	}
}

void
sv_store(uint16_t type)
{
	struct child *keeper = fake_last(SV_KEEPER);
	struct msg_keep_done done = { 0 };
	uint32_t request = fake_expect(keeper, type, NULL);

	if (type == MSG_KEEP_CREATE || type == MSG_KEEP_RESET)
		done.incarnation = ++next_incarnation;
	fake_say(keeper, MSG_KEEP_DONE, request, &done);
}

struct job *
sv_job(const char *id, const char *groups)
{
	char path[128], body[512];
	struct job *job;
	int fd;

	snprintf(path, sizeof(path), "/_ml/anomaly_detectors/%s", id);
	snprintf(body, sizeof(body),
	    "{\"groups\":%s,\"analysis_config\":{\"detectors\":"
	    "[{\"function\":\"count\"}]},\"data_description\":{}}",
	    groups == NULL ? "[]" : groups);
	fd = sv_ask("PUT", path, body);
	sv_store(MSG_KEEP_CREATE);
	sv_expect(fx_hear(fd), 200, id);
	close(fd);
	job = jobs_find(sv.jobs, id);
	cr_assert_not_null(job);
	return job;
}

struct job *
sv_open_job(const char *id)
{
	struct job *job = sv_job(id, NULL);
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/_ml/anomaly_detectors/%s/_open", id);
	fd = sv_ask("POST", path, NULL);
	fake_ready(fake_last(SV_WORKER));
	sv_store(MSG_KEEP_STATE);
	sv_expect(fx_hear(fd), 200, "\"opened\":true");
	close(fd);
	return job;
}

bool
sv_answers(const char *heard, int status, const char *text)
{
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	return strncmp(heard, line, strlen(line)) == 0 &&
	    strstr(heard, text) != NULL;
}
