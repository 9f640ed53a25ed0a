/* Media types of requests and answers. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "supervisor/media.h"

#define VENDOR "application/vnd.elasticsearch+"
#define FAULT "Invalid media-type value on headers [Accept, Content-Type]"
#define DISAGREE                                                               \
	"A compatible version is required on both Content-Type and Accept "    \
	"headers if either one has requested a compatible version and the "    \
	"compatible versions must match. "

static const struct {
	const char *type;
	bool json, data;
} bodies[] = {
	{ "application/json", true, true },
	{ "Application/JSON; charset=UTF-8", true, true },
	{ "application/json ;charset=\"utf-8\"; x=\"a,;b\"", true, true },
	{ VENDOR "json; compatible-with=9", true, true },
	{ VENDOR "json", true, true },
	{ VENDOR "x-ndjson;compatible-with=8", false, true },
	{ "application/x-ndjson", false, true },
	{ "text/plain", false, true },
	{ "text/plain; charset=utf-8", false, true },
	{ "text/plain; charset=ISO-8859-1", false, false },
	{ "application/json; charset=utf-16", false, false },
	{ "application/json, text/plain", false, false },
	{ "application/x-www-form-urlencoded", false, false },
	{ "multipart/form-data; boundary=x", false, false },
	{ "application/jsonx", false, false },
	{ "application/yaml", false, false },
	{ "application/smile", false, false },
	{ VENDOR "cbor; compatible-with=8", false, false },
	{ ";", false, false },
	{ "", false, false },
	{ NULL, false, false },
};

Test(media, bodies_are_judged_by_their_type)
{
	for (size_t i = 0; i < NELEM(bodies); i++) {
		const char *type = bodies[i].type;
		struct apierr e;

		cr_expect_eq(media_check_body(MEDIA_JSON, type, false, &e) == 0,
		    bodies[i].json, "%zu", i);
		cr_expect_eq(media_check_body(MEDIA_DATA, type, false, &e) == 0,
		    bodies[i].data, "%zu", i);
		cr_expect_eq(media_check_source(MEDIA_DATA, type, &e) == 0,
		    bodies[i].data, "%zu", i);
	}
}

static void
expect_body_refused(
    enum media_body kind, const char *type, bool old, const char *reason)
{
	struct apierr e;

	cr_expect_eq(media_check_body(kind, type, old, &e), -1);
	cr_expect_eq(e.status, 406);
	cr_expect_str_eq(e.link[0].reason, reason);
}

Test(media, refused_bodies_are_told_why)
{
	expect_body_refused(
	    MEDIA_JSON, NULL, false, "Content-Type header is missing");
	expect_body_refused(
	    MEDIA_JSON, NULL, true, "Content-Type header [] is not supported");
	expect_body_refused(MEDIA_JSON, "application/x-ndjson", false,
	    "Content-Type header [application/x-ndjson] is not supported");
	expect_body_refused(MEDIA_JSON, "application/yaml", false,
	    "Content-Type header [application/yaml] is not supported");
	expect_body_refused(MEDIA_DATA, "application/smile", false,
	    "Content-Type header [application/smile] is not supported");
	expect_body_refused(MEDIA_DATA, "application/yaml", false,
	    "Content-Type [YAML] does not support stream parsing. Use JSON or "
	    "SMILE instead");
	expect_body_refused(MEDIA_DATA, VENDOR "cbor;compatible-with=8", false,
	    "Content-Type [CBOR] does not support stream parsing. Use JSON or "
	    "SMILE instead");
}

static const struct {
	const char *accept;
	bool old;
	const char *answer;
} answers[] = {
	{ NULL, false, "application/json" },
	{ "", false, "application/json" },
	{ NULL, true, "application/json; charset=UTF-8" },
	{ "*/*", false, "application/json" },
	{ "text/plain", false, "application/json" },
	{ "text/*;q=0.3", true, "application/json; charset=UTF-8" },
	{ "application/yaml", false, "application/yaml" },
	{ "application/yaml", true, "application/yaml" },
	{ "APPLICATION/YAML ; q=1", false, "application/yaml" },
	{ "application/json;q=0.8,application/yaml;q=0.9", false,
	    "application/yaml" },
	{ "application/yaml;q=0.8, application/json", false,
	    "application/json" },
	{ "application/yaml;q=0, */*;q=0.1", false, "application/json" },
	{ "application/smile, application/yaml;q=0.5", false,
	    "application/yaml" },
	{ "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", false,
	    "application/json" },
	{ "application/json;x=\"a,b;q=0\", application/yaml;q=0.9", false,
	    "application/json" },
	{ VENDOR "json; compatible-with=8", false,
	    VENDOR "json;compatible-with=8" },
	{ VENDOR "json;compatible-with=9,text/plain", false,
	    VENDOR "json;compatible-with=9" },
	{ "text/plain, " VENDOR "json;compatible-with=7", true,
	    VENDOR "json;compatible-with=7" },
	{ VENDOR "yaml;compatible-with=\"8\"", false,
	    VENDOR "yaml;compatible-with=8" },
	{ VENDOR "x-ndjson;compatible-with=8", false,
	    VENDOR "json;compatible-with=8" },
	{ "application/json;compatible-with=1", false, "application/json" },
};

