/* Owns the commands that are about users. */
#include "common/compat.h"

#include <json-c/json.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/jsonmake.h"
#include "ctl/say.h"
#include "ctl/show.h"
#include "ctl/table.h"

#define USER_PATH "/_security/user/{}"

/* ---- passwords ---- */

/* Twice, for nobody sees what is typed. */
static int
ask_new_password(
    struct secret *password, const char *user, char *why, size_t whylen)
{
	struct secret again = { 0 };
	char prompt[160];
	int rc = -1;

	snprintf(prompt, sizeof(prompt), "New password of %.100s: ", user);
	if (secret_ask(password, prompt, why, whylen) == -1) {
		strlcat(why, "; or use --password-file or --generate", whylen);
		return -1;
	}
	if (secret_ask(&again, "The same again: ", why, whylen) == 0) {
		if (strcmp(password->text, again.text) == 0)
			rc = 0;
		else
			snprintf(why, whylen, "the two are not the same");
	}
	secret_clear(&again);
	return rc;
}

/* The password that the options ask for. Returns the exit status. */
static int
new_password(const struct ctl *ctl, const char *user, struct secret *password)
{
	const char *file = args_value(ctl->args, "password-file");
	char why[512];
	int rc;

	if (args_has(ctl->args, "generate")) {
		strlcpy(why, "out of memory", sizeof(why));
		rc = secret_generate(password);
	} else if (file != NULL) {
		rc = secret_read(password, file, why, sizeof(why));
	} else {
		rc = ask_new_password(password, user, why, sizeof(why));
	}
	return rc == 0 ? CTL_OK : show_failure(ctl, why);
}

static bool
two_passwords(const struct ctl *ctl)
{
	if (!args_has(ctl->args, "generate") ||
	    !args_has(ctl->args, "password-file"))
		return false;
	show_failure(ctl, "give one of --generate and --password-file");
	return true;
}

/*
 * One that was made up is shown when the daemon has it. It is on standard
 * output alone, so that a script can take it from there.
 */
static int
print_generated(
    const struct ctl *ctl, const char *user, const struct secret *password)
{
	char why[256];

	if (!args_has(ctl->args, "generate"))
		return CTL_OK;
	say_note("its password is shown now and never again:");
	if (fflush(stdout) == 0 && secret_write(password, STDOUT_FILENO) == 0)
		return CTL_OK;
	snprintf(why, sizeof(why),
	    "the new password could not be written: %s; give another one with "
	    "anomctl user password %.100s",
	    strerror(errno), user);
	return show_failure(ctl, why);
}

/* ---- the body of a request ---- */

/*
 * An object as text, with the password as its first member, which json-c would
 * not forget. Takes the object, which may be NULL for want of memory.
 */
static int
make_body(struct secret *body, struct json_object *members,
    const struct secret *password)
{
	const char *text = members == NULL
	    ? NULL
	    : json_object_to_json_string_ext(members, JSON_C_TO_STRING_PLAIN);
	int rc = -1;

	if (text == NULL)
		goto out;
	if (password == NULL) {
		rc = secret_add_text(body, text);
		goto out;
	}
	if (secret_add_text(body, "{\"password\":") == 0 &&
	    secret_add_json(body, password->text) == 0 &&
	    (text[1] == '}' || secret_add_text(body, ",") == 0) &&
	    secret_add_text(body, text + 1) == 0)
		rc = 0;
out:
	json_object_put(members);
	return rc;
}

/* Send it, and forget both body and answer. Returns the exit status. */
static int
put(const struct ctl *ctl, const char *form, const char *user,
    struct json_object *members, const struct secret *password)
{
	struct secret body = { 0 };
	struct answer answer = { 0 };
	int status = CTL_FAILED;

	if (make_body(&body, members, password) == -1)
		show_failure(ctl, "out of memory");
	else if (show_call(
		     ctl, "PUT", client_path(form, user), &body, &answer) == 0)
		status = CTL_OK;
	answer_clear(&answer);
	secret_clear(&body);
	return status;
}

/* ---- create, password ---- */

