/* Job id expressions (jobs-and-data 1.10). */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/jobexpr.h"
#include "tests/supervisor_fixture.h"

static void
start(void)
{
	sv_start();
	sv_job("foo-1", "[\"foo-group\",\"ones\"]");
	sv_job("foo-2", "[\"foo-group\",\"twos\"]");
	sv_job("bar-1", "[\"bar-group\",\"ones\"]");
	sv_job("bar-2", "[\"bar-group\",\"twos\"]");
	sv_job("nogroup", NULL);
	sv_job("jobs-get", NULL);
	sv_job("job-stats", NULL);
}

/* The ids, in the order of the result, with blanks between; or the error. */
static const char *
expand(const char *expr, bool allow_no_match)
{
	static char text[4096];
	struct job **list = NULL;
	struct apierr e;
	long n = jobexpr_expand(sv.jobs, NULL, expr, allow_no_match, &list, &e);

	text[0] = '\0';
	for (long i = 0; i < n; i++) {
		strlcat(text, i == 0 ? "" : " ", sizeof(text));
		strlcat(text, list[i]->id, sizeof(text));
	}
	free(list);
	if (n == -1) {
		cr_expect_eq(e.status, 404);
		cr_expect_str_eq(e.link[0].type, E_NOT_FOUND);
		strlcpy(text, e.link[0].reason, sizeof(text));
	}
	return text;
}

#define ALL "bar-1 bar-2 foo-1 foo-2 job-stats jobs-get nogroup"

Test(jobexpr, names_jobs_by_id_group_and_wildcard)
{
	static const struct {
		const char *expr, *ids;
	} cases[] = {
		{ "foo-1", "foo-1" },
		{ "foo-2,foo-1", "foo-1 foo-2" },
		{ "foo-1,foo-1", "foo-1" },
		{ "ones", "bar-1 foo-1" },
		{ "*-group", "bar-1 bar-2 foo-1 foo-2" },
		{ "bar-group,nogroup", "bar-1 bar-2 nogroup" },
		{ "foo-*", "foo-1 foo-2" },
		{ "*-1", "bar-1 foo-1" },
		{ "f*o*2", "foo-2" },
		{ "job*", "job-stats jobs-get" },
		{ "foo-**", "foo-1 foo-2" },
		{ "foo-1*", "foo-1" },
		{ " foo-1 ,, nogroup ,", "foo-1 nogroup" },
		{ "foo-1,missing*", "foo-1" },
		{ "missing*", "" },
		{ "nogroup,*", ALL },
	};

	start();
	for (size_t i = 0; i < NELEM(cases); i++)
		cr_expect_str_eq(expand(cases[i].expr, true), cases[i].ids,
		    "%s", cases[i].expr);
	sv_end();
}

Test(jobexpr, all_jobs_have_several_names)
{
	static const char *const all[] = { NULL, "", "_all", "*", ",", " ",
		" _all ", "*,", "_all,", "**" };

	start();
	for (size_t i = 0; i < NELEM(all); i++)
		cr_expect_str_eq(expand(all[i], true), ALL, "case %zu", i);
	cr_expect_str_eq(
	    expand("_all,foo-1", true), "No known job with id '_all'");
	sv_end();
}

Test(jobexpr, what_has_no_wildcard_must_match_always)
{
	start();
	for (int allow = 0; allow < 2; allow++) {
		cr_expect_str_eq(
		    expand("missing", allow), "No known job with id 'missing'");
		cr_expect_str_eq(expand("foo-1,missing, gone ", allow),
		    "No known job with id 'missing,gone'");
	}
	cr_expect_str_eq(
	    expand("missing,gone*", true), "No known job with id 'missing'");
	cr_expect_str_eq(expand("foo", true), "No known job with id 'foo'");
	cr_expect_str_eq(expand("?oo-1", true), "No known job with id '?oo-1'");
	sv_end();
}

Test(jobexpr, wildcards_must_match_where_no_match_is_not_allowed)
{
	start();
	cr_expect_str_eq(expand("foo-*", false), "foo-1 foo-2");
	cr_expect_str_eq(
	    expand("missing-*", false), "No known job with id 'missing-*'");
	cr_expect_str_eq(
	    expand("foo-*,a*,b-*", false), "No known job with id 'a*,b-*'");
	sv_end();
}

Test(jobexpr, without_jobs_all_is_nothing_or_an_error)
{
	sv_start();
	cr_expect_str_eq(expand("_all", true), "");
	cr_expect_str_eq(expand(NULL, true), "");
	cr_expect_str_eq(expand("_all", false), "No known job with id '*'");
	cr_expect_str_eq(expand("*", false), "No known job with id '*'");
	sv_end();
}

/* A name that is cut must not be cut within a character. */
Test(jobexpr, very_long_names_are_cut_in_the_error)
{
	char expr[3000];

	sv_start();
	for (size_t shift = 0; shift < 4; shift++) {
		memset(expr, 'a', shift);
		for (size_t i = shift; i + 2 < sizeof(expr); i += 2)
			memcpy(expr + i, "\303\251", 3);
		expand(expr, true);
		cr_expect(wire_utf8_ok(
			      expand(expr, true), strlen(expand(expr, true))),
		    "shift %zu", shift);
	}
	sv_end();
}

Test(jobexpr, requests_use_it_with_both_names_of_the_parameter)
{
	start();
	sv_expect(sv_talk("GET", "/_ml/anomaly_detectors/missing-*", NULL), 200,
	    "{\"count\":0,\"jobs\":[]}");
	sv_expect(
	    sv_talk("GET",
		"/_ml/anomaly_detectors/missing-*?allow_no_match=false", NULL),
	    404, "No known job with id 'missing-*'");
	sv_expect(sv_talk("GET",
		      "/_ml/anomaly_detectors/missing-*/_stats"
		      "?allow_no_jobs=false",
		      NULL),
	    404, "No known job with id 'missing-*'");
	sv_expect(
	    sv_talk("POST", "/_ml/anomaly_detectors/missing-*/_close", NULL),
	    200, "{\"closed\":true}");
	sv_expect(sv_talk("POST", "/_ml/anomaly_detectors/missing-*/_close",
		      "{\"allow_no_match\":false}"),
	    404, "No known job with id 'missing-*'");
	sv_expect(sv_talk("POST", "/_ml/anomaly_detectors/ones/_close", NULL),
	    200, "{\"closed\":true}");
	sv_end();
}
