/* Owns the endpoints that make and change API keys. */
#include "common/compat.h"

#include <json-c/json.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/jsonmake.h"
#include "common/log.h"
#include "common/objparse.h"
#include "common/units.h"
#include "supervisor/accounts.h"
#include "supervisor/api.h"
#include "supervisor/auth.h"
#include "supervisor/call.h"
#include "supervisor/catalogue.h"
#include "supervisor/keyfilter.h"
#include "supervisor/rights.h"
#include "supervisor/server.h"

#define ID_RANDOM_BYTES 15     /* 20 characters */
#define SECRET_RANDOM_BYTES 16 /* 128 bits, 22 characters */
#define NAME_MAX_BYTES 256
#define ROLES_MAX_BYTES 65536

/* ---- create ---- */

/* A key on its way to the disk: a new one, or one that changes. */
struct creation {
	struct server *srv;
	struct call *call;  /* NULL: the client left; nobody has the secret */
	struct apikey *key; /* owned */
	char secret[32];    /* of a new one */
};

static void
creation_free(struct creation *cr)
{
	apikey_free(cr->key);
	sodium_memzero(cr, sizeof(*cr));
	free(cr);
}

static void
creation_gone(struct call *c, void *arg)
{
	struct creation *cr = arg;

	(void)c;
	cr->call = NULL;
}

/* The only time that the secret is told. */
static struct json_object *
created_json(const struct apikey *k, const char *secret)
{
	struct json_object *o = json_object_new_object();
	char both[128], encoded[256];

	snprintf(both, sizeof(both), "%s:%s", k->id, secret);
	sodium_bin2base64(encoded, sizeof(encoded), (const unsigned char *)both,
	    strlen(both), sodium_base64_VARIANT_ORIGINAL);
	jsonmake_string(&o, "id", k->id);
	jsonmake_string(&o, "name", k->name);
	if (k->expiration_ms != TIME_UNSET)
		jsonmake_int(&o, "expiration", k->expiration_ms);
	jsonmake_string(&o, "api_key", secret);
	jsonmake_string(&o, "encoded", encoded);
	sodium_memzero(both, sizeof(both));
	sodium_memzero(encoded, sizeof(encoded));
	return o;
}

static void
orphan_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	(void)arg;
	(void)unused;
	if (e != NULL)
		log_warnx("the key of a deleted user: %s", e->link[0].reason);
}

/*
 * The owner was deleted while the key was on its way: it must not come to life
 * with another user of that name. Returns 0, or -1 with *e set.
 */
static int
check_owner(struct server *srv, struct apikey *k, struct apierr *e)
{
	struct msg_keep_key m;

	if (k->realm != REALM_NATIVE ||
	    accounts_user(auth_accounts(srv->auth), k->owner) != NULL)
		return 0;
	k->invalidated_ms = clock_wall_ms();
	apikey_message(k, &m);
	catalogue_put_key(srv->catalogue, &m, orphan_cb, NULL);
	return apierr_set(
	    e, 404, E_NOT_FOUND, "user [%s] does not exist", k->owner);
}

static void
created_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	struct creation *cr = arg;
	struct apikey *k = cr->key;
	struct apierr gone;

	(void)unused;
	if (e == NULL) {
		accounts_put_key(auth_accounts(cr->srv->auth), k);
		cr->key = NULL;
		if (check_owner(cr->srv, k, &gone) == -1)
			e = &gone;
	}
	if (cr->call != NULL && e != NULL)
		call_error(cr->call, e);
	else if (cr->call != NULL)
		call_reply(cr->call, 200, created_json(k, cr->secret));
	creation_free(cr);
}

static const struct objparse_field key_fields[] = {
	{ "name", T_STRING, objparse_string, NULL, 0 },
	{ "expiration", T_STRING | T_NULL, objparse_string_or_null, NULL, 0 },
	{ "role_descriptors", T_OBJECT, objparse_free, NULL, 0 },
	{ "metadata", T_OBJECT, objparse_free, NULL, 0 },
};

