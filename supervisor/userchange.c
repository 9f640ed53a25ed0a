/*
 * Owns the changes of users on their way to the disk. A user who is changed is
 * made anew, and takes the old one's place when he is stored.
 */
#include "common/compat.h"

#include <json-c/json.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/jsonmake.h"
#include "common/log.h"
#include "supervisor/accounts.h"
#include "supervisor/auth.h"
#include "supervisor/call.h"
#include "supervisor/catalogue.h"
#include "supervisor/server.h"
#include "supervisor/userchange.h"

/*
 * A change that waits for its turn, or is on its way to the disk. They are
 * made one after the other, each from what the one before it has left: else
 * one's own new password, made from what was before, would undo that one's
 * roles were taken away meanwhile.
 */
struct change {
	TAILQ_ENTRY(change) entry;
	struct server *srv;
	struct call *call; /* NULL: the client left */
	enum change_kind kind;
	char name[MSG_USER_MAX + 1];
	struct user *user; /* owned; as it is to be */
	bool enabled;
	bool created;
	char hash[MSG_HASH_MAX + 1]; /* "": the password stays */
};

/* The first one is being stored. */
static TAILQ_HEAD(, change) line = TAILQ_HEAD_INITIALIZER(line);

static void change_start(struct change *);

static void
change_gone(struct call *c, void *arg)
{
	struct change *ch = arg;

	(void)c;
	ch->call = NULL;
}

static void
change_free(struct change *ch)
{
	user_free(ch->user);
	sodium_memzero(ch->hash, sizeof(ch->hash));
	free(ch);
}

static struct json_object *
change_json(const struct change *ch)
{
	struct json_object *o = json_object_new_object();

	if (ch->kind == CHANGE_DELETE)
		jsonmake_bool(&o, "found", true);
	else if (ch->kind == CHANGE_PUT)
		jsonmake_bool(&o, "created", ch->created);
	return o;
}

/* e NULL: it is done. It leaves the line, and the next one has its turn. */
static void
change_end(struct change *ch, const struct apierr *e)
{
	TAILQ_REMOVE(&line, ch, entry);
	if (ch->call != NULL && e != NULL)
		call_error(ch->call, e);
	else if (ch->call != NULL)
		call_reply(ch->call, 200, change_json(ch));
	change_free(ch);
	if (!TAILQ_EMPTY(&line))
		change_start(TAILQ_FIRST(&line));
}

/* Keys must not come to life again with another user of that name. */
static void
key_revoked_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	(void)arg;
	(void)unused;
	if (e != NULL)
		log_warnx("the key of a deleted user: %s", e->link[0].reason);
}

static void
revoke_keys(struct server *srv, const char *owner)
{
	struct accounts *a = auth_accounts(srv->auth);
	int64_t now_ms = clock_wall_ms();
	struct msg_keep_key m;

	for (struct apikey *k = accounts_first_key(a); k != NULL;
	     k = accounts_next_key(k)) {
		if (k->realm != REALM_NATIVE || strcmp(k->owner, owner) != 0 ||
		    k->invalidated_ms != TIME_UNSET)
			continue;
		k->invalidated_ms = now_ms;
		apikey_message(k, &m);
		catalogue_put_key(srv->catalogue, &m, key_revoked_cb, NULL);
	}
}

static void
stored_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	struct change *ch = arg;
	struct accounts *a = auth_accounts(ch->srv->auth);

	(void)unused;
	if (e == NULL && ch->kind == CHANGE_DELETE) {
		accounts_delete_user(a, ch->name);
		/* One may have been on its way when the others were revoked. */
		revoke_keys(ch->srv, ch->name);
	} else if (e == NULL) {
		accounts_put_user(a, ch->user);
		ch->user = NULL;
	}
	change_end(ch, e);
}

/* One as it is, made anew to be changed. */
static struct user *
user_again(const struct user *u)
{
	struct msg_keep_user m;

	user_message(u, span_of(NULL), &m);
	return user_new(&m);
}

/* Also of one who is gone: another of his name must not have it again. */
static uint64_t last_revision;

static void
change_store(struct change *ch, const struct user *old)
{
	struct msg_keep_user m;

	/* What could not be revoked when the last one of that name went. */
	if (old == NULL)
		revoke_keys(ch->srv, ch->name);
	if (ch->kind == CHANGE_ENABLED)
		ch->user->enabled = ch->enabled;
	ch->user->revision = ++last_revision;
	ch->created = old == NULL;
	user_message(ch->user, span_of(ch->hash), &m);
	catalogue_put_user(ch->srv->catalogue, &m, stored_cb, ch);
}

static void
change_start(struct change *ch)
{
	struct msg_keep_user_delete m = { span_of(ch->name) };
	const struct user *old =
	    accounts_user(auth_accounts(ch->srv->auth), ch->name);
	struct apierr e;

	if (old != NULL && old->revision > last_revision)
		last_revision = old->revision;
	if (old == NULL && (ch->kind != CHANGE_PUT || ch->hash[0] == '\0')) {
		apierr_set(
		    &e, 404, E_NOT_FOUND, "user [%s] does not exist", ch->name);
		change_end(ch, &e);
		return;
	}
	if (ch->kind == CHANGE_DELETE) {
		revoke_keys(ch->srv, ch->name);
		catalogue_delete_user(ch->srv->catalogue, &m, stored_cb, ch);
		return;
	}
	if (ch->kind != CHANGE_PUT)
		ch->user = user_again(old);
	if (ch->user == NULL) {
		apierr_set(&e, 503, E_STATUS, "out of memory");
		change_end(ch, &e);
		return;
	}
	change_store(ch, old);
}

static void
change_enter(struct change *ch)
{
	TAILQ_INSERT_TAIL(&line, ch, entry);
	if (TAILQ_FIRST(&line) == ch)
		change_start(ch);
}

static void
hashed_cb(void *arg, const struct apierr *e, bool ok, struct span hash)
{
	struct change *ch = arg;

	(void)ok;
	if (e == NULL) {
		snprintf(
		    ch->hash, sizeof(ch->hash), "%.*s", (int)hash.len, hash.p);
		change_enter(ch);
		return;
	}
	if (ch->call != NULL)
		call_error(ch->call, e);
	change_free(ch);
}

void
userchange_begin(struct call *c, enum change_kind kind, const char *name,
    struct user *user, const char *password, bool enabled)
{
	struct change *ch = calloc(1, sizeof(*ch));
	struct msg_keep_hash m = { span_of(password) };

	if (ch == NULL || (kind == CHANGE_PUT && user == NULL)) {
		user_free(user);
		free(ch);
		call_fail(c, 503, E_STATUS, "out of memory");
		return;
	}
	ch->srv = c->srv;
	ch->call = c;
	ch->kind = kind;
	strlcpy(ch->name, name, sizeof(ch->name));
	ch->user = user;
	ch->enabled = enabled;
	call_wait(c, change_gone, ch);
	if (password == NULL)
		change_enter(ch);
	else
		catalogue_hash(c->srv->catalogue, &m, hashed_cb, ch);
}
