/* Owns the way from credentials to the one who has them. */
#include "common/compat.h"

#include <event2/event.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "supervisor/accounts.h"
#include "supervisor/auth.h"
#include "supervisor/authlimit.h"
#include "supervisor/call.h"
#include "supervisor/catalogue.h"
#include "supervisor/conf.h"
#include "supervisor/credentials.h"
#include "supervisor/refusal.h"
#include "supervisor/rights.h"
#include "supervisor/server.h"

/* Passwords that the keeper may be asked about at a time: 100 ms each. */
#define ASKED_MAX 64
#define ASKED_PLACE_MAX 16
#define ASKED_PAIR_MAX 2
/*
 * From a place that has used up its failures, every one looks the same and is
 * told as late: whether a name was tried or is not known cannot be seen.
 */
#define HOLD_US 1000000
#define HELD_MAX 1024

#define REFUSED                                                                \
	"unable to authenticate with provided credentials and anonymous "      \
	"access is not allowed for this request"

typedef void auth_done(
    struct server *, struct http_req *, const struct principal *);

/* A password that is not yet judged, or its answer that is held. */
struct attempt {
	TAILQ_ENTRY(attempt) entry;
	struct auth *auth;
	struct http_req *req; /* NULL: the client left */
	auth_done *done;
	int64_t since_us;
	struct authlimit_at at;
	enum authlimit_verdict verdict;
	char user[MSG_USER_MAX + 1];
	uint64_t revision; /* of the user, when it was asked */
	uint8_t token[AUTHCACHE_BYTES];
};
TAILQ_HEAD(attempts, attempt);

struct auth {
	struct server *srv;
	struct accounts *accounts;
	struct authlimit *limit;
	uint8_t key[AUTHCACHE_BYTES]; /* of the tokens */
	struct attempts asked, held;
	unsigned nasked, nheld;
	struct event *release; /* of the first one that is held */
	struct refusals refusals;
};

/* ---- attempts ---- */

static void
attempt_free(struct attempt *a)
{
	sodium_memzero(a, sizeof(*a));
	free(a);
}

static void
attempt_gone(struct http_req *req, void *arg)
{
	struct attempt *a = arg;

	(void)req;
	a->req = NULL;
}

/* The request is the handler's again, as if it had just come. */
static struct http_req *
attempt_take_req(struct attempt *a)
{
	struct http_req *req = a->req;

	if (req == NULL)
		return NULL;
	a->req = NULL;
	http_req_on_gone(req, NULL, NULL);
	http_body_resume(req);
	return req;
}

static void
release_later(struct auth *auth)
{
	struct attempt *a = TAILQ_FIRST(&auth->held);
	struct timeval tv = { 0 };
	int64_t us;

	if (a == NULL)
		return;
	us = a->since_us + HOLD_US - clock_mono_us();
	if (us < 0)
		us = 0;
	tv.tv_sec = us / 1000000;
	tv.tv_usec = us % 1000000;
	event_add(auth->release, &tv);
}

static void
release_one(struct auth *auth, struct attempt *a)
{
	struct http_req *req = attempt_take_req(a);

	TAILQ_REMOVE(&auth->held, a, entry);
	auth->nheld--;
	if (req != NULL)
		refusal_often(&auth->refusals, req, a->user, AUTHLIMIT_PLACE_S);
	attempt_free(a);
}

static void
release_cb(evutil_socket_t fd, short what, void *arg)
{
	int64_t now_us = clock_mono_us();
	struct auth *auth = arg;
	struct attempt *a;

	(void)fd;
	(void)what;
	while ((a = TAILQ_FIRST(&auth->held)) != NULL &&
	    a->since_us + HOLD_US <= now_us)
		release_one(auth, a);
	release_later(auth);
}

