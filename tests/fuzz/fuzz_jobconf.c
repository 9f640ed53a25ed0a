/*
 * Job configurations and updates of them from strangers. What is accepted must
 * print, read back as the same, and print the same again, and what an update
 * has made too; what is refused must say why.
 */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jobconf.h"
#include "common/jsonout.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
check_error(const struct apierr *e)
{
	struct json_object *o;

	check(e->status == 400 && e->n >= 1 && e->link[0].reason[0] != '\0');
	o = apierr_json(e);
	check(o != NULL);
	json_object_put(o);
}

static void
check_round_trip(const struct jobconf *c)
{
	struct apierr e;
	char *text = jobconf_print(c), *again;
	struct jobconf *back;

	check(text != NULL);
	back = jobconf_restore(c->job_id, text, strlen(text), &e);
	check(back != NULL);
	again = jobconf_print(back);
	check(again != NULL && strcmp(text, again) == 0);
	check(back->bucket_span_s == c->bucket_span_s &&
	    back->nfields == c->nfields && c->ndetectors >= 1 &&
	    c->bucket_span_s > 0 && c->latency_s >= 0);
	free(text);
	free(again);
	jobconf_free(back);
}

static void
check_answer(const struct jobconf *c)
{
	struct jsonout_style style = { .pretty = true,
		.human = true,
		.filter_path = "**.detectors,create*,-**.function" };
	struct jsonout_style yaml = { .yaml = true };
	struct json_object *o = jobconf_answer(c, "1", 1, 2, NULL);
	size_t len;
	char *text;

	check(o != NULL);
	text = jsonout_print(o, &style, &len);
	check(text != NULL && len == strlen(text));
	free(text);
	text = jsonout_print(o, &yaml, &len);
	check(text != NULL && len == strlen(text));
	check(strncmp(text, "---", 3) == 0 && text[len - 1] == '\n');
	free(text);
	json_object_put(o);
}

static void
parse(const char *text, size_t len, const struct jobconf_rules *rules)
{
	struct apierr e, again;
	struct jobconf *c = jobconf_parse("fuzz", text, len, rules, &e);

	if (c == NULL) {
		check_error(&e);
		return;
	}
	check(jobconf_validate(text, len, rules, &again) == 0);
	check_round_trip(c);
	check_answer(c);
	jobconf_free(c);
}

/* A job that has something of everything an update may change. */
static const char job[] =
    "{\"analysis_config\":{\"categorization_field_name\":\"m\","
    "\"detectors\":[{\"function\":\"count\",\"by_field_name\":"
    "\"mlcategory\"},{\"function\":\"mean\",\"field_name\":\"v\","
    "\"by_field_name\":\"b\",\"custom_rules\":[{\"conditions\":[{"
    "\"applies_to\":\"actual\",\"operator\":\"lt\",\"value\":1}]}]}]},"
    "\"data_description\":{},\"groups\":[\"g\"],\"description\":\"d\","
    "\"model_plot_config\":{\"enabled\":true},\"custom_settings\":{}}";

static void
update(const char *text, size_t len, const struct jobconf_rules *rules)
{
	struct apierr e;
	struct json_object *wanted =
	    jobconf_parse_update("fuzz", text, len, rules, &e);
	struct jobconf *c, *next;

	if (wanted == NULL) {
		check_error(&e);
		return;
	}
	c = jobconf_parse("fuzz", job, sizeof(job) - 1, rules, &e);
	check(c != NULL);
	next = jobconf_update(c, wanted, rules, &e);
	if (next == NULL) {
		check_error(&e);
	} else {
		check_round_trip(next);
		check_answer(next);
	}
	json_object_put(wanted);
	jobconf_free(next);
	check_round_trip(c);
	jobconf_free(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jobconf_rules rules = { .max_model_memory_bytes = 1u << 31 };
	const char *text = (const char *)data + 1;
	struct apierr e;

	if (size == 0)
		return 0;
	/* The first byte: the path that the request came by, and what it is. */
	rules.old = (data[0] & 1) != 0;
	if ((data[0] & 2) != 0)
		update(text, size - 1, &rules);
	else if ((data[0] & 4) == 0)
		parse(text, size - 1, &rules);
	else if (jobconf_validate_detector(text, size - 1, &rules, &e) == -1)
		check_error(&e);
	return 0;
}
