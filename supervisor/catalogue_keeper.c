/* Owns the keeper process: its start, what it says, and its end. */
#include "common/compat.h"

#include <event2/event.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "supervisor/catalogue_int.h"
#include "supervisor/chan.h"
#include "supervisor/child.h"
#include "supervisor/conf.h"
#include "supervisor/diskroom.h"
#include "supervisor/oomkills.h"
#include "supervisor/server.h"

#define RESTART_MAX_S 30 /* the delay doubles to this */

/* At the next tick at the earliest; later and later while it does not last. */
static void
keeper_restart_later(struct catalogue *cat)
{
	int64_t now_us = clock_mono_us();

	if (cat->ready_since_us != 0 &&
	    now_us - cat->ready_since_us > (int64_t)RESTART_MAX_S * 1000000)
		cat->restart_s = 0;
	cat->ready_since_us = 0;
	cat->start_at_us = now_us + (int64_t)cat->restart_s * 1000000;
	cat->restart_s = cat->restart_s == 0 ? 1 : cat->restart_s * 2;
	if (cat->restart_s > RESTART_MAX_S)
		cat->restart_s = RESTART_MAX_S;
}

void
catalogue_keeper_down(struct catalogue *cat, const char *why)
{
	chan_free(cat->chan);
	cat->chan = NULL;
	if (cat->child != NULL) {
		child_kill(cat->child);
		child_forget(cat->child);
		cat->child = NULL;
	}
	if (!cat->ever_loaded) {
		cat->handlers->failed(cat->arg, why);
		return;
	}
	log_warnx("keeper: %s; another one is started", why);
	catalogue_requests_lost(cat);
	keeper_restart_later(cat);
}

static void
on_ready(struct catalogue *cat, uint32_t request, const void *msg)
{
	const struct msg_ready *m = msg;
	struct msg_keep_load load = { 0 };

	(void)request;
	if (m->version != MSG_VERSION) {
		catalogue_keeper_down(cat, "is of another version");
		return;
	}
	chan_set_state(cat->chan, IN_OPEN);
	cat->ready_since_us = clock_mono_us();
	cat->load_id = ++cat->next_id;
	if (chan_send(cat->chan, MSG_KEEP_LOAD, cat->load_id, &load) == -1)
		catalogue_keeper_down(cat, "cannot be asked for the catalogue");
}

static void
on_job(struct catalogue *cat, uint32_t request, const void *msg)
{
	if (cat->load_id == 0 || request != cat->load_id)
		catalogue_keeper_down(cat, "sent a job that was not asked for");
	else
		cat->handlers->job(cat->arg, msg);
}

static void
on_setting(struct catalogue *cat, uint32_t request, const void *msg)
{
	if (cat->load_id == 0 || request != cat->load_id)
		catalogue_keeper_down(
		    cat, "sent a setting that was not asked for");
	else
		cat->handlers->setting(cat->arg, msg);
}

static void
on_user(struct catalogue *cat, uint32_t request, const void *msg)
{
	if (cat->load_id == 0 || request != cat->load_id)
		catalogue_keeper_down(
		    cat, "sent a user that was not asked for");
	else
		cat->handlers->user(cat->arg, msg);
}

static void
on_key(struct catalogue *cat, uint32_t request, const void *msg)
{
	if (cat->load_id == 0 || request != cat->load_id)
		catalogue_keeper_down(cat, "sent a key that was not asked for");
	else
		cat->handlers->key(cat->arg, msg);
}

static void
on_loaded(struct catalogue *cat)
{
	cat->load_id = 0;
	cat->ever_loaded = true;
	cat->handlers->loaded(cat->arg);
	catalogue_send_waiting(cat);
}

static void
on_done(struct catalogue *cat, uint32_t request, const void *msg)
{
	const struct msg_keep_done *m = msg;
	struct keeper_result res = { .incarnation = m->incarnation };
	struct keeper_request *r;

	if (request == cat->load_id && cat->load_id != 0) {
		on_loaded(cat);
		return;
	}
	r = catalogue_find(cat, request);
	if (r == NULL || r->password_cb != NULL)
		catalogue_keeper_down(cat, "answered what was not asked");
	else
		catalogue_finish(cat, r, NULL, &res);
}

static void
on_password(
    struct catalogue *cat, uint32_t request, const struct keeper_result *res)
{
	struct keeper_request *r = catalogue_find_password(cat, request);

	if (r == NULL)
		catalogue_keeper_down(
		    cat, "judged a password that was not asked about");
	else
		catalogue_finish(cat, r, NULL, res);
}

static void
on_hashed(struct catalogue *cat, uint32_t request, const void *msg)
{
	const struct msg_keep_hashed *m = msg;
	struct keeper_result res = { .ok = true, .hash = m->hash };

	on_password(cat, request, &res);
}

static void
on_verified(struct catalogue *cat, uint32_t request, const void *msg)
{
	const struct msg_keep_verified *m = msg;
	struct keeper_result res = { .ok = m->ok };

	on_password(cat, request, &res);
}

static void
on_failed(struct catalogue *cat, uint32_t request, const void *msg)
{
	const struct msg_failed *m = msg;
	struct keeper_request *r = catalogue_find(cat, request);
	struct apierr e;
	struct rbuf rb;

	if (r == NULL)
		r = catalogue_find_password(cat, request);

	rbuf_init(&rb, m->error.p, m->error.len);
	if (apierr_decode(&rb, &e) == -1)
		catalogue_keeper_down(cat, "sent an error that cannot be read");
	else if (r != NULL)
		catalogue_finish(cat, r, &e, NULL);
	else
		catalogue_keeper_down(cat, e.link[0].reason);
}

