/* Owns the copy of users and keys, and how each becomes a principal. */
#include "common/compat.h"

#include <errno.h>
#include <json-c/json.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "supervisor/accounts.h"
#include "supervisor/rights.h"

struct accounts {
	struct user_tree users;
	struct apikey_tree keys;
	size_t nusers;
	uint64_t load; /* the one to come; others are below */
};

static int
user_compare(struct user *a, struct user *b)
{
	return strcmp(a->name, b->name);
}

static int
apikey_compare(struct apikey *a, struct apikey *b)
{
	return strcmp(a->id, b->id);
}

RB_GENERATE(user_tree, user, entry, user_compare)
RB_GENERATE(apikey_tree, apikey, entry, apikey_compare)

struct accounts *
accounts_new(void)
{
	struct accounts *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	RB_INIT(&a->users);
	RB_INIT(&a->keys);
	a->load = 1;
	return a;
}

void
accounts_free(struct accounts *a)
{
	struct user *u, *unext;
	struct apikey *k, *knext;

	if (a == NULL)
		return;
	RB_FOREACH_SAFE (u, user_tree, &a->users, unext) {
		RB_REMOVE(user_tree, &a->users, u);
		user_free(u);
	}
	RB_FOREACH_SAFE (k, apikey_tree, &a->keys, knext) {
		RB_REMOVE(apikey_tree, &a->keys, k);
		apikey_free(k);
	}
	free(a);
}

/* ---- users ---- */

/* What a role is no longer known by gives nothing. */
static unsigned
rights_of_roles(const char *user, const char *list)
{
	char copy[1025], *rest = copy, *role;
	unsigned all = 0, one;

	strlcpy(copy, list, sizeof(copy));
	while ((role = strsep(&rest, ",")) != NULL) {
		if (*role == '\0')
			continue;
		if (rights_of_role(role, &one) == 0)
			all |= one;
		else
			log_warnx("user %s: there is no role %s", user, role);
	}
	return all;
}

struct user *
user_new(const struct msg_keep_user *m)
{
	struct user *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->name = span_dup(m->name);
	u->roles = span_dup(m->roles);
	u->full_name = span_dup(m->full_name);
	u->email = span_dup(m->email);
	u->metadata = span_dup(m->metadata);
	if (u->name == NULL || u->roles == NULL || u->full_name == NULL ||
	    u->email == NULL || u->metadata == NULL) {
		user_free(u);
		return NULL;
	}
	u->enabled = m->enabled;
	u->revision = m->revision;
	/* Everybody may have keys of his own. */
	u->rights = rights_of_roles(u->name, u->roles) | RIGHT_OWN_KEYS;
	return u;
}

void
user_free(struct user *u)
{
	if (u == NULL)
		return;
	authcache_drop(&u->cache);
	free(u->name);
	free(u->roles);
	free(u->full_name);
	free(u->email);
	free(u->metadata);
	free(u);
}

void
user_message(const struct user *u, struct span hash, struct msg_keep_user *m)
{
	*m = (struct msg_keep_user){
		.name = span_of(u->name),
		.hash = hash,
		.revision = u->revision,
		.enabled = u->enabled,
		.roles = span_of(u->roles),
		.full_name = span_of(u->full_name),
		.email = span_of(u->email),
		.metadata = span_of(u->metadata),
	};
}

struct user *
accounts_user(struct accounts *a, const char *name)
{
	struct user key;

	memset(&key, 0, sizeof(key));
	key.name = (char *)(uintptr_t)name; /* only compared */
	return RB_FIND(user_tree, &a->users, &key);
}

static void
remove_user(struct accounts *a, struct user *u)
{
	RB_REMOVE(user_tree, &a->users, u);
	a->nusers--;
	user_free(u);
}

void
accounts_put_user(struct accounts *a, struct user *u)
{
	struct user *old = accounts_user(a, u->name);

	if (old != NULL)
		remove_user(a, old);
	RB_INSERT(user_tree, &a->users, u);
	a->nusers++;
}

void
accounts_delete_user(struct accounts *a, const char *name)
{
	struct user *u = accounts_user(a, name);

	if (u != NULL)
		remove_user(a, u);
}

