/*
 * Generated configurations, thousands of them, against rules that are told
 * independently of the parser: what is taken, what it means, how it prints.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jobconf.h"
#include "common/jsonout.h"
#include "tests/jobconf_model.h"

#define CASES 8000
#define SEED 20240

static const struct jobconf_rules rules = {
	.max_model_memory_bytes = (uint64_t)MODEL_MAX_MB << 20,
};

static struct jobconf *
parse(const char *text, struct apierr *e)
{
	return jobconf_parse(MODEL_ID, text, strlen(text), &rules, e);
}

/* Print it; the caller frees. */
static char *
print_by(const char *text)
{
	struct apierr e;
	struct jobconf *c = parse(text, &e);
	char *printed;

	cr_assert_not_null(c, "%s: %s", text, e.link[e.n - 1].reason);
	printed = jobconf_print(c);
	cr_assert_not_null(printed);
	jobconf_free(c);
	return printed;
}

/* What GET answers with exclude_generated; the caller frees. */
static char *
print_plain(const struct jobconf *c)
{
	static const struct jsonout_style plain = { .pretty = false };
	static const char *const generated[] = { "job_id", "job_type",
		"job_version", "create_time", "finished_time",
		"model_snapshot_id" };
	struct json_object *o = jobconf_answer(c, "1", 1, 2, "s");
	size_t len;
	char *text;

	cr_assert_not_null(o);
	for (size_t i = 0; i < NELEM(generated); i++)
		json_object_object_del(o, generated[i]);
	text = jsonout_print(o, &plain, &len);
	json_object_put(o);
	return text;
}

static void
expect_meaning(const struct model *m, const struct jobconf *c, const char *text)
{
	cr_expect_eq(c->bucket_span_s, m->span == NULL ? 300 : m->span->value,
	    "%s", text);
	cr_expect_eq(c->latency_s, m->latency == NULL ? 0 : m->latency->value,
	    "%s", text);
	cr_expect_eq((int64_t)c->model_memory_limit_mb,
	    m->memory == NULL ? 1024 : m->memory->value, "%s", text);
	cr_assert_eq(c->ndetectors, m->ndetectors, "%s", text);
	for (size_t i = 0; i < m->ndetectors; i++) {
		int f = m->detector[i].function;

		cr_expect_str_eq(c->detector[i].function->name,
		    f < 0 ? "metric" : model_functions[f].name, "%s", text);
		cr_expect_eq(c->detector[i].use_null, m->detector[i].use_null,
		    "%s", text);
	}
	cr_expect_eq(c->nfields, model_nfields(m), "%s", text);
	cr_expect_str_eq(
	    c->time_field, m->time_field == NULL ? "time" : m->time_field);
}

/* In its stored form, in another writing, and as an answer put again. */
static void
expect_stable(const struct model *m, const struct jobconf *c, struct random *r,
    const char *text)
{
	char *printed = jobconf_print(c), *other = model_write(m, r);
	char *plain = print_plain(c), *again;
	struct jobconf *back;
	struct apierr e;

	back = jobconf_restore(MODEL_ID, printed, strlen(printed), &e);
	cr_assert_not_null(back, "%s: %s", printed, e.link[e.n - 1].reason);
	again = jobconf_print(back);
	cr_expect_str_eq(printed, again, "%s", text);
	jobconf_free(back);
	free(again);
	again = print_by(other);
	cr_expect_str_eq(printed, again, "%s\nand\n%s", text, other);
	free(again);
	again = print_by(plain);
	cr_expect_str_eq(printed, again, "%s", plain);
	free(again);
	free(plain);
	free(other);
	free(printed);
}

static void
expect_error(const struct apierr *e, const char *text)
{
	cr_expect_eq(e->status, 400, "%s", text);
	for (int i = 0; i < e->n; i++)
		cr_expect_neq(e->link[i].reason[0], '\0', "%s", text);
}

Test(jobconf_gen, configurations_are_taken_as_the_rules_say, .timeout = 600)
{
	struct random r = random_seed(SEED);
	unsigned taken = 0;

	for (int i = 0; i < CASES; i++) {
		const char *why;
		struct apierr e;
		struct model m;
		struct jobconf *c;
		char *text;
		bool valid;

		model_choose(&m, &r);
		text = model_write(&m, &r);
		valid = model_is_valid(&m, &why);
		c = parse(text, &e);
		cr_assert(valid == (c != NULL), "case %d, %s but %s: %s", i,
		    valid ? "valid" : why,
		    c != NULL ? "taken" : e.link[e.n - 1].reason, text);
		if (c != NULL) {
			taken++;
			expect_meaning(&m, c, text);
			expect_stable(&m, c, &r, text);
		} else {
			expect_error(&e, text);
		}
		jobconf_free(c);
		free(text);
	}
	cr_expect_gt(taken, CASES / 5, "%u of %d", taken, CASES);
	cr_expect_lt(taken, CASES * 4 / 5, "%u of %d", taken, CASES);
}

/* Each rule has to have been the only one to refuse something. */
Test(jobconf_gen, every_rule_refuses_by_itself)
{
	static const char *const known[] = { "a member is wrong", "durations",
		"numbers", "detectors", "categories", "nested names",
		"time is analysed", "metric of sums", "summary count field",
		"formats, zones, plots", "group", "index name" };
	unsigned seen[NELEM(known)] = { 0 };
	struct random r = random_seed(SEED);

	for (int i = 0; i < CASES; i++) {
		struct model m;
		const char *why;

		model_choose(&m, &r);
		free(model_write(&m, &r));
		if (model_is_valid(&m, &why))
			continue;
		for (size_t k = 0; k < NELEM(known); k++)
			seen[k] += strcmp(known[k], why) == 0;
	}
	for (size_t k = 0; k < NELEM(known); k++)
		cr_expect_gt(seen[k], 0, "%s", known[k]);
}

/* Every change of one byte is refused or read as something that is stable. */
Test(jobconf_gen, damaged_texts_are_refused_or_stable)
{
	struct random r = random_seed(SEED + 1);

	for (int i = 0; i < 4000; i++) {
		struct model m;
		struct apierr e;
		struct jobconf *c;
		char *text;
		size_t at;

		model_choose(&m, &r);
		text = model_write(&m, &r);
		at = (size_t)model_below(&r, (int)strlen(text));
		text[at] = (char)(1 + model_below(&r, 255));
		c = parse(text, &e);
		if (c != NULL)
			free(print_by(text));
		else
			expect_error(&e, text);
		jobconf_free(c);
		free(text);
	}
}
