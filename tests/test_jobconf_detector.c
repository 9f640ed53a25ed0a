/* Detectors and their custom rules: every documented error with its text. */
#include "common/compat.h"

#include <criterion/criterion.h>

#include "tests/jobconf_fixture.h"

Test(jobconf_detector, detector_checks_come_in_their_order)
{
	static const struct {
		const char *detector;
		const char *reason;
	} cases[] = {
		{ "'function':'mean'",
		    "Unless a count or temporal function is used one of "
		    "field_name, by_field_name or over_field_name must be "
		    "set" },
		{ "'function':'rare','partition_field_name':'p'",
		    "Unless a count or temporal function is used one of "
		    "field_name, by_field_name or over_field_name must be "
		    "set" },
		{ "'function':'mean','field_name':'','by_field_name':''",
		    "Unless a count or temporal function is used one of "
		    "field_name, by_field_name or over_field_name must be "
		    "set" },
		{ "'function':'mean','by_field_name':'airline'",
		    "field_name must be set when the 'mean' function is "
		    "used" },
		{ "'function':'dc','over_field_name':'o'",
		    "field_name must be set when the 'distinct_count' "
		    "function is used" },
		{ "'function':'count','field_name':'f'",
		    "field_name cannot be used with function 'count'" },
		{ "'function':'time_of_day','field_name':'f'",
		    "field_name cannot be used with function "
		    "'time_of_day'" },
		{ "'function':'rare','over_field_name':'o'",
		    "by_field_name must be set when the 'rare' function is "
		    "used" },
		{ "'function':'freq_rare','by_field_name':'b'",
		    "over_field_name must be set when the 'freq_rare' "
		    "function is used" },
		{ "'function':'nzc','over_field_name':'o'",
		    "over_field_name cannot be used with function "
		    "'non_zero_count'" },
		{ "'function':'sum','field_name':'a\\\\b'",
		    "Invalid field name 'a\\b'. Field names including over, "
		    "by and partition fields cannot contain any of these "
		    "characters: \",\\" },
		{ "'function':'count','by_field_name':'a\\u0007'",
		    "Invalid field name 'a\x07'. Field names including over, "
		    "by and partition fields cannot contain any of these "
		    "characters: \",\\" },
		{ "'function':'count','by_field_name':'.'",
		    "Invalid field name '.'. Field names including over, by "
		    "and partition fields cannot be '.'" },
		{ "'function':'count','by_field_name':'a',"
		  "'partition_field_name':'a','over_field_name':'a'",
		    "partition_field_name and by_field_name cannot be the "
		    "same: 'a'" },
		{ "'function':'count','over_field_name':'a',"
		  "'partition_field_name':'a'",
		    "partition_field_name and over_field_name cannot be the "
		    "same: 'a'" },
		{ "'function':'count','by_field_name':'a',"
		  "'over_field_name':'a'",
		    "by_field_name and over_field_name cannot be the same: "
		    "'a'" },
		{ "'function':'count','by_field_name':'count'",
		    "'count' is not a permitted value for by_field_name" },
		{ "'function':'count','over_field_name':'count'",
		    "'count' is not a permitted value for "
		    "over_field_name" },
		{ "'function':'count','by_field_name':'by'",
		    "'by' is not a permitted value for by_field_name" },
		{ "'function':'count','by_field_name':'over'",
		    "'over' is not a permitted value for by_field_name" },
		{ "'function':'count','over_field_name':'over'",
		    "'over' is not a permitted value for over_field_name" },
	};
	char text[512];

	for (size_t i = 0; i < NELEM(cases); i++) {
		snprintf(text, sizeof(text),
		    "{'analysis_config':{'detectors':[{%s}]},"
		    "'data_description':{}}",
		    cases[i].detector);
		refuse(text, E_STATUS, cases[i].reason);
	}
	jobconf_free(accept(
	    DETECTOR("'function':'count','partition_field_name':'count'")));
}