/* Almost in the order of their coming: one that was judged may be late. */
static void
attempt_hold(struct auth *auth, struct attempt *a)
{
	TAILQ_INSERT_TAIL(&auth->held, a, entry);
	if (++auth->nheld > HELD_MAX)
		release_one(auth, TAILQ_FIRST(&auth->held));
	release_later(auth);
}

static void
attempt_right(struct auth *auth, struct attempt *a, struct user *u)
{
	struct http_req *req = attempt_take_req(a);
	auth_done *done = a->done;
	struct principal who;

	authcache_set(&u->cache, a->token, clock_mono_us());
	authlimit_give_back(auth->limit, &a->at, a->verdict);
	principal_of_user(&who, u);
	attempt_free(a);
	if (req != NULL)
		done(auth->srv, req, &who);
}

static void
attempt_wrong(struct auth *auth, struct attempt *a)
{
	struct http_req *req;

	if (a->verdict == AUTHLIMIT_PLACE) {
		attempt_hold(auth, a);
		return;
	}
	req = attempt_take_req(a);
	if (req != NULL)
		refusal_user(&auth->refusals, req, a->user);
	attempt_free(a);
}

static void
verified_cb(void *arg, const struct apierr *e, bool ok, struct span unused)
{
	struct attempt *a = arg;
	struct auth *auth = a->auth;
	struct user *u = accounts_user(auth->accounts, a->user);
	struct http_req *req;

	(void)unused;
	TAILQ_REMOVE(&auth->asked, a, entry);
	auth->nasked--;
	if (e != NULL) {
		authlimit_give_back(auth->limit, &a->at, a->verdict);
		req = attempt_take_req(a);
		if (req != NULL)
			refusal_error(&auth->refusals, req, e);
		attempt_free(a);
	} else if (ok && u != NULL && u->enabled &&
	    u->revision == a->revision) {
		attempt_right(auth, a, u);
	} else {
		/* Also when he was changed meanwhile: what is right now? */
		attempt_wrong(auth, a);
	}
}

/* How many are asked about already: all, of that place, of the user there. */
static bool
is_crowded(const struct auth *auth, const struct authlimit_at *at)
{
	unsigned place = 0, pair = 0;
	struct attempt *a;

	TAILQ_FOREACH (a, &auth->asked, entry) {
		place += a->at.place == at->place;
		pair += a->at.pair == at->pair;
	}
	return auth->nasked >= ASKED_MAX || place >= ASKED_PLACE_MAX ||
	    pair >= ASKED_PAIR_MAX;
}

/* *wait_s, of AUTHLIMIT_STOP: when another may be made. */
static enum authlimit_verdict
judge(struct auth *auth, const struct attempt *a, const struct user *u,
    unsigned *wait_s)
{
	int64_t now_us = clock_mono_us();

	*wait_s = 1;
	/* Only who is known makes a crowd there: it must not show. */
	if (is_crowded(auth, &a->at))
		return authlimit_is_full(auth->limit, &a->at, now_us)
		    ? AUTHLIMIT_HOLD
		    : AUTHLIMIT_STOP;
	return authlimit_take(
	    auth->limit, &a->at, u != NULL && u->enabled, now_us, wait_s);
}

static struct attempt *
attempt_new(
    struct auth *auth, struct http_req *req, const char *user, auth_done *done)
{
	struct attempt *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->auth = auth;
	a->req = req;
	a->done = done;
	a->since_us = clock_mono_us();
	strlcpy(a->user, user, sizeof(a->user));
	return a;
}

/* From here on the request waits; nothing of its body is read meanwhile. */
static void
attempt_begin(struct auth *auth, struct attempt *a, const char *password)
{
	struct user *u = accounts_user(auth->accounts, a->user);
	struct msg_keep_verify m = { span_of(a->user), span_of(password) };

	http_body_pause(a->req);
	http_req_on_gone(a->req, attempt_gone, a);
	if (a->verdict == AUTHLIMIT_HOLD) {
		attempt_hold(auth, a);
		return;
	}
	a->revision = u == NULL ? 0 : u->revision;
	TAILQ_INSERT_TAIL(&auth->asked, a, entry);
	auth->nasked++;
	catalogue_verify(auth->srv->catalogue, &m, verified_cb, a);
}

