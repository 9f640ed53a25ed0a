/* Owns the keeper process and the requests that it owes an answer. */
#include "common/compat.h"

#include <errno.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/frame.h"
#include "common/log.h"
#include "supervisor/catalogue.h"
#include "supervisor/chan.h"
#include "supervisor/child.h"
#include "supervisor/conf.h"
#include "supervisor/diskroom.h"
#include "supervisor/oomkills.h"
#include "supervisor/server.h"

#define ANSWER_TIMEOUT_US 60000000 /* a keeper that takes longer is hung */
#define RESTART_MAX_S 30	   /* the delay doubles to this */
#define TRIES_MAX 2 /* keepers that may die of a request, or by chance */
/*
 * Of requests that are not answered: else clients that do not wait for their
 * answer could fill the memory with jobs faster than a disk takes them.
 */
#define QUEUE_MAX_BYTES (16 * 1024 * 1024)

struct request {
	TAILQ_ENTRY(request) entry;
	uint32_t id;
	int64_t asked_us;
	int64_t sent_us;   /* 0: it waits for a keeper */
	unsigned tries;	   /* keepers that it was sent to */
	bool lasting;	   /* asked for until it is answered */
	struct wbuf frame; /* whole; owned */
	catalogue_cb *cb;
	catalogue_password_cb *password_cb; /* in its place: out of order */
	void *arg;
};

struct catalogue {
	struct server *srv;
	const struct catalogue_handlers *handlers;
	void *arg;
	struct child *child;
	struct chan *chan;
	TAILQ_HEAD(, request) requests;
	size_t nrequests;
	size_t queued_bytes; /* of their frames */
	uint32_t next_id;
	uint32_t load_id; /* of the KEEP_LOAD under way, 0: loaded */
	bool ever_loaded;
	unsigned restart_s;  /* delay of the next start */
	int64_t start_at_us; /* 0: running */
	int64_t ready_since_us;
	int64_t sign_us; /* of life: its start, or its last frame */
};

static void
request_free(struct request *r)
{
	if (r->password_cb != NULL && r->frame.data != NULL)
		sodium_memzero(r->frame.data, r->frame.len);
	wbuf_clear(&r->frame);
	free(r);
}

/* What the keeper has said. */
struct result {
	uint64_t incarnation;
	bool ok;
	struct span hash;
};

static void
request_finish(struct catalogue *cat, struct request *r, const struct apierr *e,
    const struct result *res)
{
	static const struct result none;

	if (res == NULL)
		res = &none;
	TAILQ_REMOVE(&cat->requests, r, entry);
	cat->nrequests--;
	cat->queued_bytes -= r->frame.len;
	if (r->password_cb != NULL)
		r->password_cb(r->arg, e, res->ok, res->hash);
	else
		r->cb(r->arg, e, res->incarnation);
	request_free(r);
}

/*
 * The keeper answers in order. Who asks relies on it: nothing of a job is
 * answered behind the deletion that ends it. Passwords alone take their time.
 */
static struct request *
request_find(struct catalogue *cat, uint32_t id)
{
	struct request *r;

	TAILQ_FOREACH (r, &cat->requests, entry) {
		if (r->id == id)
			return r->sent_us != 0 ? r : NULL;
		if (r->password_cb == NULL)
			return NULL;
	}
	return NULL;
}

/* The same among those about passwords. */
static struct request *
request_find_password(struct catalogue *cat, uint32_t id)
{
	struct request *r;

	TAILQ_FOREACH (r, &cat->requests, entry)
		if (r->id == id)
			break;
	return r != NULL && r->password_cb != NULL && r->sent_us != 0 ? r
								      : NULL;
}

/* One that cannot be queued times out as one that is not answered. */
static void
request_send(struct catalogue *cat, struct request *r)
{
	r->sent_us = clock_mono_us();
	r->tries++;
	if (chan_send_frame(cat->chan, &r->frame) == -1)
		log_warnx("keeper: request %u was not sent", r->id);
}