static void
on_disk(struct catalogue *cat, uint32_t request, const void *msg)
{
	(void)request;
	diskroom_report(cat->srv, msg);
}

static void
on_pong(struct catalogue *cat, uint32_t request, const void *msg)
{
	(void)cat;
	(void)request;
	(void)msg;
}

static const struct {
	enum msg_type type;
	void (*handle)(struct catalogue *, uint32_t, const void *);
} handlers[] = {
	{ MSG_READY, on_ready },
	{ MSG_KEEP_SETTING, on_setting },
	{ MSG_KEEP_JOB, on_job },
	{ MSG_KEEP_DONE, on_done },
	{ MSG_KEEP_USER, on_user },
	{ MSG_KEEP_KEY, on_key },
	{ MSG_KEEP_HASHED, on_hashed },
	{ MSG_KEEP_VERIFIED, on_verified },
	{ MSG_DISK, on_disk },
	{ MSG_FAILED, on_failed },
	{ MSG_PONG, on_pong },
};

static void
keeper_frame(
    void *arg, uint16_t type, uint32_t request, const uint8_t *data, size_t len)
{
	struct catalogue *cat = arg;
	union {
		struct msg_ready ready;
		struct msg_keep_setting setting;
		struct msg_keep_job job;
		struct msg_keep_done done;
		struct msg_keep_user user;
		struct msg_keep_key key;
		struct msg_keep_hashed hashed;
		struct msg_keep_verified verified;
		struct msg_failed failed;
		struct msg_pong pong;
	} m;
	const char *field;
	char why[160];

	cat->sign_us = clock_mono_us();
	for (size_t i = 0; i < NELEM(handlers); i++) {
		if (handlers[i].type != type)
			continue;
		if (msg_decode(type, data, len, &m, &field) == -1) {
			snprintf(why, sizeof(why), "sent %s with a bad %s",
			    msg_name(type), field);
			catalogue_keeper_down(cat, why);
			return;
		}
		handlers[i].handle(cat, request, &m);
		return;
	}
	snprintf(why, sizeof(why), "sent %s", msg_name(type));
	catalogue_keeper_down(cat, why);
}

static void
keeper_drained(void *arg)
{
	(void)arg; /* requests are few and small: nobody waits */
}

/* What it ended with is known when it is reaped, which is in a moment. */
static void
keeper_closed(void *arg, const char *why)
{
	struct catalogue *cat = arg;

	if (why != NULL || cat->child == NULL) {
		catalogue_keeper_down(cat, why == NULL ? "hung up" : why);
		return;
	}
	chan_free(cat->chan);
	cat->chan = NULL;
	child_kill(cat->child); /* one without a channel is of no use */
}

static const struct chan_handlers keeper_handlers = { keeper_frame,
	keeper_drained, keeper_closed };

static void
keeper_exited(void *arg, int status)
{
	struct catalogue *cat = arg;
	char text[96];

	cat->child = NULL;
	catalogue_keeper_down(cat,
	    oomkills_death_text(cat->srv->oom, status, text, sizeof(text)));
}

void
catalogue_keeper_start(struct catalogue *cat)
{
	const struct conf *conf = cat->srv->conf;
	struct msg_hello hello = { .version = MSG_VERSION,
		.log_level = (uint8_t)conf->log_level,
		.path = span_of(conf->state_dir),
		.sync_policy = SYNC_ALWAYS,
		.min_free_bytes = conf->min_free_bytes,
		.reserve_bytes = conf->reserve_bytes };
	char path[MSG_PATH_MAX];
	int fd;

	cat->start_at_us = 0;
	snprintf(path, sizeof(path), "%s/anomd-keeper", conf->libexec_dir);
	cat->child = child_spawn(path, NULL, &fd, keeper_exited, cat);
	if (cat->child == NULL) {
		log_warn("keeper: %s", path);
		if (!cat->ever_loaded)
			cat->handlers->failed(cat->arg, "cannot be started");
		else
			keeper_restart_later(cat);
		return;
	}
	cat->sign_us = clock_mono_us();
	cat->chan =
	    chan_new(cat->srv->base, fd, FROM_KPR, &keeper_handlers, cat);
	if (cat->chan == NULL ||
	    chan_send(cat->chan, MSG_HELLO, 0, &hello) == -1)
		catalogue_keeper_down(cat, "has no channel");
}

bool
catalogue_keeper_is_loaded(const struct catalogue *cat)
{
	return cat->chan != NULL && cat->load_id == 0 && cat->ever_loaded &&
	    chan_state(cat->chan) == IN_OPEN;
}

/* While it loads any frame is a sign of life, later only its answers are. */
bool
catalogue_keeper_is_late(const struct catalogue *cat, int64_t now_us)
{
	const struct keeper_request *r;

	if (!catalogue_keeper_is_loaded(cat))
		return now_us - cat->sign_us > CATALOGUE_TIMEOUT_US;
	TAILQ_FOREACH (r, &cat->requests, entry)
		if (r->sent_us != 0 &&
		    now_us - r->sent_us > CATALOGUE_TIMEOUT_US)
			return true;
	return false;
}
