/*
 * Owns the endpoints of users and of who one is. A user who is changed is made
 * anew, and takes the old one's place when he is stored.
 */
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
#include "supervisor/accounts.h"
#include "supervisor/api.h"
#include "supervisor/auth.h"
#include "supervisor/call.h"
#include "supervisor/catalogue.h"
#include "supervisor/rights.h"
#include "supervisor/server.h"
#include "supervisor/userchange.h"

#define PASSWORD_MIN 6 /* characters, as the peer asks for */
#define ROLES_BYTES 1025

/* ---- what all have in common ---- */

/* A member that may be null. */
static void
add_text(struct json_object **o, const char *key, const char *text)
{
	if (*text != '\0')
		jsonmake_string(o, key, text);
	else if (*o != NULL)
		json_object_object_add(*o, key, NULL);
}

static void
add_roles(struct json_object **o, const char *roles)
{
	struct json_object *list = json_object_new_array();
	char copy[ROLES_BYTES], *rest = copy, *role;

	strlcpy(copy, roles, sizeof(copy));
	while ((role = strsep(&rest, ",")) != NULL)
		if (*role != '\0')
			jsonmake_append(&list, json_object_new_string(role));
	jsonmake_add(o, "roles", list);
}

static struct json_object *
user_json(const struct user *u)
{
	struct json_object *o = json_object_new_object();

	jsonmake_string(&o, "username", u->name);
	add_roles(&o, u->roles);
	add_text(&o, "full_name", u->full_name);
	add_text(&o, "email", u->email);
	jsonmake_add(&o, "metadata", json_tokener_parse(u->metadata));
	jsonmake_bool(&o, "enabled", u->enabled);
	return o;
}

/* ---- who one is ---- */

static struct json_object *
peer_json(const char *name)
{
	struct json_object *o = json_object_new_object();

	jsonmake_string(&o, "username", name);
	add_roles(&o, "superuser");
	add_text(&o, "full_name", "");
	add_text(&o, "email", "");
	jsonmake_add(&o, "metadata", json_object_new_object());
	jsonmake_bool(&o, "enabled", true);
	return o;
}

static void
add_realm(
    struct json_object **o, const char *key, const char *name, const char *type)
{
	struct json_object *r = json_object_new_object();

	jsonmake_string(&r, "name", name);
	jsonmake_string(&r, "type", type);
	jsonmake_add(o, key, r);
}

static void
add_key(struct json_object **o, struct accounts *a, const char *id)
{
	const struct apikey *k = accounts_key(a, id);
	struct json_object *key = json_object_new_object();

	jsonmake_string(&key, "id", id);
	jsonmake_string(&key, "name", k == NULL ? "" : k->name);
	jsonmake_add(o, "api_key", key);
	/* What a key may is not a matter of roles. */
	if (*o != NULL)
		json_object_object_add(*o, "roles", json_object_new_array());
}

void
api_authenticate(struct call *c)
{
	struct accounts *a = auth_accounts(c->srv->auth);
	const struct principal *who = &c->who;
	bool is_key = who->key_id[0] != '\0';
	const char *name, *type;
	struct json_object *o;
	const struct user *u;

	u = who->realm == REALM_NATIVE ? accounts_user(a, who->user) : NULL;
	o = u == NULL ? peer_json(who->user) : user_json(u);
	name = is_key ? "_es_api_key" : realm_name(who->realm);
	type = is_key			 ? "_es_api_key"
	    : who->realm == REALM_NATIVE ? "native"
					 : "unix";
	add_realm(&o, "authentication_realm", name, type);
	add_realm(&o, "lookup_realm", name, type);
	jsonmake_string(
	    &o, "authentication_type", is_key ? "api_key" : "realm");
	if (is_key)
		add_key(&o, a, who->key_id);
	call_reply(c, 200, o);
}

/* ---- reading users ---- */

static void
add_user(struct json_object **o, const struct user *u)
{
	jsonmake_add(o, u->name, user_json(u));
}

void
api_user_get(struct call *c)
{
	struct json_object *o = json_object_new_object();
	struct accounts *a = auth_accounts(c->srv->auth);
	char *rest = c->item, *name;
	size_t n = 0;

	if (c->item == NULL)
		for (struct user *u = accounts_first_user(a); u != NULL;
		     u = accounts_next_user(u))
			add_user(&o, u);
	while ((name = strsep(&rest, ",")) != NULL) {
		struct user *u = accounts_user(a, name);

		if (u == NULL)
			continue;
		add_user(&o, u);
		n++;
	}
	call_reply(c, c->item != NULL && n == 0 ? 404 : 200, o);
}

