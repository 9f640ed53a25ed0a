/* Owns the requests that the keeper owes an answer. */
#include "common/compat.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/frame.h"
#include "common/log.h"
#include "supervisor/catalogue_int.h"
#include "supervisor/chan.h"
#include "supervisor/child.h"

#define TRIES_MAX 2 /* keepers that may die of a request, or by chance */
/*
 * Of requests that are not answered: else clients that do not wait for their
 * answer could fill the memory with jobs faster than a disk takes them.
 */
#define QUEUE_MAX_BYTES (16 * 1024 * 1024)

static void
request_free(struct keeper_request *r)
{
	if (r->password_cb != NULL && r->frame.data != NULL)
		sodium_memzero(r->frame.data, r->frame.len);
	wbuf_clear(&r->frame);
	free(r);
}

void
catalogue_finish(struct catalogue *cat, struct keeper_request *r,
    const struct apierr *e, const struct keeper_result *res)
{
	static const struct keeper_result none;

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

struct keeper_request *
catalogue_find(struct catalogue *cat, uint32_t id)
{
	struct keeper_request *r;

	TAILQ_FOREACH (r, &cat->requests, entry) {
		if (r->id == id)
			return r->sent_us != 0 ? r : NULL;
		if (r->password_cb == NULL)
			return NULL;
	}
	return NULL;
}

struct keeper_request *
catalogue_find_password(struct catalogue *cat, uint32_t id)
{
	struct keeper_request *r;

	TAILQ_FOREACH (r, &cat->requests, entry)
		if (r->id == id)
			break;
	return r != NULL && r->password_cb != NULL && r->sent_us != 0 ? r
								      : NULL;
}

/* One that cannot be queued times out as one that is not answered. */
static void
request_send(struct catalogue *cat, struct keeper_request *r)
{
	r->sent_us = clock_mono_us();
	r->tries++;
	if (chan_send_frame(cat->chan, &r->frame) == -1)
		log_warnx("keeper: request %u was not sent", r->id);
}

void
catalogue_send_waiting(struct catalogue *cat)
{
	struct keeper_request *r, *next;

	TAILQ_FOREACH_SAFE (r, &cat->requests, entry, next)
		if (r->sent_us == 0)
			request_send(cat, r);
}

void
catalogue_requests_lost(struct catalogue *cat)
{
	struct keeper_request *r, *next;
	struct apierr e;

	apierr_set(&e, 503, E_STATUS,
	    "the keeper of the catalogue ended before it answered; "
	    "try again");
	e.retry_after_s = 1;
	TAILQ_FOREACH_SAFE (r, &cat->requests, entry, next) {
		if (r->sent_us != 0 && !r->lasting && r->tries >= TRIES_MAX)
			catalogue_finish(cat, r, &e, NULL);
		else
			r->sent_us = 0;
	}
}

/* Those that no keeper has come for in time. */
static void
requests_expire(struct catalogue *cat, int64_t now_us)
{
	struct keeper_request *r, *next;
	struct apierr e;

	apierr_set(
	    &e, 503, E_STATUS, "the keeper of the catalogue cannot be reached");
	e.retry_after_s = 1;
	TAILQ_FOREACH_SAFE (r, &cat->requests, entry, next)
		if (r->sent_us == 0 && !(r->lasting && r->tries > 0) &&
		    now_us - r->asked_us > CATALOGUE_TIMEOUT_US)
			catalogue_finish(cat, r, &e, NULL);
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
	catalogue_keeper_start(cat);
	return cat;
}

void
catalogue_free(struct catalogue *cat)
{
	struct keeper_request *r;

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

void
catalogue_tick(struct catalogue *cat)
{
	int64_t now_us = clock_mono_us();

	if (cat->start_at_us == 0 && catalogue_keeper_is_late(cat, now_us))
		catalogue_keeper_down(cat, "has not answered in time");
	if (cat->start_at_us != 0 && now_us >= cat->start_at_us)
		catalogue_keeper_start(cat);
	requests_expire(cat, now_us);
}

/* One of the callbacks is NULL. 0, or -1 with *e set. */
static int
request_add(struct catalogue *cat, uint16_t type, const void *msg,
    catalogue_cb *cb, catalogue_password_cb *password_cb, void *arg,
    struct apierr *e)
{
	struct keeper_request *r = calloc(1, sizeof(*r));

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
	if (catalogue_keeper_is_loaded(cat))
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
