/* Owns the endpoints that list and revoke API keys. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/jsonmake.h"
#include "common/objparse.h"
#include "supervisor/accounts.h"
#include "supervisor/api.h"
#include "supervisor/audit.h"
#include "supervisor/auth.h"
#include "supervisor/call.h"
#include "supervisor/catalogue.h"
#include "supervisor/keyfilter.h"
#include "supervisor/rights.h"
#include "supervisor/server.h"

/* ---- get ---- */

static struct json_object *
key_json(const struct apikey *k)
{
	struct json_object *o = json_object_new_object();

	jsonmake_string(&o, "id", k->id);
	jsonmake_string(&o, "name", k->name);
	jsonmake_string(&o, "type", "rest");
	jsonmake_int(&o, "creation", k->creation_ms);
	if (k->expiration_ms != TIME_UNSET)
		jsonmake_int(&o, "expiration", k->expiration_ms);
	jsonmake_bool(&o, "invalidated", k->invalidated_ms != TIME_UNSET);
	if (k->invalidated_ms != TIME_UNSET)
		jsonmake_int(&o, "invalidation", k->invalidated_ms);
	jsonmake_string(&o, "username", k->owner);
	jsonmake_string(&o, "realm", realm_name(k->realm));
	jsonmake_add(&o, "metadata", json_tokener_parse(k->metadata));
	jsonmake_add(&o, "role_descriptors", json_tokener_parse(k->roles));
	return o;
}

void
api_key_get(struct call *c)
{
	struct accounts *a = auth_accounts(c->srv->auth);
	struct keyfilter f = { .id = params_get(&c->params, "id"),
		.name = params_get(&c->params, "name"),
		.username = params_get(&c->params, "username"),
		.realm = params_get(&c->params, "realm_name") };
	struct json_object *o, *list;
	struct apierr e;
	size_t n = 0;

	if (params_bool(&c->params, "owner", false, &f.owner, &e) == -1 ||
	    params_bool(&c->params, "active_only", false, &f.active_only, &e) ==
		-1) {
		call_error(c, &e);
		return;
	}
	o = json_object_new_object();
	list = json_object_new_array();
	for (struct apikey *k = accounts_first_key(a); k != NULL;
	     k = accounts_next_key(k)) {
		if (!keyfilter_takes(c, &f, k))
			continue;
		jsonmake_append(&list, key_json(k));
		n++;
	}
	jsonmake_add(&o, "api_keys", list);
	call_reply(c, f.id != NULL && n == 0 ? 404 : 200, o);
}
/* ---- invalidate ---- */

/* Several keys on their way to the disk; answered when the last one is. */
struct revocation {
	struct server *srv;
	struct call *call; /* NULL: the client left */
	unsigned pending;
	struct json_object *done, *before; /* lists of ids; owned */
	struct apierr failed; /* the last failure; status 0: none */
};

/* One key of it. */
struct revoking {
	struct revocation *all;
	int64_t at_ms;
	char id[KEY_ID_MAX + 1];
};

static void
revocation_gone(struct call *c, void *arg)
{
	struct revocation *r = arg;

	(void)c;
	r->call = NULL;
}

static void
revocation_end(struct revocation *r)
{
	struct json_object *o;

	if (--r->pending > 0)
		return;
	if (r->call != NULL && r->failed.status != 0) {
		call_error(r->call, &r->failed);
	} else if (r->call != NULL) {
		o = json_object_new_object();
		jsonmake_add(&o, "invalidated_api_keys", r->done);
		jsonmake_add(&o, "previously_invalidated_api_keys", r->before);
		jsonmake_int(&o, "error_count", 0);
		r->done = r->before = NULL;
		call_reply(r->call, 200, o);
	}
	json_object_put(r->done);
	json_object_put(r->before);
	free(r);
}

/* Each has a line of its own; that of the last one comes with the answer. */
static void
audit_revoked(struct revocation *r, const char *id)
{
	if (r->call == NULL)
		return;
	strlcpy(r->call->subject, id, sizeof(r->call->subject));
	if (r->pending > 1)
		audit_call(r->call, 200);
}

static void
revoked_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	struct revoking *one = arg;
	struct revocation *r = one->all;
	struct apikey *k = accounts_key(auth_accounts(r->srv->auth), one->id);

	(void)unused;
	if (e != NULL) {
		r->failed = *e;
	} else {
		if (k != NULL)
			k->invalidated_ms = one->at_ms;
		jsonmake_append(&r->done, json_object_new_string(one->id));
		audit_revoked(r, one->id);
	}
	free(one);
	revocation_end(r);
}

