/* The estimate of model memory. Texts are written with ' for ". */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/jobconf_estimate.h"

static int
estimate(const char *text, uint64_t *mb, struct apierr *e)
{
	char *json = strdup(text);
	int rc;

	cr_assert_not_null(json);
	for (char *p = json; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	rc = jobconf_estimate(json, strlen(json), mb, e);
	free(json);
	return rc;
}

static void
expect_mb(const char *text, uint64_t wanted)
{
	struct apierr e;
	uint64_t mb = 0;

	cr_assert_eq(
	    estimate(text, &mb, &e), 0, "%s: %s", text, e.link[e.n - 1].reason);
	cr_expect_eq(mb, wanted, "%s: %llu", text, (unsigned long long)mb);
}

/* The innermost link says why. */
static void
expect_refused(const char *text, const char *type, const char *reason)
{
	struct apierr e;
	uint64_t mb;

	cr_assert_eq(estimate(text, &mb, &e), -1, "%s", text);
	cr_expect_eq(e.status, 400, "%s", text);
	cr_expect_str_eq(e.link[e.n - 1].type, type, "%s", text);
	cr_expect_str_eq(e.link[e.n - 1].reason, reason, "%s", text);
}

#define CONFIG(span, detectors, more, rest)                                    \
	"{'analysis_config':{'bucket_span':'" span "','detectors':[" detectors \
	"]" more "}" rest "}"
#define OVERALL(map) ",'overall_cardinality':{" map "}"
#define IN_BUCKET(map) ",'max_bucket_cardinality':{" map "}"
#define MEAN "'function':'mean','field_name':'v'"

/* 7.4: the first is of the peer's own tests. */
Test(estimate, check_values_of_the_formula)
{
	expect_mb(CONFIG("15m",
		      "{'function':'max','field_name':'responsetime',"
		      "'by_field_name':'airline'}",
		      "", OVERALL("'airline':50000")),
	    1573);
	expect_mb(CONFIG("1h", "{" MEAN ",'partition_field_name':'p'}", "",
		      OVERALL("'p':50000")),
	    2354);
	expect_mb(
	    CONFIG("1h",
		"{" MEAN ",'by_field_name':'b','partition_field_name':'p'}", "",
		OVERALL("'b':4000,'p':600")),
	    1979);
}

/*
 * 1,024 partitions make the KiB of a series the MiB of the sum, beside the 10
 * of every job.
 */
Test(estimate, each_function_has_its_base)
{
	static const struct {
		const char *function;
		uint64_t mb;
	} bases[] = {
		{ "'count'", 32 },
		{ "'high_count'", 32 },
		{ "'low_non_zero_count'", 32 },
		{ "'distinct_count','field_name':'v'", 32 + 5 },
		{ "'high_info_content','field_name':'v'", 48 + 5 },
		{ "'avg','field_name':'v'", 48 },
		{ "'low_mean','field_name':'v'", 48 },
		{ "'min','field_name':'v'", 48 },
		{ "'max','field_name':'v'", 48 },
		{ "'high_sum','field_name':'v'", 48 },
		{ "'non_null_sum','field_name':'v'", 48 },
		{ "'varp','field_name':'v'", 48 },
		{ "'median','field_name':'v'", 64 },
		{ "'lat_long','field_name':'v'", 64 },
		{ "'metric','field_name':'v'", 120 },
		{ "'time_of_day'", 10 },
		{ "'time_of_week'", 10 },
	};

	for (size_t i = 0; i < NELEM(bases); i++) {
		char *text;

		cr_assert_neq(asprintf(&text,
				  CONFIG("1h",
				      "{'function':%s,"
				      "'partition_field_name':'p'}",
				      "", OVERALL("'p':1024")),
				  bases[i].function),
		    -1);
		expect_mb(text, 10 + bases[i].mb);
		free(text);
	}
}

Test(estimate, rare_values_are_cheap)
{
	/* 2 KiB * ceil(1536 * 2 / 3) = 2 MiB */
	expect_mb(CONFIG("1h", "{'function':'rare','by_field_name':'b'}", "",
		      OVERALL("'b':1536")),
	    12);
	/* and 768 bytes for each of 4,096 people: 3 MiB */
	expect_mb(CONFIG("1h",
		      "{'function':'freq_rare','by_field_name':'b',"
		      "'over_field_name':'o'}",
		      "", OVERALL("'b':1536,'o':4096")),
	    15);
}

Test(estimate, over_fields_add_and_partitions_multiply)
{
	/* 10 s: the exponent is 1/4. 4096 / 256^(1/4) = 1024 people each. */
	expect_mb(CONFIG("10s",
		      "{'function':'count','over_field_name':'o',"
		      "'partition_field_name':'p'}",
		      "", OVERALL("'o':4096,'p':256")),
	    10 + (32 * 1024 + 768 * 1024) * 256 / 1024 / 1024);
}

Test(estimate, the_exponent_is_at_most_1)
{
	/* 10^7 s: 4096 / 256^1 = 16 people each. */
	expect_mb(CONFIG("10000000s",
		      "{'function':'count','over_field_name':'o',"
		      "'partition_field_name':'p'}",
		      "", OVERALL("'o':4096,'p':256")),
	    10 + (32 * 1024 + 768 * 16) * 256 / 1024 / 1024);
	expect_mb(CONFIG("20000000s",
		      "{'function':'count','over_field_name':'o',"
		      "'partition_field_name':'p'}",
		      "", OVERALL("'o':4096,'p':256")),
	    10 + (32 * 1024 + 768 * 16) * 256 / 1024 / 1024);
}

Test(estimate, detectors_add_up_and_round_up)
{
	expect_mb(CONFIG("5m", "{'function':'count'}", "", ""), 11);
	expect_mb(CONFIG("5m", "{" MEAN "},{'function':'count'}", "", ""), 11);
	/* ceil(0 * 2 / 3) series */
	expect_mb(CONFIG("5m", "{" MEAN ",'by_field_name':'b'}", "",
		      OVERALL("'b':0")),
	    10);
	/* no partition is one partition */
	expect_mb(CONFIG("5m", "{" MEAN ",'partition_field_name':'p'}", "",
		      OVERALL("'p':0")),
	    11);
}

Test(estimate, influencers_count_unless_they_split)
{
	/* 10 KiB * 1024 */
	expect_mb(CONFIG("1h", "{'function':'rare','by_field_name':'b'}",
		      ",'influencers':['b','i','i']",
		      OVERALL("'b':3") IN_BUCKET("'i':1024")),
	    21);
}

Test(estimate, categorization_counts_by_partition_when_it_is_by_partition)
{
	expect_mb(
	    CONFIG("1h", "{'function':'count','by_field_name':'mlcategory'}",
		",'categorization_field_name':'m'", OVERALL("'mlcategory':3")),
	    16);
	/* 500 categories: 32 KiB * ceil(1000 / 3) */
	expect_mb(
	    CONFIG("1h", "{'function':'count','by_field_name':'mlcategory'}",
		",'categorization_field_name':'m'", ""),
	    10 + 11 + 5);
	/* 50 in a bucket, as influencers: the by field explains them already */
	expect_mb(
	    CONFIG("1h", "{'function':'rare','by_field_name':'mlcategory'}",
		",'categorization_field_name':'m','influencers':['mlcategory']",
		""),
	    16);
	expect_mb(CONFIG("1h",
		      "{'function':'rare','by_field_name':'mlcategory',"
		      "'partition_field_name':'p'}",
		      ",'categorization_field_name':'m',"
		      "'per_partition_categorization':{'enabled':true}",
		      OVERALL("'mlcategory':0,'p':4")),
	    10 + 4 * 5);
}

Test(estimate, sums_saturate_at_the_largest_long)
{
	expect_mb(CONFIG("1h",
		      "{" MEAN ",'by_field_name':'b',"
		      "'partition_field_name':'p'}",
		      ",'influencers':['i']",
		      OVERALL("'b':9223372036854775807,'p':9223372036854775807")
			  IN_BUCKET("'i':9223372036854775807")),
	    8796093022207);
}

Test(estimate, missing_cardinalities_are_named)
{
	expect_refused(CONFIG("1h", "{" MEAN ",'by_field_name':'b'}", "", ""),
	    E_ILLEGAL_ARGUMENT,
	    "[Overall] cardinality estimate required for [by_field_name] [b] "
	    "but not supplied");
	expect_refused(CONFIG("1h", "{" MEAN ",'over_field_name':'o'}", "",
			   OVERALL("'b':1")),
	    E_ILLEGAL_ARGUMENT,
	    "[Overall] cardinality estimate required for [over_field_name] "
	    "[o] but not supplied");
	expect_refused(
	    CONFIG("1h", "{" MEAN ",'partition_field_name':'p'}", "", ""),
	    E_ILLEGAL_ARGUMENT,
	    "[Overall] cardinality estimate required for "
	    "[partition_field_name] [p] but not supplied");
	expect_refused(CONFIG("1h", "{" MEAN "}", ",'influencers':['i']",
			   OVERALL("'i':7")),
	    E_ILLEGAL_ARGUMENT,
	    "[Bucket max] cardinality estimate required for [influencers] [i] "
	    "but not supplied");
}

Test(estimate, bad_requests_say_why)
{
	expect_refused("", E_PARSE, "request body is required");
	expect_refused("{}", "action_request_validation_exception",
	    "Validation Failed: 1: [analysis_config] was not specified;");
	expect_refused("{'analysis_confg':{}}", E_XCONTENT_PARSE,
	    "[1:2] [cluster:admin/xpack/ml/job/estimate_model_memory] unknown "
	    "field [analysis_confg] did you mean [analysis_config]?");
	expect_refused("{'analysis_config':7}", E_XCONTENT_PARSE,
	    "[1:20] [cluster:admin/xpack/ml/job/estimate_model_memory] "
	    "analysis_config doesn't support values of type: VALUE_NUMBER");
	expect_refused(
	    CONFIG("1h", "", "", ""), E_STATUS, "No detectors configured");
	expect_refused(CONFIG("1h", "{'function':'x'}", "", ""),
	    E_ILLEGAL_ARGUMENT, "Unknown function 'x'");
	expect_refused(CONFIG("1h", "{" MEAN "}", "", OVERALL("'a':-1")),
	    E_STATUS,
	    "[overall_cardinality] contained negative cardinality [-1]");
	expect_refused(CONFIG("1h", "{" MEAN "}", "", IN_BUCKET("'a':-3")),
	    E_STATUS,
	    "[max_bucket_cardinality] contained negative cardinality [-3]");
	expect_refused(CONFIG("1h", "{" MEAN "}", "", OVERALL("'a':'many'")),
	    E_ILLEGAL_ARGUMENT,
	    "[overall_cardinality] contained a cardinality of [a] that is not "
	    "a whole number");
	expect_refused(CONFIG("1h", "{" MEAN "}", "", OVERALL("'a':[1]")),
	    E_ILLEGAL_ARGUMENT,
	    "[overall_cardinality] contained a cardinality of [a] that is not "
	    "a whole number");
}

Test(estimate, a_bad_cardinality_is_told_by_its_place)
{
	struct apierr e;
	uint64_t mb;

	cr_assert_eq(
	    estimate("{'analysis_config':{'detectors':[{'function':'count'}]},"
		     "\n'overall_cardinality':{'a':-1}}",
		&mb, &e),
	    -1);
	cr_expect_eq(e.n, 2);
	cr_expect_str_eq(e.link[0].type, E_XCONTENT_PARSE);
	cr_expect_str_eq(e.link[0].reason,
	    "[2:28] [cluster:admin/xpack/ml/job/estimate_model_memory] failed "
	    "to parse field [overall_cardinality]");
}