/* What the keeper had been given waits for the next one, or fails. */
static void
requests_lost(struct catalogue *cat)
{
	struct request *r, *next;
	struct apierr e;

	apierr_set(&e, 503, E_STATUS,
	    "the keeper of the catalogue ended before it answered; "
	    "try again");
	e.retry_after_s = 1;
	TAILQ_FOREACH_SAFE (r, &cat->requests, entry, next) {
		if (r->sent_us != 0 && !r->lasting && r->tries >= TRIES_MAX)
			request_finish(cat, r, &e, NULL);
		else
			r->sent_us = 0;
	}
}

/* Those that no keeper has come for in time. */
static void
requests_expire(struct catalogue *cat, int64_t now_us)
{
	struct request *r, *next;
	struct apierr e;

	apierr_set(
	    &e, 503, E_STATUS, "the keeper of the catalogue cannot be reached");
	e.retry_after_s = 1;
	TAILQ_FOREACH_SAFE (r, &cat->requests, entry, next)
		if (r->sent_us == 0 && !(r->lasting && r->tries > 0) &&
		    now_us - r->asked_us > ANSWER_TIMEOUT_US)
			request_finish(cat, r, &e, NULL);
}

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

static void
keeper_down(struct catalogue *cat, const char *why)
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
	requests_lost(cat);
	keeper_restart_later(cat);
}

static void
on_ready(struct catalogue *cat, uint32_t request, const void *msg)
{
	const struct msg_ready *m = msg;
	struct msg_keep_load load = { 0 };

	(void)request;
	if (m->version != MSG_VERSION) {
		keeper_down(cat, "is of another version");
		return;
	}
	chan_set_state(cat->chan, IN_OPEN);
	cat->ready_since_us = clock_mono_us();
	cat->load_id = ++cat->next_id;
	if (chan_send(cat->chan, MSG_KEEP_LOAD, cat->load_id, &load) == -1)
		keeper_down(cat, "cannot be asked for the catalogue");
}

static void
on_job(struct catalogue *cat, uint32_t request, const void *msg)
{
	if (cat->load_id == 0 || request != cat->load_id)
		keeper_down(cat, "sent a job that was not asked for");
	else
		cat->handlers->job(cat->arg, msg);
}

static void
on_setting(struct catalogue *cat, uint32_t request, const void *msg)
{
	if (cat->load_id == 0 || request != cat->load_id)
		keeper_down(cat, "sent a setting that was not asked for");
	else
		cat->handlers->setting(cat->arg, msg);
}

static void
on_user(struct catalogue *cat, uint32_t request, const void *msg)
{
	if (cat->load_id == 0 || request != cat->load_id)
		keeper_down(cat, "sent a user that was not asked for");
	else
		cat->handlers->user(cat->arg, msg);
}

static void
on_key(struct catalogue *cat, uint32_t request, const void *msg)
{
	if (cat->load_id == 0 || request != cat->load_id)
		keeper_down(cat, "sent a key that was not asked for");
	else
		cat->handlers->key(cat->arg, msg);
}

static void
on_loaded(struct catalogue *cat)
{
	struct request *r, *next;

	cat->load_id = 0;
	cat->ever_loaded = true;
	cat->handlers->loaded(cat->arg);
	TAILQ_FOREACH_SAFE (r, &cat->requests, entry, next)
		if (r->sent_us == 0)
			request_send(cat, r);
}

static void
on_done(struct catalogue *cat, uint32_t request, const void *msg)
{
	const struct msg_keep_done *m = msg;
	struct result res = { .incarnation = m->incarnation };
	struct request *r;

	if (request == cat->load_id && cat->load_id != 0) {
		on_loaded(cat);
		return;
	}
	r = request_find(cat, request);
	if (r == NULL || r->password_cb != NULL)
		keeper_down(cat, "answered what was not asked");
	else
		request_finish(cat, r, NULL, &res);
}

static void
on_password(struct catalogue *cat, uint32_t request, const struct result *res)
{
	struct request *r = request_find_password(cat, request);

	if (r == NULL)
		keeper_down(cat, "judged a password that was not asked about");
	else
		request_finish(cat, r, NULL, res);
}

static void
on_hashed(struct catalogue *cat, uint32_t request, const void *msg)
{
	const struct msg_keep_hashed *m = msg;
	struct result res = { .ok = true, .hash = m->hash };

	on_password(cat, request, &res);
}

