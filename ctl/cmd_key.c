/* Owns the commands that are about API keys. */
#include "common/compat.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/jsonmake.h"
#include "ctl/say.h"
#include "ctl/show.h"
#include "ctl/table.h"

#define KEY_PATH "/_security/api_key"

/* As the body of a request. Takes the object, which may be NULL. */
static int
make_body(struct secret *body, struct json_object *o)
{
	const char *text = o == NULL
	    ? NULL
	    : json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	int rc = text == NULL ? -1 : secret_add_text(body, text);

	json_object_put(o);
	return rc;
}

static struct json_object *
option_values(const struct args *a, const char *name)
{
	struct json_object *values = json_object_new_array();
	const char *value;
	size_t pos = 0;

	while ((value = args_next(a, name, &pos)) != NULL)
		jsonmake_append(&values, json_object_new_string(value));
	return values;
}

/* ---- create ---- */

/*
 * The role of the key. Privileges on some jobs are those of an application
 * whose resources are the jobs; else they are privileges on all.
 */
static struct json_object *
make_role(const struct args *a)
{
	struct json_object *role = json_object_new_object();
	struct json_object *application = json_object_new_object();
	struct json_object *applications = json_object_new_array();
	struct json_object *privileges = option_values(a, "privilege");

	if (!args_has(a, "privilege"))
		jsonmake_append(
		    &privileges, json_object_new_string("monitor_ml"));
	if (!args_has(a, "job")) {
		jsonmake_add(&role, "cluster", privileges);
		json_object_put(application);
		json_object_put(applications);
		return role;
	}
	jsonmake_string(&application, "application", "anomd");
	jsonmake_add(&application, "privileges", privileges);
	jsonmake_add(&application, "resources", option_values(a, "job"));
	jsonmake_append(&applications, application);
	jsonmake_add(&role, "cluster", json_object_new_array());
	jsonmake_add(&role, "applications", applications);
	return role;
}

static struct json_object *
make_key(const struct args *a)
{
	struct json_object *o = json_object_new_object();
	struct json_object *roles = json_object_new_object();

	jsonmake_add(&roles, "anomctl", make_role(a));
	jsonmake_string(&o, "name", a->operand[0]);
	jsonmake_add(&o, "role_descriptors", roles);
	if (args_has(a, "expire"))
		jsonmake_string(&o, "expiration", args_value(a, "expire"));
	return o;
}

/* *ms: 0 without the member. */
static bool
time_member(const struct jsonx_value *obj, const char *key, int64_t *ms)
{
	const struct jsonx_value *v = jsonx_get(obj, key);

	*ms = 0;
	return v != NULL && v->type == JSONX_NUMBER && jsonx_int64(v, ms);
}

/* Only the key is on standard output: a script takes it from there. */
static int
print_secret(const struct ctl *ctl, const struct jsonx_value *key)
{
	struct secret encoded = { 0 };
	const char *id = show_string(key, "id");
	char expires[SAY_TIME_BYTES + 16] = "", why[256];
	int status = CTL_OK;
	int64_t ms;

	if (secret_add_text(&encoded, show_string(key, "encoded")) == -1 ||
	    id[0] == '\0' || !client_is_key(&encoded)) {
		secret_clear(&encoded);
		return show_strange(ctl);
	}
	if (time_member(key, "expiration", &ms)) {
		strlcpy(expires, ", expires ", sizeof(expires));
		say_time(expires + strlen(expires), ms);
	}
	say_note("key %s has the id %s%s; it is shown now and never again, to "
		 "be sent as \"Authorization: ApiKey <key>\":",
	    show_string(key, "name"), id, expires);
	if (fflush(stdout) != 0 ||
	    secret_write(&encoded, STDOUT_FILENO) == -1) {
		snprintf(why, sizeof(why),
		    "the key could not be written: %s; end it with anomctl key "
		    "revoke -- %.100s",
		    strerror(errno), id);
		status = show_failure(ctl, why);
	}
	secret_clear(&encoded);
	return status;
}

int
cmd_key_create(struct ctl *ctl)
{
	struct secret body = { 0 };
	struct answer answer = { 0 };
	int status = CTL_FAILED;

	if (make_body(&body, make_key(ctl->args)) == -1)
		show_failure(ctl, "out of memory");
	else if (show_call(
		     ctl, "POST", client_path(KEY_PATH), &body, &answer) == 0)
		status = args_has(ctl->args, "json")
		    ? show_json(ctl, &answer)
		    : print_secret(ctl, answer.json);
	answer_clear(&answer);
	secret_clear(&body);
	return status;
}

