/* Owns the parameters and headers that every request may have. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "supervisor/call.h"
#include "supervisor/route.h"
#include "supervisor/wish.h"

/* Only lists for people are text. */
static bool
route_has_text(const struct route *r)
{
	return r != NULL && strncmp(r->path, "/_cat/", 6) == 0;
}

static int
headers_read(struct call *c, struct apierr *e)
{
	const char *accept = http_req_header(c->req, "Accept");
	enum media_body kind = c->route != NULL && c->route->body == ROUTE_DATA
	    ? MEDIA_DATA
	    : MEDIA_JSON;

	if (media_accept(accept, &c->wish, e) == -1)
		return -1;
	if (!http_req_has_body(c->req))
		return 0;
	return media_agree(
	    kind, http_req_header(c->req, "Content-Type"), accept, &c->wish, e);
}

static int
format_read(struct call *c, struct apierr *e)
{
	const char *format = params_get(&c->params, "format");

	if (format == NULL)
		return 0;
	return media_format(format, route_has_text(c->route), &c->wish, e);
}

int
wish_read(struct call *c, struct apierr *e)
{
	const struct {
		const char *name;
		bool *value;
	} flags[] = { { "pretty", &c->style.pretty },
		{ "human", &c->style.human },
		{ "error_trace", &c->error_trace } };
	int rc = params_parse(&c->params, http_req_query(c->req), e);

	if (rc == 0) {
		/* All of it counts for the answer, also beside a fault. */
		c->style.filter_path = params_get(&c->params, "filter_path");
		for (size_t i = 0; i < NELEM(flags); i++)
			if (params_bool(&c->params, flags[i].name, false,
				flags[i].value, e) == -1)
				rc = -1;
		if (headers_read(c, e) == -1)
			rc = -1;
		if (format_read(c, e) == -1)
			rc = -1;
	}
	c->style.yaml = c->wish.form == FORM_YAML;
	media_answer(&c->wish, c->old_path, c->media, sizeof(c->media));
	return rc;
}

int
wish_source(struct call *c, enum media_body kind, struct apierr *e)
{
	const char *source = params_get(&c->params, "source");

	if (source == NULL)
		return 0;
	if (http_req_has_body(c->req))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "request [%s] has both a body and the parameter [source]; "
		    "send one of them",
		    http_req_path(c->req));
	if (media_check_source(
		kind, params_get(&c->params, "source_content_type"), e) == -1)
		return -1;
	c->body = strdup(source);
	if (c->body == NULL)
		return apierr_set(e, 503, E_STATUS, "out of memory");
	c->body_len = strlen(source);
	return 0;
}
