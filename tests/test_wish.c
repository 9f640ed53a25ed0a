/* What every request may ask, on every route of the table. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/params.h"
#include "supervisor/route.h"
#include "tests/supervisor_fixture.h"

static const struct {
	unsigned method;
	const char *name;
} methods[] = { { HTTP_GET, "GET" }, { HTTP_HEAD, "HEAD" },
	{ HTTP_POST, "POST" }, { HTTP_PUT, "PUT" }, { HTTP_DELETE, "DELETE" } };

/* A path of the route's form: the base below /_ml, "x" for variables. */
static void
path_of(const struct route *r, const char *query, char *dst, size_t dstlen)
{
	const char *form = r->path;

	dst[0] = '\0';
	while (*form != '\0') {
		char part[2] = { *form, '\0' };

		if (*form != '{') {
			strlcat(dst, part, dstlen);
			form++;
			continue;
		}
		strlcat(dst, form[1] == 'm' ? "/_ml" : "x", dstlen);
		form += strcspn(form, "}") + 1;
	}
	strlcat(dst, query, dstlen);
}

static const char *
method_of(const struct route *r)
{
	for (size_t i = 0; i < NELEM(methods); i++)
		if ((r->methods & methods[i].method) != 0)
			return methods[i].name;
	return "";
}

static void
expect_on_every_route(const char *query, const char *fault)
{
	const struct route *r;

	sv_start();
	for (size_t i = 0; (r = route_at(i)) != NULL; i++) {
		char path[256], bare[256], says[512];

		path_of(r, query, path, sizeof(path));
		path_of(r, "", bare, sizeof(bare));
		snprintf(says, sizeof(says), "request [%s] contains %s", bare,
		    fault);
		sv_expect(sv_talk(method_of(r), path, NULL), 400, says);
	}
	cr_expect_gt(sv_loaded, 0);
	sv_end();
}

Test(wish, parameter_that_no_route_knows_is_refused_on_each)
{
	expect_on_every_route(
	    "?zzqqzz=1", "unrecognized parameter: [zzqqzz]\"}");
}

Test(wish, near_miss_of_a_common_parameter_is_named_on_each)
{
	expect_on_every_route("?filter_paht=1",
	    "unrecognized parameter: [filter_paht] -> did you mean "
	    "[filter_path]?");
}

Test(wish, several_unknown_parameters_are_named_together)
{
	expect_on_every_route("?zzqqzz&pretty&yyqqyy=2",
	    "unrecognized parameters: [zzqqzz], [yyqqyy]");
}

/* Each parameter of a route, and its near miss. */
static void
expect_known(const struct route *r, const char *name, size_t len)
{
	char query[128], hint[128];
	struct params p;
	struct apierr e;

	snprintf(query, sizeof(query), "%.*s=1", (int)len, name);
	cr_assert_eq(params_parse(&p, query, &e), 0);
	cr_expect_eq(params_check(&p, r->params, "/x", &e), 0, "%s of %s",
	    query, r->path);
	params_clear(&p);
	snprintf(query, sizeof(query), "%.*s_=1", (int)len, name);
	snprintf(hint, sizeof(hint), "did you mean [%.*s]?", (int)len, name);
	cr_assert_eq(params_parse(&p, query, &e), 0);
	cr_expect_eq(params_check(&p, r->params, "/x", &e), -1);
	/* Of two letters, one is not enough to be alike. */
	cr_expect_eq(strstr(e.link[0].reason, hint) != NULL, len > 1, "%s",
	    e.link[0].reason);
	params_clear(&p);
}

Test(wish, each_parameter_of_each_route_is_known_and_suggested)
{
	const struct route *r;

	for (size_t i = 0; (r = route_at(i)) != NULL; i++) {
		const char *p = r->params;

		while (*p != '\0') {
			size_t len = strcspn(p, ",");

			expect_known(r, p, len);
			p += len;
			p += *p == ',';
		}
	}
}

Test(wish, body_without_a_type_is_refused_on_each)
{
	const struct route *r;

	sv_start();
	for (size_t i = 0; (r = route_at(i)) != NULL; i++) {
		char path[256], *text;
		int fd = fx_connect();

		path_of(r, "", path, sizeof(path));
		cr_assert_neq(asprintf(&text,
				  "%s %s HTTP/1.1\r\nHost: localhost\r\n"
				  "Content-Length: 2\r\n\r\n{}",
				  method_of(r), path),
		    -1);
		fx_say(fd, text);
		free(text);
		sv_expect(fx_hear(fd), 406,
		    "{\"error\":\"Content-Type header is missing\","
		    "\"status\":406}");
		close(fd);
		fx_turn();
	}
	sv_end();
}

Test(wish, faults_are_told_in_the_form_that_was_asked_for)
{
	sv_start();
	sv_expect(sv_talk("GET", "/_ml/info?format=yaml&human=maybe", NULL),
	    400,
	    "---\nerror:\n  root_cause:\n  - type: "
	    "\"illegal_argument_exception\"\n");
	sv_expect(sv_talk("GET", "/_ml/info?pretty&format=cbor", NULL), 400,
	    "{\n  \"error\" : {\n");
	sv_expect(sv_talk("GET", "/_ml/info?zz&filter_path=error.type", NULL),
	    400, "{\"error\":{\"type\":\"illegal_argument_exception\"}}");
	sv_expect(sv_talk("GET", "/_ml/info?zz=1&error_trace", NULL), 400,
	    "\"stack_trace\":\"illegal_argument_exception: request [");
	sv_end();
}