/* ---- what a user may look like ---- */

/* What Basic can carry, a list can separate, and a log can show. */
static int
check_name(const char *name, struct apierr *e)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (name[i] < 0x20 || name[i] > 0x7e || name[i] == ':' ||
		    name[i] == ',')
			len = 0;
	if (len == 0 || len > MSG_USER_MAX || name[0] == ' ' ||
	    name[len - 1] == ' ')
		return api_invalid(e,
		    "Usernames must be at least 1 and no more than %d "
		    "characters of printable ASCII without [:] and [,], and "
		    "neither begin nor end in a space",
		    MSG_USER_MAX);
	if (name[0] == '_' || strcmp(name, "anomd") == 0)
		return api_invalid(e,
		    "Username [%s] is reserved and may not be "
		    "used.",
		    name);
	return 0;
}

static int
check_password(const char *password, struct apierr *e)
{
	size_t len = strlen(password);

	if (len < PASSWORD_MIN)
		return api_invalid(e,
		    "passwords must be at least [%d] characters "
		    "long",
		    PASSWORD_MIN);
	if (len > MSG_PASSWORD_MAX)
		return api_invalid(e,
		    "passwords must not be longer than [%d] "
		    "bytes",
		    MSG_PASSWORD_MAX);
	return 0;
}

static int
take_text(const char *field, struct json_object *o, struct span *s, size_t max,
    struct apierr *e)
{
	struct json_object *v;

	*s = span_of(NULL);
	if (!json_object_object_get_ex(o, field, &v))
		return 0;
	*s = span_of(json_object_get_string(v));
	if (s->len > max)
		return api_invalid(
		    e, "[%s] is longer than [%zu] bytes", field, max);
	return 0;
}

static int
take_roles(struct json_object *o, char list[ROLES_BYTES], struct apierr *e)
{
	struct json_object *v;
	unsigned unused;

	list[0] = '\0';
	if (!json_object_object_get_ex(o, "roles", &v))
		return api_invalid(e, "roles are missing");
	for (size_t i = 0; i < json_object_array_length(v); i++) {
		const char *role =
		    json_object_get_string(json_object_array_get_idx(v, i));

		if (rights_of_role(role, &unused) == -1)
			return api_invalid(e,
			    "there is no role [%.100s]; there "
			    "are [%s]",
			    role, rights_roles());
		if (i > 0)
			strlcat(list, ",", ROLES_BYTES);
		if (strlcat(list, role, ROLES_BYTES) >= ROLES_BYTES)
			return api_invalid(e, "[roles] are too many");
	}
	return 0;
}

/* ---- bodies ---- */

static const struct objparse_field user_fields[] = {
	{ "username", T_STRING, objparse_string, NULL, 0 },
	{ "password", T_STRING | T_NULL, objparse_string_or_null, NULL, 0 },
	{ "roles", T_STRINGS, objparse_strings, NULL, 0 },
	{ "full_name", T_STRING | T_NULL, objparse_string_or_null, NULL, 0 },
	{ "email", T_STRING | T_NULL, objparse_string_or_null, NULL, 0 },
	{ "metadata", T_OBJECT, objparse_free, NULL, 0 },
	{ "enabled", T_BOOLEAN, objparse_boolean, NULL, 0 },
};

static const struct objparse_table user_table = { "put_user", user_fields,
	NELEM(user_fields), NULL, NULL };

static const struct objparse_field password_fields[] = {
	{ "password", T_STRING, objparse_string, NULL, 0 },
};

static const struct objparse_table password_table = { "change_password",
	password_fields, NELEM(password_fields), NULL, NULL };

static const char *
password_of(struct json_object *o)
{
	struct json_object *v;

	return json_object_object_get_ex(o, "password", &v)
	    ? json_object_get_string(v)
	    : NULL;
}

static void
object_free(struct json_object *o)
{
	if (o != NULL)
		api_wipe(password_of(o));
	json_object_put(o);
}

/* What the body says, as the message; its spans live with o and roles. */
static int
user_read(struct call *c, struct json_object *o, char roles[ROLES_BYTES],
    struct msg_keep_user *m, struct apierr *e)
{
	const char *metadata, *password = password_of(o);
	struct json_object *v;

