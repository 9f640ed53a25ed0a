/*
 * Configurations made of tables: each function with each set of fields, each
 * combination of optional parts, each truncation.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/jobconf_fixture.h"

/*
 * What functions allow, told a second time and from the reference, not from
 * the table under test: F field, B by, O over; capital: required, small:
 * optional, absent: forbidden; ! may be without all three.
 */
static const struct {
	const char *functions;
	const char *needs;
} told[] = {
	{ " count high_count low_count time_of_day time_of_week ", "bo!" },
	{ " non_zero_count high_non_zero_count low_non_zero_count ", "b!" },
	{ " distinct_count high_distinct_count low_distinct_count info_content"
	  " high_info_content low_info_content min max median high_median"
	  " low_median mean high_mean low_mean avg high_avg low_avg metric varp"
	  " high_varp low_varp sum high_sum low_sum non_null_sum"
	  " high_non_null_sum low_non_null_sum lat_long ",
	    "Fbo" },
	{ " rare ", "Bo" },
	{ " freq_rare ", "BO" },
};

static bool
allows(const char *needs, char field, bool set)
{
	char upper = (char)(field - 'a' + 'A');

	return set ? strchr(needs, field) != NULL || strchr(needs, upper)
		   : strchr(needs, upper) == NULL;
}

static bool
is_allowed(const char *function, unsigned mask)
{
	char word[64];

	snprintf(word, sizeof(word), " %s ", function);
	for (size_t i = 0; i < NELEM(told); i++) {
		const char *needs = told[i].needs;

		if (strstr(told[i].functions, word) == NULL)
			continue;
		return allows(needs, 'f', mask & 1) &&
		    allows(needs, 'b', mask & 2) &&
		    allows(needs, 'o', mask & 4) &&
		    (strchr(needs, '!') != NULL || (mask & 7) != 0);
	}
	cr_assert_fail("nothing is told about %s", function);
	return false;
}

/* Printed and read back it is the same, and prints the same again. */
static void
expect_round_trip(const struct jobconf *c)
{
	char *text = jobconf_print(c), *again;
	struct jobconf *back;
	struct apierr e;

	cr_assert_not_null(text);
	back = jobconf_restore(c->job_id, text, strlen(text), &e);
	cr_assert_not_null(back, "%s: %s", text, e.link[0].reason);
	again = jobconf_print(back);
	cr_assert_not_null(again);
	cr_expect_str_eq(again, text);
	cr_expect(json_object_equal(c->json, back->json));
	cr_expect_eq(back->bucket_span_s, c->bucket_span_s);
	cr_expect_eq(back->ndetectors, c->ndetectors);
	cr_expect_eq(back->nfields, c->nfields);
	free(text);
	free(again);
	jobconf_free(back);
}

Test(jobconf_tables, each_function_takes_the_fields_it_should)
{
	static const char *const names[] = { "field_name", "by_field_name",
		"over_field_name", "partition_field_name" };
	const struct function_info *fn;
	char text[512];
	struct apierr e;

	for (size_t i = 0; (fn = function_at(i)) != NULL; i++) {
		for (unsigned mask = 0; mask < 16; mask++) {
			int n = snprintf(text, sizeof(text),
			    "{\"analysis_config\":{\"detectors\":[{"
			    "\"function\":\"%s\"",
			    fn->name);
			struct jobconf *c;

			for (unsigned b = 0; b < 4; b++)
				if ((mask & 1u << b) != 0)
					n += snprintf(text + n,
					    sizeof(text) - (size_t)n,
					    ",\"%s\":\"f%u\"", names[b], b);
			snprintf(text + n, sizeof(text) - (size_t)n,
			    "}]},\"data_description\":{}}");
			c = jobconf_parse("j1", text, strlen(text), NULL, &e);
			cr_expect_eq(
			    c != NULL, is_allowed(fn->name, mask), "%s", text);
			if (c != NULL)
				expect_round_trip(c);
			jobconf_free(c);
		}
	}
}

/* Optional parts of a configuration, each with a valid and an invalid text. */
static const struct {
	const char *good;
	const char *bad;
} parts[] = {
	{ "'description':'x \\u00e9 \\'q\\''", "'description':[]" },
	{ "'groups':['a','b']", "'groups':['A']" },
	{ "'analysis_limits':{'model_memory_limit':'77mb'}",
	    "'analysis_limits':{'model_memory_limit':'77'}" },
	{ "'model_plot_config':{'enabled':false}",
	    "'model_plot_config':{'enabled':2}" },
	{ "'renormalization_window_days':30",
	    "'renormalization_window_days':null" },
	{ "'background_persist_interval':'3h'",
	    "'background_persist_interval':'3'" },
	{ "'model_snapshot_retention_days':20,"
	  "'daily_model_snapshot_retention_after_days':20",
	    "'model_snapshot_retention_days':2,"
	    "'daily_model_snapshot_retention_after_days':3" },
	{ "'results_retention_days':0", "'results_retention_days':{}" },
	{ "'results_index_name':'mine'", "'results_index_name':'Mine'" },
	{ "'custom_settings':{'x':{'y':[1,2.5]}}", "'custom_settings':[]" },
	{ "'allow_lazy_open':true", "'allow_lazy_open':'maybe'" },
};

/* The mask's parts; the one at index bad in its invalid form. */
static char *
build(unsigned mask, size_t bad)
{
	char text[2048] = TOP("");
	size_t n = strlen(text) - 1;

	for (size_t i = 0; i < NELEM(parts); i++)
		if ((mask >> i & 1) != 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, ",%s",
			    i == bad ? parts[i].bad : parts[i].good);
	snprintf(text + n, sizeof(text) - n, "}");
	return strdup(text);
}

Test(jobconf_tables, any_combination_of_parts_is_read_back)
{
	struct apierr e;

	for (unsigned mask = 0; mask < 1u << NELEM(parts); mask += 7) {
		char *text = build(mask, NELEM(parts));
		struct jobconf *c = parse(text, false, &e);

		cr_assert_not_null(c, "%s: %s", text, e.link[0].reason);
		expect_round_trip(c);
		jobconf_free(c);
		free(text);
	}
}

Test(jobconf_tables, one_bad_part_refuses_the_whole)
{
	struct apierr e;

	for (size_t bad = 0; bad < NELEM(parts); bad++) {
		for (unsigned mask = 0; mask < 1u << NELEM(parts); mask += 97) {
			char *text = build(mask | 1u << bad, bad);

			cr_expect_null(parse(text, false, &e), "%s", text);
			cr_expect_eq(e.status, 400);
			free(text);
		}
	}
}

Test(jobconf_tables, every_truncation_is_refused)
{
	char *text = build((1u << NELEM(parts)) - 1, NELEM(parts));
	char *json = quoted(text);
	struct apierr e;

	for (size_t len = 0; len < strlen(json); len++)
		cr_expect_null(
		    jobconf_parse("j1", json, len, NULL, &e), "%zu", len);
	free(json);
	free(text);
}
