/* Owns the requests about users, keys and passwords. */
#include "common/compat.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "keeper/hasher.h"
#include "keeper/secrets.h"
#include "keeper/userdb.h"

/* Keys that are of no use are shown this long, as the peer does. */
#define DEAD_KEYS_KEPT_MS (INT64_C(7) * 86400 * 1000)

struct secrets {
	struct serve *serve; /* borrowed */
	struct hasher *hasher;
	struct userdb *users;
	uint32_t request; /* while KEEP_LOAD is answered */
};

static int
send_failed(struct serve *s, uint32_t request, const char *what)
{
	int error = errno;
	struct apierr e;

	if (error == ENOSPC || error == EDQUOT)
		apierr_set(&e, 503, E_STATUS,
		    "%s cannot be stored: no space left on the disk", what);
	else if (error == ENOENT)
		apierr_set(&e, 404, E_NOT_FOUND, "%s is not there", what);
	else
		apierr_set(&e, 500, E_EXCEPTION, "%s cannot be stored: %s",
		    what,
		    error == EBADMSG ? "its row in the catalogue is damaged"
				     : strerror(error));
	if (e.status >= 500)
		log_warnx("%s", e.link[0].reason);
	return serve_fail(s, request, &e);
}

static int
send_done(struct serve *s, uint32_t request, int rc, const char *what)
{
	struct msg_keep_done m = { 0 };

	return rc == -1 ? send_failed(s, request, what)
			: serve_send(s, MSG_KEEP_DONE, request, &m);
}

/* ---- the hasher ---- */

static void
hashed(void *arg, uint32_t request, bool failed, bool ok, struct span hash)
{
	struct secrets *k = arg;
	struct msg_keep_hashed h = { hash };
	struct msg_keep_verified v = { ok };
	struct apierr e;
	int rc;

	if (failed) {
		apierr_set(&e, 503, E_STATUS, "no memory to hash a password");
		e.retry_after_s = 1;
		rc = serve_fail(k->serve, request, &e);
	} else if (hash.len > 0) {
		rc = serve_send(k->serve, MSG_KEEP_HASHED, request, &h);
	} else {
		rc = serve_send(k->serve, MSG_KEEP_VERIFIED, request, &v);
	}
	if (rc == -1)
		log_warn("an answer about a password is lost");
}

void
secrets_idle(struct secrets *k)
{
	if (k->hasher == NULL || hasher_run(k->hasher) == 0)
		return;
	/* None can be started from within the sandbox: another keeper can. */
	log_warnx("the process that hashes passwords has ended");
	serve_stop(k->serve);
}

/* What came over the channel lies in its buffer until that is used again. */
static void
wipe(struct span s)
{
	sodium_memzero((void *)(uintptr_t)s.p, s.len);
}

static int
crowded(struct serve *s, uint32_t request)
{
	struct apierr e;

	apierr_set(&e, 503, E_STATUS, "too many passwords wait to be hashed");
	e.retry_after_s = 1;
	return serve_fail(s, request, &e);
}

int
secrets_on_hash(struct serve *s, void *arg, uint32_t request, const void *obj)
{
	const struct msg_keep_hash *m = obj;
	int rc = hasher_hash(keeper_secrets(arg)->hasher, request, m->password);

	wipe(m->password);
	return rc == -1 ? crowded(s, request) : 0;
}

/* A damaged row lets nobody in, and takes as long as any other. */
int
secrets_on_verify(struct serve *s, void *arg, uint32_t request, const void *obj)
{
	const struct msg_keep_verify *m = obj;
	struct secrets *k = keeper_secrets(arg);
	char hash[MSG_HASH_MAX + 1];
	bool known = userdb_hash(k->users, m->name, hash) == 0;
	int rc =
	    hasher_verify(k->hasher, request, known ? hash : NULL, m->password);

	sodium_memzero(hash, sizeof(hash));
	wipe(m->password);
	return rc == -1 ? crowded(s, request) : 0;
}

/* ---- what is stored ---- */

int
secrets_on_user_put(
    struct serve *s, void *arg, uint32_t request, const void *obj)
{
	return send_done(s, request,
	    userdb_put_user(keeper_secrets(arg)->users, obj), "the user");
}

int
secrets_on_user_delete(
    struct serve *s, void *arg, uint32_t request, const void *obj)
{
	const struct msg_keep_user_delete *m = obj;

	return send_done(s, request,
	    userdb_delete_user(keeper_secrets(arg)->users, m->name),
	    "the user");
}

int
secrets_on_key_put(
    struct serve *s, void *arg, uint32_t request, const void *obj)
{
	return send_done(s, request,
	    userdb_put_key(keeper_secrets(arg)->users, obj), "the key");
}

static int
load_user(void *arg, const struct msg_keep_user *m)
{
	struct secrets *k = arg;

	if (serve_send(k->serve, MSG_KEEP_USER, k->request, m) == -1)
		return -1;
	return serve_throttle(k->serve);
}

static int
load_key(void *arg, const struct msg_keep_key *m)
{
	struct secrets *k = arg;

	if (serve_send(k->serve, MSG_KEEP_KEY, k->request, m) == -1)
		return -1;
	return serve_throttle(k->serve);
}

int
secrets_load(struct secrets *k, uint32_t request)
{
	k->request = request;
	if (userdb_each_user(k->users, load_user, k) == -1)
		return -1;
	return userdb_each_key(k->users, load_key, k);
}

/* ---- life ---- */

struct secrets *
secrets_start(struct serve *s)
{
	struct secrets *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->serve = s;
	k->hasher = hasher_start(hashed, k);
	if (k->hasher == NULL) {
		free(k);
		return NULL;
	}
	serve_watch(s, hasher_fd(k->hasher));
	return k;
}

int
secrets_open(struct secrets *k, struct sqlite3 *db)
{
	k->users = userdb_open(db);
	if (k->users == NULL)
		return -1;
	return userdb_purge_keys(k->users, clock_wall_ms() - DEAD_KEYS_KEPT_MS);
}

void
secrets_free(struct secrets *k)
{
	if (k == NULL)
		return;
	hasher_free(k->hasher);
	userdb_close(k->users);
	free(k);
}