	memset(m, 0, sizeof(*m));
	if (json_object_object_get_ex(o, "username", &v) &&
	    strcmp(json_object_get_string(v), c->item) != 0)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[username] in the body differs from the path's [%s]",
		    c->item);
	if (check_name(c->item, e) == -1 || take_roles(o, roles, e) == -1 ||
	    take_text("full_name", o, &m->full_name, 1024, e) == -1 ||
	    take_text("email", o, &m->email, 1024, e) == -1 ||
	    api_metadata(o, &metadata, e) == -1 ||
	    (password != NULL && check_password(password, e) == -1))
		return -1;
	m->name = span_of(c->item);
	m->roles = span_of(roles);
	m->metadata = span_of(metadata);
	m->enabled = !json_object_object_get_ex(o, "enabled", &v) ||
	    json_object_get_boolean(v);
	return 0;
}

void
api_user_put(struct call *c)
{
	struct accounts *a = auth_accounts(c->srv->auth);
	char roles[ROLES_BYTES];
	struct msg_keep_user m;
	struct json_object *o;
	struct apierr e;
	bool known;

	known = accounts_user(a, c->item) != NULL;
	o = api_object(c, &user_table, &e);
	if (o == NULL || user_read(c, o, roles, &m, &e) == -1)
		call_error(c, &e);
	else if (!known && password_of(o) == NULL)
		call_fail(c, 400, E_VALIDATION,
		    "Validation Failed: 1: password must be specified unless "
		    "you are updating an existing user;");
	else if (!known && accounts_users(a) >= ACCOUNTS_USERS_MAX)
		call_fail(c, 400, E_ILLEGAL_ARGUMENT,
		    "there are [%d] users already, which is the most",
		    ACCOUNTS_USERS_MAX);
	else
		userchange_begin(c, CHANGE_PUT, c->item, user_new(&m),
		    password_of(o), false);
	object_free(o);
}

static void
no_such_user(struct call *c, const char *name)
{
	call_fail(c, 404, E_NOT_FOUND, "user [%s] does not exist", name);
}

/*
 * One's own, or with the right to it anybody's. A key is not its owner: who
 * has got hold of it must not get hold of the rest.
 */
void
api_user_password(struct call *c)
{
	struct accounts *a = auth_accounts(c->srv->auth);
	const char *name = c->item == NULL ? c->who.user : c->item;
	bool own = c->who.realm == REALM_NATIVE && c->who.key_id[0] == '\0' &&
	    strcmp(name, c->who.user) == 0;
	struct json_object *o = NULL;
	const struct user *u;
	struct apierr e;

	u = accounts_user(a, name);
	if (!own && !principal_may(&c->who, PRIV_SECURITY, NULL)) {
		call_forbidden_for(c, PRIV_SECURITY, &e);
		call_error(c, &e);
	} else if ((o = api_object(c, &password_table, &e)) == NULL) {
		call_error(c, &e);
	} else if (password_of(o) == NULL) {
		call_fail(c, 400, E_VALIDATION,
		    "Validation Failed: 1: password cannot be empty;");
	} else if (check_password(password_of(o), &e) == -1) {
		call_error(c, &e);
	} else if (u == NULL) {
		no_such_user(c, name);
	} else {
		userchange_begin(
		    c, CHANGE_PASSWORD, name, NULL, password_of(o), false);
	}
	object_free(o);
}

static void
set_enabled(struct call *c, bool enabled)
{
	struct accounts *a = auth_accounts(c->srv->auth);

	if (accounts_user(a, c->item) == NULL)
		no_such_user(c, c->item);
	else
		userchange_begin(
		    c, CHANGE_ENABLED, c->item, NULL, NULL, enabled);
}

void
api_user_enable(struct call *c)
{
	set_enabled(c, true);
}

void
api_user_disable(struct call *c)
{
	set_enabled(c, false);
}

void
api_user_delete(struct call *c)
{
	struct accounts *a = auth_accounts(c->srv->auth);
	struct json_object *o;

	if (accounts_user(a, c->item) != NULL) {
		userchange_begin(c, CHANGE_DELETE, c->item, NULL, NULL, false);
		return;
	}
	o = json_object_new_object();
	jsonmake_bool(&o, "found", false);
	call_reply(c, 404, o);
}
