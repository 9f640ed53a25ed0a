/* Owns what the bodies of the security endpoints have in common. */
#include "common/compat.h"

#include <json-c/json.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/msg.h"
#include "common/objparse.h"
#include "supervisor/api.h"
#include "supervisor/call.h"

int
api_invalid(struct apierr *e, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return apierr_set(
	    e, 400, E_VALIDATION, "Validation Failed: 1: %s;", text);
}

void
api_wipe(const char *text)
{
	if (text != NULL)
		sodium_memzero((void *)(uintptr_t)text, strlen(text));
}

struct json_object *
api_object(struct call *c, const struct objparse_table *table, struct apierr *e)
{
	struct jsonx_value *v;
	struct objparse op = { .e = e };
	struct json_object *o = NULL;
	const struct jsonx_value *password;

	if (c->body == NULL) {
		apierr_set(e, 400, E_PARSE, "request body is required");
		return NULL;
	}
	v = jsonx_parse(c->body, c->body_len, e);
	if (v == NULL)
		return NULL;
	if (v->type == JSONX_OBJECT)
		o = objparse_run(&op, table, v);
	else
		apierr_set(e, 400, E_PARSE, "the body must be a JSON object");
	password = jsonx_get(v, "password");
	if (password != NULL)
		api_wipe(password->text);
	jsonx_free(v);
	return o;
}

int
api_metadata(struct json_object *o, const char **text, struct apierr *e)
{
	struct json_object *v;

	*text = "{}";
	if (!json_object_object_get_ex(o, "metadata", &v))
		return 0;
	json_object_object_foreach(v, key, unused)
	{
		(void)unused;
		if (key[0] == '_')
			return api_invalid(e,
			    "metadata keys may not start with "
			    "[_]");
	}
	*text = json_object_to_json_string_ext(
	    v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (*text == NULL)
		return apierr_set(e, 503, E_STATUS, "out of memory");
	if (strlen(*text) > MSG_METADATA_MAX)
		return api_invalid(e, "[metadata] is longer than [%d] bytes",
		    MSG_METADATA_MAX);
	return 0;
}
