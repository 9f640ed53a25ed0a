/* Which jobs a list of ids, groups and wildcards names. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/catalogue.h"
#include "supervisor/job.h"
#include "supervisor/jobexpr.h"
#include "supervisor/server.h"

static struct server srv;

static void
add_job(struct jobs *jobs, const char *id, const char *groups)
{
	char config[512];
	struct msg_keep_job m = { .incarnation = 1 };

	snprintf(config, sizeof(config),
	    "{\"job_id\":\"%s\",\"groups\":[%s],\"analysis_config\":"
	    "{\"bucket_span\":\"5m\",\"detectors\":[{\"function\":\"count\"}]},"
	    "\"data_description\":{\"time_field\":\"time\"}}",
	    id, groups);
	m.job_id = span_of(id);
	m.config = span_of(config);
	jobs_load(jobs, &m);
	cr_assert_not_null(jobs_find(jobs, id), "%s", id);
}

static struct jobs *
some_jobs(void)
{
	struct jobs *jobs = jobs_new(&srv);

	cr_assert_not_null(jobs);
	srv.jobs = jobs;
	add_job(jobs, "cpu-1", "\"cpu\",\"all-of-it\"");
	add_job(jobs, "cpu-2", "\"cpu\"");
	add_job(jobs, "net", "\"all-of-it\"");
	return jobs;
}

/* The ids that the expression names, with a blank after each; or the error. */
static const char *
expand(struct jobs *jobs, const char *expr, bool lenient)
{
	static char out[2048];
	struct job **list = NULL;
	struct apierr e;
	long n = jobexpr_expand(jobs, NULL, expr, lenient, &list, &e);

	out[0] = '\0';
	if (n == -1) {
		snprintf(out, sizeof(out), "%d %s", e.status, e.link[0].reason);
		cr_expect_null(list);
	}
	for (long i = 0; i < n; i++) {
		strlcat(out, list[i]->id, sizeof(out));
		strlcat(out, " ", sizeof(out));
	}
	free(list);
	return out;
}

Test(jobexpr_bounds, names_each_job_once_in_their_order)
{
	static const struct {
		const char *expr, *jobs;
	} cases[] = {
		{ NULL, "cpu-1 cpu-2 net " },
		{ "_all", "cpu-1 cpu-2 net " },
		{ "*", "cpu-1 cpu-2 net " },
		{ "net", "net " },
		{ "cpu", "cpu-1 cpu-2 " },
		{ "all-of-it", "cpu-1 net " },
		{ "net, cpu-1 ,net", "cpu-1 net " },
		{ "c*", "cpu-1 cpu-2 " },
		{ "*-2,cpu*1", "cpu-1 cpu-2 " },
		{ "*of*", "cpu-1 net " },
		{ "nothing*", "" },
		{ ",", "cpu-1 cpu-2 net " },
	};
	struct jobs *jobs = some_jobs();

	for (size_t i = 0; i < NELEM(cases); i++)
		cr_expect_str_eq(expand(jobs, cases[i].expr, true),
		    cases[i].jobs, "%s", cases[i].expr);
	jobs_free(jobs);
}

Test(jobexpr_bounds, what_names_nothing_is_an_error_that_says_which)
{
	struct jobs *jobs = some_jobs();

	cr_expect_str_eq(expand(jobs, "net,x,cpu,yy", true),
	    "404 No known job with id 'x,yy'");
	cr_expect_str_eq(
	    expand(jobs, "x*,net", false), "404 No known job with id 'x*'");
	cr_expect_str_eq(expand(jobs, "cp", true),
	    "404 No known job with id 'cp'", "no prefix is a name");
	jobs_free(jobs);
}

Test(jobexpr_bounds, without_jobs_all_is_nothing_or_an_error)
{
	struct jobs *jobs = jobs_new(&srv);

	cr_expect_str_eq(expand(jobs, "_all", true), "");
	cr_expect_str_eq(
	    expand(jobs, "_all", false), "404 No known job with id '*'");
	jobs_free(jobs);
}

/* One request may not keep the loop from all others. */
Test(jobexpr_bounds, wildcards_are_bounded_and_plain_names_are_not)
{
	struct jobs *jobs = some_jobs();
	char expr[8192] = "net";

	for (int i = 0; i < 1000; i++)
		strlcat(expr, ",cpu-1", sizeof(expr));
	cr_expect_str_eq(expand(jobs, expr, true), "cpu-1 net ");
	expr[0] = '\0';
	for (int i = 0; i < 64; i++)
		strlcat(expr, "*t,", sizeof(expr));
	cr_expect_str_eq(expand(jobs, expr, true), "cpu-1 net ");
	strlcat(expr, "*t", sizeof(expr));
	cr_expect_eq(strncmp(expand(jobs, expr, true), "400 ", 4), 0);
	jobs_free(jobs);
}

Test(jobexpr_bounds, overlong_token_is_no_job)
{
	struct jobs *jobs = some_jobs();
	char expr[400];

	memset(expr, 'a', sizeof(expr) - 1);
	expr[sizeof(expr) - 1] = '\0';
	cr_expect_eq(strncmp(expand(jobs, expr, true), "404 ", 4), 0);
	jobs_free(jobs);
}