Test(jobconf_detector, detectors_print_in_full)
{
	prints(DETECTOR("'function':'nzc','by_field_name':'airline'"),
	    "{'detector_description':'non_zero_count by airline','function':"
	    "'non_zero_count','by_field_name':'airline','detector_index':0}");
	prints(
	    DETECTOR("'function':'avg','field_name':'v'"), "'function':'avg'");
	prints(DETECTOR("'detector_index':7,'function':'high_count',"
			"'exclude_frequent':'ALL','over_field_name':"
			"'client.ip','partition_field_name':'host'"),
	    "'exclude_frequent':'all','detector_index':0}");
	prints(DETECTOR("'function':'high_count','exclude_frequent':'all',"
			"'over_field_name':'clientip',"
			"'partition_field_name':'host'"),
	    "'high_count over clientip partitionfield=host "
	    "excludefrequent=all'");
	prints(DETECTOR("'function':'mean','field_name':'responsetime',"
			"'by_field_name':'airline'"),
	    "'mean(responsetime) by airline'");
	prints(DETECTOR("'function':'count','detector_description':'mine'"),
	    "'detector_description':'mine'");
	prints(DETECTOR("'field_name':'v'"), "'function':'metric'");
	prints_not(DETECTOR("'function':'count','use_null':false,"
			    "'custom_rules':[]"),
	    "use_null");
}

Test(jobconf_detector, names_with_other_characters_are_quoted_in_descriptions)
{
	struct jobconf *c =
	    accept(DETECTOR("'function':'count','by_field_name':'client.ip'"));

	cr_expect_str_eq(c->detector[0].description, "count by \"client.ip\"");
	jobconf_free(c);
}

Test(jobconf_detector, equal_detectors_are_refused)
{
	refuse(BODY("'detectors':[{'function':'count'},{'function':'mean',"
		    "'field_name':'a'},{'function':'c','detector_index':9}]",
		   ""),
	    E_ILLEGAL_ARGUMENT, "Duplicate detectors are not allowed: [count]");
	jobconf_free(
	    accept(BODY("'detectors':[{'function':'count'},{'function':"
			"'count','detector_description':'other'}]",
		"")));
}

#define RULE(fields, rule)                                                     \
	DETECTOR("'function':'mean','field_name':'v'," fields                  \
		 "'custom_rules':[{" rule "}]")
#define CONDITION "{'applies_to':'actual','operator':'gt','value':10}"

Test(jobconf_detector, rules_are_checked_and_printed)
{
	prints(RULE("'by_field_name':'b',",
		   "'actions':['SKIP_MODEL_UPDATE'],'scope':{'b':{'filter_id':"
		   "'f'}},'conditions':[" CONDITION "]"),
	    "'custom_rules':[{'actions':['skip_model_update'],'scope':{'b':{"
	    "'filter_id':'f','filter_type':'include'}},'conditions':[{"
	    "'applies_to':'actual','operator':'gt','value':10.0}]}]");
	prints(RULE("", "'conditions':[" CONDITION "]"),
	    "'actions':['skip_result']");
	prints(RULE("",
		   "'actions':['force_time_shift'],'params':{"
		   "'force_time_shift':{'time_shift_amount':3600}},"
		   "'conditions':[" CONDITION "]"),
	    "'params':{'force_time_shift':{'time_shift_amount':3600}}");
	refuse(RULE("", "'actions':['skip_result']"), E_STATUS,
	    "Invalid detector rule: at least scope or a condition is "
	    "required");
	refuse(RULE("", "'scope':{'x':{'filter_id':'f'}}"), E_STATUS,
	    "Invalid detector rule: scope field 'x' is invalid; detector has "
	    "no available fields for scoping");
	refuse(RULE("'by_field_name':'b','partition_field_name':'p',",
		   "'scope':{'x':{'filter_id':'f'}}"),
	    E_STATUS,
	    "Invalid detector rule: scope field 'x' is invalid; select from "
	    "[b, p]");
	refuse(DETECTOR("'function':'rare','by_field_name':'b',"
			"'custom_rules':[{'conditions':[" CONDITION "]}]"),
	    E_STATUS,
	    "Invalid detector rule: function rare only supports conditions "
	    "that apply to time");
	refuse(RULE("", "'conditions':[{'applies_to':'actual'}]"),
	    E_ILLEGAL_ARGUMENT, "Required [operator, value]");
	refuse(RULE("", "'conditions':[{'operator':'eq'}]"), E_ILLEGAL_ARGUMENT,
	    "Invalid value [eq] for [operator]");
	refuse(RULE("", "'actions':['x']"), E_ILLEGAL_ARGUMENT,
	    "Invalid value [x] for [actions]");
}