Test(media, answers_have_the_form_and_the_version_that_was_asked_for)
{
	for (size_t i = 0; i < NELEM(answers); i++) {
		struct media_wish wish;
		struct apierr e;
		char media[96];

		cr_assert_eq(media_accept(answers[i].accept, &wish, &e), 0,
		    "%s", answers[i].accept);
		media_answer(&wish, answers[i].old, media, sizeof(media));
		cr_expect_str_eq(
		    media, answers[i].answer, "%s", answers[i].accept);
	}
}

Test(media, form_that_cannot_be_answered_is_refused_with_what_can)
{
	static const char *const bad[] = { "application/smile",
		"application/cbor", "image/png", "application/json;q=0",
		"text/html, application/xml", ",", "json" };

	for (size_t i = 0; i < NELEM(bad); i++) {
		struct media_wish wish;
		struct apierr e;

		cr_expect_eq(media_accept(bad[i], &wish, &e), -1, "%s", bad[i]);
		cr_expect_eq(e.status, 406);
		cr_expect_not_null(strstr(e.link[0].reason, bad[i]));
		cr_expect_not_null(strstr(e.link[0].reason,
		    "application/json and application/yaml are"));
	}
}

static void
expect_chain(const struct apierr *e, const char *cause)
{
	cr_expect_eq(e->status, 400);
	cr_assert_eq(e->n, 2);
	cr_expect_str_eq(e->link[0].type, "media_type_header_exception");
	cr_expect_str_eq(e->link[0].reason, FAULT);
	cr_expect_str_eq(e->link[1].type, E_STATUS);
	cr_expect_str_eq(e->link[1].reason, cause);
}

Test(media, versions_that_are_not_spoken_are_refused)
{
	static const char *const bad[] = { "6", "10", "x", "" };

	for (size_t i = 0; i < NELEM(bad); i++) {
		char header[96], cause[256];
		struct media_wish wish = { .version = 0 };
		struct apierr e;

		snprintf(header, sizeof(header),
		    VENDOR "json;compatible-with=%s", bad[i]);
		snprintf(cause, sizeof(cause),
		    "Accept version must be either version 9, 8 or 7, but "
		    "found %s. Accept=%s",
		    bad[i], header);
		cr_expect_eq(media_accept(header, &wish, &e), -1);
		expect_chain(&e, cause);
		snprintf(cause, sizeof(cause),
		    "Content-Type version must be either version 9, 8 or 7, "
		    "but found %s. Content-Type=%s",
		    bad[i], header);
		cr_expect_eq(media_agree(MEDIA_JSON, header, "*/*",
				 &(struct media_wish){ FORM_ANY, 0 }, &e),
		    -1);
		expect_chain(&e, cause);
	}
}