/* ---- list ---- */

/* What one role gives: "monitor_ml", "manage_ml on web-*,db-*". */
static void
print_role(FILE *f, const struct jsonx_value *role)
{
	const struct jsonx_value *cluster = show_array(role, "cluster");
	const struct jsonx_value *list = show_array(role, "applications");
	const char *gap = "";

	if (cluster != NULL && cluster->child != NULL) {
		show_join(f, cluster);
		gap = "; ";
	}
	for (const struct jsonx_value *v = list == NULL ? NULL : list->child;
	     v != NULL; v = v->next) {
		fputs(gap, f);
		show_join(f, show_array(v, "privileges"));
		fputs(" on ", f);
		show_join(f, show_array(v, "resources"));
		gap = "; ";
	}
}

static void
add_roles(struct table *t, const struct jsonx_value *roles)
{
	char *text = NULL;
	const char *gap = "";
	size_t len;
	FILE *f;

	if (roles == NULL || roles->type != JSONX_OBJECT ||
	    roles->child == NULL) {
		table_add(t, "as its user");
		return;
	}
	f = open_memstream(&text, &len);
	if (f != NULL) {
		for (const struct jsonx_value *v = roles->child; v != NULL;
		     v = v->next) {
			fputs(gap, f);
			print_role(f, v);
			gap = "; ";
		}
		fclose(f);
	}
	table_add(t, text != NULL ? text : "?");
	free(text);
}

static void
add_key(struct table *t, const struct jsonx_value *key)
{
	const struct jsonx_value *invalidated = jsonx_get(key, "invalidated");
	char created[SAY_TIME_BYTES] = "", expires[SAY_TIME_BYTES] = "never";
	const char *state = "active";
	int64_t ms;

	if (time_member(key, "creation", &ms))
		say_time(created, ms);
	if (time_member(key, "expiration", &ms)) {
		say_time(expires, ms);
		if (ms / 1000 <= (int64_t)time(NULL))
			state = "expired";
	}
	if (invalidated != NULL && invalidated->boolean)
		state = "revoked";
	table_add(t, show_string(key, "id"));
	table_add(t, show_string(key, "name"));
	table_add(t, show_string(key, "username"));
	table_add(t, created);
	table_add(t, expires);
	table_add(t, state);
	add_roles(t, jsonx_get(key, "role_descriptors"));
}

static int
print_keys(const struct ctl *ctl, const struct jsonx_value *keys)
{
	static const char *const headings[] = { "ID", "NAME", "USER", "CREATED",
		"EXPIRES", "STATE", "PRIVILEGES" };
	struct table *t;
	int status = CTL_OK;

	if (keys == NULL)
		return show_strange(ctl);
	t = table_new(headings, NELEM(headings));
	if (t == NULL)
		return show_failure(ctl, "out of memory");
	for (const struct jsonx_value *v = keys->child; v != NULL; v = v->next)
		add_key(t, v);
	if (table_print(t, stdout) == -1)
		status = show_failure(ctl, "out of memory");
	table_free(t);
	return status;
}

int
cmd_key_list(struct ctl *ctl)
{
	bool all = args_has(ctl->args, "all");
	struct answer answer = { 0 };
	int status = CTL_FAILED;

	if (show_call(ctl, "GET",
		client_path(all ? KEY_PATH : KEY_PATH "?active_only=true"),
		NULL, &answer) == 0)
		status = args_has(ctl->args, "json")
		    ? show_json(ctl, &answer)
		    : print_keys(ctl, show_array(answer.json, "api_keys"));
	answer_clear(&answer);
	return status;
}

/* ---- expire ---- */

int
cmd_key_expire(struct ctl *ctl)
{
	const char *id = ctl->args->operand[0], *when = ctl->args->operand[1];
	struct json_object *o = json_object_new_object();
	struct secret body = { 0 };
	struct answer answer = { 0 };
	int status = CTL_FAILED;

	/* The server takes a time that is yet to come. */
	jsonmake_string(
	    &o, "expiration", strcmp(when, "now") == 0 ? "1ms" : when);
	if (make_body(&body, o) == -1) {
		show_failure(ctl, "out of memory");
	} else if (show_call(ctl, "PUT", client_path(KEY_PATH "/{}", id), &body,
		       &answer) == 0) {
		say_note(strcmp(when, "now") == 0 ? "key %s has expired"
						  : "key %s expires in %s",
		    id, when);
		status = CTL_OK;
	}
	answer_clear(&answer);
	secret_clear(&body);
	return status;
}

