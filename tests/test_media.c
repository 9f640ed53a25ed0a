/* Media types of requests and answers. */
#include "common/compat.h"

#include <criterion/criterion.h>

#include "supervisor/media.h"

static const struct {
	const char *type;
	bool json, data;
} bodies[] = {
	{ "application/json", true, true },
	{ "Application/JSON; charset=UTF-8", true, true },
	{ "application/vnd.elasticsearch+json; compatible-with=9", true, true },
	{ "application/vnd.elasticsearch+x-ndjson;compatible-with=8", false,
	    true },
	{ "application/x-ndjson", false, true },
	{ "text/plain", false, true },
	{ "text/plain; charset=utf-8", false, true },
	{ "application/x-www-form-urlencoded", false, false },
	{ "multipart/form-data; boundary=x", false, false },
	{ "application/jsonx", false, false },
	{ "application/yaml", false, false },
	{ "", false, false },
	{ NULL, false, false },
};

Test(media, bodies_are_judged_by_their_type)
{
	for (size_t i = 0; i < NELEM(bodies); i++) {
		struct apierr e;

		cr_expect_eq(
		    media_check_body(MEDIA_JSON, bodies[i].type, &e) == 0,
		    bodies[i].json, "%zu", i);
		cr_expect_eq(
		    media_check_body(MEDIA_DATA, bodies[i].type, &e) == 0,
		    bodies[i].data, "%zu", i);
	}
}

static const struct {
	const char *accept;
	bool old;
	const char *answer;
} answers[] = {
	{ NULL, false, "application/json" },
	{ NULL, true, "application/json; charset=UTF-8" },
	{ "*/*", false, "application/json" },
	{ "application/vnd.elasticsearch+json; compatible-with=8", false,
	    "application/vnd.elasticsearch+json;compatible-with=8" },
	{ "application/vnd.elasticsearch+json;compatible-with=9,text/plain",
	    false, "application/vnd.elasticsearch+json;compatible-with=9" },
	{ "text/plain, application/vnd.elasticsearch+json;compatible-with=7",
	    true, "application/vnd.elasticsearch+json;compatible-with=7" },
	{ "application/vnd.elasticsearch+json; compatible-with=1", false,
	    "application/json" },
};

Test(media, answers_echo_the_version_that_was_asked_for)
{
	for (size_t i = 0; i < NELEM(answers); i++) {
		char media[96];

		media_answer(
		    answers[i].accept, answers[i].old, media, sizeof(media));
		cr_expect_str_eq(media, answers[i].answer);
	}
}