static const struct objparse_table key_table = { "create_api_key", key_fields,
	NELEM(key_fields), NULL, NULL };

static int
take_name(struct json_object *o, struct span *name, struct apierr *e)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, "name", &v))
		return api_invalid(e, "api key name is required");
	*name = span_of(json_object_get_string(v));
	if (name->len == 0)
		return api_invalid(e, "api key name is required");
	if (name->len > NAME_MAX_BYTES)
		return api_invalid(
		    e, "api key name may not be more than 256 characters long");
	if (name->p[0] == ' ' || name->p[name->len - 1] == ' ')
		return api_invalid(e,
		    "api key name may not begin or end with "
		    "whitespace");
	return name->p[0] == '_'
	    ? api_invalid(e, "api key name may not begin with an underscore")
	    : 0;
}

static int
take_expiration(
    struct json_object *o, int64_t now_ms, int64_t *at_ms, struct apierr *e)
{
	struct json_object *v;
	int64_t ns;

	*at_ms = TIME_UNSET;
	if (!json_object_object_get_ex(o, "expiration", &v))
		return 0;
	if (units_duration("expiration", json_object_get_string(v), &ns, e) ==
	    -1)
		return -1;
	if (ns <= 0)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[expiration] must be a duration above zero");
	*at_ms = now_ms + ns / 1000000;
	return 0;
}

static int
take_roles(struct json_object *o, const char **text, struct apierr *e)
{
	struct grants *grants = NULL;
	struct json_object *v;
	unsigned rights;

	*text = "{}";
	if (!json_object_object_get_ex(o, "role_descriptors", &v))
		return 0;
	if (rights_read(v, &rights, &grants, e) == -1)
		return -1;
	grants_unref(grants);
	*text = json_object_to_json_string_ext(
	    v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (*text == NULL)
		return apierr_set(e, 503, E_STATUS, "out of memory");
	if (strlen(*text) > ROLES_MAX_BYTES)
		return api_invalid(e, "[role_descriptors] are too long");
	return 0;
}

/* The base64 of so many random bytes, as a URL can carry it. */
static void
make_random(char *dst, size_t size, size_t nbytes)
{
	unsigned char bytes[32];

	randombytes_buf(bytes, nbytes);
	sodium_bin2base64(
	    dst, size, bytes, nbytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(bytes, sizeof(bytes));
}

/* Everybody may make keys: what he can fill with them has an end. */
static int
check_room(struct call *c, const struct msg_keep_key *m, enum realm realm,
    const char *owner, struct apierr *e)
{
	size_t used =
	    accounts_key_bytes(auth_accounts(c->srv->auth), realm, owner);

	if (used + m->roles.len + m->metadata.len <= ACCOUNTS_KEYS_MAX_BYTES)
		return 0;
	return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
	    "the [role_descriptors] and [metadata] of all API keys of user "
	    "[%s] are longer than [%d] bytes",
	    owner, ACCOUNTS_KEYS_MAX_BYTES);
}

/* Takes what the body says. NULL with *e set. */
static struct creation *
creation_new(struct call *c, struct json_object *o, struct apierr *e)
{
	const char *roles, *metadata;
	int64_t now_ms = clock_wall_ms();
	struct msg_keep_key m = { .creation_ms = now_ms,
		.invalidated_ms = TIME_UNSET,
		.owner = span_of(c->who.user),
		.realm = span_of(realm_name(c->who.realm)) };
	uint8_t hash[MSG_KEY_HASH];
	struct creation *cr;
	char id[32];

	if (take_name(o, &m.name, e) == -1 ||
	    take_expiration(o, now_ms, &m.expiration_ms, e) == -1 ||
	    take_roles(o, &roles, e) == -1 ||
	    api_metadata(o, &metadata, e) == -1)
		return NULL;
	m.roles = span_of(roles);
	m.metadata = span_of(metadata);
	if (check_room(c, &m, c->who.realm, c->who.user, e) == -1)
		return NULL;
	cr = calloc(1, sizeof(*cr));
	if (cr != NULL) {
		do /* else a command would take it for an option */
			make_random(id, sizeof(id), ID_RANDOM_BYTES);
		while (id[0] == '-');
		make_random(
		    cr->secret, sizeof(cr->secret), SECRET_RANDOM_BYTES);
		apikey_hash(hash, id, cr->secret);
		m.id = span_of(id);
		m.hash = (struct span){ (const char *)hash, sizeof(hash) };
		cr->srv = c->srv;
		cr->key = apikey_new(&m);
	}
	if (cr != NULL && cr->key != NULL)
		return cr;
	free(cr);
	apierr_set(e, 503, E_STATUS, "out of memory");
	return NULL;
}

/*
 * A key must not come to more than it was made with: not to what its owner may
 * get later, nor to a longer life. verb: "create" or "update".
 */
static int
check_bearer(const struct call *c, const char *verb, struct apierr *e)
{
	const struct apikey *k =
	    accounts_key(auth_accounts(c->srv->auth), c->who.key_id);

	if (k == NULL) /* no key, as principal_holds has seen to */
		return 0;
	if (!k->inherits)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "an API key with role descriptors of its own cannot %s "
		    "API keys",
		    verb);
	if (k->expiration_ms != TIME_UNSET)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "an API key that expires cannot %s API keys", verb);
	return 0;
}

