/* Validation of a configuration and of a detector, without a job. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/jobconf_fixture.h"

static int
validate(const char *text, bool old, struct apierr *e)
{
	struct jobconf_rules rules = { .old = old };
	char *json = quoted(text);
	int rc = jobconf_validate(json, strlen(json), &rules, e);

	free(json);
	return rc;
}

Test(jobconf_validate, validation_needs_no_id)
{
	struct apierr e;

	cr_expect_eq(validate(TOP(""), false, &e), 0);
	cr_expect_eq(validate(TOP(",'job_id':'any'"), false, &e), 0);
	cr_expect_eq(validate(TOP(",'groups':['j1']"), false, &e), 0);
	cr_expect_eq(validate(TOP(",'job_id':'_'"), false, &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "Invalid job_id; '_' can contain lowercase alphanumeric (a-z and "
	    "0-9), hyphens or underscores; must start and end with "
	    "alphanumeric");
	cr_expect_eq(
	    validate(TOP(",'job_id':'g','groups':['g']"), false, &e), -1);
	cr_expect_str_eq(e.link[0].type, E_EXISTS);
	cr_expect_eq(validate("", false, &e), -1);
	cr_expect_str_eq(e.link[0].reason, "request body is required");
	cr_expect_eq(validate(BODY("'detectors':[{'function':'count'},"
				   "{'function':'count'}]",
				  ""),
			 false, &e),
	    -1);
	cr_expect_str_eq(
	    e.link[0].reason, "Duplicate detectors are not allowed: [count]");
	cr_expect_eq(validate(TOP(",'create_time':1"), true, &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "The job is configured with fields [create_time] that are illegal "
	    "to set at job creation");
	cr_expect_eq(validate(TOP(",'create_time':1"), false, &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "[1:79] [job_details] unknown field [create_time]");
}

Test(jobconf_validate, a_detector_is_validated_with_bare_messages)
{
	static const struct {
		const char *text;
		const char *reason; /* NULL: it is valid */
	} cases[] = {
		{ "{'function':'count'}", NULL },
		{ "{'function':'nzc','by_field_name':'a'}", NULL },
		{ "{'function':'mean','by_field_name':'airline'}",
		    "field_name must be set when the 'mean' function is "
		    "used" },
		{ "{'function':'count','by_field_name':'over'}",
		    "'over' is not a permitted value for by_field_name" },
		{ "{'function':'x'}",
		    "[1:13] [detector] failed to parse field [function]" },
		{ "{'functio':'count'}",
		    "[1:2] [detector] unknown field [functio] did you mean "
		    "[function]?" },
		{ "{'function':1}",
		    "[1:13] [detector] function doesn't support values of "
		    "type: VALUE_NUMBER" },
		{ "[]",
		    "[1:1] [detector] Expected START_OBJECT but was: "
		    "START_ARRAY" },
		{ "", "request body is required" },
	};

	for (size_t i = 0; i < NELEM(cases); i++) {
		char *json = quoted(cases[i].text);
		struct apierr e;
		int rc =
		    jobconf_validate_detector(json, strlen(json), NULL, &e);

		cr_expect_eq(rc, cases[i].reason == NULL ? 0 : -1, "%s", json);
		if (rc == -1)
			cr_expect_str_eq(e.link[0].reason, cases[i].reason);
		free(json);
	}
}