struct user *
accounts_first_user(struct accounts *a)
{
	return RB_MIN(user_tree, &a->users);
}

struct user *
accounts_next_user(struct user *u)
{
	return RB_NEXT(user_tree, NULL, u);
}

size_t
accounts_users(const struct accounts *a)
{
	return a->nusers;
}

/* ---- keys ---- */

static int
read_roles(struct apikey *k)
{
	struct json_object *o = json_tokener_parse(k->roles);
	struct apierr e;
	int rc = -1;

	errno = EINVAL;
	if (json_object_is_type(o, json_type_object)) {
		k->inherits = json_object_object_length(o) == 0;
		rc = rights_read(o, &k->rights, &k->grants, &e);
	}
	json_object_put(o);
	if (rc == -1)
		log_warnx("key %s: what it may do is not valid", k->id);
	return rc;
}

struct apikey *
apikey_new(const struct msg_keep_key *m)
{
	struct apikey *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->id = span_dup(m->id);
	k->name = span_dup(m->name);
	k->owner = span_dup(m->owner);
	k->roles = span_dup(m->roles);
	k->metadata = span_dup(m->metadata);
	memcpy(k->hash, m->hash.p, sizeof(k->hash));
	k->realm = realm_find(m->realm);
	k->creation_ms = m->creation_ms;
	k->expiration_ms = m->expiration_ms;
	k->invalidated_ms = m->invalidated_ms;
	if (k->id != NULL && k->name != NULL && k->owner != NULL &&
	    k->roles != NULL && k->metadata != NULL && read_roles(k) == 0)
		return k;
	apikey_free(k);
	return NULL;
}

void
apikey_free(struct apikey *k)
{
	if (k == NULL)
		return;
	grants_unref(k->grants);
	free(k->id);
	free(k->name);
	free(k->owner);
	free(k->roles);
	free(k->metadata);
	free(k);
}

void
apikey_message(const struct apikey *k, struct msg_keep_key *m)
{
	*m = (struct msg_keep_key){
		.id = span_of(k->id),
		.name = span_of(k->name),
		.hash = { (const char *)k->hash, sizeof(k->hash) },
		.owner = span_of(k->owner),
		.realm = span_of(realm_name(k->realm)),
		.creation_ms = k->creation_ms,
		.expiration_ms = k->expiration_ms,
		.invalidated_ms = k->invalidated_ms,
		.roles = span_of(k->roles),
		.metadata = span_of(k->metadata),
	};
}

struct apikey *
accounts_key(struct accounts *a, const char *id)
{
	struct apikey key;

	memset(&key, 0, sizeof(key));
	key.id = (char *)(uintptr_t)id; /* only compared */
	return RB_FIND(apikey_tree, &a->keys, &key);
}

static void
remove_key(struct accounts *a, struct apikey *k)
{
	RB_REMOVE(apikey_tree, &a->keys, k);
	apikey_free(k);
}

void
accounts_put_key(struct accounts *a, struct apikey *k)
{
	struct apikey *old = accounts_key(a, k->id);

	if (old != NULL)
		remove_key(a, old);
	RB_INSERT(apikey_tree, &a->keys, k);
}

struct apikey *
accounts_first_key(struct accounts *a)
{
	return RB_MIN(apikey_tree, &a->keys);
}

struct apikey *
accounts_next_key(struct apikey *k)
{
	return RB_NEXT(apikey_tree, NULL, k);
}

size_t
accounts_keys_of(struct accounts *a, enum realm realm, const char *owner)
{
	struct apikey *k;
	size_t n = 0;

	RB_FOREACH (k, apikey_tree, &a->keys)
		if (k->realm == realm && strcmp(k->owner, owner) == 0)
			n++;
	return n;
}

size_t
accounts_key_bytes(struct accounts *a, enum realm realm, const char *owner)
{
	struct apikey *k;
	size_t n = 0;

	RB_FOREACH (k, apikey_tree, &a->keys)
		if (k->realm == realm && strcmp(k->owner, owner) == 0)
			n += strlen(k->roles) + strlen(k->metadata);
	return n;
}