/* May this caller have another key at all? */
static int
check_maker(struct call *c, struct accounts *a, struct apierr *e)
{
	if (check_bearer(c, "create", e) == -1)
		return -1;
	if (accounts_keys_of(a, c->who.realm, c->who.user) >= ACCOUNTS_KEYS_MAX)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "user [%s] has [%d] API keys already, which is the most",
		    c->who.user, ACCOUNTS_KEYS_MAX);
	return 0;
}

void
api_key_create(struct call *c)
{
	struct accounts *a = auth_accounts(c->srv->auth);
	struct creation *cr = NULL;
	struct msg_keep_key m;
	struct json_object *o;
	struct apierr e;

	o = api_object(c, &key_table, &e);
	if (o != NULL && check_maker(c, a, &e) == 0)
		cr = creation_new(c, o, &e);
	json_object_put(o);
	if (cr == NULL) {
		call_error(c, &e);
		return;
	}
	cr->call = c;
	strlcpy(c->subject, cr->key->id, sizeof(c->subject));
	call_wait(c, creation_gone, cr);
	apikey_message(cr->key, &m);
	catalogue_put_key(c->srv->catalogue, &m, created_cb, cr);
}

/* ---- update ---- */

static const struct objparse_table update_table = { "update_api_key",
	/* All but the name, which stays. */
	key_fields + 1, NELEM(key_fields) - 1, NULL, NULL };

/* The key of the path, when the caller may change it. NULL with *e set. */
static struct apikey *
key_to_change(struct call *c, struct apierr *e)
{
	struct apikey *k = accounts_key(auth_accounts(c->srv->auth), c->item);
	int rc = check_bearer(c, "update", e);

	if (rc == -1)
		return NULL;
	if (k == NULL || !keyfilter_sees(c, k))
		rc = apierr_set(e, 404, E_NOT_FOUND,
		    "no API key owned by requesting user found for ID [%s]",
		    c->item);
	else if (k->invalidated_ms != TIME_UNSET)
		rc = apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "cannot update invalidated API key [%s]", c->item);
	else if (!apikey_is_live(k, clock_wall_ms()))
		rc = apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "cannot update expired API key [%s]", c->item);
	else if (k->changing)
		rc = apierr_set(e, 409, E_STATUS,
		    "API key [%s] is being updated; try again", c->item);
	return rc == 0 ? k : NULL;
}

