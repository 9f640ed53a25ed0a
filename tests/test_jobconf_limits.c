/* analysis_limits, data_description, time zone and model_plot_config. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zones.h"
#include "tests/jobconf_fixture.h"

Test(jobconf_limits, memory_limit_prints_in_mb)
{
#define LIMIT(v) TOP(",'analysis_limits':{'model_memory_limit':" v "}")
	prints(LIMIT("'8g'"), "'model_memory_limit':'8192mb'");
	prints(LIMIT("2048"), "'model_memory_limit':'2048mb'");
	prints(LIMIT("'3000g'"), "'model_memory_limit':'3072000mb'");
	prints(LIMIT("'1536kb'"), "'model_memory_limit':'1mb'");
	refuse(LIMIT("'1000kb'"), E_STATUS,
	    "model_memory_limit must be at least 1 MiB. Value = 0");
	refuse(LIMIT("-4"), E_STATUS,
	    "model_memory_limit must be at least 1 MiB. Value = -4");
	refuse(LIMIT("'12'"), E_PARSE,
	    "failed to parse setting [model_memory_limit] with value [12] as "
	    "a size in bytes: unit is missing or unrecognized");
	refuse(TOP(",'analysis_limits':{'categorization_examples_limit':-1}"),
	    E_STATUS,
	    "categorization_examples_limit cannot be less than 0. Value = "
	    "-1");
	refuse(TOP(",'analysis_limits':{'categorization_examples_limit':"
		   "-12345}"),
	    E_STATUS,
	    "categorization_examples_limit cannot be less than 0. Value = "
	    "-12,345");
	refuse(LIMIT("-1234567"), E_STATUS,
	    "model_memory_limit must be at least 1 MiB. Value = -1,234,567");
}

static uint64_t
limit_by(uint64_t most, const char *text)
{
	struct jobconf_rules rules = { .max_model_memory_bytes = most };
	struct apierr e;
	struct jobconf *c = parse_by(&rules, text, &e);
	uint64_t mb;

	cr_assert_not_null(c, "%s: %s", text, e.link[0].reason);
	mb = c->model_memory_limit_mb;
	jobconf_free(c);
	return mb;
}

Test(jobconf_limits, a_greatest_memory_limit_bounds_the_default_and_the_rest)
{
	struct jobconf_rules rules = { .max_model_memory_bytes = UINT64_C(9)
		    << 30 };

	cr_expect_eq(limit_by(0, TOP("")), 1024);
	cr_expect_eq(limit_by(UINT64_C(9) << 30, TOP("")), 1024);
	cr_expect_eq(limit_by(512 << 20, TOP("")), 512);
	cr_expect_eq(limit_by(512 << 20,
			 TOP(",'analysis_limits':{'"
			     "categorization_examples_limit':2}")),
	    512);
	cr_expect_eq(limit_by((1 << 20) + 5, TOP("")), 1);
	cr_expect_eq(limit_by(UINT64_C(9) << 30, LIMIT("'9g'")), 9216);
	refuse_by(&rules, LIMIT("'10gb'"), E_STATUS,
	    "model_memory_limit [10gb] must be less than the value of the "
	    "xpack.ml.max_model_memory_limit setting [9gb]");
	refuse_by(&rules, LIMIT("9217"), E_STATUS,
	    "model_memory_limit [9gb] must be less than the value of the "
	    "xpack.ml.max_model_memory_limit setting [9gb]");
	/* It comes behind the check for equal detectors. */
	refuse_by(&rules,
	    BODY("'detectors':[{'function':'count'},{'function':'count'}]",
		",'analysis_limits':{'model_memory_limit':'10gb'}"),
	    E_ILLEGAL_ARGUMENT, "Duplicate detectors are not allowed: [count]");
}

#define ZONE(v) TOP(",'custom_settings':{'a':1,'time_zone':" v ",'z':2}")