/* ---- credentials ---- */

static void
check_password(struct auth *auth, struct http_req *req,
    const struct credentials *cred, auth_done *done)
{
	struct user *u = accounts_user(auth->accounts, cred->name);
	enum authcache_verdict known = AUTHCACHE_MISS;
	uint8_t token[AUTHCACHE_BYTES];
	char place[AUTHLIMIT_PLACE_MAX];
	struct principal who;
	struct attempt *a;
	unsigned wait_s;

	authcache_token(token, auth->key, cred->name, cred->secret);
	if (u != NULL && u->enabled)
		known = authcache_look(&u->cache, token, clock_mono_us());
	if (known == AUTHCACHE_HIT) {
		principal_of_user(&who, u);
		done(auth->srv, req, &who);
		return;
	}
	a = attempt_new(auth, req, cred->name, done);
	if (a == NULL) {
		call_unserved(req);
		return;
	}
	memcpy(a->token, token, sizeof(token));
	authlimit_place(place, http_req_peer(req), http_req_peer_uid(req));
	authlimit_find(auth->limit, place, cred->name, &a->at);
	/* One that was right before is no guess: nothing holds it up. */
	a->verdict = AUTHLIMIT_STOP;
	if (known != AUTHCACHE_STALE &&
	    (a->verdict = judge(auth, a, u, &wait_s)) == AUTHLIMIT_STOP) {
		refusal_often(&auth->refusals, req, cred->name, wait_s);
		attempt_free(a);
		return;
	}
	attempt_begin(auth, a, cred->secret);
}

/* Why a key whose secret is right is not let in; NULL: it is. */
static const char *
key_fault(struct auth *auth, const struct apikey *k, struct principal *who)
{
	if (k->invalidated_ms != TIME_UNSET)
		return "has been invalidated";
	if (!apikey_is_live(k, clock_wall_ms()))
		return "is expired";
	if (principal_of_key(who, auth->accounts, k) == -1)
		return "has an owner who is not there, or disabled";
	return NULL;
}

static void
check_key(struct auth *auth, struct http_req *req,
    const struct credentials *cred, auth_done *done)
{
	struct apikey *k = accounts_key(auth->accounts, cred->name);
	static const uint8_t none[MSG_KEY_HASH];
	uint8_t hash[MSG_KEY_HASH];
	struct principal who;
	const char *fault;
	bool same;

	apikey_hash(hash, cred->name, cred->secret);
	same =
	    sodium_memcmp(hash, k == NULL ? none : k->hash, sizeof(hash)) == 0;
	if (k == NULL) {
		refusal(&auth->refusals, req, "",
		    REFUSED ", additional unsuccessful credentials: API key: "
			    "unable to find apikey with id %s",
		    cred->name);
	} else if (!same) {
		refusal(&auth->refusals, req, k->owner,
		    REFUSED ", additional unsuccessful credentials: API key: "
			    "invalid credentials for API key [%s]",
		    k->id);
	} else if ((fault = key_fault(auth, k, &who)) != NULL) {
		refusal(&auth->refusals, req, k->owner,
		    REFUSED ", additional unsuccessful credentials: API key: "
			    "api key [%s] %s",
		    k->id, fault);
	} else {
		done(auth->srv, req, &who);
		principal_clear(&who);
	}
}