/* The key as the body wants it. Borrows from both. 0, or -1 with *e set. */
static int
change_key(const struct apikey *k, struct json_object *o,
    struct msg_keep_key *m, struct apierr *e)
{
	const char *roles, *metadata;

	apikey_message(k, m);
	if (json_object_object_get_ex(o, "expiration", NULL) &&
	    take_expiration(o, clock_wall_ms(), &m->expiration_ms, e) == -1)
		return -1;
	if (take_roles(o, &roles, e) == -1 ||
	    api_metadata(o, &metadata, e) == -1)
		return -1;
	if (json_object_object_get_ex(o, "role_descriptors", NULL))
		m->roles = span_of(roles);
	if (json_object_object_get_ex(o, "metadata", NULL))
		m->metadata = span_of(metadata);
	return 0;
}

static void
reply_updated(struct call *c, bool updated)
{
	struct json_object *o = json_object_new_object();

	jsonmake_bool(&o, "updated", updated);
	call_reply(c, 200, o);
}

/* One that was revoked meanwhile stays revoked: the keeper sees to it, too. */
static void
updated_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	struct creation *cr = arg;
	struct accounts *a = auth_accounts(cr->srv->auth);
	struct apikey *was = accounts_key(a, cr->key->id);
	struct apierr gone;

	(void)unused;
	if (was != NULL)
		was->changing = false;
	if (e == NULL && (was == NULL || was->invalidated_ms != TIME_UNSET)) {
		apierr_set(&gone, 400, E_ILLEGAL_ARGUMENT,
		    "cannot update invalidated API key [%s]", cr->key->id);
		e = &gone;
	}
	if (e == NULL) {
		accounts_put_key(a, cr->key);
		cr->key = NULL;
	}
	if (cr->call != NULL && e != NULL)
		call_error(cr->call, e);
	else if (cr->call != NULL)
		reply_updated(cr->call, true);
	creation_free(cr);
}

static bool
is_same_key(const struct apikey *a, const struct apikey *b)
{
	return a->expiration_ms == b->expiration_ms &&
	    strcmp(a->roles, b->roles) == 0 &&
	    strcmp(a->metadata, b->metadata) == 0;
}

/* NULL with *e set. */
static struct creation *
update_new(struct call *c, const struct apikey *k, struct json_object *o,
    struct apierr *e)
{
	struct creation *cr;
	struct msg_keep_key m;

	if (change_key(k, o, &m, e) == -1)
		return NULL;
	/* A longer one counts as one more, beside what it was. */
	if (m.roles.len + m.metadata.len >
		strlen(k->roles) + strlen(k->metadata) &&
	    check_room(c, &m, k->realm, k->owner, e) == -1)
		return NULL;
	cr = calloc(1, sizeof(*cr));
	if (cr != NULL)
		cr->key = apikey_new(&m);
	if (cr != NULL && cr->key != NULL) {
		cr->srv = c->srv;
		return cr;
	}
	free(cr);
	apierr_set(e, 503, E_STATUS, "out of memory");
	return NULL;
}

void
api_key_update(struct call *c)
{
	struct json_object *o;
	struct creation *cr = NULL;
	struct apikey *k = NULL;
	struct msg_keep_key m;
	struct apierr e;

	o = api_object(c, &update_table, &e);
	if (o != NULL && (k = key_to_change(c, &e)) != NULL)
		cr = update_new(c, k, o, &e);
	json_object_put(o);
	if (cr == NULL) {
		call_error(c, &e);
		return;
	}
	if (is_same_key(k, cr->key)) {
		creation_free(cr);
		reply_updated(c, false);
		return;
	}
	k->changing = true;
	cr->call = c;
	call_wait(c, creation_gone, cr);
	apikey_message(cr->key, &m);
	catalogue_put_key(c->srv->catalogue, &m, updated_cb, cr);
}