static const struct {
	enum media_body kind;
	const char *accept, *type;
	const char *cause; /* NULL: they agree */
} pairs[] = {
	{ MEDIA_JSON, NULL, "application/json", NULL },
	{ MEDIA_JSON, "*/*", NULL, NULL },
	{ MEDIA_JSON, VENDOR "json;compatible-with=8",
	    VENDOR "json; compatible-with=8", NULL },
	{ MEDIA_DATA, VENDOR "json;compatible-with=9,text/plain",
	    VENDOR "x-ndjson; compatible-with=9", NULL },
	{ MEDIA_DATA, VENDOR "json; compatible-with=8,text/plain", "text/plain",
	    NULL },
	{ MEDIA_DATA, "application/json", "application/x-ndjson", NULL },
	{ MEDIA_JSON, VENDOR "json;compatible-with=8",
	    VENDOR "json;compatible-with=7",
	    DISAGREE "Accept=" VENDOR
		     "json;compatible-with=8, Content-Type=" VENDOR
		     "json;compatible-with=7" },
	{ MEDIA_JSON, NULL, VENDOR "json;compatible-with=8",
	    DISAGREE "Accept=null, Content-Type=" VENDOR
		     "json;compatible-with=8" },
	{ MEDIA_JSON, VENDOR "json;compatible-with=8", "text/plain",
	    DISAGREE "Accept=" VENDOR
		     "json;compatible-with=8, Content-Type=text/plain" },
	{ MEDIA_DATA, VENDOR "json;compatible-with=8", "application/json",
	    DISAGREE "Accept=" VENDOR
		     "json;compatible-with=8, Content-Type=application/json" },
	{ MEDIA_DATA, VENDOR "json;compatible-with=8", NULL,
	    DISAGREE "Accept=" VENDOR
		     "json;compatible-with=8, Content-Type=null" },
};

Test(media, both_headers_must_ask_for_the_same_version)
{
	for (size_t i = 0; i < NELEM(pairs); i++) {
		struct media_wish wish;
		struct apierr e;
		int rc;

		cr_assert_eq(media_accept(pairs[i].accept, &wish, &e), 0);
		rc = media_agree(
		    pairs[i].kind, pairs[i].type, pairs[i].accept, &wish, &e);
		cr_expect_eq(rc, pairs[i].cause == NULL ? 0 : -1, "%zu", i);
		if (pairs[i].cause != NULL)
			expect_chain(&e, pairs[i].cause);
	}
}

Test(media, format_goes_before_accept)
{
	struct media_wish wish = { FORM_JSON, 8 };
	struct apierr e;
	char media[96];

	cr_expect_eq(media_format("YAML", false, &wish, &e), 0);
	media_answer(&wish, true, media, sizeof(media));
	cr_expect_str_eq(media, VENDOR "yaml;compatible-with=8");
	cr_expect_eq(media_format("txt", true, &wish, &e), 0);
	cr_expect_eq(wish.form, FORM_TEXT);
	cr_expect_eq(media_format("text", false, &wish, &e), -1);
	cr_expect_eq(e.status, 400);
	cr_expect_str_eq(e.link[0].reason,
	    "Failed to parse value [text] of the parameter [format] as only "
	    "[json] or [yaml] are allowed.");
	cr_expect_eq(media_format("", true, &wish, &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "Failed to parse value [] of the parameter [format] as only "
	    "[json], [text] or [yaml] are allowed.");
}

Test(media, body_in_a_parameter_needs_a_type_that_is_read)
{
	struct apierr e;

	cr_expect_eq(media_check_source(MEDIA_JSON, NULL, &e), -1);
	cr_expect_eq(e.status, 400);
	cr_expect_str_eq(e.link[0].reason,
	    "source and source_content_type parameters are required");
	cr_expect_eq(
	    media_check_source(MEDIA_JSON, "application/x-ndjson", &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "Unknown value for source_content_type [application/x-ndjson]; "
	    "[application/json] is wanted");
	cr_expect_eq(media_check_source(MEDIA_DATA, "yaml", &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "Unknown value for source_content_type [yaml]; "
	    "[application/json] or [application/x-ndjson] is wanted");
}