static void
on_verified(struct catalogue *cat, uint32_t request, const void *msg)
{
	const struct msg_keep_verified *m = msg;
	struct result res = { .ok = m->ok };

	on_password(cat, request, &res);
}

static void
on_failed(struct catalogue *cat, uint32_t request, const void *msg)
{
	const struct msg_failed *m = msg;
	struct request *r = request_find(cat, request);
	struct apierr e;
	struct rbuf rb;

	if (r == NULL)
		r = request_find_password(cat, request);

	rbuf_init(&rb, m->error.p, m->error.len);
	if (apierr_decode(&rb, &e) == -1)
		keeper_down(cat, "sent an error that cannot be read");
	else if (r != NULL)
		request_finish(cat, r, &e, NULL);
	else
		keeper_down(cat, e.link[0].reason);
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
			keeper_down(cat, why);
			return;
		}
		handlers[i].handle(cat, request, &m);
		return;
	}
	snprintf(why, sizeof(why), "sent %s", msg_name(type));
	keeper_down(cat, why);
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
		keeper_down(cat, why == NULL ? "hung up" : why);
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
	keeper_down(cat,
	    oomkills_death_text(cat->srv->oom, status, text, sizeof(text)));
}

static void
keeper_start(struct catalogue *cat)
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
		keeper_down(cat, "has no channel");
}

struct catalogue *
catalogue_new(struct server *srv, const struct catalogue_handlers *h, void *arg)
{
	struct catalogue *cat = calloc(1, sizeof(*cat));

	if (cat == NULL)
		return NULL;
	cat->srv = srv;
	cat->handlers = h;
	cat->arg = arg;
	TAILQ_INIT(&cat->requests);
	keeper_start(cat);
	return cat;
}

void
catalogue_free(struct catalogue *cat)
{
	struct request *r;

	if (cat == NULL)
		return;
	chan_free(cat->chan);
	child_forget(cat->child);
	while ((r = TAILQ_FIRST(&cat->requests)) != NULL) {
		TAILQ_REMOVE(&cat->requests, r, entry);
		request_free(r);
	}
	free(cat);
}

size_t
catalogue_pending(const struct catalogue *cat)
{
	return cat->nrequests;
}

static bool
keeper_is_loaded(const struct catalogue *cat)
{
	return cat->chan != NULL && cat->load_id == 0 && cat->ever_loaded &&
	    chan_state(cat->chan) == IN_OPEN;
}

/* While it loads any frame is a sign of life, later only its answers are. */
static bool
keeper_is_late(const struct catalogue *cat, int64_t now_us)
{
	const struct request *r;

	if (!keeper_is_loaded(cat))
		return now_us - cat->sign_us > ANSWER_TIMEOUT_US;
	TAILQ_FOREACH (r, &cat->requests, entry)
		if (r->sent_us != 0 && now_us - r->sent_us > ANSWER_TIMEOUT_US)
			return true;
	return false;
}

void
catalogue_tick(struct catalogue *cat)
{
	int64_t now_us = clock_mono_us();

	if (cat->start_at_us == 0 && keeper_is_late(cat, now_us))
		keeper_down(cat, "has not answered in time");
	if (cat->start_at_us != 0 && now_us >= cat->start_at_us)
		keeper_start(cat);
	requests_expire(cat, now_us);
}

/* One of the callbacks is NULL. 0, or -1 with *e set. */
static int
request_add(struct catalogue *cat, uint16_t type, const void *msg,
    catalogue_cb *cb, catalogue_password_cb *password_cb, void *arg,
    struct apierr *e)
{
	struct request *r = calloc(1, sizeof(*r));