/*
 * PUT would replace a user that exists, with password, roles and all. Returns
 * the exit status: CTL_OK when there is none.
 */
static int
check_absent(const struct ctl *ctl, const char *user)
{
	struct answer answer = { 0 };
	int status = CTL_FAILED, rc;
	char *path = client_path(USER_PATH, user);
	char why[512];

	if (path == NULL)
		return show_failure(ctl, "out of memory");
	rc = client_call(ctl->client, "GET", path, NULL, &answer);
	if (rc == 0 && jsonx_get(answer.json, user) != NULL) {
		snprintf(why, sizeof(why),
		    "there is a user %.200s; see anomctl user password, and "
		    "anomctl user role",
		    user);
		show_failure(ctl, why);
	} else if (rc == 0 || show_is_absent(&answer)) {
		status = CTL_OK;
	} else {
		show_refusal(ctl);
	}
	answer_clear(&answer);
	free(path);
	return status;
}

static struct json_object *
make_user(const struct args *a)
{
	struct json_object *o = json_object_new_object();
	struct json_object *roles = json_object_new_array();
	const char *role;
	size_t pos = 0;

	while ((role = args_next(a, "role", &pos)) != NULL)
		jsonmake_append(&roles, json_object_new_string(role));
	jsonmake_add(&o, "roles", roles);
	if (args_has(a, "full-name"))
		jsonmake_string(&o, "full_name", args_value(a, "full-name"));
	if (args_has(a, "email"))
		jsonmake_string(&o, "email", args_value(a, "email"));
	jsonmake_bool(&o, "enabled", true);
	return o;
}

int
cmd_user_create(struct ctl *ctl)
{
	const char *user = ctl->args->operand[0];
	struct secret password = { 0 };
	int status;

	if (two_passwords(ctl))
		return CTL_USAGE;
	status = check_absent(ctl, user);
	if (status == CTL_OK)
		status = new_password(ctl, user, &password);
	if (status == CTL_OK)
		status =
		    put(ctl, USER_PATH, user, make_user(ctl->args), &password);
	if (status == CTL_OK) {
		say_note("user %s is created%s", user,
		    args_has(ctl->args, "role")
			? ""
			: ", and has no role: it may do nothing");
		status = print_generated(ctl, user, &password);
	}
	secret_clear(&password);
	return status;
}

int
cmd_user_password(struct ctl *ctl)
{
	const char *user = ctl->args->operand[0];
	struct secret password = { 0 };
	int status;

	if (two_passwords(ctl))
		return CTL_USAGE;
	status = new_password(ctl, user, &password);
	if (status == CTL_OK)
		status = put(ctl, USER_PATH "/_password", user,
		    json_object_new_object(), &password);
	if (status == CTL_OK) {
		say_note("user %s has another password", user);
		status = print_generated(ctl, user, &password);
	}
	secret_clear(&password);
	return status;
}

/* ---- list ---- */

static void
add_user(struct table *t, const struct jsonx_value *user)
{
	const struct jsonx_value *enabled = jsonx_get(user, "enabled");
	char *roles = NULL;
	size_t len;
	FILE *f = open_memstream(&roles, &len);

	if (f != NULL) {
		show_join(f, show_array(user, "roles"));
		fclose(f);
	}
	table_add(t, user->key);
	table_add(
	    t, enabled != NULL && enabled->boolean ? "enabled" : "disabled");
	table_add(t, roles != NULL ? roles : "?");
	table_add(t, show_string(user, "full_name"));
	table_add(t, show_string(user, "email"));
	free(roles);
}

static int
print_users(const struct ctl *ctl, const struct jsonx_value *users)
{
	static const char *const headings[] = { "NAME", "STATE", "ROLES",
		"FULL NAME", "EMAIL" };
	struct table *t;
	int status = CTL_OK;

	if (users->type != JSONX_OBJECT)
		return show_strange(ctl);
	t = table_new(headings, NELEM(headings));
	if (t == NULL)
		return show_failure(ctl, "out of memory");
	for (const struct jsonx_value *v = users->child; v != NULL; v = v->next)
		if (v->type != JSONX_OBJECT)
			status = CTL_FAILED;
		else
			add_user(t, v);
	if (status != CTL_OK)
		show_strange(ctl);
	else if (table_print(t, stdout) == -1)
		status = show_failure(ctl, "out of memory");
	table_free(t);
	return status;
}

