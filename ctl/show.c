/* Owns what the commands have in common. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/say.h"
#include "ctl/show.h"

const char *
show_string(const struct jsonx_value *obj, const char *key)
{
	const struct jsonx_value *v = obj == NULL ? NULL : jsonx_get(obj, key);

	return v != NULL && v->type == JSONX_STRING ? v->text : "";
}

const struct jsonx_value *
show_array(const struct jsonx_value *obj, const char *key)
{
	const struct jsonx_value *v = obj == NULL ? NULL : jsonx_get(obj, key);

	return v != NULL && v->type == JSONX_ARRAY ? v : NULL;
}

void
show_join(FILE *f, const struct jsonx_value *array)
{
	const struct jsonx_value *v = array == NULL ? NULL : array->child;
	const char *comma = "";

	for (; v != NULL; v = v->next) {
		if (v->type != JSONX_STRING)
			continue;
		fprintf(f, "%s%s", comma, v->text);
		comma = ",";
	}
}

/* Errors say themselves what is wrong; other servers send no JSON. */
bool
show_is_absent(const struct answer *a)
{
	return a->status == 404 && a->json != NULL &&
	    jsonx_get(a->json, "error") == NULL;
}

int
show_failure(const struct ctl *ctl, const char *why)
{
	const struct command *c = ctl->command;

	say_error("%s%s%s: %s", c->group != NULL ? c->group : "",
	    c->group != NULL ? " " : "", c->name, why);
	return CTL_FAILED;
}

int
show_refusal(const struct ctl *ctl)
{
	return show_failure(ctl, client_error(ctl->client));
}

int
show_strange(const struct ctl *ctl)
{
	return show_failure(ctl,
	    "the answer has not the form that anomd gives it: is it anomd?");
}

int
show_json(const struct ctl *ctl, const struct answer *a)
{
	if (fflush(stdout) == 0 && secret_write(&a->body, STDOUT_FILENO) == 0)
		return CTL_OK;
	return show_failure(ctl, strerror(errno));
}

int
show_call(const struct ctl *ctl, const char *method, char *path,
    const struct secret *body, struct answer *a)
{
	int rc;

	if (path == NULL) {
		show_failure(ctl, "out of memory");
		return -1;
	}
	rc = client_call(ctl->client, method, path, body, a);
	if (rc == -1)
		show_refusal(ctl);
	free(path);
	return rc;
}