/* ---- revoke ---- */

static bool
array_has(const struct jsonx_value *array, const char *text)
{
	const struct jsonx_value *v = array == NULL ? NULL : array->child;

	for (; v != NULL; v = v->next)
		if (v->type == JSONX_STRING && strcmp(v->text, text) == 0)
			return true;
	return false;
}

/* Add the ids of the active keys of a name. Returns the exit status. */
static int
add_named(const struct ctl *ctl, const char *name, struct json_object **ids)
{
	struct answer answer = { 0 };
	const struct jsonx_value *list, *v;
	int status = CTL_FAILED;
	char why[512];

	if (show_call(ctl, "GET",
		client_path(KEY_PATH "?active_only=true&name={}", name), NULL,
		&answer) == -1)
		goto out;
	list = show_array(answer.json, "api_keys");
	if (list == NULL) {
		show_strange(ctl);
		goto out;
	}
	snprintf(why, sizeof(why), "there is no active key of the name %.200s",
	    name);
	for (v = list->child; v != NULL; v = v->next) {
		/* The server's filter takes patterns. */
		if (strcmp(show_string(v, "name"), name) != 0)
			continue;
		jsonmake_append(
		    ids, json_object_new_string(show_string(v, "id")));
		status = CTL_OK;
	}
	if (status != CTL_OK)
		show_failure(ctl, why);
out:
	answer_clear(&answer);
	return status;
}

/* Say what became of each key that was to be revoked. */
static int
report(const struct ctl *ctl, struct json_object *ids,
    const struct jsonx_value *answer)
{
	const struct jsonx_value *now =
	    show_array(answer, "invalidated_api_keys");
	const struct jsonx_value *before =
	    show_array(answer, "previously_invalidated_api_keys");
	int status = CTL_OK;

	if (now == NULL || before == NULL)
		return show_strange(ctl);
	for (size_t i = 0; i < json_object_array_length(ids); i++) {
		const char *id =
		    json_object_get_string(json_object_array_get_idx(ids, i));
		char why[256];

		if (array_has(now, id)) {
			say_note("key %s is revoked", id);
		} else if (array_has(before, id)) {
			say_note("key %s was revoked before", id);
		} else {
			snprintf(
			    why, sizeof(why), "there is no key %.200s", id);
			status = show_failure(ctl, why);
		}
	}
	return status;
}

/* ids: stays the caller's. Returns the exit status. */
static int
revoke_keys(const struct ctl *ctl, struct json_object *ids)
{
	struct json_object *o = json_object_new_object();
	struct secret body = { 0 };
	struct answer answer = { 0 };
	int status = CTL_FAILED;

	jsonmake_add(&o, "ids", json_object_get(ids));
	if (make_body(&body, o) == -1)
		show_failure(ctl, "out of memory");
	else if (show_call(
		     ctl, "DELETE", client_path(KEY_PATH), &body, &answer) == 0)
		status = report(ctl, ids, answer.json);
	answer_clear(&answer);
	secret_clear(&body);
	return status;
}

/* Nothing is revoked when one of the names is wrong. */
int
cmd_key_revoke(struct ctl *ctl)
{
	const struct args *a = ctl->args;
	struct json_object *ids;
	const char *name;
	size_t pos = 0;
	int status = CTL_OK;

	if (a->noperands == 0 && !args_has(a, "name")) {
		show_failure(ctl, "an ID or --name is wanted");
		return CTL_USAGE;
	}
	ids = json_object_new_array();
	for (size_t i = 0; i < a->noperands; i++)
		jsonmake_append(&ids, json_object_new_string(a->operand[i]));
	while (status == CTL_OK && (name = args_next(a, "name", &pos)) != NULL)
		status = add_named(ctl, name, &ids);
	if (status == CTL_OK)
		status = ids == NULL ? show_failure(ctl, "out of memory")
				     : revoke_keys(ctl, ids);
	json_object_put(ids);
	return status;
}