bool
apikey_is_live(const struct apikey *k, int64_t now_ms)
{
	return k->invalidated_ms == TIME_UNSET &&
	    (k->expiration_ms == TIME_UNSET || now_ms < k->expiration_ms);
}

/*
 * A secret is 128 random bits: nobody can try them all, however fast the hash
 * is, so it needs none of what is done for passwords. With the id as the key
 * of the hash each secret must be searched for by itself. A key of the hash
 * that lies beside it in the catalogue would add nothing to that.
 */
void
apikey_hash(uint8_t hash[MSG_KEY_HASH], const char *id, const char *secret)
{
	unsigned char key[crypto_generichash_KEYBYTES_MAX] = { 0 };
	size_t len = strlen(id);

	memcpy(key, id, len < sizeof(key) ? len : sizeof(key));
	crypto_generichash(hash, MSG_KEY_HASH, (const unsigned char *)secret,
	    strlen(secret), key, sizeof(key));
}

/* ---- loads ---- */

void
accounts_loaded_user(struct accounts *a, const struct msg_keep_user *m)
{
	char *name = span_dup(m->name);
	struct user *u = name == NULL ? NULL : accounts_user(a, name);

	free(name);
	if (u == NULL || u->revision != m->revision) {
		u = user_new(m);
		if (u == NULL) {
			log_warn("a stored user is left alone");
			return;
		}
		accounts_put_user(a, u);
	}
	u->load = a->load;
}

void
accounts_loaded_key(struct accounts *a, const struct msg_keep_key *m)
{
	struct apikey *k = apikey_new(m);

	if (k == NULL)
		return;
	accounts_put_key(a, k);
	k->load = a->load;
}

void
accounts_loaded(struct accounts *a)
{
	struct user *u, *unext;
	struct apikey *k, *knext;

	RB_FOREACH_SAFE (u, user_tree, &a->users, unext)
		if (u->load != a->load)
			remove_user(a, u);
	RB_FOREACH_SAFE (k, apikey_tree, &a->keys, knext)
		if (k->load != a->load)
			remove_key(a, k);
	a->load++;
}

/* ---- principals ---- */

static void
be(struct principal *p, enum realm realm, const char *name, unsigned rights)
{
	memset(p, 0, sizeof(*p));
	p->realm = realm;
	strlcpy(p->user, name, sizeof(p->user));
	p->rights = p->cap = rights;
}

void
principal_of_user(struct principal *p, const struct user *u)
{
	be(p, REALM_NATIVE, u->name, u->rights);
	p->revision = u->revision;
}

void
principal_of_peer(struct principal *p, const char *name)
{
	be(p, REALM_UNIX, name, RIGHTS_ALL);
}

int
principal_of_key(
    struct principal *p, struct accounts *a, const struct apikey *k)
{
	const struct user *u;

	if (k->realm == REALM_UNIX) {
		principal_of_peer(p, k->owner);
	} else {
		u = accounts_user(a, k->owner);
		if (k->realm != REALM_NATIVE || u == NULL || !u->enabled)
			return -1;
		principal_of_user(p, u);
	}
	strlcpy(p->key_id, k->id, sizeof(p->key_id));
	p->revision = 0;
	if (!k->inherits) {
		p->rights = k->rights & p->cap;
		p->grants = grants_ref(k->grants);
	}
	return 0;
}

bool
principal_holds(const struct principal *p, struct accounts *a, int64_t now_ms)
{
	const struct apikey *k;
	struct principal now;
	const struct user *u;
	bool same;

	if (p->key_id[0] != '\0') {
		k = accounts_key(a, p->key_id);
		if (k == NULL || !apikey_is_live(k, now_ms) ||
		    principal_of_key(&now, a, k) == -1)
			return false;
	} else if (p->realm == REALM_NATIVE) {
		u = accounts_user(a, p->user);
		if (u == NULL || !u->enabled)
			return false;
		principal_of_user(&now, u);
	} else {
		return true;
	}
	same = now.rights == p->rights && now.cap == p->cap &&
	    grants_same(now.grants, p->grants) && now.revision == p->revision;
	principal_clear(&now);
	return same;
}