Test(jobconf_limits, a_time_zone_is_one_that_the_machine_knows)
{
	struct zones *zones = zones_load(zones_dir());
	struct jobconf_rules rules = { .zones = zones };
	static const char *const good[] = { "UTC", "Europe/Berlin",
		"America/Argentina/Buenos_Aires", "Etc/GMT+5" };
	char text[256], *printed;
	struct apierr e;
	struct jobconf *c;

	if (zones_count(zones) == 0)
		cr_skip_test("this machine has no zone data");
	for (size_t i = 0; i < NELEM(good); i++) {
		snprintf(text, sizeof(text), ZONE("'%s'"), good[i]);
		c = parse_by(&rules, text, &e);
		cr_assert_not_null(c, "%s", good[i]);
		jobconf_free(c);
	}
	refuse_by(&rules, ZONE("'Europe/Berlim'"), E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone [Europe/Berlim] is no time zone of "
	    "this machine; use a name of the IANA database, such as "
	    "[Europe/Berlin] or [UTC]");
	refuse_by(&rules, ZONE("'../zoneinfo/UTC'"), E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone [../zoneinfo/UTC] is no time zone of "
	    "this machine; use a name of the IANA database, such as "
	    "[Europe/Berlin] or [UTC]");
	refuse_by(&rules, ZONE("''"), E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone [] is no time zone of this machine; "
	    "use a name of the IANA database, such as [Europe/Berlin] or "
	    "[UTC]");
	refuse_by(&rules, ZONE("null"), E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone has to be a string, the name of a time "
	    "zone such as [Europe/Berlin] or [UTC], not VALUE_NULL");
	refuse_by(&rules, ZONE("{'x':1}"), E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone has to be a string, the name of a time "
	    "zone such as [Europe/Berlin] or [UTC], not START_OBJECT");
	/* One further in has no meaning here. */
	c = parse_by(&rules,
	    TOP(",'custom_settings':{'x':{'time_zone':'nowhere'}}"), &e);
	cr_assert_not_null(c);
	jobconf_free(c);
	/* Stored, it is read whatever the machine knows by then. */
	c = parse_by(&rules, ZONE("'Europe/Berlin'"), &e);
	printed = jobconf_print(c);
	jobconf_free(c);
	c = jobconf_restore("j1", printed, strlen(printed), &e);
	cr_expect_not_null(c);
	jobconf_free(c);
	free(printed);
	zones_free(zones);
}

Test(jobconf_limits, without_zone_data_the_cure_is_told)
{
	jobconf_free(accept(ZONE("'UTC'")));
	refuse(ZONE("'Europe/Berlin'"), E_ILLEGAL_ARGUMENT,
	    "custom_settings.time_zone [Europe/Berlin] is not known: this "
	    "machine has no time zone data; install it (tzdata) and start "
	    "anomd again, or use [UTC]");
}

Test(jobconf_limits, data_description_defaults_and_echoes)
{
	static const char *const of_format[] = {
		"[1:86] [job_details] failed to parse field [data_description]",
		"[1:86] [data_description] failed to parse field [format]",
		"Unknown format [csv]; records are [xcontent] or [delimited]",
	};

	prints(DATA(""),
	    "'data_description':{'time_field':'time','time_format':"
	    "'epoch_ms'}");
	prints(DATA("'format':'xcontent','field_delimiter':','"),
	    "'data_description':{'time_field':'time','time_format':"
	    "'epoch_ms','field_delimiter':','}");
	prints(DATA("'format':'DELINEATED'"),
	    "'data_description':{'format':'delimited','time_field':'time',"
	    "'time_format':'epoch_ms','field_delimiter':'\\t',"
	    "'quote_character':'\\''}");
	chain(DATA("'format':'csv'"), of_format, NELEM(of_format));
	refuse(DATA("'time_format':'yyyy-MM-dd'"), E_STATUS,
	    "Invalid Time format string 'yyyy-MM-dd'");
	refuse(DATA("'field_delimiter':',,'"), E_ILLEGAL_ARGUMENT,
	    "String must be a single character, found [,,]");
	refuse(DATA("'field_delimiter':'\xc3\xa9'"), E_ILLEGAL_ARGUMENT,
	    "field_delimiter has to be a character of ASCII, found [\xc3\xa9]");
	refuse(DATA("'quote_character':''"), E_ILLEGAL_ARGUMENT,
	    "String must be a single character, found []");
	refuse(DATA("'time_field':null"), "null_pointer_exception",
	    "time_field must not be null");
}

Test(jobconf_limits, every_documented_time_format_is_taken)
{
	static const char *const formats[] = { "epoch", "epoch_ms",
		"yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm:ssX", "yyyyMMddHHmmss",
		"dd/MMM/yyyy:HH:mm:ss Z", "MMM dd HH:mm:ss" };
	char text[256];

	for (size_t i = 0; i < NELEM(formats); i++) {
		snprintf(
		    text, sizeof(text), DATA("'time_format':'%s'"), formats[i]);
		jobconf_free(accept(text));
	}
}

Test(jobconf_limits, plot_annotations_follow_enabled)
{
	prints(TOP(",'model_plot_config':{'enabled':true}"),
	    "'model_plot_config':{'enabled':true,'annotations_enabled':true}");
	prints(TOP(",'model_plot_config':{'annotations_enabled':false,"
		   "'terms':'a,b','enabled':true}"),
	    "'model_plot_config':{'enabled':true,'terms':'a,b',"
	    "'annotations_enabled':false}");
	refuse(TOP(",'model_plot_config':{}"), E_ILLEGAL_ARGUMENT,
	    "Required [enabled]");
}
