/*
 * The supervisor's way to the keeper: what is to be stored goes out, and comes
 * back when it is on disk. Requests wait while a keeper that died is started
 * again. Those that it took with it are sent to the next one, who may find that
 * they are done already: all of them may be done twice. What dies with two
 * keepers fails, but for deletions and resets: nobody would know what has
 * become of those, so they are asked for until they are answered.
 */
#ifndef SUPERVISOR_CATALOGUE_H
#define SUPERVISOR_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"

struct catalogue;
struct server;

struct catalogue_handlers {
	/* A stored setting, before all jobs, after every start of a keeper. */
	void (*setting)(void *arg, const struct msg_keep_setting *);
	/* A stored job, once for each after every start of a keeper. */
	void (*job)(void *arg, const struct msg_keep_job *);
	/* A stored user, a stored key: the same. */
	void (*user)(void *arg, const struct msg_keep_user *);
	void (*key)(void *arg, const struct msg_keep_key *);
	/* All that is stored was given. */
	void (*loaded)(void *arg);
	/* The first keeper could not be started or could not load. */
	void (*failed)(void *arg, const char *why);
};

/* e is NULL when all is well. incarnation: of a creation or reset, else 0. */
typedef void catalogue_cb(
    void *arg, const struct apierr *e, uint64_t incarnation);

/* Starts a keeper. NULL with errno. */
struct catalogue *catalogue_new(
    struct server *, const struct catalogue_handlers *, void *arg);
void catalogue_free(struct catalogue *);
/* Once a second. */
void catalogue_tick(struct catalogue *);
/* Requests that are not yet answered. */
size_t catalogue_pending(const struct catalogue *);

/*
 * Store something. What the message points to is copied. cb is called once:
 * from the loop, in the order of the requests, or from within with a 503 when
 * memory is out, or when too much waits already for another configuration.
 */
void catalogue_create(struct catalogue *, const struct msg_keep_create *,
    catalogue_cb *, void *arg);
void catalogue_update(struct catalogue *, const struct msg_keep_update *,
    catalogue_cb *, void *arg);
void catalogue_state(struct catalogue *, const struct msg_keep_state *,
    catalogue_cb *, void *arg);
void catalogue_delete(struct catalogue *, const struct msg_keep_delete *,
    catalogue_cb *, void *arg);
void catalogue_reset(struct catalogue *, const struct msg_keep_reset *,
    catalogue_cb *, void *arg);
void catalogue_setting(struct catalogue *, const struct msg_keep_setting *,
    catalogue_cb *, void *arg);
void catalogue_put_user(struct catalogue *, const struct msg_keep_user *,
    catalogue_cb *, void *arg);
void catalogue_delete_user(struct catalogue *,
    const struct msg_keep_user_delete *, catalogue_cb *, void *arg);
void catalogue_put_key(
    struct catalogue *, const struct msg_keep_key *, catalogue_cb *, void *arg);

/*
 * Passwords: hashed one after the other, answered out of the order of all
 * other requests. ok: it is the right one; hash: of catalogue_hash, until the
 * callback returns. The copies of a password on its way are overwritten.
 */
typedef void catalogue_password_cb(
    void *arg, const struct apierr *e, bool ok, struct span hash);
void catalogue_hash(struct catalogue *, const struct msg_keep_hash *,
    catalogue_password_cb *, void *arg);
void catalogue_verify(struct catalogue *, const struct msg_keep_verify *,
    catalogue_password_cb *, void *arg);

#endif
