/* Owns the reading of request options from query and body. */
#include "common/compat.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/timefmt.h"
#include "common/units.h"
#include "supervisor/call.h"
#include "supervisor/options.h"
#include "supervisor/route.h"

#define BODY_DEPTH_MAX 8

static int
set_int(const char *name, const char *text, int64_t *v, struct apierr *e)
{
	const char *err;

	*v = strtonum(text, INT32_MIN, INT32_MAX, &err);
	if (err == NULL)
		return 0;
	return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
	    "Failed to parse int parameter [%s] with value [%s]", name, text);
}

static int
set_double(const char *name, const char *text, double *v, struct apierr *e)
{
	double d;

	if (number_parse(text, strlen(text), &d) == -1 || !isfinite(d))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Failed to parse double parameter [%s] with value [%s]",
		    name, text);
	*v = d;
	return 0;
}

static int
option_set(
    const struct option *o, const char *text, void *target, struct apierr *e)
{
	void *at = (char *)target + o->offset;
	const char *param = o->param == NULL ? o->name : o->param;
	int64_t ns;

	switch (o->type) {
	case OPTION_BOOL:
		return units_bool(text, at, e);
	case OPTION_DATE_MS:
		if (*text == '\0')
			return 0;
		return units_date(param, text, clock_wall_ms(), at, e);
	case OPTION_INT:
		return set_int(o->name, text, at, e);
	case OPTION_DOUBLE:
		return set_double(o->name, text, at, e);
	case OPTION_STRING:
		*(const char **)at = text;
		return 0;
	case OPTION_DURATION:
		if (units_duration(o->name, text, &ns, e) == -1)
			return -1;
		*(int64_t *)at = ns / 1000000;
		return 0;
	}
	return 0;
}

static const struct option *
option_find(const struct options *os, const char *name, bool in_body)
{
	for (size_t i = 0; i < os->n; i++)
		if (strcmp(os->table[i].name, name) == 0 &&
		    !(in_body ? os->table[i].query_only
			      : os->table[i].body_only))
			return &os->table[i];
	return NULL;
}

static int
query_read(struct options *os, struct call *c, void *target, struct apierr *e)
{
	for (size_t i = 0; i < c->params.n; i++) {
		const struct option *o =
		    option_find(os, c->params.item[i].name, false);

		if (o == NULL)
			continue;
		os->given |= UINT64_C(1) << (o - os->table);
		if (option_set(o, c->params.item[i].value, target, e) == -1)
			return -1;
	}
	return 0;
}

static int body_read_object(struct options *, struct json_object *,
    const char *prefix, const char *parser, void *target, struct apierr *);

static int
body_read_member(struct options *os, const char *name, struct json_object *v,
    const char *parser, void *target, struct apierr *e)
{
	const struct option *o = option_find(os, name, true);
	enum json_type type = json_object_get_type(v);

	if (type == json_type_object) {
		char prefix[168];

		snprintf(prefix, sizeof(prefix), "%s.", name);
		for (size_t i = 0; i < os->n; i++)
			if (strncmp(
				os->table[i].name, prefix, strlen(prefix)) == 0)
				return body_read_object(
				    os, v, prefix, parser, target, e);
	}
	if (o == NULL)
		return apierr_set(e, 400, E_XCONTENT_PARSE,
		    "[%s] unknown field [%s]", parser, name);
	if (type == json_type_null)
		return 0;
	if (type == json_type_object || type == json_type_array)
		return apierr_set(e, 400, E_XCONTENT_PARSE,
		    "[%s] %s doesn't support values of type: START_%s", parser,
		    name, type == json_type_object ? "OBJECT" : "ARRAY");
	os->given |= UINT64_C(1) << (o - os->table);
	return option_set(o, json_object_get_string(v), target, e);
}

static int
body_read_object(struct options *os, struct json_object *object,
    const char *prefix, const char *parser, void *target, struct apierr *e)
{
	json_object_object_foreach(object, key, value)
	{
		char name[160];

		snprintf(name, sizeof(name), "%s%s", prefix, key);
		if (body_read_member(os, name, value, parser, target, e) == -1)
			return -1;
	}
	return 0;
}

/* What a route takes in the query, it takes in the body instead. */
static int
refuse_query(struct options *os, struct call *c, struct apierr *e)
{
	for (size_t i = 0; i < c->params.n; i++)
		if (option_find(os, c->params.item[i].name, false) != NULL)
			return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
			    "request [%s] contains unrecognized parameter: "
			    "[%s]; with a body it belongs there",
			    http_req_path(c->req), c->params.item[i].name);
	return 0;
}

static int
body_parse(struct options *os, struct call *c, struct apierr *e)
{
	struct json_tokener *tok = json_tokener_new_ex(BODY_DEPTH_MAX);

	if (tok == NULL)
		return apierr_set(e, 503, E_STATUS, "out of memory");
	json_tokener_set_flags(
	    tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	os->body = json_tokener_parse_ex(tok, c->body, (int)c->body_len);
	if (json_tokener_get_error(tok) != json_tokener_success ||
	    !json_object_is_type(os->body, json_type_object))
		apierr_set(e, 400, E_XCONTENT_PARSE,
		    "the request body is not a JSON object: %s at byte %zu",
		    json_tokener_error_desc(json_tokener_get_error(tok)),
		    json_tokener_get_parse_end(tok));
	else
		e->status = 0;
	json_tokener_free(tok);
	return e->status == 0 ? 0 : -1;
}

int
options_read(struct options *os, const struct option *table, size_t n,
    struct call *c, const char *parser, void *target, struct apierr *e)
{
	memset(os, 0, sizeof(*os));
	os->table = table;
	os->n = n;
	if (c->body == NULL)
		return query_read(os, c, target, e);
	if (refuse_query(os, c, e) == -1 || body_parse(os, c, e) == -1)
		return -1;
	return body_read_object(os, os->body, "", parser, target, e);
}

bool
options_given(const struct options *os, const char *name)
{
	for (size_t i = 0; i < os->n; i++)
		if (strcmp(os->table[i].name, name) == 0 &&
		    (os->given & UINT64_C(1) << i) != 0)
			return true;
	return false;
}

void
options_clear(struct options *os)
{
	json_object_put(os->body);
	os->body = NULL;
}