static void
check(struct auth *auth, struct http_req *req, const struct credentials *cred,
    auth_done *done)
{
	switch (cred->kind) {
	case CREDENTIALS_NONE:
		refusal_missing(&auth->refusals, req);
		break;
	case CREDENTIALS_BAD:
		refusal(&auth->refusals, req, "", "%s",
		    cred->basic ? "invalid basic authentication header value"
				: REFUSED);
		break;
	case CREDENTIALS_BASIC:
		if (cred->impossible)
			refusal_user(&auth->refusals, req, cred->name);
		else
			check_password(auth, req, cred, done);
		break;
	case CREDENTIALS_KEY:
		if (cred->impossible)
			refusal(&auth->refusals, req, "", "%s", REFUSED);
		else
			check_key(auth, req, cred, done);
		break;
	}
}

/* Who is trusted by the system itself needs no password. NULL: nobody. */
static const char *
peer_name(const struct http_req *req)
{
	int uid = http_req_peer_uid(req);

	if (uid == 0)
		return "_root";
	return uid >= 0 && (uid_t)uid == geteuid() ? "anomd" : NULL;
}

void
auth_request(struct server *srv, struct http_req *req, auth_done *done)
{
	struct principal who = { .realm = REALM_OFF, .rights = RIGHTS_ALL };
	struct auth *auth = srv->auth;
	struct credentials cred;
	const char *value;
	unsigned at = 0;

	if (auth == NULL) {
		done(srv, req, &who);
		return;
	}
	value = http_req_header_next(req, "authorization", &at);
	if (value == NULL && peer_name(req) != NULL) {
		principal_of_peer(&who, peer_name(req));
		done(srv, req, &who);
		return;
	}
	/* Of two nobody could tell which one another reader looks at. */
	if (value != NULL &&
	    http_req_header_next(req, "authorization", &at) != NULL) {
		refusal(&auth->refusals, req, "", "%s", REFUSED);
		return;
	}
	credentials_read(&cred, value);
	check(auth, req, &cred, done);
	credentials_wipe(&cred);
}

/* ---- life ---- */

struct accounts *
auth_accounts(struct auth *auth)
{
	return auth->accounts;
}

struct auth *
auth_new(struct server *srv)
{
	struct auth *auth = calloc(1, sizeof(*auth));

	if (auth == NULL || sodium_init() == -1) {
		free(auth);
		return NULL;
	}
	TAILQ_INIT(&auth->asked);
	TAILQ_INIT(&auth->held);
	auth->srv = srv;
	refusals_init(&auth->refusals, srv);
	randombytes_buf(auth->key, sizeof(auth->key));
	auth->accounts = accounts_new();
	auth->limit = authlimit_new(NULL);
	auth->release = evtimer_new(srv->base, release_cb, auth);
	if (auth->accounts != NULL && auth->limit != NULL &&
	    auth->release != NULL)
		return auth;
	auth_free(auth);
	return NULL;
}

static void
attempts_free(struct attempts *list)
{
	struct attempt *a;

	while ((a = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, a, entry);
		attempt_free(a);
	}
}

void
auth_free(struct auth *auth)
{
	if (auth == NULL)
		return;
	attempts_free(&auth->asked);
	attempts_free(&auth->held);
	if (auth->release != NULL)
		event_free(auth->release);
	accounts_free(auth->accounts);
	authlimit_free(auth->limit);
	sodium_memzero(auth->key, sizeof(auth->key));
	free(auth);
}

void
auth_ready(struct auth *auth)
{
	const struct conf *conf = auth->srv->conf;
	bool over_unix = false;

	for (size_t i = 0; i < conf->listen.n; i++)
		if (strncmp(conf->listen.item[i], "unix:", 5) == 0)
			over_unix = true;
		else if (!http_spec_is_local(conf->listen.item[i]))
			log_warnx("listen %s: passwords and keys travel in "
				  "clear, for there is no TLS",
			    conf->listen.item[i]);
	if (accounts_users(auth->accounts) > 0)
		return;
	log_warnx("security is on and there is no user: root, or the user that "
		  "the daemon runs as, can create one over a Unix socket%s",
	    over_unix ? "" : "; add one with listen unix:/path");
}
