/*
 * Job configurations from strangers. What is accepted must print, read back as
 * the same, and print the same again; what is refused must say why.
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct apierr e;
	struct jobconf *c;
	bool old;

	if (size == 0)
		return 0;
	/* The first byte chooses the path that the request came by. */
	old = (data[0] & 1) != 0;
	c = jobconf_parse("fuzz", (const char *)data + 1, size - 1, old, &e);
	if (c == NULL) {
		check_error(&e);
		return 0;
	}
	check_round_trip(c);
	check_answer(c);
	jobconf_free(c);
	return 0;
}