	if (r == NULL)
		goto fail;
	wbuf_init(&r->frame, 0);
	r->id = ++cat->next_id;
	r->asked_us = clock_mono_us();
	r->lasting = type == MSG_KEEP_DELETE || type == MSG_KEEP_RESET ||
	    type == MSG_KEEP_SETTING;
	r->cb = cb;
	r->password_cb = password_cb;
	r->arg = arg;
	if (frame_put(&r->frame, type, r->id, msg) == -1)
		goto fail;
	TAILQ_INSERT_TAIL(&cat->requests, r, entry);
	cat->nrequests++;
	cat->queued_bytes += r->frame.len;
	if (keeper_is_loaded(cat))
		request_send(cat, r);
	return 0;
fail:
	apierr_set(e, 503, E_STATUS, "%s was not stored: %s", msg_name(type),
	    errno == EINVAL ? "it is too large" : "out of memory");
	if (r != NULL)
		request_free(r);
	return -1;
}

static void
request_new(struct catalogue *cat, uint16_t type, const void *msg,
    catalogue_cb *cb, void *arg)
{
	struct apierr e;

	if (request_add(cat, type, msg, cb, NULL, arg, &e) == -1)
		cb(arg, &e, 0);
}

static void
password_new(struct catalogue *cat, uint16_t type, const void *msg,
    catalogue_password_cb *cb, void *arg)
{
	struct apierr e;

	if (request_add(cat, type, msg, NULL, cb, arg, &e) == -1)
		cb(arg, &e, false, span_of(NULL));
}

/* One that carries a configuration. */
static void
request_bounded(struct catalogue *cat, uint16_t type, const void *msg,
    catalogue_cb *cb, void *arg)
{
	struct apierr e;

	if (cat->queued_bytes <= QUEUE_MAX_BYTES) {
		request_new(cat, type, msg, cb, arg);
		return;
	}
	apierr_set(
	    &e, 503, E_STATUS, "too many jobs wait to be stored; try again");
	e.retry_after_s = 1;
	cb(arg, &e, 0);
}

void
catalogue_create(struct catalogue *cat, const struct msg_keep_create *m,
    catalogue_cb *cb, void *arg)
{
	request_bounded(cat, MSG_KEEP_CREATE, m, cb, arg);
}

void
catalogue_update(struct catalogue *cat, const struct msg_keep_update *m,
    catalogue_cb *cb, void *arg)
{
	request_bounded(cat, MSG_KEEP_UPDATE, m, cb, arg);
}

void
catalogue_state(struct catalogue *cat, const struct msg_keep_state *m,
    catalogue_cb *cb, void *arg)
{
	request_new(cat, MSG_KEEP_STATE, m, cb, arg);
}

void
catalogue_delete(struct catalogue *cat, const struct msg_keep_delete *m,
    catalogue_cb *cb, void *arg)
{
	request_new(cat, MSG_KEEP_DELETE, m, cb, arg);
}

void
catalogue_reset(struct catalogue *cat, const struct msg_keep_reset *m,
    catalogue_cb *cb, void *arg)
{
	request_new(cat, MSG_KEEP_RESET, m, cb, arg);
}

void
catalogue_setting(struct catalogue *cat, const struct msg_keep_setting *m,
    catalogue_cb *cb, void *arg)
{
	request_new(cat, MSG_KEEP_SETTING, m, cb, arg);
}

void
catalogue_put_user(struct catalogue *cat, const struct msg_keep_user *m,
    catalogue_cb *cb, void *arg)
{
	request_new(cat, MSG_KEEP_USER_PUT, m, cb, arg);
}

void
catalogue_delete_user(struct catalogue *cat,
    const struct msg_keep_user_delete *m, catalogue_cb *cb, void *arg)
{
	request_new(cat, MSG_KEEP_USER_DELETE, m, cb, arg);
}

void
catalogue_put_key(struct catalogue *cat, const struct msg_keep_key *m,
    catalogue_cb *cb, void *arg)
{
	request_new(cat, MSG_KEEP_KEY_PUT, m, cb, arg);
}

void
catalogue_hash(struct catalogue *cat, const struct msg_keep_hash *m,
    catalogue_password_cb *cb, void *arg)
{
	password_new(cat, MSG_KEEP_HASH, m, cb, arg);
}

void
catalogue_verify(struct catalogue *cat, const struct msg_keep_verify *m,
    catalogue_password_cb *cb, void *arg)
{
	password_new(cat, MSG_KEEP_VERIFY, m, cb, arg);
}