int
cmd_user_list(struct ctl *ctl)
{
	const char *user =
	    ctl->args->noperands > 0 ? ctl->args->operand[0] : NULL;
	char *path = user != NULL ? client_path(USER_PATH, user)
				  : client_path("/_security/user");
	struct answer answer = { 0 };
	int status = CTL_FAILED;

	if (path == NULL)
		return show_failure(ctl, "out of memory");
	if (client_call(ctl->client, "GET", path, NULL, &answer) == 0)
		status = args_has(ctl->args, "json")
		    ? show_json(ctl, &answer)
		    : print_users(ctl, answer.json);
	else if (user != NULL && show_is_absent(&answer))
		show_failure(ctl, "there is no such user");
	else
		show_refusal(ctl);
	answer_clear(&answer);
	free(path);
	return status;
}

/* ---- roles ---- */

/* The user as it is, but with the roles of the command line. */
static struct json_object *
other_roles(const struct jsonx_value *user, const struct args *a)
{
	static const char *const kept[] = { "full_name", "email", "metadata",
		"enabled" };
	struct json_object *o = json_object_new_object();
	struct json_object *roles = json_object_new_array();

	for (size_t i = 1; i < a->noperands; i++)
		jsonmake_append(&roles, json_object_new_string(a->operand[i]));
	jsonmake_add(&o, "roles", roles);
	for (size_t i = 0; i < NELEM(kept); i++) {
		const struct jsonx_value *v = jsonx_get(user, kept[i]);
		struct json_object *copy = NULL;

		if (v == NULL || v->type == JSONX_NULL)
			continue;
		/* Without memory copy is NULL, and so is o then. */
		(void)jsonx_to_json(v, &copy);
		jsonmake_add(&o, kept[i], copy);
	}
	return o;
}

int
cmd_user_role(struct ctl *ctl)
{
	const char *user = ctl->args->operand[0];
	const struct jsonx_value *found;
	struct answer answer = { 0 };
	int status = CTL_FAILED;
	char *path = client_path(USER_PATH, user);

	if (path == NULL)
		return show_failure(ctl, "out of memory");
	if (client_call(ctl->client, "GET", path, NULL, &answer) == -1) {
		if (show_is_absent(&answer))
			show_failure(ctl, "there is no such user");
		else
			show_refusal(ctl);
		goto out;
	}
	found = jsonx_get(answer.json, user);
	if (found == NULL)
		show_strange(ctl);
	else
		status = put(
		    ctl, USER_PATH, user, other_roles(found, ctl->args), NULL);
	if (status == CTL_OK)
		say_note("user %s has other roles", user);
out:
	answer_clear(&answer);
	free(path);
	return status;
}

/* ---- enable, disable, revoke ---- */

/* A request without a body, and what is said when it is done. */
static int
simple(const struct ctl *ctl, const char *method, const char *form,
    const char *done)
{
	const char *user = ctl->args->operand[0];
	char *path = client_path(form, user);
	struct answer answer = { 0 };
	int status = CTL_FAILED;

	if (path == NULL)
		return show_failure(ctl, "out of memory");
	if (client_call(ctl->client, method, path, NULL, &answer) == 0) {
		say_note("user %s is %s", user, done);
		status = CTL_OK;
	} else if (show_is_absent(&answer)) {
		show_failure(ctl, "there is no such user");
	} else {
		show_refusal(ctl);
	}
	answer_clear(&answer);
	free(path);
	return status;
}

int
cmd_user_enable(struct ctl *ctl)
{
	return simple(ctl, "PUT", USER_PATH "/_enable", "enabled");
}

int
cmd_user_disable(struct ctl *ctl)
{
	return simple(ctl, "PUT", USER_PATH "/_disable", "disabled");
}

int
cmd_user_revoke(struct ctl *ctl)
{
	return simple(ctl, "DELETE", USER_PATH, "removed");
}