static void
revoke(struct revocation *r, const struct apikey *k)
{
	struct revoking *one = calloc(1, sizeof(*one));
	struct msg_keep_key m;

	if (one == NULL) {
		apierr_set(&r->failed, 503, E_STATUS, "out of memory");
		return;
	}
	one->all = r;
	one->at_ms = clock_wall_ms();
	strlcpy(one->id, k->id, sizeof(one->id));
	apikey_message(k, &m);
	m.invalidated_ms = one->at_ms;
	r->pending++;
	catalogue_put_key(r->srv->catalogue, &m, revoked_cb, one);
}

static void
revoke_found(
    struct revocation *r, const struct keyfilter *f, const struct apikey *k)
{
	if (!keyfilter_takes(r->call, f, k))
		return;
	strlcpy(r->call->subject, k->id, sizeof(r->call->subject));
	if (k->invalidated_ms != TIME_UNSET)
		jsonmake_append(&r->before, json_object_new_string(k->id));
	else
		revoke(r, k);
}

static void
revoke_some(struct revocation *r, struct accounts *a, const struct keyfilter *f)
{
	struct apikey *k;

	/* A body has room for more ids than could be looked for one by one. */
	if (f->id != NULL) {
		k = accounts_key(a, f->id);
		if (k != NULL)
			revoke_found(r, f, k);
		return;
	}
	for (k = accounts_first_key(a); k != NULL; k = accounts_next_key(k))
		revoke_found(r, f, k);
}

static const struct objparse_field which_fields[] = {
	{ "ids", T_STRINGS, objparse_strings, NULL, 0 },
	{ "id", T_STRING | T_NULL, objparse_string_or_null, NULL, 0 },
	{ "name", T_STRING | T_NULL, objparse_string_or_null, NULL, 0 },
	{ "username", T_STRING | T_NULL, objparse_string_or_null, NULL, 0 },
	{ "realm_name", T_STRING | T_NULL, objparse_string_or_null, NULL, 0 },
	{ "owner", T_BOOLEAN, objparse_boolean, NULL, 0 },
};

static const struct objparse_table which_table = { "invalidate_api_key",
	which_fields, NELEM(which_fields), NULL, NULL };

static const char *
text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v)
						     : NULL;
}

static void
revoke_asked(struct revocation *r, struct accounts *a, struct json_object *o)
{
	struct keyfilter f = { .id = text_of(o, "id"),
		.name = text_of(o, "name"),
		.username = text_of(o, "username"),
		.realm = text_of(o, "realm_name") };
	struct json_object *v;

	if (json_object_object_get_ex(o, "owner", &v))
		f.owner = json_object_get_boolean(v);
	if (!json_object_object_get_ex(o, "ids", &v)) {
		revoke_some(r, a, &f);
		return;
	}
	for (size_t i = 0; i < json_object_array_length(v); i++) {
		f.id = json_object_get_string(json_object_array_get_idx(v, i));
		revoke_some(r, a, &f);
	}
}

/* Nothing must not mean everything. */
static int
check_which(struct json_object *o, struct apierr *e)
{
	struct json_object *v;
	bool owner = json_object_object_get_ex(o, "owner", &v) &&
	    json_object_get_boolean(v);

	if (owner || text_of(o, "id") != NULL || text_of(o, "name") != NULL ||
	    text_of(o, "username") != NULL || text_of(o, "realm_name") != NULL)
		return 0;
	if (json_object_object_get_ex(o, "ids", &v)) {
		if (json_object_array_length(v) > 0)
			return 0;
		return api_invalid(e, "Field [ids] cannot be an empty array");
	}
	return api_invalid(e,
	    "One of [api key id, api key name, username, realm "
	    "name] must be specified if [owner] flag is false");
}

void
api_key_invalidate(struct call *c)
{
	struct accounts *a = auth_accounts(c->srv->auth);
	struct revocation *r;
	struct json_object *o;
	struct apierr e;

	o = api_object(c, &which_table, &e);
	if (o == NULL || check_which(o, &e) == -1) {
		call_error(c, &e);
		json_object_put(o);
		return;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		call_fail(c, 503, E_STATUS, "out of memory");
		json_object_put(o);
		return;
	}
	r->srv = c->srv;
	r->call = c;
	r->done = json_object_new_array();
	r->before = json_object_new_array();
	r->pending = 1; /* until all are asked for */
	call_wait(c, revocation_gone, r);
	revoke_asked(r, a, o);
	json_object_put(o);
	revocation_end(r);
}
